package models_test

import (
	"testing"
	"time"
	"fmt"
	"github.com/stretchr/testify/require"
	"posthaste/models"
	"posthaste/models/modelstest"
)

func TestBig(t *testing.T) {
  for _, kind := range modelstest.Kinds() {
	w := world{t, modelstest.Open(t, kind)}
	hook := w.webhook("big")
	n := 1000000
	if w.store.OnPostgres() {
		require.NoError(t, w.store.Exec(`INSERT INTO deliveries SELECT lpad(to_hex(g),8,'0')||'-0000-7000-8000-000000000000','big','e'||g,?,'t','w','fast',30,'delivered',1,0,null,200,'',false,now(),now(),now() FROM generate_series(1,?) g`, hook.ID, n))
		require.NoError(t, w.store.Exec(`INSERT INTO attempts SELECT lpad(to_hex(g),8,'0')||'-0000-7000-8000-000000000000','big',?,lpad(to_hex(g),8,'0')||'-0000-7000-8000-000000000000','e'||g,'type.'||(g%1000),1,200,(g%10000)<>0,'','',now(),5,'https://x',null,repeat('x',300)::bytea,null,'ok',false,false FROM generate_series(1,?) g`, hook.ID, n))
		require.NoError(t, w.store.Exec("ANALYZE"))
	} else {
		require.NoError(t, w.store.Exec(`WITH RECURSIVE s(g) AS (VALUES(1) UNION ALL SELECT g+1 FROM s WHERE g < ?) INSERT INTO deliveries SELECT printf('%08x',g)||'-0000-7000-8000-000000000000','big','e'||g,?,'t','w','fast',30,'delivered',1,0,null,200,'',0,'2026-01-01T00:00:00.000000Z','2026-01-01T00:00:00.000000Z',null FROM s`, n, hook.ID))
		require.NoError(t, w.store.Exec(`WITH RECURSIVE s(g) AS (VALUES(1) UNION ALL SELECT g+1 FROM s WHERE g < ?) INSERT INTO attempts SELECT printf('%08x',g)||'-0000-7000-8000-000000000000','big',?,printf('%08x',g)||'-0000-7000-8000-000000000000','e'||g,'type.'||(g%1000),1,200,(g%10000)<>0,'','','2026-01-01T00:00:00.000000Z',5,'https://x',null,zeroblob(300),null,zeroblob(2),0,0 FROM s`, n, hook.ID))
	}
	no, yes := false, true
	old := time.Date(2020,1,1,0,0,0,0,time.UTC)
	mid := time.UnixMilli(int64(n/2)<<16) // id prefix in ms
	fmt.Println(kind)
	for name, f := range map[string]models.HistoryFilter{
		"plain": {}, "deep": {Cursor: cursorOf("1","a","","00000100-0000-7000-8000-000000000000")},
		"failed": {Success: &no}, "ok": {Success: &yes}, "type": {EventType: "type.7"}, "failedtype": {EventType: "type.0", Success: &no}, "none": {EventType: "zzz"},
		"until": {Until: &mid, Limit: 100}, "since": {Since: &old, Limit: 100}, "limit100": {Limit: 100},
	} {
		f.Tenant, f.WebhookID = "big", hook.ID
		best := time.Hour
		var k int
		for range 5 {
			s := time.Now()
			p, err := w.store.History(t.Context(), f)
			require.NoError(t, err)
			k = len(p.Items)
			best = min(best, time.Since(s))
		}
		fmt.Println(" ", name, k, best)
	}
	// move plan on a big table
	list := w.deliveries(200)
	s := time.Now()
	for _, err := range w.pile(delivered(list), nothing) { require.NoError(t, err) }
	fmt.Println("  200 records", time.Since(s))
	s = time.Now()
	_, err := w.store.DueDelivery(t.Context(), "acme", list[0].ID)
	require.NoError(t, err)
	fmt.Println("  due", time.Since(s))
	s = time.Now()
	require.NoError(t, w.store.DeleteWebhook(t.Context(), "big", hook.ID))
	fmt.Println("  delete", time.Since(s))
  }
}
