package localconfig

import (
	"errors"
	"fmt"
	"time"
)

// Defaults that other packages refer to.
const (
	DefaultMaxMessageSize = 100 << 20 // bytes, both directions
	DefaultTimeWindow     = 15 * time.Minute
	DefaultKafkaVersion   = "0.10.2.0"
)

func defaultBCCSP() BCCSP {
	return BCCSP{Default: "SW", SW: SW{Security: 256, Hash: "SHA2"}}
}

// setDefaults gives every unset key its built-in default (spec 8.2).
func (c *TopLevel) setDefaults() {
	g := &c.General
	c.former(&g.BootstrapMethod, g.GenesisMethod, "GenesisMethod", "BootstrapMethod")
	c.former(&g.BootstrapFile, g.GenesisFile, "GenesisFile", "BootstrapFile")
	orElse(&g.BootstrapMethod, "file")
	orElse(&g.BootstrapFile, "genesisblock")
	told(c, &g.ListenAddress, "127.0.0.1", "General.ListenAddress")
	told(c, &g.ListenPort, 7050, "General.ListenPort")
	told(c, &g.LocalMSPDir, "msp", "General.LocalMSPDir")
	told(c, &g.LocalMSPID, "SampleOrg", "General.LocalMSPID")
	told(c, &g.Authentication.TimeWindow, DefaultTimeWindow, "General.Authentication.TimeWindow")
	told(c, &g.MaxRecvMsgSize, DefaultMaxMessageSize, "General.MaxRecvMsgSize")
	told(c, &g.MaxSendMsgSize, DefaultMaxMessageSize, "General.MaxSendMsgSize")
	if g.Profile.Enabled {
		told(c, &g.Profile.Address, "0.0.0.0:6060", "General.Profile.Address")
	}
	cl := &g.Cluster
	orElse(&cl.DialTimeout, 5*time.Second)
	orElse(&cl.RPCTimeout, 7*time.Second)
	orElse(&cl.ReplicationBufferSize, 20971520)
	orElse(&cl.ReplicationPullTimeout, 5*time.Second)
	orElse(&cl.ReplicationRetryTimeout, 5*time.Second)
	orElse(&cl.ReplicationBackgroundRefreshInterval, 5*time.Minute)
	orElse(&cl.ReplicationMaxRetries, 12)
	orElse(&cl.SendBufferSize, 100)
	orElse(&cl.CertExpirationWarningThreshold, 7*24*time.Hour)
	orElse(&c.ChannelParticipation.MaxRequestBodySize, 1<<20)
	c.setKafkaDefaults()
}

func (c *TopLevel) setKafkaDefaults() {
	r := &c.Kafka.Retry
	told(c, &r.ShortInterval, time.Minute, "Kafka.Retry.ShortInterval")
	told(c, &r.ShortTotal, 10*time.Minute, "Kafka.Retry.ShortTotal")
	told(c, &r.LongInterval, 10*time.Minute, "Kafka.Retry.LongInterval")
	told(c, &r.LongTotal, 12*time.Hour, "Kafka.Retry.LongTotal")
	told(c, &r.NetworkTimeouts.DialTimeout, 30*time.Second, "Kafka.Retry.NetworkTimeouts.DialTimeout")
	told(c, &r.NetworkTimeouts.ReadTimeout, 30*time.Second, "Kafka.Retry.NetworkTimeouts.ReadTimeout")
	told(c, &r.NetworkTimeouts.WriteTimeout, 30*time.Second, "Kafka.Retry.NetworkTimeouts.WriteTimeout")
	told(c, &r.Metadata.RetryBackoff, 250*time.Millisecond, "Kafka.Retry.Metadata.RetryBackoff")
	told(c, &r.Metadata.RetryMax, 3, "Kafka.Retry.Metadata.RetryMax")
	told(c, &r.Producer.RetryBackoff, 100*time.Millisecond, "Kafka.Retry.Producer.RetryBackoff")
	told(c, &r.Producer.RetryMax, 3, "Kafka.Retry.Producer.RetryMax")
	told(c, &r.Consumer.RetryBackoff, 2*time.Second, "Kafka.Retry.Consumer.RetryBackoff")
	told(c, &c.Kafka.Version, DefaultKafkaVersion, "Kafka.Version")
}

// former takes the value of a key's former name.
func (c *TopLevel) former(key *string, value, formerName, name string) {
	if *key == "" && value != "" {
		*key = value
		c.notes = append(c.notes, Note{true, fmt.Sprintf("General.%s should be replaced by General.%s", formerName, name)})
	}
}

func orElse[T comparable](key *T, def T) {
	var zero T
	if *key == zero {
		*key = def
	}
}

// told is orElse with a note for the log.
func told[T comparable](c *TopLevel, key *T, def T, name string) {
	var zero T
	if *key == zero {
		*key = def
		c.notes = append(c.notes, Note{false, fmt.Sprintf("%s unset, setting to %v", name, def)})
	}
}

// validate returns the refusals of spec 8.3 that need the configuration alone.
func (c *TopLevel) validate() error {
	var errs []error
	refuse := func(wrong bool, text string) {
		if wrong {
			errs = append(errs, errors.New(text))
		}
	}
	k := &c.Kafka
	refuse(k.TLS.Enabled && k.TLS.Certificate == "", "General.Kafka.TLS.Certificate must be set if General.Kafka.TLS.Enabled is set to true.")
	refuse(k.TLS.Enabled && k.TLS.PrivateKey == "", "General.Kafka.TLS.PrivateKey must be set if General.Kafka.TLS.Enabled is set to true.")
	refuse(k.TLS.Enabled && len(k.TLS.RootCAs) == 0, "General.Kafka.TLS.CertificatePool must be set if General.Kafka.TLS.Enabled is set to true.")
	refuse(k.SASLPlain.Enabled && k.SASLPlain.User == "", "General.Kafka.SASLPlain.User must be set if General.Kafka.SASLPlain.Enabled is set to true.")
	refuse(k.SASLPlain.Enabled && k.SASLPlain.Password == "", "General.Kafka.SASLPlain.Password must be set if General.Kafka.SASLPlain.Enabled is set to true.")
	refuse(c.Admin.TLS.Enabled && !c.Admin.TLS.ClientAuthRequired, "Admin.TLS.ClientAuthRequired must be set to true if Admin.TLS.Enabled is set to true")
	refuse(c.FileLedger.Location == "", "Orderer.FileLedger.Location must be set")
	refuse(c.General.BCCSP.Default != "SW", fmt.Sprintf("General.BCCSP.Default: provider %s is not supported, only SW is", c.General.BCCSP.Default))
	at := c.Consensus.AcknowledgeAt
	refuse(at != "" && at != AcknowledgeAtSubmission && at != AcknowledgeAtCommit,
		fmt.Sprintf("Consensus.AcknowledgeAt: %q is neither %s nor %s", at, AcknowledgeAtSubmission, AcknowledgeAtCommit))
	m := c.General.BootstrapMethod
	refuse(m != "file" && m != "none", fmt.Sprintf("Unknown bootstrap method: %s", m))
	return errors.Join(append(errs, c.negative()...)...)
}

// negative returns the refusals of values below 0 that would end the process, or
// keep it from ever doing its work, when they are first used. Fabric starts with
// them, and ends with a panic then.
func (c *TopLevel) negative() []error {
	cl, con := &c.General.Cluster, &c.Consensus
	var errs []error
	for _, v := range []struct {
		key   string
		value any
		wrong bool
	}{
		{"General.Cluster.SendBufferSize", cl.SendBufferSize, cl.SendBufferSize < 0},
		{"General.Cluster.DialTimeout", cl.DialTimeout, cl.DialTimeout < 0},
		{"General.Cluster.RPCTimeout", cl.RPCTimeout, cl.RPCTimeout < 0},
		{"General.Cluster.ReplicationBufferSize", cl.ReplicationBufferSize, cl.ReplicationBufferSize < 0},
		{"General.Cluster.ReplicationPullTimeout", cl.ReplicationPullTimeout, cl.ReplicationPullTimeout < 0},
		{"General.Cluster.ReplicationRetryTimeout", cl.ReplicationRetryTimeout, cl.ReplicationRetryTimeout < 0},
		{"General.Cluster.ReplicationBackgroundRefreshInterval", cl.ReplicationBackgroundRefreshInterval, cl.ReplicationBackgroundRefreshInterval < 0},
		{"Consensus.EvictionSuspicion", con.EvictionSuspicion, con.EvictionSuspicion < 0},
		{"Consensus.TickIntervalOverride", con.TickIntervalOverride, con.TickIntervalOverride < 0},
	} {
		if v.wrong {
			errs = append(errs, fmt.Errorf("%s: %v is below 0", v.key, v.value))
		}
	}
	return errs
}
