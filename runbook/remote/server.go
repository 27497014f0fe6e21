package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"raftmig/runbook"
)

// Server serves a run on a unix socket.
type Server struct {
	listener *net.UnixListener
	path     string
	attach   func() runbook.Client
	ctx      context.Context // ends with Close
	stop     context.CancelFunc
	conns    sync.WaitGroup
	patience time.Duration
}

// Listen serves at path until Close. A socket that a dead process left there is
// replaced; one that is being served is not. attach connects a client to the
// run, once per connection.
func Listen(path string, attach func() runbook.Client) (*Server, error) {
	if c, err := net.Dial("unix", path); err == nil {
		_ = c.Close()
		return nil, fmt.Errorf("socket %s is being served by another process", path)
	}
	l, err := listenPrivate(path)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", path, err)
	}
	s := &Server{listener: l, path: path, attach: attach, patience: defaultPatience}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.conns.Go(s.accept)
	return s, nil
}

// listenPrivate makes a socket that nobody but its owner can open at any
// instant: it is made in a folder that only the owner can enter, and moved into
// place once its mode is set.
func listenPrivate(path string) (*net.UnixListener, error) {
	// Short names: a socket's path has little more than 100 bytes.
	dir := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%x", os.Getpid()))
	if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700)); err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	temporary := filepath.Join(dir, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: temporary, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // the name is another one soon; Close removes that
	if err := errors.Join(os.Chmod(temporary, 0o600), os.Rename(temporary, path)); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// Close ends the service. Clients that are attached get what waits for them if
// the run has ended, and are cut off otherwise.
func (s *Server) Close() error {
	err := errors.Join(s.listener.Close(), removed(s.path))
	s.stop()
	s.conns.Wait()
	return err
}

func removed(path string) error {
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}

func (s *Server) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return // closed
		}
		s.conns.Go(func() { s.serve(c) })
	}
}

// serve talks to one client until it leaves or the updates end.
func (s *Server) serve(conn net.Conn) {
	defer conn.Close()
	client := s.attach()
	defer client.Close()
	w := &writer{enc: json.NewEncoder(conn)}
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()

	var reading sync.WaitGroup
	reading.Go(func() {
		defer cancel()
		s.commands(ctx, conn, client, w)
	})
	s.updates(ctx, conn, client, w)
	_ = conn.Close() // ends the reading
	reading.Wait()
}

// updates passes on what comes up.
func (s *Server) updates(ctx context.Context, conn net.Conn, client runbook.Client, w *writer) {
	for {
		select {
		case u, ok := <-client.Updates():
			if !ok {
				s.end(conn, w)
				return
			}
			// A terminal that takes nothing must not keep the server from closing.
			unblock := context.AfterFunc(ctx, func() { s.hurry(conn) })
			err := w.send(fromServer{Update: &u})
			unblock()
			if err != nil {
				return
			}
		case <-ctx.Done():
			s.last(conn, client, w)
			return
		}
	}
}

// end says that nothing more comes, behind the answer to a command in hand: the
// command may be what ended the run.
func (s *Server) end(conn net.Conn, w *writer) {
	s.hurry(conn)
	w.answering.Lock()
	defer w.answering.Unlock()
	s.hurry(conn) // anew: the answer may have taken its time
	_ = w.send(fromServer{End: true})
}

// commands reads commands and answers them, one after another.
func (s *Server) commands(ctx context.Context, conn net.Conn, client runbook.Client, w *writer) {
	dec := json.NewDecoder(conn)
	for {
		var m fromClient
		if err := dec.Decode(&m); err != nil {
			return
		}
		if err := answer(ctx, client, w, m); err != nil {
			return
		}
	}
}

func answer(ctx context.Context, client runbook.Client, w *writer, m fromClient) error {
	w.answering.Lock()
	defer w.answering.Unlock()
	reply := fromServer{Reply: m.ID}
	if err := client.Send(ctx, m.Command); err != nil {
		reply.Error, reply.Refused = err.Error(), errors.Is(err, runbook.ErrRefused)
	}
	return w.send(reply)
}

// writer lets two goroutines write whole lines.
type writer struct {
	mu  sync.Mutex
	enc *json.Encoder
	// answering is held from the arrival of a command until its answer is written.
	answering sync.Mutex
}

func (w *writer) send(m fromServer) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.enc.Encode(m)
}
