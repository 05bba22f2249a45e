package main

import "runtime/debug"

// garbagePercent is how much garbage may gather, in percent of what is in use,
// before it is collected. In use are some tens of megabytes, whatever the load,
// and Go's default of 100 would collect them several times a second. GOMEMLIMIT
// bounds the process all the same.
const garbagePercent = 300

// collectSeldom sets that, unless GOGC says something else.
func collectSeldom(lookupEnv func(string) (string, bool)) {
	if _, set := lookupEnv("GOGC"); !set {
		debug.SetGCPercent(garbagePercent)
	}
}
