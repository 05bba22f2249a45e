//go:build failpoints

package failpoint

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Variable says what to do where, in a list such as
//
//	after-post=kill@3,before-post=pause:2s
//
// The action kill ends the process as SIGKILL does; meet lets the hits before
// the counted one wait and then does the same, so that N deliveries die at one
// moment; pause:DURATION waits. An action with @N is taken at the N-th hit
// alone, one without at every hit.
const Variable = "POSTHASTE_FAILPOINTS"

// action is what one moment does.
type action struct {
	pause time.Duration // 0: kill
	meet  bool          // earlier hits wait for the counted one
	hit   int64         // 0: every hit
	hits  atomic.Int64
}

// actions reads the variable once. A list that cannot be read ends the process:
// a test that believes in a crash which never comes proves nothing.
var actions = sync.OnceValue(func() map[Name]*action {
	list, err := parse(os.Getenv(Variable))
	if err != nil {
		panic(err)
	}
	return list
})

// Here takes the action of this moment, if it has one.
func Here(name Name) {
	a, ok := actions()[name]
	if !ok {
		return
	}
	if n := a.hits.Add(1); a.hit != 0 && a.hit != n {
		if a.meet && n < a.hit {
			select {}
		}
		return
	}
	if a.pause > 0 {
		<-time.After(a.pause)
		return
	}
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	if err != nil {
		panic(err)
	}
	select {} // nothing after this moment may run
}

// parse reads a list of actions.
func parse(list string) (map[Name]*action, error) {
	found := map[Name]*action{}
	for item := range strings.SplitSeq(list, ",") {
		if item == "" {
			continue
		}
		name, what, ok := strings.Cut(item, "=")
		if !ok || !slices.Contains(Names(), Name(name)) {
			return nil, fmt.Errorf("%s: %q names no failpoint", Variable, item)
		}
		a := &action{}
		what, hit, counted := strings.Cut(what, "@")
		if counted {
			n, err := strconv.ParseInt(hit, 10, 64)
			if err != nil || n < 1 {
				return nil, fmt.Errorf("%s: %q has no hit to count to", Variable, item)
			}
			a.hit = n
		}
		a.meet = what == "meet"
		if wait, pauses := strings.CutPrefix(what, "pause:"); pauses {
			d, err := time.ParseDuration(wait)
			if err != nil || d <= 0 {
				return nil, fmt.Errorf("%s: %q has no duration", Variable, item)
			}
			a.pause = d
		} else if what != "kill" && !a.meet {
			return nil, fmt.Errorf("%s: %q has no action; kill, meet and pause:DURATION are known", Variable, item)
		}
		found[Name(name)] = a
	}
	return found, nil
}
