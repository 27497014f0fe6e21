package inventory

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Kinds of Control.
const (
	ControlProcess = "process"
	ControlCommand = "command"
	ControlManual  = "manual"
)

// Values of Control.Ready.
const (
	ReadyZooKeeper = "zookeeper"
	ReadyKafka     = "kafka"
)

var (
	channelName = regexp.MustCompile(`^[a-z][a-z0-9.-]*$`)
	nodeName    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
)

const maxChannelName = 249

// ValidChannel returns an error for a name that no channel may have (spec 7.1).
func ValidChannel(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("the channel name is empty")
	case len(name) > maxChannelName:
		return fmt.Errorf("channel name of %d characters, at most %d are allowed", len(name), maxChannelName)
	case !channelName.MatchString(name):
		return fmt.Errorf("bad channel name %q: only lower-case letters, digits, dots and dashes, a letter first", name)
	}
	return nil
}

// Validate checks what the inventory says, without looking at files. The
// error holds one Fault for each thing that is wrong.
func (n *Network) Validate() error {
	var f faults
	if strings.TrimSpace(n.Name) == "" || strings.ContainsFunc(n.Name, func(r rune) bool { return r < ' ' }) {
		f.add("name", "Give the network a name; it is typed before the point of no return", "the network has no usable name")
	}
	if n.NoSystemChannel {
		if n.SystemChannel != "" {
			f.add("noSystemChannel", "Remove one of the two", "there is a systemChannel, %s, and noSystemChannel", n.SystemChannel)
		}
	} else if err := ValidChannel(n.SystemChannel); err != nil {
		f.add("systemChannel", "Name the ordering system channel", "%v", err)
	}
	n.validateChannels(&f)
	if len(n.Orderers) == 0 {
		f.add("orderers", "List every ordering node", "the network has no ordering nodes")
	}
	seen := newRegister(&f)
	for i := range n.Orderers {
		at := fmt.Sprintf("orderers[%d]", i)
		validateProcess(&f, seen, at, &n.Orderers[i].Process)
		n.validateOrderer(&f, seen, at, &n.Orderers[i])
	}
	for i := range n.Brokers {
		validateProcess(&f, seen, fmt.Sprintf("brokers[%d]", i), &n.Brokers[i])
	}
	for i := range n.ZooKeeper {
		validateProcess(&f, seen, fmt.Sprintf("zookeeper[%d]", i), &n.ZooKeeper[i])
	}
	if n.Kafka != nil {
		n.Kafka.validate(&f)
	}
	n.validateAdmins(&f)
	for _, name := range sortedKeys(n.Clients) {
		id := n.Clients[name]
		at := "clients." + name
		if name != "*" {
			if err := ValidChannel(name); err != nil {
				f.add(at, `Clients are listed by channel name, "*" for all others`, "%v", err)
			}
		}
		validateIdentity(&f, at, &id)
	}
	n.Raft.validate(&f)
	return f.err()
}

func (n *Network) validateChannels(f *faults) {
	first := map[string]bool{}
	for i, name := range n.Channels {
		at := fmt.Sprintf("channels[%d]", i)
		if err := ValidChannel(name); err != nil {
			f.add(at, "", "%v", err)
		}
		if first[name] {
			f.add(at, "Remove one of the two", "channel %s is listed twice", name)
		}
		first[name] = true
	}
}

func (n *Network) validateOrderer(f *faults, seen *register, at string, o *Orderer) {
	if o.Control.Kind == ControlProcess && o.Log == "" {
		f.add(at, "Set log to the file that its log goes to; it says when the node is ready", "an orderer that raftmig starts needs a log")
	} else if o.Log == "" && o.Operations == "" {
		f.add(at, "Set log to the node's log file, or operations to its operations endpoint with metrics", "without log and operations nobody can see whether %s has a Raft leader", o.Name)
	}
	if len(o.TLSRootCAs) > 0 {
		if o.ServerCert == "" {
			f.add(at, "Set serverCert to the certificate that the node presents on its cluster port", "%s has no serverCert", o.Name)
		}
		if o.ClientCert == "" {
			f.add(at, "Set clientCert to the certificate that the node dials other nodes with; often the same file as serverCert", "%s has no clientCert", o.Name)
		}
	}
	if o.ClusterPort > 65535 {
		f.add(at+".clusterPort", "", "%d is no port", o.ClusterPort)
	}
	if host, port := o.Cluster(); host != "" {
		seen.once("cluster endpoint", net.JoinHostPort(host, strconv.Itoa(int(port))), at+".clusterHost", "Every consenter needs its own host and port")
	}
	if u, err := url.Parse(o.Participation); o.Participation != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
		f.add(at+".participation", "Write https://host:port, the node's Admin endpoint", "bad URL %q", o.Participation)
	}
	if o.Operations != "" {
		if checkAddress(f, at+".operations", o.Operations) {
			seen.once("address", o.Operations, at+".operations", "Two servers cannot share an address")
		}
	}
	for _, d := range []struct{ field, dir string }{{"ledgerDir", o.LedgerDir}, {"walDir", o.WALDir}, {"snapDir", o.SnapDir}} {
		if d.dir != "" {
			seen.once("folder", d.dir, at+"."+d.field, "Every node and every purpose needs its own folder")
		}
	}
}

// Cluster returns the host and port of the node for the consenter set.
func (o *Orderer) Cluster() (host string, port uint32) {
	host, port = o.ClusterHost, o.ClusterPort
	h, p, err := net.SplitHostPort(o.Address)
	if err != nil {
		return host, port
	}
	if host == "" {
		host = h
	}
	if port == 0 {
		if v, err := strconv.ParseUint(p, 10, 16); err == nil {
			port = uint32(v)
		}
	}
	return host, port
}

func validateProcess(f *faults, seen *register, at string, p *Process) {
	if !nodeName.MatchString(p.Name) {
		f.add(at+".name", "Use letters, digits, dots, dashes and underscores", "bad node name %q", p.Name)
	} else {
		seen.once("name", p.Name, at+".name", "Every process needs its own name")
	}
	addresses := p.AllAddresses()
	if len(addresses) == 0 {
		f.add(at, "Set address to host:port", "%s has no address", p.Name)
	}
	for _, a := range addresses {
		if checkAddress(f, at+".address", a) {
			seen.once("address", a, at+".address", "Two servers cannot share an address")
		}
	}
	c := p.Control
	switch c.Kind {
	case ControlProcess:
		if len(c.Command) == 0 {
			f.add(at+".control", "Set control.command to the program and its arguments", "a process that raftmig starts needs a command")
		}
		if c.PIDFile == "" {
			f.add(at+".control", "Set control.pidFile to a file of its own", "a process that raftmig starts needs a pidFile")
		} else {
			seen.once("pidFile", c.PIDFile, at+".control.pidFile", "Every process needs its own pidFile")
		}
	case ControlCommand:
		if len(c.Start) == 0 || len(c.Stop) == 0 || len(c.Status) == 0 {
			f.add(at+".control", "Set start, stop and status; status exits 0 while the process runs", "control by commands needs all three of them")
		}
	case ControlManual:
	default:
		f.add(at+".control.kind", "Use process, command or manual", "unknown kind of control %q", c.Kind)
	}
	switch c.Ready {
	case "":
	case ReadyZooKeeper, ReadyKafka:
		if c.Kind != ControlProcess {
			f.add(at+".control.ready", "Remove it", "ready is for control kind process only")
		}
	default:
		f.add(at+".control.ready", "Use zookeeper or kafka, or leave it out", "unknown kind of readiness %q", c.Ready)
	}
	if c.Attempts < 0 {
		f.add(at+".control.attempts", "", "negative number %d", c.Attempts)
	}
	for _, d := range []struct {
		field string
		d     time.Duration
	}{{"stopTimeout", c.StopTimeout}, {"startTimeout", c.StartTimeout}} {
		if d.d < 0 {
			f.add(at+".control."+d.field, "", "negative duration %v", d.d)
		}
	}
	for i, dir := range p.Data {
		seen.once("data folder", dir, fmt.Sprintf("%s.data[%d]", at, i), "Every process needs its own data folders")
	}
}

// AllAddresses are Address and Addresses without repetition.
func (p *Process) AllAddresses() []string {
	var out []string
	for _, a := range append([]string{p.Address}, p.Addresses...) {
		known := a == ""
		for _, o := range out {
			known = known || o == a
		}
		if !known {
			out = append(out, a)
		}
	}
	return out
}

func validateIdentity(f *faults, at string, id *Identity) {
	if id.MSPID == "" {
		f.add(at+".mspID", "Set mspID to the MSP identifier of the organization, e.g. OrdererMSP", "the identity has no MSP ID")
	}
	if id.MSPDir == "" {
		f.add(at+".mspDir", "Set mspDir to the MSP folder with signcerts and keystore", "the identity has no MSP folder")
	}
	if (id.TLSCert == "") != (id.TLSKey == "") {
		f.add(at, "Set both or neither", "tlsCert and tlsKey belong together, only one is set")
	}
}

func (r *Raft) validate(f *faults) {
	if r.TickInterval < 0 {
		f.add("raft.tickInterval", "", "negative duration %v", r.TickInterval)
	}
	d := r.WithDefaults()
	if d.ElectionTick <= d.HeartbeatTick {
		f.add("raft.electionTick", "Fabric's defaults are 10 and 1", "electionTick (%d) must be greater than heartbeatTick (%d)", d.ElectionTick, d.HeartbeatTick)
	}
}

// WithDefaults returns the options with zero values replaced by Fabric's defaults.
func (r Raft) WithDefaults() Raft {
	if r.TickInterval == 0 {
		r.TickInterval = 500 * time.Millisecond
	}
	if r.ElectionTick == 0 {
		r.ElectionTick = 10
	}
	if r.HeartbeatTick == 0 {
		r.HeartbeatTick = 1
	}
	if r.MaxInflightBlocks == 0 {
		r.MaxInflightBlocks = 5
	}
	if r.SnapshotIntervalSize == 0 {
		r.SnapshotIntervalSize = 16 << 20
	}
	return r
}

func checkAddress(f *faults, at, address string) bool {
	host, port, err := net.SplitHostPort(address)
	if err == nil && host == "" {
		err = fmt.Errorf("no host")
	}
	if err == nil {
		var p uint64
		if p, err = strconv.ParseUint(port, 10, 16); err == nil && p == 0 {
			err = fmt.Errorf("port 0")
		}
	}
	if err != nil {
		f.add(at, "Write host:port", "bad address %q: %v", address, err)
		return false
	}
	return true
}

// register finds things that occur twice.
type register struct {
	f    *faults
	seen map[string]string
}

func newRegister(f *faults) *register { return &register{f: f, seen: map[string]string{}} }

func (r *register) once(kind, value, at, hint string) {
	key := kind + "\x00" + value
	if first, ok := r.seen[key]; ok {
		r.f.add(at, hint, "%s %s is already that of %s", kind, value, first)
		return
	}
	r.seen[key] = at
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
