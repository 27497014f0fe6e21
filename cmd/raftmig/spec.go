package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"raftmig/testnet"
)

// specFlags describe the network to be made; testnet init and rehearse have them.
type specFlags struct {
	spec  testnet.Spec
	count int
	names []string
}

func (f *specFlags) add(cmd *cobra.Command) {
	s, fl := &f.spec, cmd.Flags()
	fl.StringVar(&s.Name, "name", "", "name of the network (default: that of the folder)")
	fl.IntVar(&s.Orderers, "orderers", 3, "ordering nodes, 1 to 9")
	fl.IntVar(&s.OrdererOrgs, "orderer-orgs", 1, "organizations that own them")
	fl.IntVar(&s.AppOrgs, "app-orgs", 1, "organizations that use the channels")
	fl.IntVar(&f.count, "channels", 2, "number of application channels beside the system channel, called ch1, ch2, …")
	fl.StringSliceVar(&f.names, "channel-names", nil, "names of the application channels, in place of --channels")
	fl.StringVar(&s.SystemChannel, "system-channel", "syschannel", "name of the system channel")
	fl.IntVar(&s.Brokers, "brokers", 4, "Kafka brokers, 1 to 9")
	fl.DurationVar(&s.BatchTimeout, "batch-timeout", 200*time.Millisecond, "BatchTimeout of the channels")
	fl.Uint32Var(&s.MaxMessageCount, "max-message-count", 500, "BatchSize.MaxMessageCount of the channels")
	fl.StringVar(&s.Capability, "capability", "V1_4_3", "channel capability: V1_4_2 or V1_4_3")
	fl.BoolVar(&s.AdminCerts, "admincerts", false, "list admins in the MSPs, without NodeOUs")
	fl.StringVar(&s.CryptoConfig, "crypto-config", "", "your crypto-config.yaml, in place of a generated one")
	fl.StringVar(&s.Configtx, "configtx", "", "your configtx.yaml, in place of a generated one")
	fl.StringVar(&s.GenesisProfile, "genesis-profile", "", "profile of the system channel in your configtx.yaml (default: the only one)")
	fl.StringSliceVar(&s.ChannelProfiles, "channel-profiles", nil, "profiles that the channels are created from in turn (default: all)")
	addKafkaFlags(cmd, s)
	addProgramFlags(cmd, s)
}

// addKafkaFlags adds the flags that say what the brokers are.
func addKafkaFlags(cmd *cobra.Command, s *testnet.Spec) {
	fl := cmd.Flags()
	fl.StringVar(&s.Kafka, "kafka", testnet.KafkaEmbedded, "embedded, or apache: Apache Kafka and ZooKeeper, a JVM for each node")
	fl.StringVar(&s.KafkaHome, "kafka-home", "", "an installation of Apache Kafka 3.9, for --kafka apache (default: that of 'make kafka')")
	fl.BoolVar(&s.KafkaTLS, "kafka-tls", false, "TLS between orderers and brokers, both ways, for --kafka apache")
	fl.BoolVar(&s.KafkaSASL, "kafka-sasl", false, "orderers log in to the brokers with SASL/PLAIN, for --kafka apache")
	fl.IntVar(&s.ZooKeeper, "zookeeper", 3, "ZooKeeper nodes, for --kafka apache: 3, 5 or 7")
	fl.IntVar(&s.Replication, "replication-factor", 3, "default.replication.factor N, for --kafka apache: below the number of brokers")
	fl.IntVar(&s.MinISR, "min-isr", 2, "min.insync.replicas M, for --kafka apache: 1 < M < N")
}

// addProgramFlags adds the flags that say what the nodes run, and where.
func addProgramFlags(cmd *cobra.Command, s *testnet.Spec) {
	fl := cmd.Flags()
	fl.StringVar(&s.Acknowledge, "acknowledge", "submission", "when orderers of ours answer SUCCESS on Raft: submission, as Fabric's, or commit")
	fl.StringVar(&s.OrdererBin, "orderer-bin", "", "a Fabric orderer (1.4.2 to 2.5) to run in place of raftmig's")
	fl.StringSliceVar(&s.OrdererBinNodes, "orderer-bin-nodes", nil, "nodes that run --orderer-bin (default: all)")
	fl.IntVar(&s.BasePort, "base-port", 0, "first of a row of ports (default: free ones are found)")
}

// consensusFlags say what a network orders by; only testnet init has them, for
// what is rehearsed begins on Kafka.
type consensusFlags struct {
	kind   string
	joined bool
}

func (f *consensusFlags) add(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVar(&f.kind, "consensus", testnet.ConsensusKafka, "kafka or etcdraft")
	fl.BoolVar(&f.joined, "no-system-channel", false, "orderers start empty and join the channels, as from Fabric 2.3 on; with --consensus etcdraft")
}

// apply puts the flags into s. Defaults that only Kafka has are taken out.
func (f *consensusFlags) apply(cmd *cobra.Command, s *testnet.Spec) {
	s.Consensus, s.NoSystemChannel = f.kind, f.joined
	if f.joined && !cmd.Flags().Changed("system-channel") {
		s.SystemChannel = ""
	}
	if f.kind == testnet.ConsensusRaft && !cmd.Flags().Changed("brokers") {
		s.Brokers = 0
	}
}

// given are the flags of f that were set on the command line.
func (f *specFlags) given(cmd *cobra.Command) []string {
	var names []string
	all := &cobra.Command{}
	(&specFlags{}).add(all)
	all.Flags().VisitAll(func(flag *pflag.Flag) {
		if cmd.Flags().Changed(flag.Name) {
			names = append(names, "--"+flag.Name)
		}
	})
	return names
}

// withoutApache clears what belongs to a real Kafka only, except what was set.
func withoutApache(cmd *cobra.Command, s *testnet.Spec) {
	if s.Kafka == testnet.KafkaApache {
		return
	}
	for name, value := range map[string]*int{"zookeeper": &s.ZooKeeper, "replication-factor": &s.Replication, "min-isr": &s.MinISR} {
		if !cmd.Flags().Changed(name) {
			*value = 0
		}
	}
}

// resolve returns the spec, or what is wrong with the flags. In a Spec zero
// stands for the default; on the command line it is a mistake.
func (f *specFlags) resolve(cmd *cobra.Command) (testnet.Spec, error) {
	var errs []error
	positive := func(name string, value int) {
		if value < 1 {
			errs = append(errs, fmt.Errorf("--%s %d: at least 1 is needed", name, value))
		}
	}
	positive("orderers", f.spec.Orderers)
	positive("orderer-orgs", f.spec.OrdererOrgs)
	positive("app-orgs", f.spec.AppOrgs)
	positive("brokers", f.spec.Brokers)
	positive("zookeeper", f.spec.ZooKeeper)
	positive("replication-factor", f.spec.Replication)
	positive("min-isr", f.spec.MinISR)
	positive("max-message-count", int(f.spec.MaxMessageCount))
	if f.spec.BatchTimeout <= 0 {
		errs = append(errs, fmt.Errorf("--batch-timeout %v: it must be positive", f.spec.BatchTimeout))
	}
	if f.count < 0 {
		errs = append(errs, fmt.Errorf("--channels %d: it cannot be negative", f.count))
	}
	if len(f.names) > 0 && cmd.Flags().Changed("channels") {
		errs = append(errs, errors.New("give either --channels or --channel-names"))
	}
	if len(errs) > 0 {
		return testnet.Spec{}, withCode(exitUsage, errors.Join(errs...))
	}
	s := f.spec
	withoutApache(cmd, &s)
	s.Channels = f.names
	if len(f.names) == 0 {
		s.Channels = make([]string, f.count)
		for i := range s.Channels {
			s.Channels[i] = fmt.Sprintf("ch%d", i+1)
		}
	}
	return s, nil
}
