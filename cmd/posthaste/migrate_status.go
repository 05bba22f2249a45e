package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"posthaste/config"
	"posthaste/models"
	"posthaste/workflows"
)

type migrateStatusCommand struct {
	config.Database
	config.Temporal
	output
}

// migrateStatus is how things stand, for a program.
type migrateStatus struct {
	Migrations []migrationRow  `json:"migrations"`
	Temporal   *temporalStatus `json:"temporal"` // null where no Temporal was named
}

// temporalStatus is what migrate up sets up in Temporal.
type temporalStatus struct {
	Namespace         string         `json:"namespace"`
	MissingAttributes []string       `json:"searchAttributesMissing"`
	Schedule          scheduleStatus `json:"schedule"`
}

// States of a schedule.
const (
	scheduleActive  = "active"
	schedulePaused  = "paused"
	scheduleMissing = "missing"
)

// scheduleStatus is how a schedule stands.
type scheduleStatus struct {
	ID      string     `json:"id"`
	State   string     `json:"state"`
	Note    string     `json:"note,omitempty"` // of whoever paused it
	NextRun *time.Time `json:"nextRun"`        // null unless it is active
	LastRun *time.Time `json:"lastRun"`        // null when it never ran
}

// Help shows what can be asked.
func (migrateStatusCommand) Help() string {
	return `It changes nothing.

Examples:

  posthaste migrate status                      settings from POSTHASTE_* variables
  posthaste migrate status --database-url sqlite://.posthaste/posthaste.db --temporal-address 127.0.0.1:7233`
}

// Run prints all migrations and, where Temporal is named, what is in it. What the
// database says is printed also when Temporal does not answer.
func (m migrateStatusCommand) Run(ctx context.Context, c console) error {
	settings := config.Config{Database: m.Database, Temporal: m.Temporal}
	if err := validateMigrate(settings, false); err != nil {
		return err
	}
	if path, missing := missingFile(m.DatabaseURL); missing {
		return failed(nil, "there is no database at %s: check --database-url (POSTHASTE_DATABASE_URL), or make one there with posthaste migrate up", path)
	}
	migrations, err := models.MigrationStatus(ctx, m.DatabaseURL.Reveal())
	if err != nil {
		return databaseFailure(m.DatabaseURL, err)
	}
	status := migrateStatus{Migrations: []migrationRow{}}
	for _, migration := range migrations {
		status.Migrations = append(status.Migrations, rowOf(migration))
	}
	var unanswered error
	if m.TemporalAddress != "" {
		status.Temporal, unanswered = readTemporalStatus(ctx, m.Temporal)
	}
	if m.JSON {
		return errors.Join(writeJSON(c.out, status), unanswered)
	}
	return errors.Join(status.print(c), unanswered)
}

// missingFile returns the path of SQLite's file and whether nothing is there:
// to open it would make it.
func missingFile(database config.Secret) (string, bool) {
	path, isFile := strings.CutPrefix(database.Reveal(), "sqlite://")
	if !isFile {
		return "", false
	}
	_, err := os.Stat(path)
	return path, errors.Is(err, fs.ErrNotExist)
}

// readTemporalStatus asks Temporal what migrate up would find there.
func readTemporalStatus(ctx context.Context, settings config.Temporal) (*temporalStatus, error) {
	c, err := dialUpkeep(ctx, settings)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	status := &temporalStatus{Namespace: settings.TemporalNamespace, MissingAttributes: []string{}}
	missing, err := missingAttributes(ctx, c, settings.TemporalNamespace)
	if err != nil {
		return nil, err
	}
	status.MissingAttributes = append(status.MissingAttributes, missing...)
	if status.Schedule, err = readSchedule(ctx, c, settings.TemporalNamespace, workflows.PruneScheduleID); err != nil {
		return nil, err
	}
	return status, nil
}

// readSchedule asks Temporal for a schedule. That there is none is an answer. It
// asks past the SDK, which would want to open what a sealing client wrote.
func readSchedule(ctx context.Context, c client.Client, namespace, id string) (scheduleStatus, error) {
	status := scheduleStatus{ID: id, State: scheduleMissing}
	found, err := c.WorkflowService().DescribeSchedule(ctx, &workflowservice.DescribeScheduleRequest{Namespace: namespace, ScheduleId: id})
	var absent *serviceerror.NotFound
	if errors.As(err, &absent) {
		return status, nil
	}
	if err != nil {
		return status, failed(err, "Temporal's schedule %s could not be read: %v", id, err)
	}
	if runs := found.GetInfo().GetRecentActions(); len(runs) > 0 {
		last := runs[len(runs)-1].GetActualTime().AsTime()
		status.LastRun = &last
	}
	if state := found.GetSchedule().GetState(); state.GetPaused() {
		status.State, status.Note = schedulePaused, state.GetNotes()
		return status, nil
	}
	status.State = scheduleActive
	if next := found.GetInfo().GetFutureActionTimes(); len(next) > 0 {
		at := next[0].AsTime()
		status.NextRun = &at
	}
	return status, nil
}

// print shows it to a person.
func (s migrateStatus) print(c console) error {
	rows := [][]string{}
	for _, migration := range s.Migrations {
		rows = append(rows, []string{strconv.FormatInt(migration.Version, 10), migration.Name, moment(migration.AppliedAt, "pending")})
	}
	if err := writeTable(c.out, []string{"VERSION", "MIGRATION", "APPLIED"}, rows); err != nil || s.Temporal == nil {
		return err
	}
	fmt.Fprintln(c.out)
	attributes := "complete"
	if missing := s.Temporal.MissingAttributes; len(missing) > 0 {
		attributes = "missing: " + strings.Join(missing, ", ")
	}
	schedule := s.Temporal.Schedule
	state := schedule.State
	if schedule.Note != "" {
		state += " (" + schedule.Note + ")"
	}
	return writeTable(c.out, []string{"TEMPORAL", "STATE", "LAST RUN", "NEXT RUN"}, [][]string{
		{"search attributes", attributes, "", ""},
		{"schedule " + schedule.ID, state, moment(schedule.LastRun, "never"), moment(schedule.NextRun, "none")},
	})
}

// moment writes a time for people and scripts alike; without one, what that means.
func moment(at *time.Time, none string) string {
	if at == nil {
		return none
	}
	return at.UTC().Format(time.RFC3339)
}
