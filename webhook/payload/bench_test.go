package payload_test

import (
	"fmt"
	"strings"
	"testing"

	"posthaste/webhook/payload"
)

// sized returns an object of about the given size, as events have them: texts,
// numbers, flags and a little nesting.
func sized(size int) string {
	var text strings.Builder
	text.WriteString(`{"id":"ord_8Jt2mQ","rows":[`)
	for i := 0; text.Len() < size-120; i++ {
		if i > 0 {
			text.WriteByte(',')
		}
		fmt.Fprintf(&text, `{"sku":"sku-%d","title":"Tea & biscuits, no. %d","price":%d.25,"count":%d,"gift":%t}`, i, i, i, i%7, i%2 == 0)
	}
	text.WriteString(`],"contact":{"email":"ada@example.com","tags":["vip","early"],"fields":{"Job Title":"CTO"}}}`)
	return text.String()
}

// spaced is JSON as people write it: what is canonical at the door is not.
func spaced(text string) string {
	return strings.NewReplacer(`":`, `": `, `,"`, ",\n  \"").Replace(text)
}

// deep nests as deep as it may.
func deep() string {
	const depth = payload.MaxDepth / 2
	return strings.Repeat(`{"a":[`, depth) + "1" + strings.Repeat("]}", depth)
}

func numbers(count int) string {
	list := make([]string, count)
	for i := range list {
		list[i] = fmt.Sprintf("%d.%02d,%d,-0.%03d,1e%d", i*37, i%100, i*i, i%1000+1, i%20)
	}
	return "[" + strings.Join(list, ",") + "]"
}

func BenchmarkCanonical(b *testing.B) {
	for _, bench := range []struct{ name, text string }{
		{"shape=event/size=1KiB", sized(1 << 10)},
		{"shape=event/size=64KiB", sized(64 << 10)},
		{"shape=spaced/size=1KiB", spaced(sized(1 << 10))},
		{"shape=spaced/size=64KiB", spaced(sized(64 << 10))},
		{"shape=numbers/size=8KiB", numbers(400)},
		{"shape=deep/size=256B", deep()},
		{"shape=unordered/size=1KiB", `{"b":` + sized(1<<10) + `,"2":1,"1":2}`},
	} {
		b.Run(bench.name, func(b *testing.B) {
			text := []byte(bench.text)
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := payload.Canonical("data", text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkRender(b *testing.B) {
	for _, format := range payload.Formats() {
		benchmarkRender(b, "format="+format+"/size=1KiB", specs[format], sized(1<<10))
		benchmarkRender(b, "format="+format+"/size=64KiB", specs[format], sized(64<<10))
	}
}

func BenchmarkForm(b *testing.B) {
	nested := `{"a":{"b":[{"c":[{"d":["e ~*","f & g"]},null,true,1.5]}]},"contact":{"email":"ada@example.com","tags":["a","b"],` +
		`"fields":{"1":"one","Zwei":"zwei & mehr","漢字":"漢字"}},"list":["1","2"],"address":{"street":"1 Main St","city":{"name":"Köln","zip":"50667"}}}`
	benchmarkRender(b, "shape=flat/size=1KiB", specs["form"], flat(1<<10))
	benchmarkRender(b, "shape=nested/size=512B", specs["form"], nested)
	benchmarkRender(b, "shape=escapes/size=1KiB", specs["form"], `{"note":"`+strings.Repeat(`\"quoted\"\n漢字 `, 60)+`"}`)
}

// flat has plain members only.
func flat(size int) string {
	var text strings.Builder
	text.WriteString(`{"id":"1"`)
	for i := 0; text.Len() < size; i++ {
		fmt.Fprintf(&text, `,"member %d":"value no. %d"`, i, i)
	}
	return text.String() + "}"
}

// benchmarkRender renders one event over and over.
func benchmarkRender(b *testing.B, name, spec, data string) {
	b.Helper()
	b.Run(name, func(b *testing.B) {
		renderer, in := compile(b, spec), input(event(b, data))
		b.SetBytes(int64(len(in.Event.Data)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := renderer.Render(in); err != nil {
				b.Fatal(err)
			}
		}
	})
}
