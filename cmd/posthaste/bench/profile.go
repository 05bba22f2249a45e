package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
)

// A profile of the processor is taken over the middle half of what is measured,
// in whole seconds, as they are asked for.
const (
	shortestProfile = time.Second
	longestProfile  = 30 * time.Second
)

// loads runs a load and returns what was measured.
type loads func(context.Context) (window, error)

// profiled is a load during which profiles are taken, where they were asked for:
// of the processor over the middle of what is measured after the warming up, of
// the memory at its end.
func (b *bench) profiled(figure string, warm, lasting time.Duration, load loads) loads {
	if b.Profiles == "" {
		return load
	}
	return func(ctx context.Context) (window, error) {
		processes := b.profiledProcesses(figure)
		taking, stop := context.WithCancel(ctx)
		defer stop()
		over := min(max((lasting/2).Round(time.Second), shortestProfile), longestProfile)
		var cpu sync.WaitGroup
		for _, p := range processes {
			cpu.Go(func() { p.failed = b.takeCPU(taking, p, warm+(lasting-over)/2, over) })
		}
		w, err := load(ctx)
		if err != nil {
			stop()
		}
		cpu.Wait()
		if err != nil {
			return w, err
		}
		for _, p := range processes {
			if err := errors.Join(p.failed, b.take(ctx, p.url+"/debug/pprof/heap", p.file+".heap.pprof")); err != nil {
				b.say("    a profile is missing: %v", err)
			}
		}
		return w, ctx.Err()
	}
}

// profiledProcess is one that serves Go's profiles.
type profiledProcess struct {
	url, file string // without what is different from profile to profile
	failed    error
}

// profiledProcesses are those that have told where, with names of files that say
// what was measured. Each figure is measured once in a round.
func (b *bench) profiledProcesses(figure string) []*profiledProcess {
	name := b.scenario + "-" + slug(figure)
	b.profiles[name]++
	file := filepath.Join(b.Profiles, fmt.Sprintf("%s-round%d", name, b.profiles[name]))
	var processes []*profiledProcess
	if b.server.Profiles != "" {
		processes = append(processes, &profiledProcess{url: b.server.Profiles, file: file})
	}
	if b.TemporalProfiles != "" {
		processes = append(processes, &profiledProcess{url: strings.TrimRight(b.TemporalProfiles, "/"), file: file + ".temporal"})
	}
	return processes
}

var notInSlug = regexp.MustCompile(`[^a-z0-9]+`)

// slug is a figure's name as part of a file's.
func slug(figure string) string {
	return strings.Trim(notInSlug.ReplaceAllString(strings.ToLower(figure), "-"), "-")
}

func (b *bench) takeCPU(ctx context.Context, p *profiledProcess, after, over time.Duration) error {
	if err := pause(ctx, after); err != nil {
		return err
	}
	return b.take(ctx, fmt.Sprintf("%s/debug/pprof/profile?seconds=%.0f", p.url, over.Seconds()), p.file+".cpu.pprof")
}

// take fetches a profile into a file. It may show secrets, which is why nobody
// else may read it.
func (b *bench) take(ctx context.Context, url, file string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return fmt.Errorf("take a profile: %w", err)
	}
	response, err := b.http.Do(request)
	if err != nil {
		return fmt.Errorf("take a profile: %w", err)
	}
	defer func() { _ = response.Body.Close() }() // read to its end
	text, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return fmt.Errorf("take a profile: %w", err)
	case response.StatusCode != http.StatusOK:
		return fmt.Errorf("take a profile: %s answered %s: %s", url, response.Status, strings.TrimSpace(string(text)))
	}
	return os.WriteFile(file, text, 0o600)
}
