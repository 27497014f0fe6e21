package preflight

import (
	"cmp"
	"fmt"
	"time"

	"raftmig/runbook"
)

// Window is how long a maintenance window may last at most. What expires
// within it is an error.
const Window = 24 * time.Hour

// Soon is how close an expiry is worth a warning.
const Soon = 30 * 24 * time.Hour

// check is one check.
type check struct {
	id    string
	title string // what it is about
	// judge returns the check's complaints, the worst deciding the severity;
	// none means that all is well.
	judge func(f runbook.Facts) []complaint
	// ofConfigs is set where judge looks at what the channels' configurations say.
	// It is then given those only that could be read; each other one is a
	// complaint.
	ofConfigs bool
	// ofBrokers and ofTopics are set where judge looks at what the brokers tell
	// of themselves or of the channels' topics; that they tell nothing is a
	// complaint then.
	ofBrokers, ofTopics bool
	hint                string
	// advise gives a better hint where that depends on what was found; nil or "" for hint.
	advise func(f runbook.Facts) string
	// ok says what was found if there are no complaints.
	ok func(f runbook.Facts) string
}

type complaint struct {
	severity runbook.Severity
	text     string
}

func bad(format string, args ...any) complaint {
	return complaint{runbook.SeverityError, fmt.Sprintf(format, args...)}
}

func doubtful(format string, args ...any) complaint {
	return complaint{runbook.SeverityWarn, fmt.Sprintf(format, args...)}
}

// checks returns all checks, cheapest and most fatal first.
func checks() []check {
	return []check{
		reachable, adminIdentity, versionsMinimum, versionsEqual, clock,
		channelList, channelType, channelState, channelMetadata, agreement,
		ordererCapability, channelCapability,
		adminPolicy, writersPolicy,
		consenterCount, consentersUnique, consentersTrusted,
		tlsEnabled, servedCertificate, hostNames, certificateExpiry, authorityExpiry,
		raftFolders, raftLeftovers,
		kafkaAsked, kafkaSecurity, kafkaVersion, kafkaEnsemble, kafkaPartitions, kafkaInSync, kafkaUnclean,
		kafkaReplication, kafkaSizes, kafkaRetention, kafkaOffsets, kafkaLogDirs,
		backupBrokers, backupSpace, backupWayBack,
	}
}

// IDs returns the IDs of all checks, in the order in which they are made.
func IDs() []string {
	var out []string
	for _, c := range checks() {
		out = append(out, c.id)
	}
	return out
}

// Check makes every check and returns one finding for each: the checks of a
// migration, or, where the facts are for one, those of an operation on Raft.
func Check(f runbook.Facts) []runbook.Finding {
	made := checks()
	if f.Raft != nil {
		made = operationChecks()
	}
	var out []runbook.Finding
	for _, c := range made {
		out = append(out, c.run(f))
	}
	return out
}

func (c check) run(f runbook.Facts) runbook.Finding {
	finding := runbook.Finding{Check: c.id, Severity: runbook.SeverityOK}
	var unread []complaint
	if c.ofConfigs {
		f, unread = readableOf(f)
	}
	judged := c.judge(f)
	unread = append(unread, c.untold(f)...)
	for _, found := range append(judged, unread...) {
		finding.Evidence = append(finding.Evidence, found.text)
		if found.severity == runbook.SeverityError || finding.Severity == runbook.SeverityOK {
			finding.Severity = found.severity
		}
	}
	switch n := len(finding.Evidence); {
	case n == 0:
		finding.Summary = c.title + ": " + c.ok(f)
		return finding
	case n == 1:
		finding.Summary = fmt.Sprintf("%s: %s", c.title, finding.Evidence[0])
	default:
		finding.Summary = fmt.Sprintf("%s: %s, and %d more", c.title, finding.Evidence[0], n-1)
	}
	switch {
	case len(judged) == 0 && finding.Severity == runbook.SeverityWarn:
		finding.Hint = "What Kafka does not tell cannot be checked. The findings kafka.asked and kafka.security say why it does not."
	case len(judged) == 0:
		finding.Hint = "What cannot be read cannot be checked. The finding nodes.agreement says why it cannot be read."
	case c.advise != nil:
		finding.Hint = cmp.Or(c.advise(f), c.hint)
	default:
		finding.Hint = c.hint
	}
	return finding
}

// readableOf leaves out the channels whose configuration no orderer showed, and
// complains of each.
func readableOf(f runbook.Facts) (runbook.Facts, []complaint) {
	var known []runbook.ChannelFacts
	var unread []complaint
	for _, c := range f.Channels {
		if c.Type == "" {
			unread = append(unread, bad("%s cannot be read", c.Name))
			continue
		}
		known = append(known, c)
	}
	f.Channels = known
	return f, unread
}

// untold complains if Kafka tells nothing of what the check looks at.
func (c check) untold(f runbook.Facts) []complaint {
	k := cmp.Or(f.Kafka, &runbook.KafkaFacts{})
	switch {
	case (c.ofBrokers || c.ofTopics) && len(k.Brokers) == 0:
		return []complaint{doubtful("not looked at, no broker answers")}
	case c.ofTopics && len(k.Topics) == 0:
		return []complaint{doubtful("not looked at, the brokers tell of no topic")}
	default:
		return nil
	}
}

func say(text string) func(runbook.Facts) string {
	return func(runbook.Facts) string { return text }
}

func duration(d time.Duration) string {
	if d < 0 {
		d = -d
	}
	if d >= 48*time.Hour {
		return fmt.Sprintf("%d days", int(d.Hours()/24))
	}
	return d.Round(time.Second).String()
}
