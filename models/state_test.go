package models_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"posthaste/errs"
	"posthaste/models"
)

// stateTable is the whole machine, written a second time: a row per state, a
// column per step in the order of Steps, "." where the step is refused.
const stateTable = `
           resolve-pending resolve-skipped resolve-suppressed claim   deliver   fail-retry fail-final skip    cancel    lose    reopen
none       pending         skipped         suppressed         .       .         .          .          .       .         .       .
pending    .               .               .                  sending delivered retrying   failed     skipped cancelled .       .
sending    .               .               .                  .       delivered retrying   failed     .       .         unknown .
retrying   .               .               .                  sending delivered retrying   failed     skipped cancelled .       .
delivered  .               .               .                  .       .         .          .          .       .         .       pending
failed     .               .               .                  .       .         .          .          .       .         .       pending
skipped    .               .               .                  .       .         .          .          .       .         .       pending
suppressed .               .               .                  .       .         .          .          .       .         .       pending
cancelled  .               .               .                  .       .         .          .          .       .         .       pending
unknown    .               .               .                  .       .         .          .          .       .         .       pending
`

func TestAdvanceIsTheTable(t *testing.T) {
	t.Parallel()
	lines := strings.Split(strings.TrimSpace(stateTable), "\n")
	steps := strings.Fields(lines[0])
	require.Len(t, steps, len(models.Steps()))
	var from []models.State
	for _, line := range lines[1:] {
		cells := strings.Fields(line)
		state := models.State(cells[0])
		if state == "none" {
			state = ""
		} else {
			from = append(from, state)
		}
		for i, want := range cells[1:] {
			step := models.Steps()[i]
			require.Equal(t, steps[i], string(step))
			got, err := models.Advance(state, step)
			if want == "." {
				requireCode(t, errs.Conflict, err)
				continue
			}
			require.NoError(t, err)
			require.Equal(t, models.State(want), got, "%s + %s", state, step)
		}
	}
	require.ElementsMatch(t, models.States(), from, "a state is missing from the table")
	_, err := models.Advance("asleep", models.StepClaim)
	requireCode(t, errs.Conflict, err)
}

func TestOnlySettledStatesCanBeReopened(t *testing.T) {
	t.Parallel()
	for _, state := range models.States() {
		_, err := models.Advance(state, models.StepReopen)
		require.Equal(t, state.Settled(), err == nil, state)
	}
}

// The ledger must hold the table too, whoever asks: every state is reached on a
// real row and every step is tried on it.
func TestLedgerKeepsToTheTable(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		recorded := []models.Step{
			models.StepClaim, models.StepDeliver, models.StepFailRetry, models.StepFailFinal,
			models.StepSkip, models.StepCancel, models.StepLose,
		}
		hook := w.webhook("acme")
		for _, state := range models.States() {
			for _, step := range recorded {
				d := w.in(state, hook)
				require.Equal(t, state, d.State)
				want, refused := models.Advance(state, step)
				err := w.store.Record(t.Context(), models.Record{Delivery: d, Step: step, Attempt: attemptOf(step)})
				after, attempts := w.reload(d)
				if refused != nil {
					requireCode(t, errs.Conflict, err)
					require.Equal(t, d, after, "%s + %s changed the row", state, step)
					continue
				}
				require.NoError(t, err, "%s + %s", state, step)
				require.Equal(t, want, after.State, "%s + %s", state, step)
				require.Equal(t, want.Settled(), after.SettledAt != nil)
				require.Len(t, attempts, after.Attempts)
			}
		}
	})
}

func TestStepsThatAreNoRecords(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		_, d := w.delivery("acme")
		for _, step := range []models.Step{
			models.StepResolvePending, models.StepResolveSkipped, models.StepResolveSuppressed, models.StepReopen,
		} {
			requireCode(t, errs.Internal, w.store.Record(t.Context(), models.Record{Delivery: d, Step: step}))
		}
		for _, step := range []models.Step{models.StepClaim, models.StepSkip, models.StepCancel} {
			err := w.store.Record(t.Context(), models.Record{Delivery: d, Step: step, Attempt: attempt(200)})
			requireCode(t, errs.Internal, err)
		}
		requireCode(t, errs.Internal, w.store.Record(t.Context(), models.Record{Delivery: d, Step: models.StepDeliver}))
		bad := attempt(200)
		bad.ID = "not-a-uuid"
		err := w.store.Record(t.Context(), models.Record{Delivery: d, Step: models.StepDeliver, Attempt: bad})
		requireCode(t, errs.Internal, err)
		after, attempts := w.reload(d)
		require.Equal(t, d, after)
		require.Empty(t, attempts)
	})
}

func TestTransitionsAreUnambiguous(t *testing.T) {
	t.Parallel()
	table := models.Transitions()
	for i, a := range table {
		again := slices.ContainsFunc(table[i+1:], func(b models.Transition) bool { return a.From == b.From && a.Step == b.Step })
		require.False(t, again, "%+v", a)
	}
}
