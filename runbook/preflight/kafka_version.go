package preflight

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"raftmig/runbook"
)

var kafkaVersion = check{
	id:        "kafka.version",
	ofBrokers: true,
	title:     "Kafka.Version of the orderers",
	hint: "Set Kafka.Version in every orderer.yaml to one that the brokers speak, the same everywhere: in the window the orderers connect " +
		"anew, and with a version that brokers do not take they hang at the first message.",
	ok: say("spoken by every broker"),
	judge: kafkaPart(func(f runbook.Facts, k *runbook.KafkaFacts) []complaint {
		var out []complaint
		var versions, unknown []string
		for _, o := range f.Orderers {
			switch v := cmp.Or(o.KafkaVersion, k.Version); {
			case v == "":
				unknown = append(unknown, o.Node)
			case !slices.Contains(versions, v):
				versions = append(versions, v)
			}
		}
		if len(unknown) > 0 {
			out = append(out, doubtful("neither the log of %s nor kafka.version in raftmig.yaml tells it", strings.Join(unknown, ", ")))
		}
		if len(versions) > 1 {
			out = append(out, doubtful("the orderers have different ones: %s", strings.Join(versions, ", ")))
		}
		for _, v := range versions {
			needed, ok := requests(v)
			if !ok {
				out = append(out, bad("%q is no version of Kafka", v))
				continue
			}
			for _, b := range k.Brokers {
				out = append(out, speaks(v, needed, b)...)
			}
		}
		return out
	}),
}

// speaks compares what the orderers' client sends with what a broker takes.
func speaks(version string, needed map[string]int16, b runbook.KafkaBroker) []complaint {
	var out []complaint
	for _, kind := range []string{runbook.RequestProduce, runbook.RequestFetch} {
		r, told := b.Requests[kind]
		if v := needed[kind]; told && (v < r.Min || v > r.Max) {
			out = append(out, bad("Kafka.Version %s sends %s requests of version %d, broker %d takes %d to %d", version, kind, v, b.ID, r.Min, r.Max))
		}
	}
	return out
}

// requests returns the versions of requests that the client of Fabric's
// orderers (sarama 1.19 and 1.20) sends with a Kafka.Version.
func requests(version string) (map[string]int16, bool) {
	var v [4]int
	parts := strings.Split(strings.TrimPrefix(version, "v"), ".")
	if len(parts) > len(v) {
		return nil, false
	}
	for i, p := range parts {
		n, err := strconv.Atoi(p)
		if err != nil || n < 0 {
			return nil, false
		}
		v[i] = n
	}
	since := func(a, b, c int) bool { return slices.Compare(v[:], []int{a, b, c, 0}) >= 0 }
	var produce, fetch int16
	switch {
	case since(0, 11, 0):
		produce, fetch = 3, 4
	case since(0, 10, 1):
		produce, fetch = 2, 3
	case since(0, 10, 0):
		produce, fetch = 2, 2
	case !since(0, 8, 2):
		return nil, false
	}
	return map[string]int16{runbook.RequestProduce: produce, runbook.RequestFetch: fetch}, true
}
