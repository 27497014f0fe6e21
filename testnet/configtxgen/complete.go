package configtxgen

import (
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"time"
)

// Consensus types.
const (
	typeSolo     = "solo"
	typeKafka    = "kafka"
	typeEtcdRaft = "etcdraft"
)

// Defaults for what an Orderer section leaves out (spec 10.1).
const (
	defaultBatchTimeout      = 2 * time.Second
	defaultMaxMessageCount   = 500
	defaultAbsoluteMaxBytes  = Size(10 << 20)
	defaultPreferredMaxBytes = Size(2 << 20)
	defaultBroker            = "127.0.0.1:9092"
	defaultTickInterval      = "500ms"
	defaultElectionTick      = 10
	defaultHeartbeatTick     = 1
	defaultMaxInflightBlocks = 5
	defaultSnapshotInterval  = Size(16 << 20)
)

// Profile returns the profile called name, with paths made absolute or
// relative to the working folder, the defaults of the Orderer section filled
// in, and everything checked that can be checked without reading MSPs.
func (f *File) Profile(name string) (*Profile, error) {
	p, ok := f.Config.Profiles[name]
	if !ok || p == nil {
		return nil, fmt.Errorf("%s: Could not find profile: %s; it has %v", f.Path, name, f.ProfileNames())
	}
	path := "Profiles." + name
	c := completer{File: f}
	if p.Orderer != nil {
		c.orderer(path+".Orderer", p.Orderer)
	}
	if p.Application != nil {
		c.orgs(path+".Application", p.Application.Organizations)
	}
	for n, s := range p.Consortiums {
		if s == nil {
			p.Consortiums[n] = &Consortium{}
			continue
		}
		c.orgs(path+".Consortiums."+n, s.Organizations)
	}
	return p, c.err
}

// Organization returns the entry of the section Organizations called name.
func (f *File) Organization(name string) (*Organization, error) {
	c := completer{File: f}
	for i, o := range f.Config.Organizations {
		if o.Name == name {
			c.org("Organizations."+strconv.Itoa(i), o)
			return o, c.err
		}
	}
	return nil, fmt.Errorf("%s: organization %s not found", f.Path, name)
}

// completer fills in defaults and keeps the first mistake.
type completer struct {
	*File
	err error
}

func (c *completer) fail(path, format string, args ...any) {
	if c.err == nil {
		c.err = c.mistake(path, format, args...)
	}
}

func (c *completer) orgs(path string, orgs []*Organization) {
	seen := map[string]bool{}
	for i, o := range orgs {
		at := fmt.Sprintf("%s.Organizations.%d", path, i)
		c.org(at, o)
		if seen[o.Name] {
			c.fail(at, "organization %q is listed twice", o.Name)
		}
		seen[o.Name] = true
	}
}

func (c *completer) org(path string, o *Organization) {
	if o.Name == "" {
		c.fail(path, "an organization has no Name")
	}
	if o.ID == "" {
		c.fail(path, "organization %q has no ID (its MSP ID)", o.Name)
	}
	if o.MSPDir == "" && !o.SkipAsForeign {
		c.fail(path, "organization %q has no MSPDir", o.Name)
	}
	switch o.MSPType {
	case "", "bccsp":
		o.MSPType = "bccsp"
	default:
		c.fail(path, "organization %q: MSPs of type %q are not supported", o.Name, o.MSPType)
	}
	switch o.AdminPrincipal {
	case "":
		o.AdminPrincipal = "Role.ADMIN"
	case "Role.ADMIN", "Role.MEMBER":
	default:
		c.fail(path, "organization %q: AdminPrincipal is neither Role.ADMIN nor Role.MEMBER", o.Name)
	}
	o.MSPDir = c.absolute(o.MSPDir)
}

// absolute resolves a path against the folder of the file.
func (f *File) absolute(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	dir, err := filepath.Abs(filepath.Dir(f.Path))
	if err != nil { // the working folder is gone
		dir = filepath.Dir(f.Path)
	}
	return filepath.Join(dir, path)
}

func (c *completer) orderer(path string, o *Orderer) {
	c.orgs(path, o.Organizations)
	orDefault(&o.OrdererType, typeSolo)
	orDefault(&o.BatchTimeout, defaultBatchTimeout)
	orDefault(&o.BatchSize.MaxMessageCount, defaultMaxMessageCount)
	orDefault(&o.BatchSize.AbsoluteMaxBytes, defaultAbsoluteMaxBytes)
	orDefault(&o.BatchSize.PreferredMaxBytes, defaultPreferredMaxBytes)
	if o.BatchTimeout < 0 {
		c.fail(path+".BatchTimeout", "BatchTimeout %v is negative", o.BatchTimeout)
	}
	if o.BatchSize.PreferredMaxBytes > o.BatchSize.AbsoluteMaxBytes {
		c.fail(path+".BatchSize.PreferredMaxBytes", "PreferredMaxBytes (%d) is greater than AbsoluteMaxBytes (%d)",
			o.BatchSize.PreferredMaxBytes, o.BatchSize.AbsoluteMaxBytes)
	}
	for _, a := range o.Addresses {
		if !isHostPort(a) {
			c.fail(path+".Addresses", "orderer address %q is not host:port", a)
		}
	}
	switch o.OrdererType {
	case typeSolo:
	case typeKafka:
		if o.Kafka.Brokers == nil {
			o.Kafka.Brokers = []string{defaultBroker}
		}
		for _, b := range o.Kafka.Brokers {
			if !isHostPort(b) {
				c.fail(path+".Kafka.Brokers", "Kafka broker %q is not host:port", b)
			}
		}
	case typeEtcdRaft:
		c.raft(path+".EtcdRaft", o)
	default:
		c.fail(path+".OrdererType", "unknown orderer type: %s", o.OrdererType)
	}
}

func (c *completer) raft(path string, o *Orderer) {
	if o.EtcdRaft == nil || len(o.EtcdRaft.Consenters) == 0 {
		c.fail(path, "etcdraft configuration did not specify any consenter")
		return
	}
	opt := &o.EtcdRaft.Options
	orDefault(&opt.TickInterval, defaultTickInterval)
	orDefault(&opt.ElectionTick, defaultElectionTick)
	orDefault(&opt.HeartbeatTick, defaultHeartbeatTick)
	orDefault(&opt.MaxInflightBlocks, defaultMaxInflightBlocks)
	orDefault(&opt.SnapshotIntervalSize, defaultSnapshotInterval)
	if d, err := time.ParseDuration(opt.TickInterval); err != nil || d <= 0 {
		c.fail(path+".Options.TickInterval", "Etcdraft TickInterval (%s) must be in time duration format", opt.TickInterval)
	}
	if opt.ElectionTick <= opt.HeartbeatTick {
		c.fail(path+".Options.ElectionTick", "election tick must be greater than heartbeat tick")
	}
	for i, s := range o.EtcdRaft.Consenters {
		at := fmt.Sprintf("%s.Consenters.%d", path, i)
		for _, missing := range []struct {
			what  string
			empty bool
		}{{"host", s.Host == ""}, {"port", s.Port == 0}, {"client TLS cert", s.ClientTLSCert == ""}, {"server TLS cert", s.ServerTLSCert == ""}} {
			if missing.empty {
				c.fail(at, "consenter info in etcdraft configuration did not specify %s", missing.what)
			}
		}
		s.ClientTLSCert, s.ServerTLSCert = c.absolute(s.ClientTLSCert), c.absolute(s.ServerTLSCert)
	}
}

func orDefault[T comparable](v *T, fallback T) {
	var zero T
	if *v == zero {
		*v = fallback
	}
}

func isHostPort(address string) bool {
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" {
		return false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}
