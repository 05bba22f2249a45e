package workflows

import (
	"context"
	"errors"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
)

// PruneScheduleID is the id of the schedule that runs PruneHistory.
const PruneScheduleID = "posthaste-prune"

// When it runs: after midnight in UTC, by which days are forgotten, and away from
// the full hour, at which others run theirs.
const (
	pruneHour   = 3
	pruneMinute = 17
	pruneJitter = 10 * time.Minute
	// pruneCatchup is for how long a run that was missed is made up for. After
	// that the next day's does its work too.
	pruneCatchup = time.Hour
)

// EnsureSchedules makes the schedules that are not there and brings the others up
// to date; one that somebody paused stays paused. It may be called again at any
// time.
func EnsureSchedules(ctx context.Context, c client.Client) error {
	options := pruneSchedule()
	_, err := c.ScheduleClient().Create(ctx, options)
	if !errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
		return err
	}
	return c.ScheduleClient().GetHandle(ctx, PruneScheduleID).Update(ctx, client.ScheduleUpdateOptions{
		DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
			present := in.Description.Schedule
			present.Spec, present.Action = &options.Spec, options.Action
			present.Policy = &client.SchedulePolicies{Overlap: options.Overlap, CatchupWindow: options.CatchupWindow}
			return &client.ScheduleUpdate{Schedule: &present}, nil
		},
	})
}

func pruneSchedule() client.ScheduleOptions {
	return client.ScheduleOptions{
		ID: PruneScheduleID,
		Spec: client.ScheduleSpec{
			Calendars: []client.ScheduleCalendarSpec{{
				Hour: []client.ScheduleRange{{Start: pruneHour}}, Minute: []client.ScheduleRange{{Start: pruneMinute}},
				Comment: "every day in the small hours, UTC",
			}},
			Jitter: pruneJitter,
		},
		Action: &client.ScheduleWorkflowAction{
			ID: "prune", Workflow: PruneHistory, TaskQueue: TaskQueue, StaticSummary: "forget what is past its retention",
		},
		Overlap:       enumspb.SCHEDULE_OVERLAP_POLICY_SKIP,
		CatchupWindow: pruneCatchup,
	}
}
