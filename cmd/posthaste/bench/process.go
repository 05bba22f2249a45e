package bench

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// ticksPerSecond is the unit of /proc on every Linux that Go runs on.
const ticksPerSecond = 100

// process is what /proc tells of one.
type process struct {
	name   string
	parent int
	cpu    float64 // seconds of processor time that it has used
	reaped float64 // those of its children that have ended
}

// processOf looks at another process; false where /proc does not tell.
func processOf(pid int) (process, bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return process{}, false
	}
	return readProcess(string(text))
}

// readProcess reads /proc/<pid>/stat. The name, in brackets, may hold anything.
// The parent is 1 after it; user and system time are 12 and 13, those of the
// children that have ended 14 and 15.
func readProcess(stat string) (process, bool) {
	opened, closed := strings.IndexByte(stat, '('), strings.LastIndexByte(stat, ')')
	if opened < 0 || closed < opened {
		return process{}, false
	}
	fields := strings.Fields(stat[closed+1:])
	if len(fields) < 15 {
		return process{}, false
	}
	parent, err := strconv.Atoi(fields[1])
	if err != nil {
		return process{}, false
	}
	var ticks [4]float64
	for i := range ticks {
		if ticks[i], err = strconv.ParseFloat(fields[11+i], 64); err != nil {
			return process{}, false
		}
	}
	return process{
		name: stat[opened+1 : closed], parent: parent,
		cpu: (ticks[0] + ticks[1]) / ticksPerSecond, reaped: (ticks[2] + ticks[3]) / ticksPerSecond,
	}, true
}

// processes are all of this machine, by id.
func processes() map[int]process {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	all := map[int]process{}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if p, ok := processOf(pid); ok {
			all[pid] = p
		}
	}
	return all
}
