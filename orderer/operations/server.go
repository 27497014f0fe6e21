package operations

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"net"
	"net/http"
	"time"

	"go.uber.org/zap"
)

// Limits of the HTTP servers (spec 8.6).
const (
	readTimeout  = 10 * time.Second
	writeTimeout = 2 * time.Minute
)

// Server is an HTTP server for operators.
type Server struct {
	server   *http.Server
	listener net.Listener
	done     chan struct{}
}

// Serve opens a listener at host:port, under TLS unless t is nil, and serves.
// name is what the log calls the endpoint.
func Serve(name, address string, t *tls.Config, handler http.Handler, log *zap.SugaredLogger) (*Server, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	if t != nil {
		listener = tls.NewListener(listener, t)
	}
	s := &Server{listener: listener, done: make(chan struct{})}
	s.server = &http.Server{
		Handler: handler, ReadTimeout: readTimeout, ReadHeaderTimeout: readTimeout, WriteTimeout: writeTimeout,
		ErrorLog: zap.NewStdLog(log.Desugar()),
	}
	go func() {
		defer close(s.done)
		if err := s.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			log.Errorf("%s endpoint ended: %s", name, err)
		}
	}()
	return s, nil
}

// ServeAdmin serves handler below path, which ends with a slash, for the Admin
// section (spec 8.2, 9). Under TLS every client needs a verified certificate.
func ServeAdmin(address string, t *tls.Config, path string, handler http.Handler, log *zap.SugaredLogger) (*Server, error) {
	mux := http.NewServeMux()
	mux.Handle(path, authenticated(t, withRequestID(handler)))
	return Serve("Admin", address, t, mux, log)
}

// Addr is the address that the endpoint listens on.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Stop ends the endpoint; requests under way have until ctx ends.
func (s *Server) Stop(ctx context.Context) error {
	err := s.server.Shutdown(ctx)
	if err != nil {
		_ = s.server.Close()
	}
	<-s.done
	return err
}

// authenticated refuses clients without a verified certificate under TLS.
func authenticated(t *tls.Config, next http.Handler) http.Handler {
	if t == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS == nil || len(r.TLS.VerifiedChains) == 0 || len(r.TLS.VerifiedChains[0]) == 0 {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// withRequestID gives every answer the request's ID, or a new one.
func withRequestID(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.Header.Get("X-Request-Id")
		if id == "" {
			var b [16]byte
			_, _ = rand.Read(b[:]) // never fails
			id = hex.EncodeToString(b[:])
		}
		w.Header().Set("X-Request-Id", id)
		next.ServeHTTP(w, r)
	})
}
