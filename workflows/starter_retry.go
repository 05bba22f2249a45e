package workflows

import (
	"context"
	"errors"
	"strings"

	"go.temporal.io/api/serviceerror"

	"posthaste/errs"
)

// ErrTakesNoMore is in the chain when a workflow lives but has had as many
// requests as Temporal lets one workflow have (10,000 by default).
var ErrTakesNoMore = errors.New("the workflow takes no more requests")

// RetryNow asks the workflow that holds a waiting delivery to try it at once. It
// returns errs.Conflict when that workflow has ended, which means that the
// delivery has just settled, or when it can be asked nothing more: ErrTakesNoMore.
func (s *Starter) RetryNow(ctx context.Context, workflowID, deliveryID string) error {
	err := s.outage.call(ctx, func(ctx context.Context) error {
		return s.client.SignalWorkflow(ctx, workflowID, "", SignalRetryNow, RetryNow{DeliveryID: deliveryID})
	})
	var gone *serviceerror.NotFound
	switch {
	case err == nil:
		return nil
	case errors.As(err, &gone):
		return errs.Wrap(err, errs.Conflict, "The delivery is no longer waiting; read it again")
	case isSignalLimit(err):
		return errs.Wrap(errors.Join(ErrTakesNoMore, err), errs.Conflict,
			"The deliveries of this event were asked to be retried too often; this one is tried when it is due")
	}
	return s.unavailable(err, "The delivery could not be retried")
}

// isSignalLimit tells that a workflow can get no more signals. Temporal has no
// code of its own for that: it calls the request invalid, and our requests are
// all alike.
func isSignalLimit(err error) bool {
	var refused *serviceerror.InvalidArgument
	return errors.As(err, &refused) && strings.Contains(refused.Error(), "limit for signal events")
}
