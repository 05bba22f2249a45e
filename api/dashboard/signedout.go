package dashboard

import (
	"sync"
	"time"
)

// signedOutKept bounds the sessions that are remembered: about a megabyte.
const signedOutKept = 10_000

// signedOut remembers, in this process, the sessions that somebody ended before
// their time, so that a copy of such a session's cookie ends with it. Another
// process, or this one after a restart, takes a copy until its own end: only
// revoking the credential ends it everywhere.
type signedOut struct {
	now  func() time.Time
	mu   sync.Mutex
	ends map[string]time.Time // by session, when it would have ended anyway
}

func newSignedOut(now func() time.Time) *signedOut {
	return &signedOut{now: now, ends: map[string]time.Time{}}
}

// add ends a session. Those that are over by now make room for it; where there
// is none even so, that which has the least time left.
func (s *signedOut) add(id string, end time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ends) >= signedOutKept {
		s.makeRoom()
	}
	s.ends[id] = end
}

func (s *signedOut) makeRoom() {
	now, first := s.now(), ""
	for id, end := range s.ends {
		switch {
		case !now.Before(end):
			delete(s.ends, id)
		case first == "" || end.Before(s.ends[first]):
			first = id
		}
	}
	if len(s.ends) >= signedOutKept {
		delete(s.ends, first)
	}
}

// has tells whether somebody ended a session.
func (s *signedOut) has(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ended := s.ends[id]
	return ended
}
