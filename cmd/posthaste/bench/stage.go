package bench

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"go.temporal.io/sdk/client"
)

// Stage is what the bench runs on: the command prepares it.
type Stage struct {
	Temporal        client.Client // nil: nothing is compared with an empty workflow
	TemporalMetrics string        // URL of the server's metrics; "" where it is not ours
	TemporalProcess int           // its process; 0 where it is not ours
	// TemporalProfiles is the URL of the server's profiles; "" where it has none.
	TemporalProfiles string
	Postmaster       int // of the PostgreSQL on this machine that is used; 0 = none
	// Serve starts posthaste serve with so many events per workflow, after it
	// stopped the one before. Nil with a Remote.
	Serve  func(ctx context.Context, eventsPerWorkflow int) (Server, error)
	Remote *Server // a running Posthaste
	Shape  Shape
	// Versions, and settings that are not the bench's own, for the report.
	Facts, Settings map[string]string
}

// Server is a Posthaste that serves.
type Server struct {
	API   string
	Token func(tenant string) (string, error)
	// Profiles is the URL under which it serves Go's profiles; "" where it does not.
	Profiles string
}

// gauges is what a process says of itself at a moment.
type gauges struct {
	RSS        float64 // bytes
	InUse      float64 // bytes of its heap, garbage included, and of its goroutines' stacks
	Collected  float64 // times that it collected garbage
	Goroutines float64
	CPU        float64 // seconds, since it started
	Posting    float64 // attempts under way
}

// readGauges asks a Posthaste for its metrics.
func (c *caller) readGauges(ctx context.Context, base string) (gauges, error) {
	var g gauges
	err := c.scrape(ctx, base+"/metrics", func(name, _ string, value float64) {
		switch name {
		case "process_resident_memory_bytes":
			g.RSS = value
		case "go_memstats_heap_alloc_bytes", "go_memstats_stack_inuse_bytes":
			g.InUse += value
		case "go_gc_duration_seconds_count":
			g.Collected = value
		case "go_goroutines":
			g.Goroutines = value
		case "process_cpu_seconds_total":
			g.CPU = value
		case "posthaste_lane_in_flight":
			g.Posting += value
		}
	})
	return g, err
}

// writes is how often a Temporal server wrote.
type writes struct {
	byOperation map[string]float64 // to its history and tasks; nil where it does not tell, or not yet
	visibility  float64            // to its lists of workflows, which nobody waits for
}

// reads are the operations of Temporal's persistence that write nothing: all
// others do, those on a Range delete.
var reads = []string{"Get", "List", "Read", "Scan", "Count", "Assert"}

// readWrites asks a Temporal server for its metrics.
func (c *caller) readWrites(ctx context.Context, url string) (writes, error) {
	var w writes
	err := c.scrape(ctx, url, func(name, labels string, value float64) {
		name = strings.TrimSuffix(name, "_total") // which one of its two metrics libraries adds
		if name != "persistence_requests" && name != "visibility_persistence_requests" {
			return
		}
		_, rest, _ := strings.Cut(labels, `operation="`)
		operation, _, _ := strings.Cut(rest, `"`)
		isRead := slices.ContainsFunc(reads, func(read string) bool { return strings.HasPrefix(operation, read) })
		switch {
		case isRead:
		case name == "visibility_persistence_requests":
			w.visibility += value
		case w.byOperation == nil:
			w.byOperation = map[string]float64{operation: value}
		default:
			w.byOperation[operation] += value
		}
	})
	return w, err
}

// scrape reads metrics in Prometheus' text format.
func (c *caller) scrape(ctx context.Context, url string, see func(name, labels string, value float64)) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return fmt.Errorf("read metrics: %w", err)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("read metrics: %w", err)
	}
	defer func() { _ = response.Body.Close() }() // read to its end
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("read metrics: %s answered %s", url, response.Status)
	}
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		space := strings.LastIndexByte(line, ' ')
		if strings.HasPrefix(line, "#") || space < 0 {
			continue
		}
		value, err := strconv.ParseFloat(line[space+1:], 64)
		if err != nil {
			continue
		}
		name, labels, _ := strings.Cut(line[:space], "{")
		see(name, labels, value)
	}
	return lines.Err()
}

// ownCPU returns the seconds of processor time that the bench itself has used.
func ownCPU() float64 {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return (time.Duration(used.Utime.Nano()) + time.Duration(used.Stime.Nano())).Seconds()
}
