package server

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"strconv"

	"go.uber.org/zap"

	"raftmig/orderer/comm"
	"raftmig/orderer/localconfig"
	"raftmig/orderer/metrics"
	"raftmig/orderer/metrics/prom"
	"raftmig/orderer/metrics/statsd"
	"raftmig/orderer/operations"
)

// startOperations chooses the metrics provider and opens the operations endpoint.
func (n *node) startOperations() error {
	log := n.options.Logging.Logger("orderer.operations")
	o := operations.Options{
		ListenAddress: n.conf.Operations.ListenAddress, LogSpec: n.options.Logging, Health: n.health, Logger: log,
		Version: operations.Version{
			CommitSHA: n.options.Build.withDefaults().CommitSHA, Version: FabricVersion, Raftmig: n.options.Build.withDefaults().Version,
		},
	}
	var err error
	if o.Metrics, err = n.startMetrics(log); err != nil {
		return err
	}
	if o.ListenAddress == "" {
		return nil
	}
	if t := n.conf.Operations.TLS; t.Enabled {
		c, err := loadTLS(t, comm.RequestClientCert, true)
		if err != nil {
			return err
		}
		o.TLS = c.Config()
	}
	system, err := operations.Start(o)
	if err != nil {
		return err
	}
	n.operations = system
	n.onCleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), stopPatience)
		defer cancel()
		n.warnIf("stopping the operations endpoint", system.Stop(ctx))
	})
	return nil
}

// startMetrics makes the metrics provider. The handler is nil unless the
// metrics are fetched.
func (n *node) startMetrics(log *zap.SugaredLogger) (handler http.Handler, err error) {
	n.metrics = metrics.Disabled{}
	switch m := n.conf.Metrics; m.Provider {
	case "prometheus":
		provider := prom.New()
		n.metrics, handler = provider, provider.Handler()
	case "statsd":
		provider, err := statsd.New(statsd.Options{
			Network: m.Statsd.Network, Address: m.Statsd.Address, WriteInterval: m.Statsd.WriteInterval, Prefix: m.Statsd.Prefix, Logger: log,
		})
		if err != nil {
			return nil, err
		}
		n.metrics = provider
		n.background(provider.Run)
	case "disabled", "":
	default:
		log.Warnf("Unknown provider type: %s; metrics disabled", m.Provider)
	}
	n.options.Logging.Observe(n.metrics)
	reportVersion(n.metrics)
	return handler, nil
}

// background runs a function until the node is cleaned up, or stop is called,
// which does not wait.
func (n *node) background(run func(context.Context)) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		run(ctx)
	}()
	n.onCleanup(func() { cancel(); <-done })
	return cancel
}

// loadTLS reads the files of a TLS section. Clients are treated by optional
// unless the section requires their certificates.
func loadTLS(t localconfig.TLS, optional comm.ClientAuth, isHTTP bool) (*comm.TLSConfig, error) {
	cert, err := os.ReadFile(t.Certificate)
	if err != nil {
		return nil, fatalf("Failed to load server TLS Certificate file '%s' (%w)", t.Certificate, err)
	}
	key, err := os.ReadFile(t.PrivateKey)
	if err != nil {
		return nil, fatalf("Failed to load TLS PrivateKey file '%s' (%w)", t.PrivateKey, err)
	}
	cas, err := readFiles("TLS ClientRootCAs", t.ClientRootCAs)
	if err != nil {
		return nil, err
	}
	auth := optional
	if t.ClientAuthRequired {
		auth = comm.RequireClientCert
	}
	return comm.NewTLSConfig(comm.TLSOptions{
		Certificate: cert, Key: key, ClientAuth: auth, ClientRootCAs: cas, TimeShift: t.TLSHandshakeTimeShift, HTTP: isHTTP,
	})
}

// listen opens the general listener, without serving, and sets up trust.
func (n *node) listen() error {
	g := n.conf.General
	clients, err := readFiles("TLS ClientRootCAs", g.TLS.ClientRootCAs)
	if err != nil {
		return err
	}
	orderers, err := readFiles("ServerRootCAs", g.Cluster.RootCAs)
	if err != nil {
		return err
	}
	n.trust = newTrust(clients, orderers, n.log)
	e := &endpoint{}
	if g.TLS.Enabled {
		if e.tls, err = loadTLS(g.TLS, comm.RequestClientCert, false); err != nil {
			return err
		}
		msg := "TLS"
		if g.TLS.ClientAuthRequired {
			msg = "mutual TLS"
			n.trust.follow(e.tls)
		}
		n.log.Infof("Starting orderer with %s enabled", msg)
	}
	address := net.JoinHostPort(g.ListenAddress, strconv.Itoa(int(g.ListenPort)))
	if e.listener, err = comm.Listen(address); err != nil {
		return fatalf("Failed to listen: %w", err)
	}
	n.onCleanup(func() { _ = e.listener.Close() }) // serving has closed it already
	n.grpcMetrics = comm.NewMetrics(n.metrics)
	e.server = comm.NewServer(n.serverOptions(e.tls))
	n.general = e
	return nil
}

func (n *node) serverOptions(t *comm.TLSConfig) comm.ServerOptions {
	g := n.conf.General
	return comm.ServerOptions{
		TLS: t,
		Keepalive: comm.Keepalive{
			MinInterval: g.Keepalive.ServerMinInterval, Interval: g.Keepalive.ServerInterval, Timeout: g.Keepalive.ServerTimeout,
		},
		ConnectionTimeout: g.ConnectionTimeout,
		MaxRecvMsgSize:    int(g.MaxRecvMsgSize), MaxSendMsgSize: int(g.MaxSendMsgSize),
		Metrics: n.grpcMetrics, Logger: n.options.Logging.Logger("comm.grpc.server"),
	}
}

func (n *node) addresses() Addresses {
	a := Addresses{General: n.general.listener.Addr().String()}
	if n.operations != nil {
		a.Operations = n.operations.Addr()
	}
	if n.admin != nil {
		a.Admin = n.admin.Addr()
	}
	if n.cluster != nil {
		a.Cluster = n.cluster.endpoint.listener.Addr().String()
	}
	return a
}

// startProfiling serves pprof if the configuration says so.
func (n *node) startProfiling() error {
	p := n.conf.General.Profile
	if !p.Enabled {
		return nil
	}
	listener, err := net.Listen("tcp", p.Address)
	if err != nil {
		return err
	}
	n.log.Infof("Starting Go pprof profiling service on: %s", p.Address)
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: readHeaderTimeout}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			n.log.Errorf("profiling service: %s", err)
		}
	}()
	n.onCleanup(func() { _ = server.Close(); <-done })
	return nil
}
