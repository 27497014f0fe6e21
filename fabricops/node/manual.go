package node

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"raftmig/runbook"
)

// manual asks the operator to act and watches the addresses.
type manual struct {
	common
	tell func(string)
}

func newManual(c common, tell func(string)) (*manual, error) {
	if len(c.addresses) == 0 {
		return nil, fmt.Errorf("%s: control kind manual needs an address to watch", c.name)
	}
	if tell == nil {
		tell = func(string) {}
	}
	c.readyLine = "" // it may be said before we look
	return &manual{common: c, tell: tell}, nil
}

// OperatorNeeded is returned where the operator was asked to start or stop a
// process and has not done so in time.
type OperatorNeeded struct {
	Action    string // "start" or "stop"
	Node      string
	Addresses []string
}

// Error tells the operator what to do.
func (e *OperatorNeeded) Error() string {
	state := "accept connections"
	if e.Action == "stop" {
		state = "are closed"
	}
	return fmt.Sprintf("please %s %s now; raftmig waits until %s %s", e.Action, e.Node, strings.Join(e.Addresses, ", "), state)
}

// Status tells whether one of the addresses accepts connections. That none does
// is told only where all refuse.
func (m *manual) Status(ctx context.Context) (runbook.ProcessState, error) {
	open, err := m.listening(ctx)
	if err != nil {
		return m.state(false), fmt.Errorf("%s: looking whether it runs: %w", m.name, err)
	}
	return m.state(open != ""), nil
}

// Start asks the operator and waits until all addresses accept connections.
func (m *manual) Start(ctx context.Context) error {
	if m.closedAddress(ctx) == "" {
		return nil
	}
	need := &OperatorNeeded{Action: "start", Node: m.name, Addresses: m.addresses}
	m.tell(need.Error())
	offset := m.logSize()
	if err := m.awaitReady(ctx, offset, func() error { return nil }); err != nil {
		return fmt.Errorf("%w: %w", need, err)
	}
	return nil
}

// Stop asks the operator and waits until all addresses refuse connections.
func (m *manual) Stop(ctx context.Context) error {
	if s, err := m.Status(ctx); err != nil || !s.Running {
		return err
	}
	need := &OperatorNeeded{Action: "stop", Node: m.name, Addresses: m.addresses}
	m.tell(need.Error())
	ctx, cancel := context.WithTimeout(ctx, m.stopTimeout)
	defer cancel()
	var told *silentError // that was said last
	err := poll(ctx, 5*pollInterval, func() (bool, error) {
		open, err := m.listening(ctx)
		if silent := (*silentError)(nil); ctx.Err() == nil && errors.As(err, &silent) {
			if told == nil || told.address != silent.address {
				told = silent
				m.tell(m.name + ": " + silent.Error())
			}
			return false, nil
		}
		return open == "", err
	})
	if err != nil && told != nil {
		err = fmt.Errorf("%w: %w", told, err)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", need, err)
	}
	return nil
}
