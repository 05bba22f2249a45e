package bench

const (
	// postgresName is what PostgreSQL calls its processes, whatever title they
	// show.
	postgresName = "postgres"
	// postgresLooks are enough to find a moment in which no backend ends.
	postgresLooks = 5
)

// Postmaster returns the process above a backend of PostgreSQL, which starts and
// reaps all others; 0 where the backend is on another machine or /proc does not
// tell.
func Postmaster(backend int) int {
	p, _ := processOf(backend)
	if above, ok := processOf(p.parent); ok && p.name == postgresName && above.name == postgresName {
		return p.parent
	}
	return 0
}

// OnlyPostmaster returns that of the only PostgreSQL on this machine; 0 where
// there is none, or several.
func OnlyPostmaster() int {
	found, all := 0, processes()
	for pid, p := range all {
		if p.name != postgresName || all[p.parent].name == postgresName {
			continue
		}
		if found != 0 {
			return 0
		}
		found = pid
	}
	return found
}

// postgresCPU returns the seconds of processor time that a PostgreSQL has used,
// its backends that have ended included; false where /proc does not tell. A
// backend that ends while we look would be missed, or counted twice: then we look
// again.
func postgresCPU(postmaster int) (seconds float64, ok bool) {
	for range postgresLooks {
		before, ok := processOf(postmaster)
		if !ok || before.name != postgresName {
			return 0, false
		}
		seconds = before.cpu + before.reaped
		for _, p := range processes() {
			if p.parent == postmaster {
				seconds += p.cpu + p.reaped
			}
		}
		if after, _ := processOf(postmaster); after.reaped == before.reaped {
			break
		}
	}
	return seconds, true
}
