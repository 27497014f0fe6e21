// Package server puts an orderer together and runs it (appendix D): identity,
// listeners, ledgers, bootstrap, the decision between Kafka and Raft, the
// channels and the services.
//
// What ends a Fabric orderer with a panic or a fatal log line is logged here
// with the same text at the same level and returned as an error.
package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"raftmig/orderer/blockcutter"
	"raftmig/orderer/blockledger"
	"raftmig/orderer/blockledger/fileledger"
	"raftmig/orderer/broadcast"
	"raftmig/orderer/channelconfig"
	"raftmig/orderer/comm"
	"raftmig/orderer/deliver"
	"raftmig/orderer/filerepo"
	"raftmig/orderer/flogging"
	"raftmig/orderer/localconfig"
	"raftmig/orderer/metrics"
	"raftmig/orderer/msgprocessor"
	"raftmig/orderer/msp"
	"raftmig/orderer/multichannel"
	"raftmig/orderer/operations"
	"raftmig/orderer/protoutil"
)

// Options of a run besides the configuration.
type Options struct {
	// Logging takes the log lines.
	Logging *flogging.Logging
	// Build is this binary's version.
	Build Build
	// Serving is called once, when the services answer. It may be nil.
	Serving func(Addresses)

	// wrapLedgers lets a test stand between the orderer and its ledgers.
	wrapLedgers func(blockledger.Factory) blockledger.Factory
	// firstLook is the pause before inactive channels are looked at; 0 means the
	// default. For tests.
	firstLook time.Duration
	// leaderCheckInterval is etcdraft's option of that name, for tests.
	leaderCheckInterval time.Duration
	// kafkaPollInterval is kafka's PollInterval, for tests.
	kafkaPollInterval time.Duration
}

// Addresses are where a running orderer listens, as host:port; empty if it
// does not.
type Addresses struct{ General, Cluster, Operations, Admin string }

// stopPatience is how long an orderly stop waits for chains and requests.
const stopPatience = 15 * time.Second

// answerPatience is how long an orderly stop waits for the answers to messages
// that were handed to their consenters, before it stops those.
const answerPatience = time.Second

// readHeaderTimeout of the profiling endpoint.
const readHeaderTimeout = 10 * time.Second

// node is one run of an orderer.
type node struct {
	conf    *localconfig.TopLevel
	options Options
	log     *zap.SugaredLogger
	fatal   chan error // the first failure that must end the process
	metrics metrics.Provider
	health  *operations.Health
	signer  msp.SigningIdentity
	bundles *channelconfig.Factory

	general  *endpoint
	trust    *trust
	manager  *multichannel.Registrar
	ledgers  blockledger.Factory
	cluster  *clusterParts // nil if the node is not of cluster type
	cleanups []func()      // run in reverse order

	broadcast *broadcast.Handler

	operations  *operations.System // nil if it is not configured
	admin       *operations.Server // likewise
	joinBlocks  *filerepo.Repo     // nil without the channel participation API
	grpcMetrics *comm.Metrics
}

// endpoint is a gRPC server with its listener.
type endpoint struct {
	server   *grpc.Server
	listener net.Listener
	tls      *comm.TLSConfig // nil without TLS
}

// Run runs an orderer until ctx ends (nil) or something happens that must end
// the process (the error). The configuration must not change meanwhile.
func Run(ctx context.Context, conf *localconfig.TopLevel, o Options) (err error) {
	n := &node{
		conf: conf, options: o, log: o.Logging.Logger("orderer.common.server"),
		fatal: make(chan error, 1), health: operations.NewHealth(time.Now), bundles: channelconfig.NewFactory(),
	}
	defer func() {
		for i := len(n.cleanups) - 1; i >= 0; i-- {
			n.cleanups[i]()
		}
	}()
	n.greet()
	if err := n.start(ctx); err != nil {
		if isFatal(err) {
			return flogging.Fatalf(n.log, "%w", err)
		}
		return flogging.Panicf(n.log, "%w", err)
	}
	return n.serve(ctx)
}

// greet logs the configuration.
func (n *node) greet() {
	for _, note := range n.conf.Notes() {
		log := n.options.Logging.Logger("localconfig")
		if note.Warning {
			log.Warn(note.Text)
		} else {
			log.Info(note.Text)
		}
	}
	n.log.Infof("Orderer config values:\n\t%s", strings.Join(n.conf.Flatten(), "\n\t"))
	if n.conf.ChannelParticipation.Enabled && n.conf.Admin.ListenAddress == "" {
		n.log.Warn("ChannelParticipation.Enabled is set, but Admin.ListenAddress is not: nobody can use the channel participation API")
	}
}

func (n *node) onCleanup(f func()) { n.cleanups = append(n.cleanups, f) }

// fail reports a failure that must end the process. Only the first counts.
func (n *node) fail(err error) {
	select {
	case n.fatal <- err:
	default:
	}
}

// start does everything up to the registration of the services (appendix D, 2 to 10).
func (n *node) start(ctx context.Context) error {
	var err error
	if n.signer, err = loadIdentity(n.conf, time.Now()); err != nil {
		return err
	}
	if err := n.startOperations(); err != nil {
		return fmt.Errorf("failed to start operations subsystem: %w", err)
	}
	if err := n.listen(); err != nil {
		return err
	}
	if n.joinBlocks, err = n.openJoinBlocks(); err != nil {
		return err
	}
	files, err := fileledger.New(n.conf.FileLedger.Location, fileledger.Options{
		Metrics: n.metrics, Logger: n.options.Logging.Logger("blkstorage"), OnRemove: n.removeBeside,
	})
	if err != nil {
		return fmt.Errorf("Failed to create ledger factory: %w", err) //nolint:staticcheck // Fabric's text
	}
	n.ledgers = files
	if wrap := n.options.wrapLedgers; wrap != nil {
		n.ledgers = wrap(files)
	}
	n.onCleanup(func() { n.warnIf("closing the ledgers", n.ledgers.Close()) })

	bootstrapBlock, err := n.bootstrap(n.ledgers)
	if err != nil {
		return err
	}
	system, err := n.systemChannel(n.ledgers)
	if err != nil {
		return err
	}
	boot := n.selectBootBlock(bootstrapBlock, system)
	isCluster := true
	if boot == nil {
		n.log.Info("Starting without a system channel")
	} else {
		n.log.Infof("Starting with system channel: %s, consensus type: %s", boot.channelID, boot.consensusType)
		isCluster = boot.consensusType == channelconfig.ConsensusEtcdRaft
	}
	if isCluster {
		n.log.Info("Setting up cluster")
		if err := n.setUpCluster(ctx, boot); err != nil {
			return err
		}
		if err := n.discardSystemJoinBlock(bootstrapBlock); err != nil {
			return err
		}
	}
	if err := n.trackCertificates(); err != nil {
		return err
	}
	return n.startChannels(boot)
}

func (n *node) warnIf(doing string, err error) {
	if err != nil {
		n.log.Warnf("Error while %s: %s", doing, err)
	}
}

// startChannels makes the registrar, the consenters and the chains.
func (n *node) startChannels(boot *bootBlock) error {
	n.manager = multichannel.NewRegistrar(multichannel.Options{
		Ledgers: n.ledgers, Signer: n.signer, Processing: n.processing(),
		CutterMetrics: blockcutter.NewMetrics(n.metrics),
		OnConfig:      n.trust.update,
		Participation: n.participation(),
		Fatal:         n.fail,
		Logger:        n.options.Logging.Logger("orderer.commmon.multichannel"),
	})
	n.trackInactive(boot)
	consenters, err := n.consenters()
	if err != nil {
		return err
	}
	n.onCleanup(func() { n.warnIf("stopping the chains", n.manager.Halt(stopPatience)) })
	if err := n.manager.Initialize(consenters); err != nil {
		return err
	}
	n.runInactive()
	return n.startAdmin()
}

func (n *node) processing() msgprocessor.Options {
	return msgprocessor.Options{
		NewBundle: func(channelID string, config *cb.Config) (channelconfig.Resources, error) {
			b, err := n.bundles.NewBundle(channelID, config)
			if err != nil {
				return nil, err // not a nil *Bundle in an interface
			}
			return b, nil
		},
		Now:                time.Now,
		NoExpirationChecks: n.conf.General.Authentication.NoExpirationChecks,
		Logger:             n.options.Logging.Logger("orderer.common.msgprocessor"),
	}
}

// register registers orderer.AtomicBroadcast with the general server.
func (n *node) register() {
	logging := n.options.Logging
	route := func(msg *protoutil.Message) (*cb.ChannelHeader, bool, broadcast.Channel, error) {
		h, isConfig, c, err := n.manager.Route(msg)
		if err != nil {
			return h, false, nil, err
		}
		return h, isConfig, c, nil
	}
	auth := n.conf.General.Authentication
	n.broadcast = broadcast.NewHandler(route, broadcast.NewMetrics(n.metrics), logging.Logger("orderer.common.broadcast"))
	service := &atomicBroadcast{
		broadcast: n.broadcast,
		deliver: deliver.NewHandler(deliver.Options{
			Channel: func(id string) deliver.Channel {
				if c := n.manager.Chain(id); c != nil {
					return c
				}
				return nil
			},
			TimeWindow: auth.TimeWindow, NoExpirationChecks: auth.NoExpirationChecks,
			BindTLS: n.conf.General.TLS.Enabled && n.conf.General.TLS.ClientAuthRequired,
			Now:     time.Now, Metrics: deliver.NewMetrics(n.metrics), Logger: logging.Logger("common.deliver"),
		}),
		broadcastTrace: n.conf.Debug.BroadcastTraceDir, deliverTrace: n.conf.Debug.DeliverTraceDir,
		log: n.log,
	}
	n.general.server.RegisterService(&atomicBroadcastDesc, service)
}

// serve answers requests until ctx ends or something fails.
func (n *node) serve(ctx context.Context) error {
	n.log.Infof("Starting %s", VersionInfo(n.options.Build))
	if err := n.startProfiling(); err != nil {
		n.log.Errorf("profiling service: %s", err)
	}
	n.register()
	n.serveCluster()
	n.log.Info("Beginning to serve requests")
	n.goServe(n.general, "Atomic Broadcast")
	if n.options.Serving != nil {
		n.options.Serving(n.addresses())
	}
	select {
	case <-ctx.Done():
		n.drain()
		return nil
	case err := <-n.fatal:
		return err
	}
}

// drain stops taking messages and then the chains, while the services still
// run: consenters need them to pass on what was accepted and what is still on
// its way to them.
func (n *node) drain() {
	n.log.Info("Stopping: no more messages are taken")
	ctx, cancel := context.WithTimeout(context.Background(), answerPatience)
	defer cancel()
	n.broadcast.Close(ctx)
	n.warnIf("stopping the chains", n.manager.Halt(stopPatience))
}

// goServe serves an endpoint until it is stopped.
func (n *node) goServe(e *endpoint, name string) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := e.server.Serve(e.listener); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			n.fail(fatalError{flogging.Fatalf(n.log, "%s gRPC server has terminated while serving requests due to: %w", name, err)})
		}
	}()
	n.onCleanup(func() { e.server.Stop(); <-done })
}
