package preflight

import (
	"slices"
	"strings"

	"raftmig/runbook"
)

// What Fabric's guide asks of the number of processes: with fewer than four
// brokers no channel can be created while one is down; ZooKeeper needs a
// majority, so an even node adds nothing.
const (
	minBrokers   = 4
	minZooKeeper = 3
	maxZooKeeper = 7
)

var kafkaEnsemble = check{
	id:        "kafka.ensemble",
	ofBrokers: true,
	title:     "brokers and ZooKeeper nodes",
	hint: "Name every broker and every ZooKeeper node in raftmig.yaml: one that is missing is neither stopped nor backed up. Fabric's " +
		"guide asks for 4 brokers and for 3, 5 or 7 ZooKeeper nodes.",
	ok: say("all named, and enough of them"),
	judge: kafkaPart(func(f runbook.Facts, k *runbook.KafkaFacts) []complaint {
		var out []complaint
		brokers, named := addresses(f, runbook.TierBrokers)
		if n := len(k.Brokers); n > len(named) {
			out = append(out, bad("%d brokers are live, raftmig.yaml names %d", n, len(named)))
		}
		if brokers > 0 && max(len(named), len(k.Brokers)) < minBrokers {
			out = append(out, doubtful("%d brokers: while one is down no channel can be created", max(len(named), len(k.Brokers))))
		}
		told := ensemble(k)
		nodes, _ := addresses(f, runbook.TierZooKeeper)
		switch n := max(len(told), nodes); {
		case len(told) > nodes:
			out = append(out, bad("the brokers use %d ZooKeeper nodes (%s), raftmig.yaml names %d", len(told), strings.Join(told, ", "), nodes))
		case n == 0: // brokers without ZooKeeper
		case n%2 == 0:
			out = append(out, doubtful("%d ZooKeeper nodes: an even number has no more votes to lose than one less", n))
		case n < minZooKeeper:
			out = append(out, doubtful("%d ZooKeeper node: losing it stops Kafka", n))
		case n > maxZooKeeper:
			out = append(out, doubtful("%d ZooKeeper nodes: more than %d only slow it down", n, maxZooKeeper))
		}
		return append(out, modes(f)...)
	}),
}

// modes judges what the ZooKeeper nodes say that they are.
func modes(f runbook.Facts) []complaint {
	nodes, _ := addresses(f, runbook.TierZooKeeper)
	var out []complaint
	var leaders []string
	for _, b := range f.Brokers {
		switch {
		case b.Tier != runbook.TierZooKeeper:
		case b.Mode == runbook.ModeLeader:
			leaders = append(leaders, b.Node)
		case b.Mode == runbook.ModeNoQuorum:
			out = append(out, bad("%s is without quorum", b.Node))
		case b.Mode == runbook.ModeStandalone && nodes > 1:
			out = append(out, bad("%s runs standalone: it is no part of the ensemble", b.Node))
		}
	}
	if len(leaders) > 1 {
		out = append(out, bad("%s are both leaders: they are of different ensembles", strings.Join(leaders, " and ")))
	}
	return out
}

// addresses counts a tier's processes and lists the addresses of all. One
// process may be several brokers.
func addresses(f runbook.Facts, t runbook.Tier) (processes int, all []string) {
	for _, b := range f.Brokers {
		if b.Tier != t {
			continue
		}
		processes++
		own := b.Addresses
		if len(own) == 0 {
			own = []string{b.Address}
		}
		for _, a := range own {
			if !slices.Contains(all, a) {
				all = append(all, a)
			}
		}
	}
	return processes, all
}

// ensemble lists the ZooKeeper nodes that the brokers name, sorted.
func ensemble(k *runbook.KafkaFacts) []string {
	var nodes []string
	for _, b := range k.Brokers {
		list, _, _ := strings.Cut(b.Settings["zookeeper.connect"], "/") // chroot
		for node := range strings.SplitSeq(list, ",") {
			if node = strings.TrimSpace(node); node != "" && !slices.Contains(nodes, node) {
				nodes = append(nodes, node)
			}
		}
	}
	slices.Sort(nodes)
	return nodes
}
