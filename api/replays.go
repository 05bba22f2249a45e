package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"posthaste/errs"
	"posthaste/models"
	"posthaste/workflows"

	"github.com/gin-gonic/gin"
	"github.com/google/uuid"
)

// Rates of a replay, in deliveries that begin in a second.
const (
	defaultReplayRate = 10
	maxReplayRate     = 100
)

// replayStore is what replays ask of the ledger. All find only the tenant's own:
// anything else is errs.NotFound. BeginReplay leaves a replay as it is that is
// on record.
type replayStore interface {
	Webhook(ctx context.Context, tenant, id string) (models.Webhook, error)
	CountReplayable(ctx context.Context, wanted models.Replayable) (count int, more bool, err error)
	BeginReplay(ctx context.Context, by models.Actor, replay models.Replay) error
	EndReplay(ctx context.Context, tenant, id, state, reason string) error
	Replay(ctx context.Context, tenant, id string) (models.Replay, error)
	Replays(ctx context.Context, filter models.ReplayFilter) (models.Page[models.Replay], error)
}

// replayStarter runs replays. Replay returns errs.Conflict while one of the
// webhook is running, CancelReplay errs.NotFound when the run has ended.
type replayStarter interface {
	Replay(ctx context.Context, in workflows.ReplayInput) (runID string, err error)
	CancelReplay(ctx context.Context, tenant, webhookID, runID string) error
}

// replays sends what is settled again, many deliveries at a time.
type replays struct {
	store   replayStore
	starter replayStarter
	door    *door
	now     func() time.Time
}

// previewBody says what a replay would take.
type previewBody struct {
	DryRun bool `json:"dryRun"`
	Count  int  `json:"count"`
	More   bool `json:"more"`
}

// replayBody is one replay, as far as it has come.
type replayBody struct {
	ID        string             `json:"id"`
	WebhookID string             `json:"webhookId"`
	Since     timestamp          `json:"since"`
	Until     timestamp          `json:"until"`
	Status    string             `json:"status"`
	PerSecond int                `json:"perSecond"`
	Count     int                `json:"count"`
	More      bool               `json:"more"`
	State     string             `json:"state"`
	Reason    *string            `json:"reason"`
	Progress  replayProgressBody `json:"progress"`
	CreatedAt timestamp          `json:"createdAt"`
	EndedAt   *timestamp         `json:"endedAt"`
}

type replayProgressBody struct {
	Found     int `json:"found"`
	Reopened  int `json:"reopened"`
	Delivered int `json:"delivered"`
	Failed    int `json:"failed"`
	Skipped   int `json:"skipped"`
	Cancelled int `json:"cancelled"`
}

func showReplay(r models.Replay) replayBody {
	return replayBody{
		ID: r.ID, WebhookID: r.WebhookID, Since: timestamp(r.Since), Until: timestamp(r.Until), Status: r.Status, PerSecond: r.PerSecond,
		Count: r.Count, More: r.More, State: r.State, Reason: optionalText(r.Reason), Progress: replayProgressBody(r.Progress),
		CreatedAt: timestamp(r.CreatedAt), EndedAt: optionalTime(r.EndedAt),
	}
}

// create starts a replay, or says what it would take. It counts as one event
// against the tenant's limit.
func (h *replays) create(c *gin.Context) error {
	if _, err := h.door.admit(c.Request.Context(), tenantOf(c), 1); err != nil {
		return err
	}
	id, err := pathID(c, "webhook")
	if err != nil {
		return err
	}
	body, err := readBody(c, bodyRule{maxBytes: maxResourceBytes})
	if err != nil {
		return err
	}
	key, err := idempotencyKey(c.Request.Header)
	if err != nil {
		return err
	}
	in, dryRun, err := h.read(body, tenantOf(c), id, key)
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	if key != "" && !dryRun {
		if earlier, err := h.earlier(ctx, in); err != nil || earlier != nil {
			return h.answer(c, http.StatusOK, earlier, err)
		}
	}
	target, err := h.store.Webhook(ctx, in.Tenant, id)
	if err != nil {
		return err
	}
	if err := mustReceive(&target, false); err != nil && !dryRun {
		return err
	}
	in.Count, in.More, err = h.store.CountReplayable(ctx, in.Replayable())
	if err != nil {
		return err
	}
	if dryRun {
		return respond(c, http.StatusOK, previewBody{DryRun: true, Count: in.Count, More: in.More})
	}
	by := actorOf(c)
	in.By = workflows.Actor{Kind: by.Kind, Name: by.Name, RequestID: by.RequestID}
	return h.start(c, in, by)
}

// start has Temporal begin the replay, which is the one durable commit, and puts
// it on record for readers who come before the workflow has done so.
func (h *replays) start(c *gin.Context, in workflows.ReplayInput, by models.Actor) error {
	ctx := c.Request.Context()
	runID, err := h.starter.Replay(ctx, in)
	if errs.Is(err, errs.Conflict) && in.BodyHash != "" { // perhaps it is this one
		if earlier, found := h.earlier(ctx, in); found != nil || earlier != nil {
			return h.answer(c, http.StatusOK, earlier, found)
		}
	}
	if err != nil {
		return err
	}
	row := in.Row(runID)
	if err := h.store.BeginReplay(ctx, by, row); err != nil {
		c.Set(keyError, fmt.Errorf("the workflow will put replay %s on record: %w", in.ID, err)) // for the access line
	}
	row.State = models.ReplayRunning
	return h.answer(c, http.StatusAccepted, &row, nil)
}

func (h *replays) answer(c *gin.Context, status int, replay *models.Replay, err error) error {
	if err != nil {
		return err
	}
	c.Header("Location", "/api/replays/"+replay.ID)
	return respond(c, status, showReplay(*replay))
}

// earlier returns the replay that the request's Idempotency-Key stands for
// already, if there is one.
func (h *replays) earlier(ctx context.Context, in workflows.ReplayInput) (*models.Replay, error) {
	found, err := h.store.Replay(ctx, in.Tenant, in.ID)
	switch {
	case errs.Is(err, errs.NotFound):
		return nil, nil
	case err == nil && found.BodyHash != in.BodyHash:
		return nil, errs.New(errs.Conflict, "This Idempotency-Key was used for another replay")
	}
	return &found, err
}

// read makes a replay of a request's body, or says everything that is wrong with
// it.
func (h *replays) read(body *object, tenant, webhookID, key string) (workflows.ReplayInput, bool, error) {
	var since, until string
	var dryRun bool
	now := h.now().UTC()
	in := workflows.ReplayInput{
		Tenant: tenant, WebhookID: webhookID, Until: now.Truncate(time.Millisecond), AskedAt: now,
	}
	body.text("since", maxNameChars, &since)
	body.text("until", maxNameChars, &until)
	body.text("status", maxNameChars, &in.Status)
	body.whole("perSecond", &in.PerSecond)
	body.flag("dryRun", &dryRun)
	if !body.has("status") {
		in.Status = models.ReplayFailed
	}
	if !body.has("perSecond") {
		in.PerSecond = defaultReplayRate
	}
	if since == "" {
		body.fault("since", "is required") // a replay of all there ever was says so
	} else {
		in.Since = readTime(body, "since", since)
	}
	if until != "" {
		in.Until = readTime(body, "until", until)
	}
	if !in.Since.Before(in.Until) {
		body.fault("until", "must be after since")
	}
	if !slices.Contains(models.ReplayStatuses(), in.Status) {
		body.fault("status", "must be one of %s", strings.Join(models.ReplayStatuses(), ", "))
	}
	if in.PerSecond < 1 || in.PerSecond > maxReplayRate {
		body.fault("perSecond", "must be between 1 and %d", maxReplayRate)
	}
	if err := body.done(); err != nil {
		return in, false, err
	}
	in.ID = models.NewID(now)
	if key != "" {
		in.ID = uuid.NewSHA1(keyNamespace, fmt.Appendf(nil, "replay\x00%s\x00%s\x00%s", tenant, webhookID, key)).String()
		digest := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s\x00%d", since, until, in.Status, in.PerSecond))
		in.BodyHash = hex.EncodeToString(digest[:])
	}
	return in, dryRun, nil
}

func (h *replays) get(c *gin.Context) error {
	found, err := h.find(c)
	if err != nil {
		return err
	}
	return respond(c, http.StatusOK, showReplay(found))
}

func (h *replays) find(c *gin.Context) (models.Replay, error) {
	id, err := pathID(c, "replay")
	if err != nil {
		return models.Replay{}, err
	}
	return h.store.Replay(c.Request.Context(), tenantOf(c), id)
}

// cancel asks a replay to end: what waits is given up, and what is under way
// ends.
func (h *replays) cancel(c *gin.Context) error {
	found, err := h.find(c)
	if err != nil {
		return err
	}
	if found.State != models.ReplayRunning {
		return errs.New(errs.Conflict, "The replay has ended: it is %s", found.State)
	}
	ctx := c.Request.Context()
	err = h.starter.CancelReplay(ctx, found.Tenant, found.WebhookID, found.RunID)
	if errs.Is(err, errs.NotFound) { // it ended this moment, or somebody ended it in Temporal
		err = h.store.EndReplay(ctx, found.Tenant, found.ID, models.ReplayEnded, "")
		if err == nil {
			found, err = h.store.Replay(ctx, found.Tenant, found.ID)
		}
	}
	return h.answer(c, http.StatusAccepted, &found, err)
}

func (h *replays) list(c *gin.Context) error {
	id, err := pathID(c, "webhook")
	if err != nil {
		return err
	}
	q, err := readQuery(c)
	if err != nil {
		return err
	}
	filter := models.ReplayFilter{Tenant: tenantOf(c), WebhookID: id, Limit: q.limit(defaultLimit), Cursor: q.cursor()}
	if err := q.done(); err != nil {
		return err
	}
	page, err := h.store.Replays(c.Request.Context(), filter)
	if err != nil {
		return err
	}
	list := make([]replayBody, len(page.Items))
	for i, replay := range page.Items {
		list[i] = showReplay(replay)
	}
	return respondPage(c, paginationOf(filter.Limit, page.NextCursor), list)
}
