package channelcfg

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/fabricops/broadcast"
	"raftmig/fabricops/deliver"
	"raftmig/orderer/protoutil"
	"raftmig/runbook"
)

// Timing of a submission.
const (
	sendTimeout   = 15 * time.Second
	commitTimeout = 10 * time.Second // after SUCCESS, before looking and trying again
	lookInterval  = time.Second      // between looks at all nodes meanwhile
	firstPause    = 100 * time.Millisecond
	lastPause     = 2 * time.Second
	// learning is how long a node that refuses an update for the sake of the
	// quorum may take to learn that all consenters live: the leader counts one
	// that has joined or come back only after some time, and tells the others
	// after some more (spec 4.4).
	learning = 20 * time.Second
)

// Submitter submits configuration updates. It is safe for concurrent use.
type Submitter struct {
	Deliver   *deliver.Client
	Broadcast *broadcast.Client
	// Admins sign every update, in this order; the first one sends it.
	Admins []protoutil.Signer
	Nodes  []string // to read from and to send to, in order of preference
	// TLSCertHash binds envelopes to the client certificate; nil for none.
	TLSCertHash []byte
	Now         func() time.Time
}

// Only returns a submitter that talks to some of the nodes, none named meaning all.
func (s *Submitter) Only(nodes []string) *Submitter {
	if len(nodes) == 0 {
		return s
	}
	o := *s
	o.Nodes = nodes
	return &o
}

// Result is a configuration in force after a submission.
type Result struct {
	Receipt     runbook.UpdateReceipt
	AlreadyDone bool
}

// Status of a receipt whose Broadcast answer was lost or never led to a block
// by itself; the configuration in force is the proof.
const statusLost = "UNKNOWN"

// Submit is Bring for one of the migration's changes.
func (s *Submitter) Submit(ctx context.Context, channel string, change runbook.Change, metadata []byte, progress func(string)) (Result, error) {
	return s.Bring(ctx, channel, Goal{Change: change, Metadata: metadata}, progress)
}

// Bring brings a goal into force: read, and if the goal is not reached,
// build, sign, send to one node and wait for the block on that node. Before
// every further attempt the channel is read again, so that an update is never
// sent twice blindly; and as every update names the versions it was computed
// from, at most one of two could take effect (spec 7.1). It gives up when ctx
// ends or when a node refuses the update for good.
func (s *Submitter) Bring(ctx context.Context, channel string, goal Goal, progress func(string)) (Result, error) {
	var (
		last   error
		sentTo string // a node that may have accepted the update
		base   *View  // what the last refused update was computed from
		begun  = time.Now()
	)
	for attempt, pause := 0, firstPause; ; attempt++ {
		v, node, err := s.Read(ctx, channel)
		switch {
		case err != nil && last != nil && ctx.Err() != nil:
			// The end of the time explains nothing; what came before does.
		case err != nil:
			last = err
		case goal.InForce(v):
			r := Result{Receipt: receipt(v, goal.Change, node), AlreadyDone: sentTo == ""}
			if sentTo != "" {
				r.Receipt.Node, r.Receipt.Status = sentTo, statusLost
			}
			return r, nil
		case base != nil && base.Sequence() == v.Sequence() && !(quorumLoss(last) && time.Since(begun) < learning):
			return Result{}, last // refused, and nothing has changed since
		default:
			to := s.Nodes[(indexOf(s.Nodes, node)+attempt)%len(s.Nodes)]
			done, maybeSent, err := s.attempt(ctx, v, to, goal, progress)
			if err == nil {
				r := receipt(done, goal.Change, to)
				r.Status = cb.Status_SUCCESS.String()
				return Result{Receipt: r}, nil
			}
			if base = nil; last == nil || ctx.Err() == nil {
				last = err
			}
			if maybeSent {
				sentTo = to
			}
			switch {
			case badRequest(err) && to == node:
				base = v
			case badRequest(err): // that node may be behind: next to one that is not
				attempt = -1
			}
		}
		if permanent(last) {
			return Result{}, last
		}
		progress(fmt.Sprintf("%s: %v; looking again", channel, last))
		select {
		case <-ctx.Done():
			return Result{}, fmt.Errorf("channel %s: %s is not in force: %w", channel, goal.Change, last)
		case <-time.After(pause):
		}
		pause = min(pause*2, lastPause)
	}
}

// attempt sends the update to a node and waits for its block there. maybeSent
// is set where the node accepted the update or may have.
func (s *Submitter) attempt(ctx context.Context, v *View, node string, goal Goal, progress func(string)) (next *View, maybeSent bool, err error) {
	u, err := goal.Build(v)
	if err != nil {
		return nil, false, &refusal{err}
	}
	for _, a := range s.Admins {
		if err := u.Sign(a); err != nil {
			return nil, false, &refusal{err}
		}
	}
	env, err := u.Envelope(s.Admins[0], s.Now(), s.TLSCertHash)
	if err != nil {
		return nil, false, &refusal{err}
	}
	progress(fmt.Sprintf("%s: sending %s to %s", v.Channel, goal.Change, node))
	sendCtx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	if err := s.Broadcast.Send(sendCtx, node, env); err != nil {
		return nil, errors.Is(err, broadcast.ErrUnknownOutcome), err
	}
	progress(fmt.Sprintf("%s: accepted by %s, waiting for the block", v.Channel, node))
	next, err = s.awaitBlock(ctx, node, v, goal.InForce)
	return next, true, err
}

// awaitBlock waits until a configuration that is the goal is written: it follows
// the channel on the node that accepted the update, and looks at all nodes now
// and then, for that node may lag behind.
func (s *Submitter) awaitBlock(ctx context.Context, node string, v *View, goal func(*View) bool) (*View, error) {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	type answer struct {
		view *View
		err  error
	}
	followed := make(chan answer, 1)
	go func() { // ends with ctx
		next, err := s.follow(ctx, node, v, goal)
		followed <- answer{next, err}
	}()
	look := time.NewTicker(lookInterval)
	defer look.Stop()
	var last error
	for {
		select {
		case a := <-followed:
			if a.err == nil {
				return a.view, nil
			}
			last = a.err // the node may lag behind or be gone; the looks go on
		case <-look.C:
			if next, _, err := s.Read(ctx, v.Channel); err == nil && goal(next) {
				return next, nil
			}
		case <-ctx.Done():
			// Not wrapped: whether trying again is of use is for the next look to tell.
			return nil, fmt.Errorf("accepted by %s, but no block carries it yet: %v", node, errors.Join(last, ctx.Err()))
		}
	}
}

// follow reads blocks of a node from the block after v's on, to the goal.
func (s *Submitter) follow(ctx context.Context, node string, v *View, goal func(*View) bool) (*View, error) {
	var found *View
	err := s.Deliver.Follow(ctx, node, v.Channel, v.Number()+1, func(b *cb.Block) (bool, error) {
		if !protoutil.IsConfigBlock(b) {
			return true, nil
		}
		next, err := FromBlock(b)
		if err != nil { // an ORDERER_TRANSACTION on the system channel
			return true, nil
		}
		if goal(next) {
			found = next
		}
		return found == nil, nil
	})
	if found == nil && err == nil {
		err = errors.New("the stream ended")
	}
	return found, err
}

// Read returns the newest configuration that any node has, and that node.
func (s *Submitter) Read(ctx context.Context, channel string) (*View, string, error) {
	views := make([]*View, len(s.Nodes))
	errs := make([]error, len(s.Nodes))
	var wg sync.WaitGroup
	for i, node := range s.Nodes {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, deliver.HeadTimeout)
			defer cancel()
			head, err := s.Deliver.Head(ctx, node, channel, nil)
			if err == nil {
				views[i], err = FromBlock(head.Config)
			}
			errs[i] = err
		})
	}
	wg.Wait()
	best := -1
	for i, v := range views {
		if v != nil && (best < 0 || v.Sequence() > views[best].Sequence()) {
			best = i
		}
	}
	if best < 0 {
		return nil, "", fmt.Errorf("channel %s: no node could be read: %w", channel, errors.Join(errs...))
	}
	return views[best], s.Nodes[best], nil
}

// refusal marks an error that sending again cannot mend.
type refusal struct{ error }

func (r *refusal) Unwrap() error { return r.error }

// permanent reports whether trying again is of no use.
func permanent(err error) bool {
	var r *refusal
	if errors.As(err, &r) {
		return true
	}
	var b *broadcast.StatusError
	if errors.As(err, &b) {
		return !b.Retryable() && !badRequest(err)
	}
	var d *deliver.StatusError
	return errors.As(err, &d) && d.Final()
}

// badRequest reports a refusal that another look may explain: the node was
// behind, or the update arrived by another way.
func badRequest(err error) bool {
	var b *broadcast.StatusError
	return errors.As(err, &b) && b.Status == cb.Status_BAD_REQUEST
}

// quorumLoss reports a refusal for the sake of the quorum of a Raft channel, by
// what the answering node knows.
func quorumLoss(err error) bool {
	return badRequest(err) && strings.Contains(err.Error(), "configuration will result in quorum loss")
}

func receipt(v *View, change runbook.Change, node string) runbook.UpdateReceipt {
	return runbook.UpdateReceipt{
		Channel: v.Channel, Change: change, Node: node,
		Block: v.Number(), Sequence: v.Sequence(), Hash: v.Hash(),
	}
}

func indexOf(list []string, s string) int {
	for i, e := range list {
		if e == s {
			return i
		}
	}
	return 0
}
