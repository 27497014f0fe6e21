package dial

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Error is a failure to talk to a node: it could not be reached, the
// connection broke, or it did not answer in time.
type Error struct {
	Node    string
	Address string
	Op      string // what was being done
	Err     error
}

// Error names node, address and the innermost cause without gRPC's wrapping.
func (e *Error) Error() string {
	return fmt.Sprintf("%s (%s): %s: %s", e.Node, e.Address, e.Op, Cause(e.Err))
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Wrap turns an error of a call on a node's connection into an Error.
func (p *Pool) Wrap(node, op string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Node: node, Address: p.Address(node), Op: op, Err: err}
}

// Unreachable reports whether err says that a node could not be reached or
// that the connection to it broke, as opposed to an answer of the node.
func Unreachable(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	switch status.Code(e.Err) {
	case codes.Unavailable, codes.DeadlineExceeded:
		return true
	}
	return errors.Is(e.Err, context.DeadlineExceeded)
}

// Cause is the text of the innermost cause of a gRPC error: what the
// operating system or TLS said.
func Cause(err error) string {
	if errors.Is(err, context.DeadlineExceeded) || status.Code(err) == codes.DeadlineExceeded {
		return "no answer in time"
	}
	if errors.Is(err, context.Canceled) || status.Code(err) == codes.Canceled {
		return "cancelled"
	}
	text := err.Error()
	if s, ok := status.FromError(err); ok {
		text = s.Message()
	}
	for _, prefix := range []string{"connection error: desc = ", "transport: "} {
		text = strings.TrimPrefix(text, prefix)
		text = strings.Trim(text, `"`)
	}
	for _, prefix := range []string{"transport: ", "Error while dialing: ", "authentication handshake failed: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	return text
}
