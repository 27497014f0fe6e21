package runbook

import (
	"maps"
	"slices"
)

func cloneFlush(in []FlushState) []FlushState {
	out := slices.Clone(in)
	for i := range out {
		f := &out[i]
		f.Replicas, f.InSync, f.Nodes = slices.Clone(f.Replicas), slices.Clone(f.InSync), slices.Clone(f.Nodes)
	}
	return out
}

func cloneKafka(k KafkaFacts) KafkaFacts {
	k.Brokers = slices.Clone(k.Brokers)
	for i := range k.Brokers {
		b := &k.Brokers[i]
		b.Settings, b.Requests = maps.Clone(b.Settings), maps.Clone(b.Requests)
	}
	k.Topics = slices.Clone(k.Topics)
	for i := range k.Topics {
		t := &k.Topics[i]
		t.Partitions, t.Settings = slices.Clone(t.Partitions), maps.Clone(t.Settings)
		for j := range t.Partitions {
			p := &t.Partitions[j]
			p.Replicas, p.InSync = slices.Clone(p.Replicas), slices.Clone(p.InSync)
		}
	}
	k.Listeners = slices.Clone(k.Listeners)
	for i := range k.Listeners {
		k.Listeners[i].Cert = clonePtr(k.Listeners[i].Cert, cloneCert)
	}
	k.ClientCert = clonePtr(k.ClientCert, cloneCert)
	return k
}
