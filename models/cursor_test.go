package models_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"posthaste/errs"
	"posthaste/models"
)

func cursorOf(lines ...string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(strings.Join(lines, "\n")))
}

func TestCursorAbuse(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		hook, d := w.delivery("acme")
		w.webhook("acme")
		id, at := models.NewID(now()), "2026-05-30T10:00:00.000000Z"
		good := cursorOf("1", "w", "", id)
		bad := []string{
			"x", "null", "0", "-1", "%00", "🧾", " ", good + "=", good + "x", " " + good, good[1:], strings.Repeat("A", 100_000),
			cursorOf("1"), cursorOf("1", "w", ""), cursorOf("1", "w", "", ""), cursorOf("1", "w", "", id, "x"),
			cursorOf("2", "w", "", id), cursorOf("1", "x", "", id), cursorOf("1", "w", at, id), cursorOf("1", "e", "", id),
			cursorOf("1", "e", "2026-05-30", id), cursorOf("1", "e", "0001-01-01T00:00:00.000000Z", id), cursorOf("1", "e", "2026-05-30T10:00:00Z", id),
			cursorOf("1", "w", "", "a\x00b"), cursorOf("1", "w", "", "\xff"), cursorOf("1", "w", "", strings.Repeat("a", 200)),
			cursorOf("1", "w", "", "order-1"), cursorOf("1", "w", "", strings.ToUpper(id)), cursorOf("1", "w", "", "{"+id+"}"),
			base64.StdEncoding.EncodeToString([]byte("1\nw\n\n" + id + "?")),
			strings.TrimRight(good, good[len(good)-1:]) + "Z", // trailing bits
		}
		lists := map[string]func(cursor string) error{
			"w": func(c string) error {
				_, err := w.store.Webhooks(t.Context(), models.WebhookFilter{Tenant: "acme", Cursor: c})
				return err
			},
			"e": func(c string) error {
				_, err := w.store.Events(t.Context(), models.EventFilter{Tenant: "acme", Cursor: c})
				return err
			},
			"d": func(c string) error {
				_, err := w.store.DeliveriesOf(t.Context(), "acme", d.EventID, 0, c)
				return err
			},
			"h": func(c string) error {
				_, err := w.store.WebhookDeliveries(t.Context(), models.DeliveryFilter{Tenant: "acme", WebhookID: hook.ID, Cursor: c})
				return err
			},
			"a": func(c string) error {
				_, err := w.store.History(t.Context(), models.HistoryFilter{Tenant: "acme", WebhookID: hook.ID, Cursor: c})
				return err
			},
		}
		for name, list := range lists {
			for _, cursor := range bad {
				err := list(cursor)
				require.Error(t, err, "%s: %q", name, cursor)
				requireCode(t, errs.Invalid, err)
				var coded *errs.Error
				require.ErrorAs(t, err, &coded)
				require.Contains(t, coded.Fields, "cursor")
			}
			for other := range lists {
				cursor := cursorOf("1", other, "", id)
				if other == "e" {
					cursor = cursorOf("1", "e", at, id)
				}
				require.Equal(t, name == other, list(cursor) == nil, "the cursor of %s in %s", other, name)
			}
			require.NoError(t, list(""))
		}
	})
}

func TestPageLimits(t *testing.T) {
	onBoth(t, func(t *testing.T, w world) {
		for range models.MaxPage + 5 {
			w.webhook("acme")
		}
		for give, want := range map[int]int{
			-1: models.DefaultPage, 0: models.DefaultPage, 1: 1, 100: 100, 101: models.MaxPage, 1 << 40: models.MaxPage,
		} {
			page, err := w.store.Webhooks(t.Context(), models.WebhookFilter{Tenant: "acme", Limit: give})
			require.NoError(t, err)
			require.Len(t, page.Items, want, give)
			require.NotEmpty(t, page.NextCursor)
		}
	})
}

// Whatever text comes in: it is refused, or it is exactly what we would write.
func FuzzCursor(f *testing.F) {
	f.Add("e", cursorOf("1", "e", "2026-05-30T10:00:00.000000Z", "019e7825-fafb-7f8a-a89b-d39aa8f96ba2"))
	f.Add("w", cursorOf("1", "w", "", "019e7825-fafb-7f8a-a89b-d39aa8f96ba2"))
	f.Add("w", "")
	f.Add("a", "AAAA")
	f.Fuzz(func(t *testing.T, list, cursor string) {
		place, err := models.DecodePosition(list, cursor)
		if err != nil {
			requireCode(t, errs.Invalid, err)
			return
		}
		if cursor == "" {
			require.Equal(t, models.Event{}, place)
			return
		}
		require.Equal(t, cursor, models.EncodePosition(list, place))
		require.Equal(t, place.AcceptedAt, place.AcceptedAt.UTC().Truncate(time.Microsecond))
	})
}
