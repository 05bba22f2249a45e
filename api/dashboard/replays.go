package dashboard

import (
	"net/http"
	"net/url"
	"strings"

	"posthaste/models"

	"github.com/gin-gonic/gin"
)

// replaysShown is how many replays a page lists.
const replaysShown = 20

// replayPages send what is settled again, many deliveries at a time.
type replayPages struct {
	*Dashboard
	store ledgerStore
}

// replayStatuses names what a replay can take, for people.
func replayStatuses() []choice {
	names := map[string]string{
		models.ReplayFailed: "Failed", models.ReplaySkipped: "Skipped while it was not active", models.ReplayUnknown: "Unknown (lost with a worker)",
		models.ReplayCancelled: "Cancelled", models.ReplayUndelivered: "All that was not delivered", models.ReplayAll: "Everything, delivered or not",
	}
	list := []choice{}
	for _, status := range models.ReplayStatuses() {
		list = append(list, choice{status, names[status]})
	}
	return list
}

// replaysView is the replays of a webhook and the form for another one.
type replaysView struct {
	Hook           models.Webhook
	Replays        []models.Replay
	Next, First    string
	Since, Until   string
	Status         string
	PerSecond      string
	Faults         map[string]string
	Message        string
	Previewed      bool // Count is what it would take
	Changed        bool // since it was previewed before
	Count          int
	CountMayBeMore bool
}

// faultsOf returns what is wrong with a field.
func (v replaysView) faultsOf(field string) []string {
	if fault := v.Faults[field]; fault != "" {
		return []string{sentence(fault)}
	}
	return nil
}

// countText says how many deliveries a replay takes.
func countText(count int, more bool) string {
	text := counted(int64(count), "delivery")
	if count != 1 {
		text = grouped(int64(count)) + " deliveries"
	}
	if more {
		return "at least " + text
	}
	return text
}

// againText ends the sentence that says what a replay would send.
func (v replaysView) againText() string {
	if length := v.longTime(); length != "" {
		return " again, in about " + length + "."
	}
	return " again."
}

// longTime says roughly how long a replay takes.
func (v replaysView) longTime() string {
	rate, whole := numberOrText(v.PerSecond).(int)
	if !whole || rate < 1 {
		return ""
	}
	seconds := (v.Count + rate - 1) / rate
	switch {
	case seconds < 120:
		return counted(int64(max(1, seconds)), "second")
	case seconds < 7200:
		return counted(int64((seconds+59)/60), "minute")
	default:
		return counted(int64((seconds+3599)/3600), "hour")
	}
}

func (p *replayPages) list(c *gin.Context) error {
	hook, err := p.hookOf(c, p.store)
	if err != nil {
		return err
	}
	return p.page(c, http.StatusOK, replaysView{
		Hook: hook, Since: p.Now().UTC().Add(-healthSpan).Format(formMoment), Status: models.ReplayUndelivered, PerSecond: "10",
	})
}

// page shows the form as it is, above the replays there were.
func (p *replayPages) page(c *gin.Context, status int, view replaysView) error {
	found, err := p.store.Replays(c.Request.Context(), models.ReplayFilter{
		Tenant: view.Hook.Tenant, WebhookID: view.Hook.ID, Limit: replaysShown, Cursor: c.Query("cursor"),
	})
	if err != nil {
		return err
	}
	view.Replays = found.Items
	view.Next, view.First = pagePaths(c, found.NextCursor)
	return p.render(c, status, webhookPage(&view.Hook, "Replays", replayList(view)))
}

// begin starts a replay, or says what it would take: of one that was not
// previewed, too.
func (p *replayPages) begin(c *gin.Context) error {
	hook, err := p.hookOf(c, p.store)
	if err != nil {
		return err
	}
	given := func(name string) string { return strings.TrimSpace(c.Request.PostFormValue(name)) }
	view := replaysView{Hook: hook, Since: given("since"), Until: given("until"), Status: given("status"), PerSecond: given("perSecond")}
	start := given("do") == "start"
	view.Changed = start && given("previewed") != view.asked()
	preview := !start || view.Changed
	body := map[string]any{"since": wireMoment(view.Since), "dryRun": preview}
	if view.Until != "" {
		body["until"] = wireMoment(view.Until)
	}
	if view.Status != "" {
		body["status"] = view.Status
	}
	if view.PerSecond != "" {
		body["perSecond"] = numberOrText(view.PerSecond)
	}
	var told struct {
		ID    string
		Count int
		More  bool
	}
	if err := p.ask(c, http.MethodPost, apiPath(&hook, "/replay"), body, &told); err != nil {
		var mendable bool
		if view.Faults, view.Message, mendable = canBeMended(err); !mendable {
			return err
		}
		return p.page(c, http.StatusUnprocessableEntity, view)
	}
	if preview {
		view.Previewed, view.Count, view.CountMayBeMore = true, told.Count, told.More
		return p.page(c, http.StatusOK, view)
	}
	return p.tell(c, replayPath(told.ID), flash{Text: "The replay has begun."})
}

// asked is what the form asks for, in one form: a replay begins as it was
// previewed, or is previewed again.
func (v replaysView) asked() string {
	return url.Values{"since": {wireMoment(v.Since)}, "until": {wireMoment(v.Until)}, "status": {v.Status}, "perSecond": {v.PerSecond}}.Encode()
}

// wireMoment writes what a form says of a time as the API reads it; what is no
// time goes as it is, for the API to refuse.
func wireMoment(text string) string {
	at, err := readMoment(text)
	if err != nil {
		return text
	}
	return machineTime(at)
}

func replayPath(id string) string { return "/replays/" + id }

// replayView is one replay, as far as it has come.
type replayView struct {
	models.Replay
	Hook  models.Webhook
	Watch watch
}

// settled counts the deliveries that are done with.
func (v replayView) settled() int {
	p := v.Progress
	return p.Delivered + p.Failed + p.Skipped + p.Cancelled
}

// underWay counts those that wait or are being sent.
func (v replayView) underWay() int { return max(0, v.Progress.Reopened-v.settled()) }

// whole is what the bar of progress ends at.
func (v replayView) whole() int { return max(1, replayed(v.Replay), v.settled()) }

// replayed is how many deliveries a replay is about: it may find more than were
// counted before it began.
func replayed(r models.Replay) int { return max(r.Count, r.Progress.Found) }

func (p *replayPages) show(c *gin.Context) error {
	id, err := pathID(c, "replay")
	if err != nil {
		return err
	}
	ctx, tenant := c.Request.Context(), viewerOf(c).Tenant
	var view replayView
	if view.Replay, err = p.store.Replay(ctx, tenant, id); err != nil {
		return err
	}
	if view.Hook, err = p.store.Webhook(ctx, tenant, view.WebhookID); err != nil {
		return err
	}
	view.Watch = watch{Live: view.State == models.ReplayRunning, Here: c.Request.URL.RequestURI()}
	trail := []crumb{{"Webhooks", "/webhooks"}, {view.Hook.Name, hookPath(&view.Hook, "")}, {"Replays", hookPath(&view.Hook, "/replays")}}
	return p.render(c, http.StatusOK, page{Title: "Replay", Nav: "/webhooks", Trail: trail, Body: replayDetail(view)})
}

func (p *replayPages) cancel(c *gin.Context) error {
	id, err := pathID(c, "replay")
	if err != nil {
		return err
	}
	err = p.ask(c, http.MethodDelete, "/api/replays/"+id, nil, nil)
	return p.answered(c, replayPath(id), err, "The replay is being cancelled; what is under way ends first.")
}

// replayTone is the colour of a replay's state. One that has ended is not well
// as long as something that it found was not delivered.
func replayTone(r models.Replay) string {
	switch {
	case r.State == models.ReplayRunning, r.State == models.ReplayCompleted && r.Progress.Delivered < r.Progress.Found:
		return "warn"
	case r.State == models.ReplayCompleted:
		return "good"
	case r.State == models.ReplayStopped:
		return "bad"
	default:
		return "quiet"
	}
}

// statusLabel names what a replay takes.
func statusLabel(status string) string {
	for _, one := range replayStatuses() {
		if one.Value == status {
			return one.Label
		}
	}
	return status
}

// atLeast writes a count of deliveries that may not be all.
func atLeast(count int, more bool) string {
	if more {
		return grouped(int64(count)) + "+"
	}
	return grouped(int64(count))
}
