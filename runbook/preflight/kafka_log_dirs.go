package preflight

import (
	"slices"
	"strings"

	"raftmig/runbook"
)

var kafkaLogDirs = check{
	id:        "kafka.log-dirs",
	ofBrokers: true,
	title:     "Kafka log directories",
	hint: "log.dirs must lie on a disk that outlives a restart, and the data folders of the brokers in raftmig.yaml must be these: the window " +
		"restarts every broker, and what is not in the backup cannot be put back.",
	ok: say("known, on lasting disks, with room"),
	judge: kafkaPart(func(f runbook.Facts, k *runbook.KafkaFacts) []complaint {
		var out []complaint
		apache := false // and not the embedded brokers, whose folders look different
		for _, b := range k.Brokers {
			dirs := logDirs(b)
			apache = apache || b.Settings["zookeeper.connect"] != "" || b.Settings["log.dirs"] != ""
			if dirs == nil && b.Settings != nil {
				out = append(out, doubtful("broker %d does not tell its log.dirs", b.ID))
			}
			for _, dir := range dirs {
				if place := fleeting(dir); place != "" {
					out = append(out, doubtful("broker %d keeps its records in %s: %s is emptied at a restart", b.ID, dir, place))
				}
			}
		}
		var found []int32
		for _, b := range f.Brokers {
			for _, d := range b.Data {
				out = append(out, dataFolder(b.Node, d)...)
				if d.Broker >= 0 {
					found = append(found, d.Broker)
				}
			}
		}
		if !apache {
			return out
		}
		for _, b := range k.Brokers {
			if !slices.Contains(found, b.ID) && readable(f) {
				out = append(out, bad("no data folder in raftmig.yaml is that of broker %d (log.dirs=%s): none has its meta.properties", b.ID, strings.Join(logDirs(b), ",")))
			}
		}
		return out
	}),
}

// dataFolder judges a folder as it is seen from here.
func dataFolder(node string, d runbook.DataFacts) []complaint {
	const spare = 64 << 20 // segments and indexes are preallocated
	switch {
	case d.Error != "":
		return nil // backup.space says so
	case d.Memory != "":
		return []complaint{doubtful("%s: %s lies in memory (%s)", node, d.Path, d.Memory)}
	case d.Free < d.Used/20+spare:
		return []complaint{doubtful("%s: %s has only %s free", node, d.Path, size(d.Free))}
	default:
		return nil
	}
}

// readable reports whether all data folders of brokers could be looked into.
func readable(f runbook.Facts) bool {
	for _, b := range f.Brokers {
		if b.Tier == runbook.TierBrokers && (len(b.Data) == 0 || slices.ContainsFunc(b.Data, func(d runbook.DataFacts) bool { return d.Error != "" })) {
			return false
		}
	}
	return true
}

// logDirs are a broker's folders: log.dirs, or else log.dir.
func logDirs(b runbook.KafkaBroker) []string {
	list := b.Settings["log.dirs"]
	if list == "" {
		list = b.Settings["log.dir"]
	}
	var out []string
	for dir := range strings.SplitSeq(list, ",") {
		if dir = strings.TrimSpace(dir); dir != "" {
			out = append(out, dir)
		}
	}
	return out
}

// fleeting returns the place that a folder lies in if what is there goes with
// a restart of the machine or container, "" otherwise.
func fleeting(dir string) string {
	for _, place := range []string{"/tmp", "/var/tmp", "/dev/shm", "/run"} {
		if dir == place || strings.HasPrefix(dir, place+"/") {
			return place
		}
	}
	return ""
}
