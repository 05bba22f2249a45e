package webhook

import "time"

// OutcomeKind is what an attempt came to. It is a closed set: every switch over
// it is checked to be complete.
type OutcomeKind string

// The five outcomes.
const (
	Delivered OutcomeKind = "delivered" // 2xx in time
	Retry     OutcomeKind = "retry"     // a failure that the policy may try again
	Rejected  OutcomeKind = "rejected"  // a failure that trying again cannot mend
	Gone      OutcomeKind = "gone"      // 410: the provider decides what that means
	Unknown   OutcomeKind = "unknown"   // the worker died in the middle and the POST must not be repeated
)

// Reason names why an attempt did not deliver. It is a closed set with stable
// words: they appear in the history, in metrics and in docs.
type Reason string

// Every reason. ReasonNone stands for a delivered attempt.
const (
	ReasonNone              Reason = ""
	ReasonInformational     Reason = "informational_status" // 1xx as the final answer
	ReasonRedirect          Reason = "redirect"             // 3xx; never followed
	ReasonClientError       Reason = "client_error"         // 4xx but 410 and 429
	ReasonGone              Reason = "gone"                 // 410
	ReasonThrottled         Reason = "throttled"            // 429
	ReasonServerError       Reason = "server_error"         // 5xx
	ReasonTimeout           Reason = "timeout"              // no complete answer within the deadline
	ReasonConnectTimeout    Reason = "connect_timeout"      // no connection within the deadline
	ReasonDNSNotFound       Reason = "dns_not_found"        // the host does not exist
	ReasonDNSFailure        Reason = "dns_failure"          // the name server did not answer
	ReasonForbiddenAddress  Reason = "forbidden_address"    // the host resolves to an address we never dial
	ReasonConnectionRefused Reason = "connection_refused"
	ReasonConnectionReset   Reason = "connection_reset" // cut after connecting
	ReasonUnreachable       Reason = "unreachable"      // no route to host or network
	ReasonTLS               Reason = "tls_error"        // handshake or certificate
	ReasonBadResponse       Reason = "bad_response"     // not HTTP, or headers over the limit
	ReasonBadRequest        Reason = "bad_request"      // we could not build the request from this webhook
	ReasonNetwork           Reason = "network_error"    // any other network fault
	ReasonWorkerLost        Reason = "worker_lost"      // recorded unknown after a crash
)

// Outcome is what came back from one attempt: a value, never an error.
type Outcome struct {
	Kind       OutcomeKind
	Reason     Reason
	StatusCode int           // 0 when no answer came
	RetryAfter time.Duration // what the receiver asked for; 0 = nothing
	Detail     string        // one sentence for people; holds no secret and no URL query
}
