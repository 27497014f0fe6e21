package preflight

import (
	"strconv"

	"raftmig/runbook"
)

var kafkaSizes = check{
	id:        "kafka.sizes",
	ofConfigs: true,
	ofTopics:  true,
	title:     "Kafka message sizes",
	hint: "Fabric's guide asks for AbsoluteMaxBytes < replica.fetch.max.bytes <= message.max.bytes <= socket.request.max.bytes " +
		"on every broker; a larger message is accepted by the orderer and refused by Kafka.",
	ok: say("every block fits"),
	judge: kafkaPart(func(f runbook.Facts, k *runbook.KafkaFacts) []complaint {
		largest, channel := int64(0), ""
		for _, c := range f.Channels {
			if int64(c.AbsoluteMaxBytes) > largest {
				largest, channel = int64(c.AbsoluteMaxBytes), c.Name
			}
		}
		var out []complaint
		for _, b := range k.Brokers {
			fetch, hasFetch := setting(b, "replica.fetch.max.bytes")
			message, hasMessage := setting(b, "message.max.bytes")
			request, hasRequest := setting(b, "socket.request.max.bytes")
			if hasFetch && largest >= fetch {
				out = append(out, doubtful("broker %d: replica.fetch.max.bytes=%d is not above AbsoluteMaxBytes %d of %s", b.ID, fetch, largest, channel))
			} else if hasMessage && largest >= message {
				out = append(out, doubtful("broker %d: message.max.bytes=%d is not above AbsoluteMaxBytes %d of %s", b.ID, message, largest, channel))
			}
			if hasFetch && hasMessage && fetch > message {
				out = append(out, doubtful("broker %d: replica.fetch.max.bytes=%d is above message.max.bytes=%d", b.ID, fetch, message))
			}
			if hasMessage && hasRequest && message > request {
				out = append(out, doubtful("broker %d: message.max.bytes=%d is above socket.request.max.bytes=%d", b.ID, message, request))
			}
		}
		for _, t := range k.Topics {
			for _, c := range f.Channels {
				v, err := strconv.ParseInt(t.Settings["max.message.bytes"], 10, 64)
				if err == nil && c.Name == t.Name && int64(c.AbsoluteMaxBytes) >= v {
					out = append(out, doubtful("%s: max.message.bytes=%d of its topic is not above its AbsoluteMaxBytes %d", t.Name, v, c.AbsoluteMaxBytes))
				}
			}
		}
		return out
	}),
}
