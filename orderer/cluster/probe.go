package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
)

const (
	// probeGrace is how much later than the first one an endpoint may answer that is
	// not waited for. Orderers answer within milliseconds, over continents within a
	// few hundred; those that do not serve yet or any more, never.
	probeGrace = time.Second
	// slowFor is how long an endpoint that did not is not asked if others answer.
	slowFor = 30 * time.Second
)

var errSlow = errors.New("no answer yet, others have answered")

// slowEndpoints are the addresses that have not answered lately, for all channels:
// a node that is down costs a timeout once, not for each channel. It is safe for
// concurrent use; the zero value is ready.
type slowEndpoints struct {
	mu    sync.Mutex
	until map[string]time.Time
}

func (s *slowEndpoints) add(address string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.until == nil {
		s.until = map[string]time.Time{}
	}
	s.until[address] = now.Add(slowFor)
}

func (s *slowEndpoints) has(address string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	until, ok := s.until[address]
	if ok && !now.Before(until) {
		delete(s.until, address)
		ok = false
	}
	return ok
}

// probe is what an endpoint said about its newest block.
type probe struct {
	source *source
	last   *cb.Block
	err    error
}

// probe asks all endpoints at once, and waits for all.
func (p *BlockPuller) probe(ctx context.Context) []probe {
	return p.ask(ctx, p.target.Endpoints, func() {})
}

// probeHurried asks endpoints that are not known to be slow, and waits only a
// moment for others once one has answered. If none of those answers, it is probe.
func (p *BlockPuller) probeHurried(ctx context.Context) []probe {
	quick := slices.DeleteFunc(slices.Clone(p.target.Endpoints), func(e Endpoint) bool { return p.slow.has(e.Address, time.Now()) })
	hurried, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	probes := p.ask(hurried, quick, sync.OnceFunc(func() {
		time.AfterFunc(probeGrace, func() { cancel(errSlow) })
	}))
	if slices.ContainsFunc(probes, func(pr probe) bool { return pr.err == nil }) {
		return probes
	}
	return p.probe(ctx)
}

// ask asks endpoints at once. answered is called for each that answers.
func (p *BlockPuller) ask(ctx context.Context, endpoints []Endpoint, answered func()) []probe {
	probes := make([]probe, len(endpoints))
	var wg sync.WaitGroup
	for i, e := range endpoints {
		s, err := p.source(e)
		if err != nil {
			probes[i].err = err
			continue
		}
		wg.Go(func() {
			probes[i] = p.probeOne(ctx, s)
			switch {
			case probes[i].err == nil:
				answered()
			case errors.Is(context.Cause(ctx), errSlow):
				p.slow.add(e.Address, time.Now())
				probes[i].err = fmt.Errorf("%s: %w", e.Address, errSlow)
			}
		})
	}
	wg.Wait()
	for _, pr := range probes {
		if pr.err != nil {
			p.log.Debugf("Probing: %s", pr.err)
		}
	}
	return probes
}

func (p *BlockPuller) probeOne(ctx context.Context, s *source) probe {
	ctx, cancel := context.WithTimeout(ctx, p.cfg.PullTimeout)
	defer cancel()
	stream, err := p.seek(ctx, s, newest())
	if err != nil {
		return probe{source: s, err: err}
	}
	defer stream.cancel()
	block, err := stream.receive()
	if err != nil {
		return probe{source: s, err: fmt.Errorf("%s: %w", s.endpoint.Address, err)}
	}
	s.height = block.Header.Number + 1
	return probe{source: s, last: block}
}

// summary makes one error of those of all probes: ErrForbidden only if every
// orderer that answered forbids, ErrServiceUnavailable likewise. Where they do not
// agree it is neither, and says what each of them said.
func summary(probes []probe) error {
	var said []error
	forbidden, unavailable, other := 0, 0, 0
	for _, pr := range probes {
		switch {
		case pr.err == nil:
			said = append(said, fmt.Errorf("%s is at height %d", pr.source.endpoint.Address, pr.source.height))
			other++
		case errors.Is(pr.err, ErrForbidden):
			forbidden++
			said = append(said, errors.New(pr.err.Error())) // its words only
		case errors.Is(pr.err, ErrServiceUnavailable):
			unavailable++
			said = append(said, errors.New(pr.err.Error())) // likewise
		default:
			said = append(said, pr.err)
		}
	}
	switch {
	case forbidden > 0 && unavailable == 0 && other == 0:
		return ErrForbidden
	case unavailable > 0 && forbidden == 0 && other == 0:
		return ErrServiceUnavailable
	case len(said) == 0:
		return errors.New("there are no endpoints")
	}
	return errors.Join(said...)
}
