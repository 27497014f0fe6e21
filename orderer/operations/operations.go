// Package operations is the HTTP endpoint for operators (spec 8.6), /healthz,
// /metrics, /logspec and /version, in Fabric's forms, and the server of the Admin
// endpoint (spec 9).
package operations

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"

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

// System is the running endpoint.
type System struct {
	*Server
	options Options
}

// Start opens the listener and serves.
func Start(o Options) (*System, error) {
	s := &System{options: o}
	server, err := Serve("Operations", o.ListenAddress, o.TLS, withRequestID(s.mux()), o.Logger)
	if err != nil {
		return nil, fmt.Errorf("opening the operations endpoint: %w", err)
	}
	s.Server = server
	return s, nil
}

func (s *System) mux() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/healthz", s.options.Health)
	mux.Handle("/version", http.HandlerFunc(s.version))
	mux.Handle("/logspec", authenticated(s.options.TLS, http.HandlerFunc(s.logSpec)))
	if s.options.Metrics != nil {
		mux.Handle("/metrics", authenticated(s.options.TLS, s.options.Metrics))
	}
	return mux
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
