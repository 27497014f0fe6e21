package node

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"raftmig/fabricops/dial"
	"raftmig/fabricops/inventory"
	"raftmig/fabricops/kafkaops"
	"raftmig/runbook"
)

// Bounds that the inventory does not give.
const (
	defaultStopTimeout  = 60 * time.Second
	defaultStartTimeout = 60 * time.Second
)

// OrdererReady is in the log of an orderer that serves (spec 8.4).
const OrdererReady = "Beginning to serve requests"

// Options say what the inventory does not know of a process.
type Options struct {
	// Tier goes into the process state; for runbook.TierOrderers the log must
	// say OrdererReady before the process counts as started.
	Tier runbook.Tier
	// Dir is the folder that relative paths refer to, "" for the working folder.
	Dir string
	// Tell is called when a manual process waits for the operator.
	Tell func(text string)
}

// New returns the controller of p. The controllers of kind "process" also
// implement Faulter.
func New(p inventory.Process, o Options) (Controller, error) {
	c := common{
		name:         p.Name,
		tier:         o.Tier,
		addresses:    p.AllAddresses(),
		log:          absolute(o.Dir, p.Log),
		startTimeout: p.Control.StartTimeout,
		stopTimeout:  p.Control.StopTimeout,
	}
	if c.startTimeout <= 0 {
		c.startTimeout = defaultStartTimeout
	}
	if c.stopTimeout <= 0 {
		c.stopTimeout = defaultStopTimeout
	}
	if o.Tier == runbook.TierOrderers {
		c.readyLine, c.greeting = OrdererReady, true
	}
	if p.Control.Ready != "" && len(c.addresses) > 0 {
		c.serves = func(ctx context.Context) error { return kafkaops.Serves(ctx, p.Control.Ready, c.addresses[0]) }
	}
	for _, a := range c.addresses {
		if _, _, err := net.SplitHostPort(a); err != nil {
			return nil, fmt.Errorf("%s: address %q is not host:port", p.Name, a)
		}
	}
	switch p.Control.Kind {
	case "process":
		return newProcess(c, p.Control, o.Dir)
	case "command":
		return newCommand(c, p.Control, o.Dir)
	case "manual":
		return newManual(c, o.Tell)
	default:
		return nil, fmt.Errorf("%s: control kind %q is none of process, command, manual", p.Name, p.Control.Kind)
	}
}

func absolute(dir, path string) string {
	if path == "" || dir == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// common is what all kinds of controllers share.
type common struct {
	name         string
	tier         runbook.Tier
	addresses    []string
	log          string
	readyLine    string
	greeting     bool                        // see knock
	serves       func(context.Context) error // asks over its own protocol; nil asks nothing
	startTimeout time.Duration
	stopTimeout  time.Duration
}

func (c *common) state(running bool) runbook.ProcessState {
	return runbook.ProcessState{Node: c.name, Tier: c.tier, Running: running}
}

func (c *common) problem(what string, why error, hint string) *runbook.Problem {
	p := &runbook.Problem{What: what, Where: c.name, Hint: hint}
	if why != nil {
		p.Why = why.Error()
	}
	return p
}

// pollInterval is the time between two looks at something that has no event.
const pollInterval = 15 * time.Millisecond

// poll calls done until it returns true or an error, or ctx ends; its error is
// then that of ctx.
func poll(ctx context.Context, interval time.Duration, done func() (bool, error)) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// acceptTimeout bounds one look whether something accepts connections: a line
// that loses a packet or two must not look like one that is cut.
const acceptTimeout = dial.ConnectTimeout

// knock returns nil if something accepts connections on address. With greeting,
// a TLS handshake is tried on the connection, whatever comes of it: an orderer
// writes an error into its log for every connection without one.
func knock(ctx context.Context, address string, greeting bool) error {
	ctx, cancel := context.WithTimeout(ctx, acceptTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	if greeting {
		// Nothing is sent or believed, so the certificate does not matter.
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}) //nolint:gosec
		_ = conn.(*tls.Conn).HandshakeContext(ctx)
	}
	_ = conn.Close()
	return nil
}

// accepts tells whether something accepts connections on address; see knock.
func accepts(ctx context.Context, address string, greeting bool) bool {
	return knock(ctx, address, greeting) == nil
}

// silentError is an address that neither accepts nor refuses connections: its
// host, or what lies in between, does not answer, so that nothing is known.
type silentError struct {
	address string
	err     error
}

func (e *silentError) Error() string {
	return fmt.Sprintf("%s neither accepts nor refuses connections (%v): only a refusal shows that nothing runs there; a status command can tell too",
		e.address, e.err)
}

func (e *silentError) Unwrap() error { return e.err }

// listening is openAddress where nothing but the addresses tells whether the
// process runs: that none is open is believed only if all refuse. The error is a
// silentError otherwise.
func (c *common) listening(ctx context.Context) (string, error) {
	var silent error
	for _, a := range c.addresses {
		err := knock(ctx, a, c.greeting)
		if err == nil {
			return a, nil
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			silent = &silentError{address: a, err: err}
		}
	}
	return "", cmp.Or(ctx.Err(), silent)
}

// openAddress returns the first address that accepts connections, "" if none
// does; see listening for where nothing else is asked. The error is that of ctx, if it ends before all have been tried: an
// address that was not tried is not closed.
func (c *common) openAddress(ctx context.Context) (string, error) {
	for _, a := range c.addresses {
		if accepts(ctx, a, c.greeting) {
			return a, nil
		}
	}
	return "", ctx.Err()
}

// closedAddress returns the first address that accepts no connections, "" if all do.
func (c *common) closedAddress(ctx context.Context) string {
	for _, a := range c.addresses {
		if !accepts(ctx, a, c.greeting) {
			return a
		}
	}
	return ""
}

// logSize is the length of the log, 0 if there is none yet.
func (c *common) logSize() int64 {
	if c.log == "" {
		return 0
	}
	info, err := os.Stat(c.log)
	if err != nil {
		return 0
	}
	return info.Size()
}
