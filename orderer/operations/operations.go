// Package operations is the HTTP endpoint for operators (spec 8.6): /healthz,
// /metrics, /logspec and /version, in Fabric's forms.
package operations

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"go.uber.org/zap"
)

// Version is what GET /version answers. The first two are Fabric's.
type Version struct {
	CommitSHA string `json:"CommitSHA,omitempty"`
	// Version is a Fabric version that this engine behaves like.
	Version string `json:"Version,omitempty"`
	// Raftmig is the engine's own version.
	Raftmig string `json:"Raftmig,omitempty"`
}

// LogSpec is what /logspec reads and writes.
type LogSpec interface {
	Spec() string
	ActivateSpec(text string) error
}

// Options of a system.
type Options struct {
	// ListenAddress is host:port.
	ListenAddress string
	// TLS may be nil. With it, /metrics and /logspec ask for a verified client
	// certificate.
	TLS     *tls.Config
	Version Version
	LogSpec LogSpec
	// Metrics serves /metrics; nil if the provider is not prometheus.
	Metrics http.Handler
	Health  *Health
	Logger  *zap.SugaredLogger // "orderer.operations"
}

// Limits of the HTTP server (spec 8.6).
const (
	readTimeout  = 10 * time.Second
	writeTimeout = 2 * time.Minute
)

// System is the running endpoint.
type System struct {
	options  Options
	server   *http.Server
	listener net.Listener
	done     chan struct{}
}

// Start opens the listener and serves.
func Start(o Options) (*System, error) {
	listener, err := net.Listen("tcp", o.ListenAddress)
	if err != nil {
		return nil, fmt.Errorf("opening the operations endpoint: %w", err)
	}
	if o.TLS != nil {
		listener = tls.NewListener(listener, o.TLS)
	}
	s := &System{options: o, listener: listener, done: make(chan struct{})}
	s.server = &http.Server{
		Handler: withRequestID(s.mux()), ReadTimeout: readTimeout, ReadHeaderTimeout: readTimeout, WriteTimeout: writeTimeout,
		ErrorLog: zap.NewStdLog(o.Logger.Desugar()),
	}
	go func() {
		defer close(s.done)
		if err := s.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			o.Logger.Errorf("Operations endpoint ended: %s", err)
		}
	}()
	return s, nil
}

// Addr is the address that the endpoint listens on.
func (s *System) Addr() string { return s.listener.Addr().String() }

// Stop ends the endpoint; requests under way have until ctx ends.
func (s *System) Stop(ctx context.Context) error {
	err := s.server.Shutdown(ctx)
	if err != nil {
		_ = s.server.Close()
	}
	<-s.done
	return err
}

func (s *System) mux() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/healthz", s.options.Health)
	mux.Handle("/version", http.HandlerFunc(s.version))
	mux.Handle("/logspec", s.authenticated(http.HandlerFunc(s.logSpec)))
	if s.options.Metrics != nil {
		mux.Handle("/metrics", s.authenticated(s.options.Metrics))
	}
	return mux
}

// authenticated refuses clients without a verified certificate under TLS.
func (s *System) authenticated(next http.Handler) http.Handler {
	if s.options.TLS == nil {
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

func (s *System) version(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		answer(w, http.StatusBadRequest, map[string]string{"Error": "invalid request method: " + r.Method}) // spelt so
		return
	}
	answer(w, http.StatusOK, s.options.Version)
}

type logSpecBody struct {
	Spec string `json:"spec,omitempty"`
}

// maxSpecBytes bounds the body of PUT /logspec.
const maxSpecBytes = 1 << 20

func (s *System) logSpec(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet:
		answer(w, http.StatusOK, logSpecBody{s.options.LogSpec.Spec()})
	case http.MethodPut:
		var body logSpecBody
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxSpecBytes)).Decode(&body); err != nil {
			answer(w, http.StatusBadRequest, errorBody(err))
			return
		}
		if err := s.options.LogSpec.ActivateSpec(body.Spec); err != nil {
			answer(w, http.StatusBadRequest, errorBody(err))
			return
		}
		w.WriteHeader(http.StatusNoContent)
	default:
		answer(w, http.StatusBadRequest, errorBody(fmt.Errorf("invalid request method: %s", r.Method)))
	}
}

func errorBody(err error) any {
	return struct {
		Error string `json:"error"`
	}{err.Error()}
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body) // the client is gone; nobody to tell
}
