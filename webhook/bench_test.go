package webhook_test

import (
	"encoding/json"
	"strings"
	"testing"

	"posthaste/webhook"
)

// BenchmarkEventJSON is an event's way through Temporal's converter.
func BenchmarkEventJSON(b *testing.B) {
	row := `{"sku":"sku-7","title":"Tea & <biscuits>","note":"say \"please\""},`
	for _, size := range []struct {
		name string
		rows int
	}{{"1KiB", 15}, {"64KiB", 980}} {
		event := webhook.Event{ID: "e", Data: webhook.JSON(`{"rows":[` + strings.Repeat(row, size.rows) + `0]}`)}
		text, err := json.Marshal(event)
		if err != nil {
			b.Fatal(err)
		}
		b.Run("op=write/size="+size.name, func(b *testing.B) {
			b.SetBytes(int64(len(event.Data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := json.Marshal(event); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("op=read/size="+size.name, func(b *testing.B) {
			b.SetBytes(int64(len(event.Data)))
			b.ReportAllocs()
			for b.Loop() {
				var read webhook.Event
				if err := json.Unmarshal(text, &read); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
