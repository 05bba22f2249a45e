package models_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"posthaste/errs"
	"posthaste/models"
)

func TestADeliveryWhoseWorkflowHasEndedIsTakenOver(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		d := w.deliveryTo(w.webhook("acme"))
		_, err := w.store.Adopt(t.Context(), "acme", d.ID, "event/of/others", "resend/1")
		requireCode(t, errs.Conflict, err)
		_, err = w.store.Adopt(t.Context(), "globex", d.ID, d.WorkflowID, "resend/1")
		requireCode(t, errs.NotFound, err)
		for range 2 { // a repeat is the same request
			adopted, err := w.store.Adopt(t.Context(), "acme", d.ID, d.WorkflowID, "resend/1")
			require.NoError(t, err)
			require.Equal(t, "resend/1", adopted.WorkflowID)
			require.Equal(t, d.State, adopted.State)
		}
		_, err = w.store.Adopt(t.Context(), "acme", d.ID, d.WorkflowID, "resend/2")
		requireCode(t, errs.Conflict, err)

		now, _ := w.reload(d)
		require.NoError(t, w.store.Record(t.Context(), models.Record{Delivery: now, Step: models.StepSkip}))
		_, err = w.store.Adopt(t.Context(), "acme", d.ID, "resend/1", "resend/3")
		requireCode(t, errs.Conflict, err)
	})
}
