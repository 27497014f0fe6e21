package testnet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
	"golang.org/x/sync/errgroup"

	"raftmig/fabricops/inventory"
	"raftmig/fabricops/node"
	"raftmig/runbook"
	"raftmig/testnet/validate"
)

// Network is a rehearsal network on this machine.
type Network struct {
	// Dir is its folder, absolute.
	Dir      string
	Manifest *Manifest
	// Inventory is its raftmig.yaml with absolute paths.
	Inventory   *inventory.Network
	controllers map[string]node.Controller
}

// InventoryFile is the path of raftmig.yaml.
func (n *Network) InventoryFile() string { return filepath.Join(n.Dir, inventoryFile) }

// Open opens the network in dir. If the program that its nodes run is gone,
// they will run the program that runs now.
func Open(dir string) (*Network, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	m, err := readManifest(dir)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(m.Program); err != nil {
		if m.Program, err = os.Executable(); err != nil {
			return nil, fmt.Errorf("finding the program that the nodes run: %w", err)
		}
		if err := errors.Join(m.write(dir), m.writeInventory(dir)); err != nil {
			return nil, err
		}
	}
	n := &Network{Dir: dir, Manifest: m, controllers: map[string]node.Controller{}}
	if n.Inventory, err = inventory.Load(n.InventoryFile()); err != nil {
		return nil, err
	}
	add := func(p inventory.Process, tier runbook.Tier) error {
		c, err := node.New(p, node.Options{Tier: tier, Dir: dir})
		n.controllers[p.Name] = c
		return err
	}
	for _, o := range n.Inventory.Orderers {
		err = errors.Join(err, add(o.Process, runbook.TierOrderers))
	}
	for _, b := range n.Inventory.Brokers {
		err = errors.Join(err, add(b, runbook.TierBrokers))
	}
	for _, z := range n.Inventory.ZooKeeper {
		err = errors.Join(err, add(z, runbook.TierZooKeeper))
	}
	if err != nil {
		return nil, err
	}
	return n, nil
}

// ErrBusy is returned while another raftmig acts on the network.
var ErrBusy = errors.New("another raftmig acts on this network")

// exclusive runs do while no other raftmig acts on the network.
func (n *Network) exclusive(do func() error) error {
	file := filepath.Join(n.Dir, ".lock")
	lock := flock.New(file)
	locked, err := lock.TryLock()
	if err != nil {
		return fmt.Errorf("locking the network: %w", err)
	}
	if !locked {
		owner, _ := os.ReadFile(file)
		return fmt.Errorf("%s: %w (%s)", n.Dir, ErrBusy, strings.TrimSpace(string(owner)))
	}
	defer lock.Unlock() //nolint:errcheck // closing the file releases it in any case
	if err := os.WriteFile(file, fmt.Appendf(nil, "process %d\n", os.Getpid()), 0o644); err != nil {
		return fmt.Errorf("locking the network: %w", err)
	}
	return do()
}

// OrdererNames are the names of all orderers in consenter order.
func (n *Network) OrdererNames() []string {
	var names []string
	for _, o := range n.Manifest.Orderers {
		names = append(names, o.Name)
	}
	return names
}

// LedgerNodes are the orderers as the independent reader of ledgers wants them.
func (n *Network) LedgerNodes() []validate.Node {
	var nodes []validate.Node
	for _, o := range n.Manifest.Orderers {
		nodes = append(nodes, validate.Node{Name: o.Name, LedgerDir: filepath.Join(n.Dir, o.LedgerDir())})
	}
	return nodes
}

// Up starts what does not run, ZooKeeper first, then brokers, and returns when all nodes
// serve. Brokers are left down once the ordering service has left Kafka.
// progress may be nil; it is called from several goroutines, one at a time.
func (n *Network) Up(ctx context.Context, progress func(text string)) error {
	say := serial(progress)
	return n.exclusive(func() error {
		if n.needsKafka() {
			if err := n.startAll(ctx, processNames(n.Inventory.ZooKeeper), say); err != nil {
				return err
			}
			brokers := processNames(n.Inventory.Brokers)
			if err := n.startAll(ctx, brokers, say); err != nil {
				return err
			}
			if n.Manifest.Apache != nil {
				// Once more: the first was ready before there was a leader to follow.
				if err := n.startAll(ctx, brokers, func(string) {}); err != nil {
					return err
				}
			}
		}
		return n.startAll(ctx, n.OrdererNames(), say)
	})
}

func processNames(list []inventory.Process) []string {
	var names []string
	for _, p := range list {
		names = append(names, p.Name)
	}
	return names
}

func (n *Network) startAll(ctx context.Context, names []string, say func(string)) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, name := range names {
		g.Go(func() error {
			if err := n.controllers[name].Start(ctx); err != nil {
				return err
			}
			say(name + " is up")
			return nil
		})
	}
	return g.Wait()
}

// needsKafka tells whether some channel of some node still orders through
// Kafka: a node that lacks the type change gets it from there only. A ledger
// that is absent or cannot be read counts as yes.
func (n *Network) needsKafka() bool {
	if !n.Manifest.Spec.ordersByKafka() {
		return false
	}
	for _, node := range n.LedgerNodes() {
		for _, channel := range n.channelNames() {
			if validate.ReadLedger(node.Name, node.LedgerDir, channel).Type != "etcdraft" {
				return true
			}
		}
	}
	return false
}

// channelNames are all channels, the system channel first.
func (n *Network) channelNames() []string {
	var names []string
	if !n.Manifest.Spec.NoSystemChannel {
		names = append(names, n.Manifest.Spec.SystemChannel)
	}
	for _, c := range n.Manifest.Channels {
		names = append(names, c.Name)
	}
	return names
}

// Down stops all nodes, orderers first and ZooKeeper last, and returns when they are proven down.
// A node that does not end in time is killed. It also cleans up after a crash.
func (n *Network) Down(ctx context.Context, progress func(text string)) error {
	say := serial(progress)
	return n.exclusive(func() error {
		err := n.stopAll(ctx, n.OrdererNames(), say)
		err = errors.Join(err, n.stopAll(ctx, processNames(n.Inventory.Brokers), say))
		return errors.Join(err, n.stopAll(ctx, processNames(n.Inventory.ZooKeeper), say))
	})
}

func (n *Network) stopAll(ctx context.Context, names []string, say func(string)) error {
	errs := make([]error, len(names))
	var g errgroup.Group
	for i, name := range names {
		g.Go(func() error {
			c := n.controllers[name]
			err := c.Stop(ctx)
			if f, ok := c.(node.Faulter); err != nil && ok && ctx.Err() == nil {
				say(name + " does not end, killing it")
				err = f.Kill(ctx)
			}
			if err == nil {
				say(name + " is down")
			}
			errs[i] = err
			return nil
		})
	}
	return errors.Join(g.Wait(), errors.Join(errs...))
}

// serial makes progress safe to call from several goroutines.
func serial(progress func(string)) func(string) {
	if progress == nil {
		return func(string) {}
	}
	lock := make(chan struct{}, 1)
	return func(text string) {
		lock <- struct{}{}
		defer func() { <-lock }()
		progress(text)
	}
}
