package runbooktest

import (
	"fmt"
	"maps"
	"slices"

	"raftmig/runbook"
)

// serves says why a channel cannot order anything now.
func (n *Network) serves(c *channel) error {
	if n.up(n.orderers) == 0 {
		return &runbook.Problem{What: "no orderer can be reached", Where: c.name}
	}
	if n.onRaftOnly != nil {
		return n.servesRaft(c)
	}
	if n.onRaft() {
		if n.up(n.orderers) <= len(n.orderers)/2 || n.noLeader[c.name] {
			return &runbook.Problem{What: "no Raft leader", Where: c.name}
		}
		return nil
	}
	return n.kafka(c.name)
}

// onRaft reports whether the running orderers are Raft nodes.
func (n *Network) onRaft() bool {
	for _, o := range n.orderers {
		if n.running[o] {
			return n.raft[o]
		}
	}
	return false
}

// submit applies the maintenance rules of real orderers.
func (n *Network) submit(e runbook.Effect) (runbook.Evidence, error) {
	c := n.channels[e.Channel]
	if c == nil {
		return runbook.Evidence{}, &runbook.Problem{What: "channel does not exist", Where: e.Channel}
	}
	if err := n.serves(c); err != nil {
		return runbook.Evidence{}, err
	}
	if e.Change.OnRaft() {
		return n.submitRaft(c, e)
	}
	cur, next := c.last(), c.last()
	refused := func(why string) (runbook.Evidence, error) {
		return runbook.Evidence{}, &runbook.Problem{What: "update was refused", Where: e.Channel, Why: "BAD_REQUEST: " + why}
	}
	var done bool
	switch e.Change {
	case runbook.ChangeEnterMaintenance:
		done = cur.state == runbook.StateMaintenance
		next.state = runbook.StateMaintenance
	case runbook.ChangeSwitchType:
		if cur.state != runbook.StateMaintenance {
			return refused("current config ConsensusType.State is not in maintenance mode")
		}
		done = cur.typ == runbook.TypeRaft && cur.meta == string(e.Metadata)
		next.typ, next.meta = runbook.TypeRaft, string(e.Metadata)
	case runbook.ChangeExitMaintenance:
		if cur.typ == runbook.TypeRaft && !n.onRaft() {
			n.fault("%s: tried to leave maintenance before the restart", e.Channel)
			return refused("the channel was not restarted on Raft")
		}
		if n.refuseExit && n.onRaft() {
			return refused("consensus metadata update for channel config update is invalid")
		}
		done = cur.state == runbook.StateNormal
		next.state = runbook.StateNormal
	}
	receipt := &runbook.UpdateReceipt{Channel: e.Channel, Change: e.Change, Node: n.orderers[0]}
	if done {
		receipt.Block, receipt.Sequence = uint64(len(c.blocks)-1), cur.sequence
		return runbook.Evidence{Summary: "in force already", AlreadyDone: true, Update: receipt}, nil
	}
	if ev, p := n.unsigned(e); p != nil {
		return ev, p
	}
	next.config, next.change, next.sequence, next.raft = true, e.Change, cur.sequence+1, n.onRaft()
	n.order(c, next)
	n.deliver(c)
	receipt.Status, receipt.Block, receipt.Sequence, receipt.Hash = "SUCCESS", uint64(len(c.blocks)-1), next.sequence, c.last().hash
	return runbook.Evidence{Summary: string(e.Change) + " in force on " + e.Channel, Update: receipt}, nil
}

func (n *Network) stop(e runbook.Effect) runbook.Evidence {
	t := e.Tier
	n.land()
	if t == runbook.TierOrderers {
		n.arriveLate()
	}
	if n.onRaftOnly != nil {
		n.judgeStop(e.Nodes)
	}
	if t == runbook.TierBrokers && n.up(n.orderers) > 0 {
		n.fault("brokers were stopped while orderers ran")
	}
	if t == runbook.TierZooKeeper && n.up(n.brokers) > 0 {
		n.fault("ZooKeeper was stopped while brokers ran")
	}
	done := n.up(named(n.tier(t), e.Nodes)) == 0
	for _, p := range named(n.tier(t), e.Nodes) {
		n.running[p] = false
		delete(n.raft, p)
	}
	ev := n.processes(e)
	ev.AlreadyDone = done
	ev.Summary = string(t) + " are down"
	return ev
}

func (n *Network) start(e runbook.Effect) (runbook.Evidence, error) {
	t := e.Tier
	if t == runbook.TierBrokers && n.up(n.zk) < len(n.zk) {
		return runbook.Evidence{}, &runbook.Problem{What: "ZooKeeper cannot be reached", Where: n.brokers[0]}
	}
	nodes := named(n.tier(t), e.Nodes)
	done := n.up(nodes) == len(nodes)
	for _, p := range nodes {
		if n.running[p] {
			continue
		}
		if t == runbook.TierOrderers {
			if err := n.boot(p); err != nil {
				return runbook.Evidence{}, err
			}
		}
		n.running[p] = true
	}
	for _, c := range n.channels {
		n.deliver(c)
	}
	ev := n.processes(e)
	ev.AlreadyDone = done
	ev.Summary = string(t) + " are ready"
	return ev, nil
}

// boot decides, as a starting orderer does, from the system channel's last
// block whether it is a Raft node.
func (n *Network) boot(orderer string) error {
	if n.onRaftOnly != nil {
		return n.bootRaft(orderer)
	}
	sys := n.channels[SystemChannel]
	if have := sys.have[orderer]; have > 0 && sys.blocks[have-1].typ == runbook.TypeRaft {
		for _, name := range n.channelNames() {
			c := n.channels[name]
			have := c.have[orderer]
			last := c.blocks[have-1]
			if last.typ != runbook.TypeRaft {
				n.fault("%s: started as Raft while %s is on Kafka", orderer, name)
				return &runbook.Problem{What: "channel is not serviced", Where: name}
			}
			if !last.raft && last.change != runbook.ChangeSwitchType {
				n.fault("%s: a block follows the type change on %s", orderer, name)
				return &runbook.Problem{What: "orderer crashed at start", Where: orderer}
			}
		}
		if n.wal[orderer] != 0 && n.wal[orderer] != n.incarnation {
			n.fault("%s: started on Raft folders of an earlier try", orderer)
		}
		n.raft[orderer], n.wal[orderer] = true, n.incarnation
		return nil
	}
	if n.up(n.brokers) == 0 {
		return &runbook.Problem{What: "Kafka cannot be reached", Where: orderer}
	}
	return nil
}

func (n *Network) takeBackup() (runbook.Evidence, error) {
	if up := n.up(n.tier("")); up > 0 {
		n.fault("backup was taken while %d processes ran", up)
		return runbook.Evidence{}, &runbook.Problem{What: "processes still run"}
	}
	b := &backup{blocks: map[string][]block{}, have: map[string]map[string]int{}}
	for name, c := range n.channels {
		b.blocks[name] = slices.Clone(c.blocks)
		b.have[name] = maps.Clone(c.have)
	}
	b.manifest = fmt.Sprintf("manifest-%d-%d", n.incarnation, len(b.blocks[SystemChannel]))
	n.backup = b
	return n.receipt("backup taken"), nil
}

func (n *Network) verifyBackup() (runbook.Evidence, error) {
	switch {
	case n.backup == nil:
		return runbook.Evidence{}, &runbook.Problem{What: "there is no backup"}
	case n.backup.bad:
		return runbook.Evidence{}, &runbook.Problem{What: "a file of the backup does not match its checksum"}
	}
	return n.receipt("backup verified"), nil
}

func (n *Network) receipt(summary string) runbook.Evidence {
	r := &runbook.BackupReceipt{Dir: "backup", Manifest: n.backup.manifest, Files: len(n.backup.blocks), Heights: map[string]uint64{}}
	for name, blocks := range n.backup.blocks {
		r.Heights[name] = uint64(len(blocks))
	}
	return runbook.Evidence{Summary: summary, Backup: r}
}

func (n *Network) restore() (runbook.Evidence, error) {
	if up := n.up(n.tier("")); up > 0 {
		n.fault("backup was restored while %d processes ran", up)
		return runbook.Evidence{}, &runbook.Problem{What: "processes still run"}
	}
	if n.backup == nil || n.backup.bad {
		return runbook.Evidence{}, &runbook.Problem{What: "the backup cannot be used"}
	}
	for name, c := range n.channels {
		for _, b := range c.blocks {
			if b.raft && b.state == runbook.StateNormal {
				n.fault("%s had left maintenance on Raft when it was restored", name)
				break
			}
		}
		c.blocks, c.have = slices.Clone(n.backup.blocks[name]), maps.Clone(n.backup.have[name])
	}
	n.incarnation++
	return n.receipt("backup restored"), nil
}

func (n *Network) removeRaft() (runbook.Evidence, error) {
	if n.up(n.orderers) > 0 {
		n.fault("Raft folders were removed while orderers ran")
		return runbook.Evidence{}, &runbook.Problem{What: "orderers still run"}
	}
	done := len(n.wal) == 0
	clear(n.wal)
	return runbook.Evidence{Summary: "Raft folders are gone", AlreadyDone: done}, nil
}
