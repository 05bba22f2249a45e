package models_test

import (
	"bytes"
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"posthaste/errs"
	"posthaste/models"
	"posthaste/models/modelstest"
)

// The paths of a method: with the rows of one tenant in sight, with those of
// all, or without any statement.
const (
	forOne  = "acme"
	forAll  = "*"
	without = ""
)

// rows are what a method is called with: all of tenant acme.
type rows struct {
	hook models.Webhook
	d    models.Delivery
	key  models.APIKey
}

// pathCase is one method of the store: its path, and a call that succeeds.
type pathCase struct {
	path string
	call func(w world, r rows) error
}

// paths knows the path of every method.
func paths() map[string]pathCase {
	return map[string]pathCase{
		"Close": {path: without}, "Ping": {path: without}, "RecorderStats": {path: without}, "PruneStats": {path: without},
		"Now": {path: without}, "CheckClock": {path: without},

		"CreateWebhook": {forOne, func(w world, _ rows) error { w.webhook("acme"); return nil }},
		"Webhook":       {forOne, func(w world, r rows) error { w.webhookNow(r.hook); return nil }},
		"Webhooks": {forOne, func(w world, _ rows) error {
			return second(w.store.Webhooks(w.t.Context(), models.WebhookFilter{Tenant: "acme"}))
		}},
		"UpdateWebhook": {forOne, func(w world, r rows) error {
			return second(w.store.UpdateWebhook(w.t.Context(), byTest, "acme", r.hook.ID, func(h *models.Webhook) error { h.Name = "new"; return nil }))
		}},
		"DeleteWebhook": {forOne, func(w world, r rows) error { return w.store.DeleteWebhook(w.t.Context(), byTest, "acme", r.hook.ID) }},
		"History": {forOne, func(w world, r rows) error {
			return second(w.store.History(w.t.Context(), models.HistoryFilter{Tenant: "acme", WebhookID: r.hook.ID}))
		}},
		"Stats": {forOne, func(w world, r rows) error {
			return second(w.store.Stats(w.t.Context(), models.StatsFilter{Tenant: "acme", WebhookID: r.hook.ID}))
		}},
		"Glances": {forOne, func(w world, r rows) error {
			return second(w.store.Glances(w.t.Context(), "acme", []string{r.hook.ID}, now().Add(-time.Hour), now()))
		}},
		"Audit": {forOne, func(w world, r rows) error {
			return second(w.store.Audit(w.t.Context(), models.AuditFilter{Tenant: "acme", WebhookID: r.hook.ID}))
		}},
		"Events": {forOne, func(w world, _ rows) error {
			return second(w.store.Events(w.t.Context(), models.EventFilter{Tenant: "acme"}))
		}},
		"Event": {forOne, func(w world, r rows) error { return second(w.store.Event(w.t.Context(), "acme", r.d.EventID)) }},
		"EventDeliveries": {forOne, func(w world, r rows) error {
			return second(w.store.EventDeliveries(w.t.Context(), "acme", r.d.EventID, "", 0))
		}},
		"DeliveriesOf": {forOne, func(w world, r rows) error {
			return second(w.store.DeliveriesOf(w.t.Context(), "acme", r.d.EventID, 0, ""))
		}},
		"Delivery": {forOne, func(w world, r rows) error { w.reload(r.d); return nil }},
		"DeliveryAttempt": {forOne, func(w world, r rows) error {
			_, _, err := w.store.DeliveryAttempt(w.t.Context(), "acme", r.d.ID, 1)
			requireCode(w.t, errs.NotFound, err) // it was asked for
			return nil
		}},
		"Adopt": {forOne, func(w world, r rows) error {
			return second(w.store.Adopt(w.t.Context(), r.d.Tenant, r.d.ID, r.d.WorkflowID, "resend/2"))
		}},
		"Lose": {forOne, func(w world, r rows) error {
			require.NoError(w.t, second(w.store.ExecAs(w.t.Context(), "acme", "UPDATE deliveries SET state = 'sending' WHERE id = '"+r.d.ID+"'")))
			return second(w.store.Lose(w.t.Context(), r.d, "worker_lost"))
		}},
		"Reopen": {forOne, func(w world, r rows) error {
			return second(w.store.Reopen(w.t.Context(), "acme", r.d.ID, r.d.WorkflowID))
		}},
		"Replay": {forOne, func(w world, r rows) error {
			replay := w.replay(r.hook)
			return second(w.store.Replay(w.t.Context(), "acme", replay.ID))
		}},
		"Replays": {forOne, func(w world, r rows) error {
			return second(w.store.Replays(w.t.Context(), models.ReplayFilter{Tenant: "acme", WebhookID: r.hook.ID}))
		}},
		"BeginReplay": {forOne, func(w world, r rows) error { w.replay(r.hook); return nil }},
		"EndReplay": {forOne, func(w world, r rows) error {
			return w.store.EndReplay(w.t.Context(), "acme", r.d.ID, models.ReplayCompleted, "")
		}},
		"NoteReplay": {forOne, func(w world, r rows) error {
			return w.store.NoteReplay(w.t.Context(), models.ReplayPage{Tenant: "acme", ReplayID: r.d.ID, Number: 1})
		}},
		"CountReplayable": {forOne, func(w world, r rows) error {
			_, _, err := w.store.CountReplayable(w.t.Context(), replayable(r.hook, models.ReplayAll))
			return err
		}},
		"WebhookDeliveries": {forOne, func(w world, r rows) error {
			return second(w.store.WebhookDeliveries(w.t.Context(), models.DeliveryFilter{Tenant: "acme", WebhookID: r.hook.ID}))
		}},
		"CountDeliveries": {forOne, func(w world, r rows) error {
			_, _, err := w.store.CountDeliveries(w.t.Context(), models.DeliveryFilter{Tenant: "acme", WebhookID: r.hook.ID})
			return err
		}},
		"FindReplayable": {forOne, func(w world, r rows) error {
			return second(w.store.FindReplayable(w.t.Context(), replayable(r.hook, models.ReplayAll), "", "replay/1", 5))
		}},
		"ReopenSome": {forOne, func(w world, r rows) error {
			return second(w.store.ReopenSome(w.t.Context(), replayable(r.hook, models.ReplayAll), []string{r.d.ID}, "replay/1"))
		}},
		"Cancel": {forOne, func(w world, r rows) error { return w.store.Cancel(w.t.Context(), "acme", []string{r.d.ID}) }},
		"PutTenant": {forOne, func(w world, _ rows) error {
			return w.store.PutTenant(w.t.Context(), &models.Tenant{ID: "acme", Status: models.TenantActive})
		}},
		"CreateAPIKey": {forOne, func(w world, _ rows) error { w.apiKey("acme"); return nil }},
		"APIKeys": {forOne, func(w world, _ rows) error {
			return second(w.store.APIKeys(w.t.Context(), models.APIKeyFilter{Tenant: "acme"}))
		}},
		"DeleteAPIKey": {forOne, func(w world, r rows) error { return w.store.DeleteAPIKey(w.t.Context(), "acme", r.key.ID) }},
		"TouchAPIKey":  {forOne, func(w world, r rows) error { return w.store.TouchAPIKey(w.t.Context(), r.key) }},

		// Whose key it is, the query has yet to find out.
		"APIKeyByHash": {forAll, func(w world, r rows) error { return second(w.store.APIKeyByHash(w.t.Context(), r.key.Hash)) }},
		// These stand before every event, are one statement that names its tenant,
		// and must cost no round trip more where the database is far away.
		"Tenant": {forAll, func(w world, _ rows) error { return second(w.store.Tenant(w.t.Context(), "acme")) }},
		"KeyedEvents": {forAll, func(w world, r rows) error {
			return second(w.store.KeyedEvents(w.t.Context(), "acme", []string{r.d.EventID}))
		}},
		// What workers do at full load must cost no round trip more, and a grouped
		// commit is for many tenants.
		"Resolve":     {forAll, func(w world, _ rows) error { w.resolve(w.event("acme")); return nil }},
		"DueDelivery": {forAll, func(w world, r rows) error { return second(w.store.DueDelivery(w.t.Context(), "acme", r.d.ID)) }},
		"DueDeliveries": {forAll, func(w world, r rows) error {
			return second(w.store.DueDeliveries(w.t.Context(), "acme", []string{r.d.ID}))
		}},
		"Claim":  {forAll, func(w world, r rows) error { return w.store.Claim(w.t.Context(), r.d, 0) }},
		"Record": {forAll, func(w world, r rows) error { w.record(r.d, models.StepDeliver); return nil }},
		"Hold":   {forAll, func(w world, r rows) error { return second(w.store.Hold(w.t.Context(), r.d, 0, false)) }},
		"Pace":   {forAll, func(w world, r rows) error { return second(w.store.Pace(w.t.Context(), r.d, r.hook.ID, 1)) }},
		// These look after the installation.
		"Notices":        {forAll, func(w world, _ rows) error { return second(w.store.Notices(w.t.Context(), 1)) }},
		"DeleteNotices":  {forAll, func(w world, r rows) error { return w.store.DeleteNotices(w.t.Context(), r.d.ID) }},
		"AddPartitions":  {forAll, func(w world, _ rows) error { return second(w.store.AddPartitions(w.t.Context())) }},
		"Prune":          {forAll, func(w world, _ rows) error { return second(w.store.Prune(w.t.Context(), now(), nil)) }},
		"Rewrap":         {forAll, func(w world, _ rows) error { return second(w.store.Rewrap(w.t.Context(), nil)) }},
		"CheckKeys":      {forAll, func(w world, _ rows) error { return w.store.CheckKeys(w.t.Context()) }},
		"ProvidersInUse": {forAll, func(w world, _ rows) error { return second(w.store.ProvidersInUse(w.t.Context())) }},
	}
}

func second[T any](_ T, err error) error { return err }

// Every statement of every method runs on the path that was chosen for it, and
// a method without a choice is red.
func TestEveryMethodChoosesItsPath(t *testing.T) {
	t.Parallel()
	known := paths()
	require.Equal(t, exportedMethods(t), slices.Sorted(maps.Keys(known)),
		"decide which path a method takes: readAs and writeAs, or readAll and writeAll")
	w := world{t, modelstest.Open(t, modelstest.Postgres)}
	told, err := w.store.Settings()
	require.NoError(t, err)
	for name, method := range known {
		if method.path == without {
			continue
		}
		var r rows
		r.hook, r.d = w.delivery("acme")
		r.key = w.apiKey("acme")
		told()
		require.NoError(t, method.call(w, r), name)
		require.Equal(t, []string{method.path}, told(), name)
	}
}

// exportedMethods reads the source, because tests add methods of their own.
func exportedMethods(t *testing.T) []string {
	t.Helper()
	files, err := os.ReadDir(".")
	require.NoError(t, err)
	var names []string
	for _, file := range files {
		if !strings.HasSuffix(file.Name(), ".go") || strings.HasSuffix(file.Name(), "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file.Name(), nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, declaration := range parsed.Decls {
			fn, ok := declaration.(*ast.FuncDecl)
			if !ok || fn.Recv == nil || !fn.Name.IsExported() {
				continue
			}
			if pointer, ok := fn.Recv.List[0].Type.(*ast.StarExpr); ok && pointer.X.(*ast.Ident).Name == "Store" {
				names = append(names, fn.Name.Name)
			}
		}
	}
	slices.Sort(names)
	return names
}

// partition is the name of a partition, which holds rows of its table.
var partition = regexp.MustCompile(`^(events|attempts)_(\d{8}|default)$`)

// tables are all that hold rows of tenants.
func tables() []string {
	return []string{"webhooks", "events", "deliveries", "attempts", "tenants", "api_keys", "audit", "rollups", "replays", "replay_pages", "notices", "event_keys", "subscribers"}
}

// filled has rows of acme and of zeta in every table.
func filled(t *testing.T, url string) world {
	t.Helper()
	w := world{t, modelstest.OpenWith(t, models.Options{URL: url})}
	for _, tenant := range []string{"acme", "zeta"} {
		w.operations(tenant)
		hook, d := w.delivery(tenant)
		w.record(d, models.StepFailRetry)
		w.resolve(w.event(tenant, func(e *models.Event) { e.ID = "keyed" }))
		w.record(w.deliveryTo(hook), models.StepFailFinal)
		replay := w.replay(hook)
		require.NoError(t, w.store.NoteReplay(t.Context(), models.ReplayPage{Tenant: tenant, ReplayID: replay.ID, Number: 1}))
		w.apiKey(tenant)
		require.NoError(t, w.store.PutTenant(t.Context(), &models.Tenant{ID: tenant, Status: models.TenantActive}))
		require.NoError(t, w.store.Exec(`INSERT INTO audit (id, tenant, webhook_id, at, actor_kind, actor, action, changes, request_id)
			VALUES (?, ?, '', now(), 'system', '', 'test', '{}', '')`, models.NewID(now()), tenant))
	}
	return w
}

func ownerColumn(table string) string {
	if table == "tenants" {
		return "id"
	}
	return "tenant"
}

// The lock by itself: statements that forget to name the tenant.
func TestRowsOfOthersAreOutOfReach(t *testing.T) {
	t.Parallel()
	w := filled(t, modelstest.URL(t, modelstest.Postgres))
	for _, table := range tables() {
		owner := ownerColumn(table)
		for _, tenant := range []string{"acme", "zeta"} {
			seen, err := w.store.TextsAs(t.Context(), tenant, "SELECT DISTINCT "+owner+" FROM "+table)
			require.NoError(t, err)
			require.Equal(t, []string{tenant}, seen, table)
		}
		none, err := w.store.TextsAs(t.Context(), "nobody", "SELECT "+owner+" FROM "+table)
		require.NoError(t, err)
		require.Empty(t, none, table)

		all, mine := w.count("SELECT COUNT(*) FROM "+table), w.count("SELECT COUNT(*) FROM "+table+" WHERE "+owner+" = 'acme'")
		require.Greater(t, all, mine)
		touched, err := w.store.ExecAs(t.Context(), "acme", "UPDATE "+table+" SET "+owner+" = "+owner)
		require.NoError(t, err)
		require.EqualValues(t, mine, touched, table)
		_, err = w.store.ExecAs(t.Context(), "acme", "UPDATE "+table+" SET "+owner+" = 'zeta2'")
		require.ErrorContains(t, err, "row-level security", table)
		_, err = w.store.ExecAs(t.Context(), "acme", "INSERT INTO "+table+" SELECT (jsonb_populate_record(x, jsonb_build_object('"+
			owner+"', 'zeta'))).* FROM "+table+" x LIMIT 1")
		require.ErrorContains(t, err, "row-level security", table)
	}

	before := w.count("SELECT COUNT(*) FROM attempts WHERE tenant = 'zeta'")
	touched, err := w.store.ExecAs(t.Context(), "acme", "DELETE FROM webhooks")
	require.NoError(t, err)
	require.EqualValues(t, 2, touched)
	for _, table := range []string{"webhooks", "deliveries"} {
		require.Zero(t, w.count("SELECT COUNT(*) FROM "+table+" WHERE tenant = 'acme'"), "deleting a webhook still takes its %s along", table)
	}
	require.Equal(t, before, w.count("SELECT COUNT(*) FROM attempts WHERE tenant = 'zeta'"))
}

// Every table that names a tenant has the lock, so that a new one without it is
// red.
func TestEveryTableIsLocked(t *testing.T) {
	t.Parallel()
	store := modelstest.Open(t, modelstest.Postgres)
	locked, err := store.Texts(`SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace
		AND relkind IN ('r', 'p') AND relrowsecurity AND relforcerowsecurity ORDER BY relname`)
	require.NoError(t, err)
	want, err := store.Texts(`SELECT DISTINCT table_name FROM information_schema.columns WHERE table_schema = current_schema()
		AND (column_name = 'tenant' OR table_name = 'tenants') ORDER BY table_name`)
	require.NoError(t, err)
	require.Equal(t, want, locked)
	locked = slices.DeleteFunc(locked, func(table string) bool { return partition.MatchString(table) })
	require.ElementsMatch(t, tables(), locked)
}

// A connection that says nothing sees nothing, whoever made it.
func TestWithoutTheSettingNothingIsVisible(t *testing.T) {
	t.Parallel()
	database := modelstest.URL(t, modelstest.Postgres)
	filled(t, database)
	conn, err := pgx.Connect(t.Context(), database)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close(context.WithoutCancel(t.Context()))) })
	for _, setting := range []string{"", "SET posthaste.tenant = ''", "RESET posthaste.tenant"} {
		_, err := conn.Exec(t.Context(), setting)
		require.NoError(t, err)
		for _, table := range tables() {
			var seen int
			require.NoError(t, conn.QueryRow(t.Context(), "SELECT COUNT(*) FROM "+table).Scan(&seen))
			require.Zero(t, seen, table)
		}
	}
}

// The setting ends with its transaction, also with one that failed: the next
// one on the same connection sees what is its own.
func TestTheSettingEndsWithItsTransaction(t *testing.T) {
	t.Parallel()
	w := world{t, modelstest.OpenWith(t, models.Options{URL: modelstest.URL(t, modelstest.Postgres), MaxConnections: 1})}
	acme, zeta := w.webhook("acme"), w.webhook("zeta")
	for range 3 {
		requireCode(t, errs.NotFound, second(w.store.Webhook(t.Context(), "acme", zeta.ID)))
		_, err := w.store.ExecAs(t.Context(), "acme", "SELECT 1/0")
		require.Error(t, err)
		require.Equal(t, 2, w.count("SELECT COUNT(*) FROM webhooks"))
		require.Equal(t, zeta, w.webhookNow(zeta))
		require.Equal(t, acme, w.webhookNow(acme))
	}
}

// "*" stands for all tenants, so nobody may be called that.
func TestNobodyIsCalledEverybody(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		hook, d := w.delivery("acme")
		for name, err := range ofAnother(w, "*", hook.ID, d.EventID, d.ID, w.apiKey("acme").ID) {
			requireCode(t, errs.NotFound, err)
			require.Error(t, err, name)
		}
		for name, err := range map[string]error{
			"Webhooks":  second(w.store.Webhooks(t.Context(), models.WebhookFilter{Tenant: "*"})),
			"Events":    second(w.store.Events(t.Context(), models.EventFilter{Tenant: "*"})),
			"APIKeys":   second(w.store.APIKeys(t.Context(), models.APIKeyFilter{Tenant: "*"})),
			"Tenant":    second(w.store.Tenant(t.Context(), "*")),
			"PutTenant": w.store.PutTenant(t.Context(), &models.Tenant{ID: "*"}),
			"nobody":    second(w.store.Webhooks(t.Context(), models.WebhookFilter{})),
		} {
			require.Error(t, err, name)
			require.Equal(t, errs.NotFound, errs.CodeOf(err), name)
		}
	})
}

func TestRolesThatNoPolicyHoldsAreTold(t *testing.T) {
	t.Parallel()
	database := modelstest.URL(t, modelstest.Postgres)
	opened := func(url string) string {
		var log bytes.Buffer
		store, err := models.Open(t.Context(), models.Options{
			URL: url, Sealer: modelstest.Sealer(), Now: time.Now, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		})
		require.NoError(t, err)
		require.NoError(t, store.Close())
		return log.String()
	}
	modelstest.OpenWith(t, models.Options{URL: database})
	require.Empty(t, opened(database))

	admin := modelstest.AdminURL(t, database)
	log := opened(admin)
	u, err := url.Parse(admin)
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(log, "level=WARN"))
	require.Contains(t, log, "role="+u.User.Username())
	require.Contains(t, log, "CREATE ROLE")
}

// A pooler that drops start-up parameters would hide every row.
func TestALostSettingIsRefused(t *testing.T) {
	t.Parallel()
	database := modelstest.URL(t, modelstest.Postgres)
	modelstest.OpenWith(t, models.Options{URL: database})
	require.NoError(t, models.CheckLock(t.Context(), database, "*"))
	for _, setting := range []string{"", "acme"} {
		require.ErrorContains(t, models.CheckLock(t.Context(), database, setting), "posthaste.tenant")
	}
}
