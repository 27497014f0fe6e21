package clone

import (
	"errors"
	"fmt"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"

	"raftmig/orderer/channelconfig"
)

// Source is the configuration of one channel.
type Source struct {
	Channel string
	// From names where it comes from, for errors: a file, a node.
	From   string
	Config *cb.Config
}

// Known is an orderer that somebody knows about who knows more than the
// configurations say, such as an inventory.
type Known struct {
	Name string
	// Endpoints are the host:port that configurations may call it by, the one
	// that clients use first.
	Endpoints []string
	// ServerCert is its TLS certificate in PEM, nil if unknown.
	ServerCert []byte
}

// Shape is a network without keys and addresses.
type Shape struct {
	// Consensus is channelconfig.ConsensusKafka or ConsensusEtcdRaft.
	Consensus string
	// SystemChannel is "" for a Raft network without one.
	SystemChannel string
	// Channels are the application channels in the order of the sources.
	Channels []string
	Orgs     []Org
	Orderers []Orderer // in consenter order
	Brokers  int       // 0 with Raft
	// NotKept says in sentences what differs from the original.
	NotKept []string

	groups map[string]*cb.ConfigGroup // by channel, cleaned
}

// MaxBrokers is how many brokers a testnet can have.
const MaxBrokers = 9

// notes collects sentences, each once.
type notes struct{ list []string }

func (n *notes) add(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	for _, known := range n.list {
		if known == text {
			return
		}
	}
	n.list = append(n.list, text)
}

// Read works out the shape of the network that the configurations are from.
// known are its orderers in consenter order, nil if nothing is known.
func Read(sources []Source, known []Known) (*Shape, error) {
	s := &Shape{groups: map[string]*cb.ConfigGroup{}}
	n := &notes{}
	n.add("keys and certificates: all are made anew, with one root CA for each organization; none of the network's is used")
	n.add("addresses: all nodes listen on 127.0.0.1, at free ports")
	if err := s.sort(sources, n); err != nil {
		return nil, err
	}
	if err := s.consensus(n); err != nil {
		return nil, err
	}
	if s.Consensus == channelconfig.ConsensusKafka {
		s.completeSystem(n)
	}
	if err := s.findOrgs(n); err != nil {
		return nil, err
	}
	if err := s.findOrderers(known, n); err != nil {
		return nil, err
	}
	for _, name := range s.all() {
		if err := clean(s.groups[name], n); err != nil {
			return nil, fmt.Errorf("channel %s: %w", name, err)
		}
	}
	s.NotKept = n.list
	return s, nil
}

// all are all channels, the system channel first.
func (s *Shape) all() []string {
	if s.SystemChannel == "" {
		return s.Channels
	}
	return append([]string{s.SystemChannel}, s.Channels...)
}

// sort tells the system channel from the others.
func (s *Shape) sort(sources []Source, n *notes) error {
	if len(sources) == 0 {
		return errors.New("no channel configuration is given")
	}
	from := map[string]string{}
	for _, src := range sources {
		if first, ok := from[src.Channel]; ok {
			return fmt.Errorf("%s and %s are both of channel %s; give one", first, src.From, src.Channel)
		}
		from[src.Channel] = src.From
		group := proto.Clone(src.Config.GetChannelGroup()).(*cb.ConfigGroup)
		if group.GetGroups()[channelconfig.OrdererGroup] == nil {
			return fmt.Errorf("%s: channel %s has no Orderer group", src.From, src.Channel)
		}
		s.groups[src.Channel] = group
		_, system := group.Groups[channelconfig.ConsortiumsGroup]
		switch {
		case system && s.SystemChannel != "":
			return fmt.Errorf("%s and %s are both system channels; a network has one", from[s.SystemChannel], src.From)
		case system:
			s.SystemChannel = src.Channel
		case group.Groups[channelconfig.ApplicationGroup] == nil:
			return fmt.Errorf("%s: channel %s has neither Consortiums nor an Application group", src.From, src.Channel)
		default:
			s.Channels = append(s.Channels, src.Channel)
		}
	}
	return nil
}

// consensus finds the consensus type, which all channels must share.
func (s *Shape) consensus(n *notes) error {
	first := ""
	for _, name := range s.all() {
		ct := &ab.ConsensusType{}
		if err := s.ordererValue(name, channelconfig.ConsensusTypeKey, ct); err != nil {
			return fmt.Errorf("channel %s: %w", name, err)
		}
		if first == "" {
			first, s.Consensus = name, ct.Type
		}
		if ct.Type != s.Consensus {
			return fmt.Errorf("channel %s is of type %s and channel %s of type %s: a network in the middle of its migration cannot be cloned; take its config blocks from before",
				first, s.Consensus, name, ct.Type)
		}
		if ct.State != ab.ConsensusType_STATE_NORMAL {
			n.add("channel %s: it is in maintenance mode; its clone is in normal mode", name)
		}
	}
	switch s.Consensus {
	case channelconfig.ConsensusKafka, channelconfig.ConsensusEtcdRaft:
		return nil
	}
	return fmt.Errorf("consensus type %q cannot be cloned: kafka or etcdraft", s.Consensus)
}

// ordererValue decodes a value of a channel's Orderer group into m, which
// stays empty if there is none.
func (s *Shape) ordererValue(channel, key string, m proto.Message) error {
	return decode(s.groups[channel].Groups[channelconfig.OrdererGroup], key, m)
}

func decode(g *cb.ConfigGroup, key string, m proto.Message) error {
	if err := proto.Unmarshal(g.GetValues()[key].GetValue(), m); err != nil {
		return fmt.Errorf("decoding %s: %w", key, err)
	}
	return nil
}

// set replaces a value and keeps its modification policy.
func set(g *cb.ConfigGroup, key string, m proto.Message) error {
	b, err := proto.Marshal(m)
	if err != nil {
		return fmt.Errorf("encoding %s: %w", key, err)
	}
	g.Values[key].Value = b
	return nil
}

// Settings are values of the configuration that a manifest repeats.
type Settings struct {
	BatchTimeout     string
	MaxMessageCount  uint32
	AbsoluteMaxBytes uint32 // the largest of all channels
}

// Settings are those of the system channel, or of the first channel.
func (s *Shape) Settings() (Settings, error) {
	var out Settings
	for i, name := range s.all() {
		timeout, size := &ab.BatchTimeout{}, &ab.BatchSize{}
		err := errors.Join(s.ordererValue(name, channelconfig.BatchTimeoutKey, timeout), s.ordererValue(name, channelconfig.BatchSizeKey, size))
		if err != nil {
			return out, fmt.Errorf("channel %s: %w", name, err)
		}
		if i == 0 {
			out.BatchTimeout, out.MaxMessageCount = timeout.Timeout, size.MaxMessageCount
		}
		out.AbsoluteMaxBytes = max(out.AbsoluteMaxBytes, size.AbsoluteMaxBytes)
	}
	return out, nil
}
