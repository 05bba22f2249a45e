//go:build chaos

package e2e

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	link "github.com/Shopify/toxiproxy/v2/stream"
	"github.com/Shopify/toxiproxy/v2/toxics"
	"github.com/stretchr/testify/require"
)

func networkExperiments() []fault {
	return []fault{
		{"200 ms and 5 % loss between Posthaste and Temporal", temporalLossy},
		{"one of two workers with its clock 10 minutes ahead", func(x *experiment) { x.skewed(10 * time.Minute) }},
		{"one of two workers with its clock 10 minutes behind", func(x *experiment) { x.skewed(-10 * time.Minute) }},
		{fmt.Sprintf("%d POSTs to receivers that trickle", trickledPosts), tricklingReceivers},
	}
}

const (
	roundTrip = 200 * time.Millisecond
	// retransmission is how long Linux waits for the acknowledgement of a segment
	// before it sends it again: the round trip, and 200 ms at least.
	retransmission = roundTrip + 200*time.Millisecond
	loss           = 0.05
	segmentSize    = 1460 // bytes of a TCP segment on Ethernet
)

// temporalLossy compares how many events a publisher hands over that waits for
// each answer, and then holds the promises under a load that does not wait. The
// link makes it slow: no event is accepted in less than a round trip.
func temporalLossy(x *experiment) {
	au := x.scene(settings{proxied: true}, 10*time.Millisecond)
	au.sys.start("all").awaitReady()
	au.watch("", retryAfterASecond)
	au.watch("", never)
	au.watch("", atMostOnce)
	near := au.oneByOne(3 * time.Second)
	lost := au.sys.temporalProxy.lose(x.rand.Uint64())
	far := au.oneByOne(5 * time.Second)
	x.load(au, outageRate, 20*time.Second)()
	au.sending.Wait()
	au.settle(60 * time.Second)
	segments, dropped := lost()
	report := x.judge(au, time.Time{}, 30*time.Second, fmt.Sprintf(
		"a publisher that waits for each answer handed over %.0f a second, and %.1f over this link; %d of %d segments came late; %s",
		near, far, dropped, segments, au.refused()))
	require.Zero(x.t, report.Duplicates)
	require.Zero(x.t, report.Unknown, "nobody died")
	require.LessOrEqual(x.t, far, 1/roundTrip.Seconds(), "the link was not there")
	require.InDelta(x.t, loss, float64(dropped)/float64(segments), 0.02, "of %d segments", segments)
}

// oneByOne hands events over one after the other, and returns how many a second.
func (au *audited) oneByOne(lasting time.Duration) (perSecond float64) {
	au.t.Helper()
	began, n := time.Now(), 0
	for ; time.Since(began) < lasting; n++ {
		require.True(au.t, au.send("order.paid", lasting))
	}
	return float64(n) / time.Since(began).Seconds()
}

// lose makes the proxy a long and lossy way in both directions. The returned
// function tells what went over it, and heals it.
func (p *proxy) lose(seed uint64) (healed func() (segments, late int)) {
	p.t.Helper()
	toxics.Register("loss", new(lossToxic))
	var lost []*lossToxic
	p.slow(roundTrip, 0)
	for i, direction := range []link.Direction{link.Upstream, link.Downstream} {
		p.add("loss", direction.String(), map[string]any{
			"probability": loss, "retransmissionMs": retransmission.Milliseconds(), "seed": seed>>32 + uint64(i),
		})
		lost = append(lost, p.Toxics.GetToxic("loss_"+direction.String()).Toxic.(*lossToxic))
	}
	return func() (segments, late int) {
		p.heal()
		for _, toxic := range lost {
			toxic.mu.Lock()
			segments, late = segments+toxic.segments, late+toxic.late
			toxic.mu.Unlock()
		}
		return segments, late
	}
}

// lossToxic is what lost packets are to the two ends of a TCP connection. No
// byte is missing in the end: a segment that was lost comes a retransmission
// timeout later, twice that when it is lost again, and what came after it waits
// for it, because TCP hands nothing over out of order.
//
// It is not a lossy network. No packet is dropped, and so neither window nor
// timeout of the kernel knows of it: the sender does not slow down. No loss is
// told sooner by what arrives after it (fast retransmission), which makes it
// worse than most. Acknowledgements and the packets of a handshake are not lost.
type lossToxic struct {
	Probability      float64 `json:"probability"`
	RetransmissionMS int64   `json:"retransmissionMs"`
	Seed             uint64  `json:"seed"`

	mu       sync.Mutex // of what all connections share
	rand     *rand.Rand
	segments int
	late     int
}

// GetBufferSize lets segments be on their way while others are held back.
func (t *lossToxic) GetBufferSize() int { return 1024 }

// Pipe carries one direction of one connection.
func (t *lossToxic) Pipe(stub *toxics.ToxicStub) {
	for {
		select {
		case <-stub.Interrupt:
			return
		case chunk := <-stub.Input:
			if chunk == nil {
				stub.Close()
				return
			}
			for rest := chunk.Data; len(rest) > 0; {
				n := min(segmentSize, len(rest))
				segment := &link.StreamChunk{Data: rest[:n], Timestamp: chunk.Timestamp}
				if rest = rest[n:]; t.carry(stub, segment) {
					continue
				}
				if len(rest) > 0 { // the toxic is taken away, and no byte with it
					stub.Output <- &link.StreamChunk{Data: rest, Timestamp: chunk.Timestamp}
				}
				return
			}
		}
	}
}

// carry hands a segment on when it has arrived, and reports whether to go on.
// Its timeout began when it was sent, however long those before it took.
func (t *lossToxic) carry(stub *toxics.ToxicStub, segment *link.StreamChunk) bool {
	held := time.NewTimer(time.Until(segment.Timestamp.Add(t.hold())))
	defer held.Stop()
	select {
	case now := <-held.C:
		segment.Timestamp = now
		stub.Output <- segment
		return true
	case <-stub.Interrupt:
		stub.Output <- segment
		return false
	}
}

// hold is how much later than the others a segment comes; 0 = it is not lost.
func (t *lossToxic) hold() (late time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.rand == nil {
		t.rand = rand.New(rand.NewPCG(t.Seed, t.Seed))
	}
	t.segments++
	for wait := time.Duration(t.RetransmissionMS) * time.Millisecond; t.rand.Float64() < t.Probability; wait *= 2 {
		late += wait
	}
	if late > 0 {
		t.late++
	}
	return late
}
