// Package fabricops does what a runbook wants done: it talks to a network of
// ordering nodes and brokers, Fabric's or ours, through their protocols and
// files only, and returns evidence.
//
// See DESIGN.md for the map of its packages.
package fabricops

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"raftmig/fabricops/backup"
	"raftmig/fabricops/broadcast"
	"raftmig/fabricops/channelcfg"
	"raftmig/fabricops/consenters"
	"raftmig/fabricops/deliver"
	"raftmig/fabricops/dial"
	"raftmig/fabricops/facts"
	"raftmig/fabricops/identity"
	"raftmig/fabricops/inventory"
	"raftmig/fabricops/matrix"
	"raftmig/fabricops/node"
	"raftmig/fabricops/observe"
	"raftmig/fabricops/proof"
	"raftmig/orderer/protoutil"
	"raftmig/runbook"
)

// Options of an Operator.
type Options struct {
	// RunDir is the folder of the run; the backup goes below it unless the
	// inventory says otherwise.
	RunDir string
	// Run is the run's unique name. It marks the backup as this run's.
	Run string
	// Controller makes the controller of a process; nil for node.New.
	Controller func(runbook.Tier, inventory.Process) (node.Controller, error)
	// Now is the clock; nil for the system's.
	Now func() time.Time
}

// Operator implements runbook.Operator on a real network. It is safe for
// concurrent use.
type Operator struct {
	inv    *inventory.Network
	runDir string
	now    func() time.Time
	pool   *dial.Pool
	logs   *observe.Observer

	deliver   *deliver.Client
	matrix    *matrix.Reader
	submitter *channelcfg.Submitter
	prover    *proof.Prover
	store     *backup.Store
	facts     *facts.Gatherer
	tiers     map[runbook.Tier][]*process
	kafka     *kafkaWatch // nil where there is no Kafka to watch

	awaitedMu sync.Mutex
	awaited   []runbook.SignatureState // guarded by awaitedMu
	// clientCert is the first administrator's TLS certificate, nil if it has none.
	clientCert *tls.Certificate
}

var _ runbook.Operator = (*Operator)(nil)

// New prepares an operator. It reads the identities and begins to follow the
// logs; nothing is sent to the network. Close releases it.
func New(inv *inventory.Network, opts Options) (*Operator, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	admins, err := administrators(inv)
	if err != nil {
		return nil, err
	}
	admin := admins[0]
	signers, err := clients(inv, admin)
	if err != nil {
		return nil, err
	}
	tiers, err := controllers(inv, opts.Controller)
	if err != nil {
		return nil, err
	}
	o := &Operator{inv: inv, runDir: opts.RunDir, now: opts.Now, tiers: tiers, clientCert: admin.TLS, pool: dial.New(inv.Orderers, admin.TLS)}
	var sources []observe.Source
	for _, n := range inv.Orderers {
		sources = append(sources, observe.Source{Node: n.Name, File: n.Log})
	}
	o.logs = observe.New(sources)
	nodes, hash := o.pool.Nodes(), o.pool.TLSCertHash()
	o.deliver = deliver.New(o.pool, admin)
	sender := broadcast.New(o.pool)
	o.matrix = matrix.New(o.deliver, nodes, inv.SystemChannel, newLeaders(inv, o.logs, admin.TLS))
	o.submitter = &channelcfg.Submitter{Deliver: o.deliver, Broadcast: sender, Admins: asSigners(admins), Nodes: nodes, TLSCertHash: hash, Now: opts.Now}
	o.prover = &proof.Prover{
		Deliver: o.deliver, Broadcast: sender, Nodes: nodes, Signer: signers, TLSCertHash: hash, Now: opts.Now,
		Text: "raftmig " + opts.Run + ": this channel orders transactions",
	}
	o.store = &backup.Store{Dir: backupDir(inv, opts), Run: opts.Run, Network: inv, Now: opts.Now}
	o.facts = &facts.Gatherer{
		Network: inv, Deliver: o.deliver, Matrix: o.matrix, Admins: admins, BackupDir: o.store.Dir, Now: opts.Now, LogVersion: o.logs.Version,
		LogSetting: o.logs.Setting,
	}
	o.kafka = watchKafka(o)
	return o, nil
}

// leaders tells leaders from the log of a node, or else from the metrics.
type leaders struct {
	logs    *observe.Observer
	metrics *observe.Metrics
}

func newLeaders(inv *inventory.Network, logs *observe.Observer, cert *tls.Certificate) *leaders {
	l := &leaders{logs: logs}
	var targets []observe.Target
	for _, n := range inv.Orderers {
		t := observe.Target{Node: n.Name, Address: n.Operations}
		if cert != nil { // metrics behind TLS are for clients with a certificate
			if cfg, err := dial.TLSConfig(n, cert); err == nil {
				t.TLS = cfg
			}
		}
		targets = append(targets, t)
	}
	l.metrics = observe.NewMetrics(targets)
	return l
}

// Leader implements matrix.Leaders.
func (l *leaders) Leader(node, channel string) uint64 {
	if leader, known := l.logs.Leader(node, channel); known {
		return leader
	}
	return l.metrics.Leader(node, channel)
}

func backupDir(inv *inventory.Network, opts Options) string {
	if inv.Backup.Dir == "" {
		return filepath.Join(opts.RunDir, "backup")
	}
	run := opts.Run
	if run == "" {
		run = filepath.Base(opts.RunDir)
	}
	return filepath.Join(inv.Backup.Dir, run)
}

// administrators loads those of the inventory, in its order.
func administrators(inv *inventory.Network) ([]*identity.Identity, error) {
	var all []*identity.Identity
	for _, a := range inv.Administrators() {
		id, err := identity.Load(a)
		if err != nil {
			return nil, fmt.Errorf("admin: %w", err)
		}
		all = append(all, id)
	}
	return all, nil
}

func asSigners(ids []*identity.Identity) []protoutil.Signer {
	var all []protoutil.Signer
	for _, id := range ids {
		all = append(all, id)
	}
	return all
}

// clients returns the identity that writes to a channel: of the inventory's
// clients that of the channel, else "*", else the admin.
func clients(inv *inventory.Network, admin *identity.Identity) (func(channel string) (protoutil.Signer, error), error) {
	loaded := map[string]*identity.Identity{}
	for name, c := range inv.Clients {
		id, err := identity.Load(c)
		if err != nil {
			return nil, fmt.Errorf("client of %s: %w", name, err)
		}
		loaded[name] = id
	}
	return func(channel string) (protoutil.Signer, error) {
		if id, ok := loaded[channel]; ok {
			return id, nil
		}
		if id, ok := loaded["*"]; ok && channel != inv.SystemChannel {
			return id, nil
		}
		return admin, nil
	}, nil
}

// Close ends all connections and the following of logs; Logs is closed.
func (o *Operator) Close() error {
	err := o.pool.Close()
	o.logs.Close()
	return err
}

// Logs delivers the lines that the orderers log from now on.
func (o *Operator) Logs() <-chan runbook.LogLine { return o.logs.Lines() }

// Plan describes the network to the runbook.
func (o *Operator) Plan(run string) runbook.Plan { return PlanOf(o.inv, run) }

// PlanOf is the plan of a run on a network.
func PlanOf(inv *inventory.Network, run string) runbook.Plan {
	p := runbook.Plan{Run: run, Network: inv.Name, AwaitSignatures: inv.AwaitSignatures}
	for _, a := range inv.Administrators() {
		if a.MSPDir != "" {
			p.Admins = append(p.Admins, runbook.Admin{MSPID: a.MSPID, MSPDir: a.MSPDir})
		}
	}
	for _, n := range inv.Orderers {
		p.Orderers = append(p.Orderers, n.Name)
	}
	for _, n := range inv.Brokers {
		p.Brokers = append(p.Brokers, n.Name)
	}
	for _, n := range inv.ZooKeeper {
		p.ZooKeeper = append(p.ZooKeeper, n.Name)
	}
	return p
}

// Perform implements runbook.Operator.
func (o *Operator) Perform(ctx context.Context, e runbook.Effect, progress func(runbook.Progress)) (runbook.Evidence, error) {
	timeout := e.Timeout
	if timeout <= 0 {
		timeout = o.defaultTimeout(e)
	}
	started := o.now()
	// The time limit is of the effect; the caller's own end passes through.
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r := reporter(e, progress)
	ev, err := o.whileKafkaAnswers(limited, e, r, func(ctx context.Context) (runbook.Evidence, error) { return o.perform(ctx, e, r) })
	ev.Seconds = o.now().Sub(started).Seconds()
	if err == nil {
		return ev, nil
	}
	if ctx.Err() != nil {
		return ev, fmt.Errorf("%s: %w", e.Kind, errors.Join(ctx.Err(), err))
	}
	return ev, o.problem(e, err)
}

func (o *Operator) perform(ctx context.Context, e runbook.Effect, r *report) (runbook.Evidence, error) {
	switch e.Kind {
	case runbook.GatherFacts:
		return o.gatherFacts(ctx, e, r)
	case runbook.ListChannels:
		return o.listChannels(ctx, e)
	case runbook.ReadChannels:
		return o.readChannels(ctx, e, r)
	case runbook.AwaitChannels:
		return o.awaitChannels(ctx, e, r)
	case runbook.BuildMetadata:
		if e.Operation != nil {
			return o.raftMetadata(ctx, e)
		}
		return o.buildMetadata()
	case runbook.VerifyBackup:
		return o.verifyBackup(ctx, r)
	case runbook.ReadLedgers:
		return o.readLedgers(ctx, e, r)
	case runbook.ProveFlush:
		return o.proveFlush(ctx, e, r)
	case runbook.ReadProcesses:
		return o.readProcesses(ctx, e)
	case runbook.SendTransactions:
		return o.sendTransactions(ctx, e, r)
	case runbook.CollectSignatures:
		return o.collectSignatures(ctx, e, r)
	case runbook.SubmitUpdate:
		return o.submitUpdate(ctx, e, r)
	case runbook.StopNodes:
		return o.stopNodes(ctx, e, r)
	case runbook.StartNodes:
		return o.startNodes(ctx, e, r)
	case runbook.HandOverBlock:
		return o.handOver(ctx, e)
	case runbook.JoinChannel:
		return o.joinChannel(ctx, e)
	case runbook.InstallCertificates:
		return o.installCertificates(ctx, e)
	case runbook.TakeBackup:
		return o.takeBackup(ctx, r)
	case runbook.RestoreBackup:
		return o.restoreBackup(ctx, r)
	case runbook.RemoveRaftState:
		return o.removeRaftState(ctx)
	default:
		return runbook.Evidence{}, &runbook.Problem{What: fmt.Sprintf("unknown effect %q", e.Kind)}
	}
}

// defaultTimeout bounds an effect that names no time limit.
func (o *Operator) defaultTimeout(e runbook.Effect) time.Duration {
	switch e.Kind {
	case runbook.TakeBackup, runbook.VerifyBackup, runbook.RestoreBackup:
		return 24 * time.Hour // bounded by the size of the data
	case runbook.StopNodes, runbook.StartNodes:
		longest := time.Duration(0)
		for _, p := range o.named(e.Tier, e.Nodes) {
			longest = max(longest, p.patience(e.Kind))
		}
		return longest
	case runbook.GatherFacts, runbook.ListChannels:
		return 5 * time.Minute
	case runbook.AwaitChannels, runbook.SendTransactions, runbook.SubmitUpdate, runbook.ProveFlush, runbook.CollectSignatures:
		return 2 * time.Minute
	default:
		return time.Minute
	}
}

func (o *Operator) buildMetadata() (runbook.Evidence, error) {
	md, err := consenters.Build(o.inv)
	if err != nil {
		return runbook.Evidence{}, &runbook.Problem{
			What: "the Raft metadata cannot be built", Why: err.Error(),
			Hint: "Correct the orderers and raft sections of raftmig.yaml and the files they name.",
		}
	}
	return runbook.Evidence{Summary: fmt.Sprintf("%d consenters, hash %.12s", len(md.Consenters), md.Hash), Metadata: md}, nil
}
