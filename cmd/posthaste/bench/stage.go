package bench

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
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
	// Serve starts posthaste serve with so many events per workflow, after it
	// stopped the one before. Nil with a Remote.
	Serve  func(ctx context.Context, eventsPerWorkflow int) (Server, error)
	Remote *Server // a running Posthaste
	// Versions and settings, for the report.
	Facts map[string]string
}

// Server is a Posthaste that serves.
type Server struct {
	API   string
	Token func(tenant string) (string, error)
}

// gauges is what a process says of itself at a moment.
type gauges struct {
	RSS        float64 // bytes
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

// reads are the operations of Temporal's persistence that write nothing.
var reads = []string{"Get", "List", "Read", "Range", "Current", "Describe", "Is"}

// readWrites returns how often a Temporal server wrote, by operation.
func (c *caller) readWrites(ctx context.Context, url string) (map[string]float64, error) {
	writes := map[string]float64{}
	err := c.scrape(ctx, url, func(name, labels string, value float64) {
		if name != "persistence_requests" {
			return
		}
		_, rest, _ := strings.Cut(labels, `operation="`)
		operation, _, _ := strings.Cut(rest, `"`)
		for _, read := range reads {
			if strings.HasPrefix(operation, read) {
				return
			}
		}
		writes[operation] += value
	})
	return writes, err
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

// ticksPerSecond is the unit of /proc on every Linux that Go runs on.
const ticksPerSecond = 100

// processCPU returns the seconds of processor time that another process has
// used; 0 where /proc does not tell.
func processCPU(pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The name, in brackets, may hold blanks; utime and stime are 12 and 13 after it.
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseFloat(fields[11], 64) // 0 if it were no number
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / ticksPerSecond
}

// ownCPU returns the seconds of processor time that the bench itself has used.
func ownCPU() float64 {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return (time.Duration(used.Utime.Nano()) + time.Duration(used.Stime.Nano())).Seconds()
}
