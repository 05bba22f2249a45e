// Package failpoint names the moments at which a crash decides between arrived
// once, arrived twice and lost. Code that passes such a moment says so with one
// line:
//
//	failpoint.Here(failpoint.AfterPost)
//
// In an ordinary build Here is empty and the compiler removes the call. A build
// with the tag failpoints, which only tests make, can be told to kill itself
// there (see on.go).
package failpoint

// Name is one moment on the way of an event.
type Name string

// The moments, in the order in which an event passes them.
const (
	// AfterStart: Temporal has the event, the caller has no answer yet.
	AfterStart Name = "after-start"
	// AfterResolve: the ledger has the event and its deliveries, the workflow
	// does not know it yet.
	AfterResolve Name = "after-resolve"
	// AfterClaim: the delivery of an at-most-once webhook is claimed, nothing is
	// sent.
	AfterClaim Name = "after-claim"
	// BeforePost: the request is rendered and signed, nothing is sent.
	BeforePost Name = "before-post"
	// AfterPost: the receiver has answered, nothing is recorded.
	AfterPost Name = "after-post"
	// AfterCommit: the grouped commit has been committed, nobody who waits for it
	// knows.
	AfterCommit Name = "after-commit"
	// AfterRecordFast: the attempts of a slice of the fast lane are on record,
	// the workflow task has not ended.
	AfterRecordFast Name = "after-record-fast"
	// AfterRecordDurable: an attempt of the durable lane is on record, its
	// activity has not returned.
	AfterRecordDurable Name = "after-record-durable"
)

// Names lists every moment, in order.
func Names() []Name {
	return []Name{
		AfterStart, AfterResolve, AfterClaim, BeforePost, AfterPost, AfterCommit, AfterRecordFast, AfterRecordDurable,
	}
}
