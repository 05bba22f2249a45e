package bench

import "github.com/prometheus/procfs"

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
	proc, err := procfs.NewProc(pid)
	if err != nil {
		return process{}, false
	}
	return processIn(proc)
}

// processIn looks at one that was there a moment ago.
func processIn(proc procfs.Proc) (process, bool) {
	stat, err := proc.Stat()
	if err != nil {
		return process{}, false
	}
	return process{
		name: stat.Comm, parent: stat.PPID,
		cpu: float64(stat.UTime+stat.STime) / ticksPerSecond, reaped: float64(stat.CUTime+stat.CSTime) / ticksPerSecond,
	}, true
}

// processes are all of this machine, by id.
func processes() map[int]process {
	listed, err := procfs.AllProcs()
	if err != nil {
		return nil
	}
	all := make(map[int]process, len(listed))
	for _, proc := range listed {
		if p, ok := processIn(proc); ok {
			all[proc.PID] = p
		}
	}
	return all
}
