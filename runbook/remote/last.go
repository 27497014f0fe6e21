package remote

import (
	"net"
	"time"

	"raftmig/runbook"
)

// defaultPatience is how long a closing server lets a client take what waits
// for it.
const defaultPatience = 2 * time.Second

// hurry bounds what is still written to a client of a closing server.
func (s *Server) hurry(conn net.Conn) {
	_ = conn.SetWriteDeadline(time.Now().Add(s.patience))
}

// last passes on what waits for a client of a closing server, so that the
// outcome of a run reaches every terminal.
func (s *Server) last(conn net.Conn, client runbook.Client, w *writer) {
	s.hurry(conn)
	timeout := time.NewTimer(s.patience)
	defer timeout.Stop()
	for {
		select {
		case u, ok := <-client.Updates():
			if !ok {
				s.end(conn, w)
				return
			}
			if w.send(fromServer{Update: &u}) != nil {
				return
			}
		case <-timeout.C:
			return
		}
	}
}

var _ runbook.Client = (*client)(nil)
