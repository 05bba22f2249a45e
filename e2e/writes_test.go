package e2e

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// writes are transactions of a Temporal server's history service, by operation:
// what workflows cost. What the server does for itself is not among them, be it
// its own workflows or its upkeep.
type writes map[string]int

// Operations of the history service that are no write of a workflow, by how they
// begin. Whatever else there is counts, also what nobody has thought of here.
var (
	temporalReads  = []string{"Get", "List", "Read", "Scan", "Count", "Assert"}
	temporalUpkeep = []string{"RangeComplete", "UpdateShard"} // tasks that are done are deleted, and how far is noted
)

var persistenceRequests = regexp.MustCompile(`^persistence_requests\{namespace="([^"]*)",operation="([^"]*)",service_name="history"\} (\S+)$`)

// writes reads what a server has told of its writes so far: see toldWrites.
func (s *temporalServer) writes(t *testing.T) writes {
	t.Helper()
	told := writes{}
	for _, line := range metricsAt(t, s.metrics) {
		found := persistenceRequests.FindStringSubmatch(line)
		if found == nil || found[1] == "temporal_system" || beginsWithAny(found[2], temporalReads) || beginsWithAny(found[2], temporalUpkeep) {
			continue
		}
		n, err := strconv.ParseFloat(found[3], 64)
		require.NoError(t, err)
		told[found[2]] += int(n)
	}
	return told
}

func beginsWithAny(text string, beginnings []string) bool {
	return slices.ContainsFunc(beginnings, func(beginning string) bool { return strings.HasPrefix(text, beginning) })
}

func (w writes) sum() int {
	sum := 0
	for _, n := range w {
		sum += n
	}
	return sum
}

// since is what was written after an earlier reading.
func (w writes) since(before writes) writes {
	between := writes{}
	for operation, n := range w {
		if n != before[operation] {
			between[operation] = n - before[operation]
		}
	}
	return between
}

// requireAbout holds what was written after an earlier reading to a number, of
// which a twentieth more is left to a busy machine.
func (w writes) requireAbout(t *testing.T, before writes, want int, what string) {
	t.Helper()
	between := w.since(before)
	require.GreaterOrEqual(t, between.sum(), want, "%s: %v", what, between)
	require.LessOrEqual(t, between.sum(), want*21/20, "%s: %v", what, between)
}

// settledWrites waits until a server has told of nothing new for so long that it
// has told everything, and that nothing goes on.
func (s *temporalServer) settledWrites(t *testing.T) writes {
	t.Helper()
	const quiet = 2500 * time.Millisecond
	last, since := s.writes(t), time.Now()
	for deadline := time.Now().Add(60 * time.Second); time.Since(since) < quiet; {
		require.True(t, time.Now().Before(deadline), "Temporal goes on writing: %v", last)
		<-time.After(100 * time.Millisecond)
		if now := s.writes(t); !maps.Equal(now, last) {
			last, since = now, time.Now()
		}
	}
	return last
}

// toldWrites waits until a server has told of all that it has written by now. It
// tells about every second.
func (s *temporalServer) toldWrites(t *testing.T) writes {
	t.Helper()
	<-time.After(2 * time.Second)
	return s.writes(t)
}
