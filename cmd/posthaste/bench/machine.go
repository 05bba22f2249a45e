package bench

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// Machine is what everything ran on.
type Machine struct {
	Cores     int     `json:"cores"`
	Model     string  `json:"model"`
	MemoryGiB float64 `json:"memoryGiB"`
	System    string  `json:"system"`
	Load      string  `json:"load"` // average of the minutes before: other work spoils figures
}

var (
	modelName   = regexp.MustCompile(`(?m)^model name\s*: (.+)$`)
	memoryTotal = regexp.MustCompile(`(?m)^MemTotal:\s+(\d+) kB$`)
)

// thisMachine reads what Linux tells; elsewhere the model is unknown.
func thisMachine() Machine {
	m := Machine{Cores: runtime.NumCPU(), Model: "unknown", System: runtime.GOOS + "/" + runtime.GOARCH}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if found := modelName.FindSubmatch(text); found != nil {
			m.Model = string(found[1])
		}
	}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		m.Load, _, _ = strings.Cut(string(text), " ")
	}
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		if found := memoryTotal.FindSubmatch(text); found != nil {
			var kib float64
			if _, err := fmt.Sscan(string(found[1]), &kib); err == nil {
				m.MemoryGiB = kib / (1 << 20)
			}
		}
	}
	return m
}

// provenance is where the table comes from, in a sentence.
func (r *Report) provenance() string {
	list := func(facts map[string]string) string {
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(facts)) {
			parts = append(parts, name+" "+facts[name])
		}
		return strings.Join(parts, "; ")
	}
	command := ""
	if r.Command != "" {
		command = " with `" + r.Command + "`"
	}
	text := fmt.Sprintf("Run on %s in %.0f minutes%s: %d cores of %s, %.0f GiB of memory, %s, load average %s before it began; the load and all parts that the bench started ran there. %s. Settings: %s. ",
		r.Began.Format("2006-01-02"), r.Seconds/60, command, r.Machine.Cores, r.Machine.Model, r.Machine.MemoryGiB, r.Machine.System, r.Machine.Load,
		list(r.Facts), list(r.Settings))
	if len(r.NotChosen) > 0 {
		text += "Not chosen: " + strings.Join(r.NotChosen, ", ") + ". "
	}
	if len(r.LeftOut) > 0 {
		text += "Left out, since they could not run: " + strings.Join(r.LeftOut, ", ") + ". "
	}
	for _, note := range r.Notes {
		text += note + " "
	}
	return text + "Median of the rounds, their least and most; a ratio is that of two figures of one round."
}
