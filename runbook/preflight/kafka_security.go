package preflight

import (
	"fmt"

	"raftmig/runbook"
)

var kafkaSecurity = check{
	id:    "kafka.security",
	title: "TLS and SASL to Kafka",
	hint: "Give raftmig in the section kafka of raftmig.yaml what the orderers have in Kafka.TLS and Kafka.SASLPlain: what works from here with " +
		"the same files will work for them when they connect anew. Renew certificates that expire in the window.",
	ok: func(f runbook.Facts) string {
		switch k := f.Kafka; {
		case k == nil:
			return "not tried, nobody was asked"
		case !k.TLS && !k.SASL:
			return "none, as the orderers have it"
		default:
			return fmt.Sprintf("%d listeners let raftmig in", len(k.Listeners))
		}
	},
	judge: kafkaPart(func(f runbook.Facts, k *runbook.KafkaFacts) []complaint {
		var out []complaint
		for _, l := range k.Listeners {
			if l.Error != "" {
				out = append(out, bad("%s: %s", l.Address, l.Error))
			}
			out = append(out, validity("the certificate of "+l.Address, f.Now, l.Cert)...)
		}
		out = append(out, validity("the certificate that is shown to brokers", f.Now, k.ClientCert)...)
		for _, o := range f.Orderers {
			out = append(out, differs(o.Node, "TLS", o.KafkaTLS, k.TLS)...)
			out = append(out, differs(o.Node, "SASL", o.KafkaSASL, k.SASL)...)
		}
		return out
	}),
}

// differs compares an orderer's setting with how raftmig asks.
func differs(node, what, setting string, here bool) []complaint {
	switch {
	case setting == "true" && !here:
		return []complaint{doubtful("%s uses %s to Kafka, raftmig does not: what the orderers need could not be tried", node, what)}
	case setting == "false" && here:
		return []complaint{doubtful("raftmig uses %s to Kafka, %s does not", what, node)}
	default:
		return nil
	}
}
