package clone

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	mspproto "github.com/hyperledger/fabric-protos-go/msp"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/hyperledger/fabric-protos-go/orderer/etcdraft"
	"github.com/stretchr/testify/require"

	"raftmig/fabricops/channelcfg"
	"raftmig/fabricops/configfile"
	"raftmig/orderer/channelconfig"
	"raftmig/orderer/policies/policydsl"
	"raftmig/orderer/protoutil"
)

// blocks returns config blocks that real Fabric orderers wrote, the application
// channel first: a network of three orderers at localhost, two brokers, one
// orderer and one application organization.
func blocks(t testing.TB, stem string) []Source {
	t.Helper()
	var out []Source
	for _, channel := range []string{"ch1", "syschannel"} {
		file := "testdata/" + stem + "." + channel + ".block"
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		block, err := protoutil.UnmarshalBlock(data)
		require.NoError(t, err)
		v, err := channelcfg.FromBlock(block)
		require.NoError(t, err)
		out = append(out, Source{Channel: v.Channel, From: file, Config: v.Config})
	}
	return out
}

// material is made of nothing: no certificate in it is one.
func material(s *Shape) Material {
	m := Material{MSPs: map[string]*mspproto.MSPConfig{}, Brokers: []string{"127.0.0.1:9001", "127.0.0.1:9002"}}
	for _, o := range s.Orgs {
		inner, _ := proto.Marshal(&mspproto.FabricMSPConfig{Name: o.MSPID})
		m.MSPs[o.MSPID] = &mspproto.MSPConfig{Config: inner}
	}
	for i := range s.Orderers {
		m.Orderers = append(m.Orderers, Endpoint{Host: "127.0.0.1", Port: uint32(8000 + i), ServerCert: []byte(fmt.Sprint("server", i)), ClientCert: []byte(fmt.Sprint("client", i))})
	}
	return m
}

func TestACloneDiffersFromTheOriginalOnlyInWhatIsReplaced(t *testing.T) {
	for _, stem := range []string{"2.2.15.kafka", "2.5.16.kafka", "2.5.16.raft"} {
		t.Run(stem, func(t *testing.T) {
			sources := blocks(t, stem)
			s, err := Read(sources, nil)
			require.NoError(t, err)
			require.Equal(t, "syschannel", s.SystemChannel)
			require.Equal(t, []string{"ch1"}, s.Channels)
			require.Equal(t, []string{"orderer0", "orderer1", "orderer2"}, namesOf(s))
			require.Len(t, s.Orgs, 2)
			for _, o := range s.Orgs {
				require.True(t, o.NodeOUs, o.MSPID)
				require.Equal(t, o.MSPID == "OrdererMSP", o.Orders)
			}
			groups, err := s.Groups(material(s))
			require.NoError(t, err)
			require.Len(t, groups, 2)
			for _, src := range sources {
				changes, err := configfile.Diff(src.Config, &cb.Config{ChannelGroup: groups[src.Channel]})
				require.NoError(t, err)
				require.NotEmpty(t, changes)
				for _, c := range changes {
					require.True(t, slices.ContainsFunc([]string{"MSP", "OrdererAddresses", "KafkaBrokers", "ConsensusType.value.metadata.consenters"}, func(key string) bool {
						return strings.Contains(c.Path, "."+key)
					}), "%s: %s: %v -> %v", src.Channel, c.Path, c.Before, c.After)
				}
				requireNoVersions(t, groups[src.Channel])
			}
		})
	}
}

func requireNoVersions(t *testing.T, g *cb.ConfigGroup) {
	t.Helper()
	require.Zero(t, g.Version)
	for _, v := range g.Values {
		require.Zero(t, v.Version)
	}
	for _, p := range g.Policies {
		require.Zero(t, p.Version)
	}
	for _, sub := range g.Groups {
		requireNoVersions(t, sub)
	}
}

func namesOf(s *Shape) (names []string) {
	for _, o := range s.Orderers {
		names = append(names, o.Name)
	}
	return names
}

func TestConsentersAndAddressesAreThoseOfTheSameOrderers(t *testing.T) {
	sources := blocks(t, "2.5.16.raft")
	// Clients are given the orderers in another order than the consenters have,
	// and ch1 has two consenters only.
	edit(t, sources[0].Config.ChannelGroup, channelconfig.OrdererAddressesKey, &cb.OrdererAddresses{}, func(m proto.Message) {
		slices.Reverse(m.(*cb.OrdererAddresses).Addresses)
	})
	orderer := sources[0].Config.ChannelGroup.Groups["Orderer"]
	edit(t, orderer, channelconfig.ConsensusTypeKey, &ab.ConsensusType{}, func(m proto.Message) {
		ct := m.(*ab.ConsensusType)
		md := &etcdraft.ConfigMetadata{}
		require.NoError(t, proto.Unmarshal(ct.Metadata, md))
		md.Consenters = md.Consenters[1:]
		md.Options.ElectionTick = 17
		ct.Metadata = protoutil.MustMarshal(md)
	})
	s, err := Read(sources, nil)
	require.NoError(t, err)
	require.Equal(t, channelconfig.ConsensusEtcdRaft, s.Consensus)
	require.Zero(t, s.Brokers)
	groups, err := s.Groups(material(s))
	require.NoError(t, err)
	addresses := &cb.OrdererAddresses{}
	require.NoError(t, decode(groups["ch1"], channelconfig.OrdererAddressesKey, addresses))
	require.Equal(t, []string{"127.0.0.1:8002", "127.0.0.1:8001", "127.0.0.1:8000"}, addresses.Addresses)
	ct, md := &ab.ConsensusType{}, &etcdraft.ConfigMetadata{}
	require.NoError(t, decode(groups["ch1"].Groups["Orderer"], channelconfig.ConsensusTypeKey, ct))
	require.NoError(t, proto.Unmarshal(ct.Metadata, md))
	require.Len(t, md.Consenters, 2)
	require.EqualValues(t, 17, md.Options.ElectionTick)
	require.EqualValues(t, 8001, md.Consenters[0].Port)
	require.Equal(t, "server1", string(md.Consenters[0].ServerTlsCert))
	require.Equal(t, "client2", string(md.Consenters[1].ClientTlsCert))
}

// edit changes a value of a group.
func edit(t *testing.T, g *cb.ConfigGroup, key string, m proto.Message, change func(proto.Message)) {
	t.Helper()
	require.NoError(t, decode(g, key, m))
	change(m)
	if g.Values[key] == nil {
		g.Values[key] = &cb.ConfigValue{ModPolicy: "Admins"}
	}
	require.NoError(t, set(g, key, m))
}

func setAddresses(t *testing.T, g *cb.ConfigGroup, key string, addresses ...string) {
	t.Helper()
	edit(t, g, key, &cb.OrdererAddresses{}, func(m proto.Message) { m.(*cb.OrdererAddresses).Addresses = addresses })
}

// twoOrdererOrgs adds an organization to the Orderer groups: a copy with
// another MSP ID.
func twoOrdererOrgs(t *testing.T, sources []Source) {
	t.Helper()
	for _, src := range sources {
		orgs := src.Config.ChannelGroup.Groups["Orderer"].Groups
		for name, org := range orgs {
			second := proto.Clone(org).(*cb.ConfigGroup)
			editMSP(t, second, func(c *mspproto.FabricMSPConfig) { c.Name = "SecondMSP"; c.RootCerts = nil })
			orgs[name+"2"] = second
			break
		}
	}
}

func editMSP(t *testing.T, org *cb.ConfigGroup, change func(*mspproto.FabricMSPConfig)) {
	t.Helper()
	edit(t, org, channelconfig.MSPKey, &mspproto.MSPConfig{}, func(m proto.Message) {
		outer := m.(*mspproto.MSPConfig)
		inner := &mspproto.FabricMSPConfig{}
		require.NoError(t, proto.Unmarshal(outer.Config, inner))
		change(inner)
		outer.Config = protoutil.MustMarshal(inner)
	})
}

func theOrg(t *testing.T, g *cb.ConfigGroup) *cb.ConfigGroup {
	t.Helper()
	require.Len(t, g.Groups, 1)
	for _, org := range g.Groups {
		return org
	}
	return nil
}

func TestOrderersKeepTheirHostNamesWhereTheyHaveTheirOwn(t *testing.T) {
	for _, c := range []struct {
		name      string
		addresses []string
		known     []Known
		names     []string
		hosts     []string
	}{
		{
			"host names", []string{"o1.example.com:7050", "o0.example.com:7050"}, nil,
			[]string{"o1", "o0"}, []string{"o1.example.com", "o0.example.com"},
		},
		{
			"equal first labels", []string{"orderer.a.com:7050", "orderer.b.com:7050"}, nil,
			[]string{"orderer.a.com", "orderer.b.com"}, []string{"orderer.a.com", "orderer.b.com"},
		},
		{
			"one host", []string{"big.example.com:7050", "big.example.com:7051"}, nil,
			[]string{"orderer0", "orderer1"}, []string{"orderer0.example.com", "orderer1.example.com"},
		},
		{
			"IP addresses", []string{"10.0.0.1:7050", "10.0.0.2:7050"}, nil,
			[]string{"orderer0", "orderer1"}, []string{"orderer0.example.com", "orderer1.example.com"},
		},
		{
			"the name of a broker", []string{"kafka0.example.com:7050"}, nil,
			[]string{"kafka0.example.com"}, []string{"kafka0.example.com"},
		},
		{
			"an inventory knows better", []string{"o1.example.com:7050", "o0.example.com:7050", "gone.example.com:7050"},
			[]Known{{Name: "zero", Endpoints: []string{"o0.example.com:7050"}}, {Name: "one", Endpoints: []string{"o1.example.com:7051"}}},
			[]string{"zero", "one"}, []string{"o0.example.com", "o1.example.com"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			sources := blocks(t, "2.5.16.kafka")
			for _, src := range sources {
				setAddresses(t, src.Config.ChannelGroup, channelconfig.OrdererAddressesKey, c.addresses...)
			}
			s, err := Read(sources, c.known)
			require.NoError(t, err)
			require.Equal(t, c.names, namesOf(s))
			var hosts []string
			for _, o := range s.Orderers {
				hosts = append(hosts, o.CommonName)
			}
			require.Equal(t, c.hosts, hosts)
			require.Equal(t, len(c.known) > 0, slices.ContainsFunc(s.NotKept, func(text string) bool {
				return strings.Contains(text, "gone.example.com:7050: it is that of no known orderer")
			}))
		})
	}
}

func TestTheOwnerOfAnOrdererIsFound(t *testing.T) {
	sources := blocks(t, "2.5.16.kafka")
	twoOrdererOrgs(t, sources)
	for _, src := range sources {
		g := src.Config.ChannelGroup
		setAddresses(t, g, channelconfig.OrdererAddressesKey, "a.example.com:7050", "b.elsewhere.org:7050")
		for name, org := range g.Groups["Orderer"].Groups {
			if strings.HasSuffix(name, "2") {
				setAddresses(t, org, channelconfig.EndpointsKey, "c.example.com:7050")
			}
		}
	}
	s, err := Read(sources, nil)
	require.NoError(t, err)
	owner := map[string]string{}
	for _, o := range s.Orderers {
		owner[o.Name] = s.Orgs[o.Org].MSPID
	}
	// a by its domain, c by the endpoints of its organization, b in turn.
	require.Equal(t, map[string]string{"a": "OrdererMSP", "b": "SecondMSP", "c": "SecondMSP"}, owner)
	require.Contains(t, strings.Join(s.NotKept, "\n"), "orderer b.elsewhere.org:7050: nothing says which organization it is of")
	groups, err := s.Groups(material(s))
	require.NoError(t, err)
	for name, org := range groups["ch1"].Groups["Orderer"].Groups {
		own := &cb.OrdererAddresses{}
		require.NoError(t, decode(org, channelconfig.EndpointsKey, own))
		if strings.HasSuffix(name, "2") {
			require.Equal(t, []string{"127.0.0.1:8002"}, own.Addresses)
		} else {
			require.Empty(t, own.Addresses)
		}
	}

	raft := blocks(t, "2.5.16.raft")
	twoOrdererOrgs(t, raft)
	for _, src := range raft {
		for name, org := range src.Config.ChannelGroup.Groups["Orderer"].Groups {
			if strings.HasSuffix(name, "2") {
				editMSP(t, org, func(c *mspproto.FabricMSPConfig) { c.TlsRootCerts = nil })
			}
		}
	}
	s, err = Read(raft, nil)
	require.NoError(t, err)
	for _, o := range s.Orderers { // by the TLS CA of their certificates
		require.Equal(t, "OrdererMSP", s.Orgs[o.Org].MSPID)
	}
}

func TestWhatIsNotKeptIsSaid(t *testing.T) {
	app := func(sources []Source) *cb.ConfigGroup { return sources[0].Config.ChannelGroup.Groups["Application"] }
	for _, c := range []struct {
		name string
		do   func(t *testing.T, sources []Source)
		want string
	}{
		{"an organizational unit", func(t *testing.T, s []Source) {
			app(s).Policies["Writers"].Policy = principal(mspproto.MSPPrincipal_ORGANIZATION_UNIT, &mspproto.OrganizationUnit{
				MspIdentifier: "Org1MSP", OrganizationalUnitIdentifier: "sales", CertifiersIdentifier: []byte("a CA"),
			})
		}, "policy /Channel/Application/Writers: it asks for organizational unit sales of Org1MSP; in the clone for any member"},
		{"one certificate", func(t *testing.T, s []Source) {
			app(s).Policies["Admins"].Policy = principal(mspproto.MSPPrincipal_IDENTITY, &mspproto.SerializedIdentity{Mspid: "Org1MSP", IdBytes: []byte("a certificate")})
		}, "policy /Channel/Application/Admins: it asks for one certificate of Org1MSP; in the clone for an admin"},
		{"intermediate CAs", func(t *testing.T, s []Source) {
			editMSP(t, theOrg(t, app(s)), func(c *mspproto.FabricMSPConfig) { c.IntermediateCerts = [][]byte{{1}, {2}} })
		}, "MSP Org1MSP: it is not the same in all places"},
		{"CRLs everywhere", func(t *testing.T, s []Source) {
			eachOrderer(s, func(org *cb.ConfigGroup) {
				editMSP(t, org, func(c *mspproto.FabricMSPConfig) { c.RevocationList = [][]byte{{1}} })
			})
		}, "MSP OrdererMSP: its 1 revocation lists are left out"},
		{"roles without admins", func(t *testing.T, s []Source) {
			eachOrderer(s, func(org *cb.ConfigGroup) {
				editMSP(t, org, func(c *mspproto.FabricMSPConfig) { c.FabricNodeOus.AdminOuIdentifier = nil })
			})
		}, "MSP OrdererMSP: its NodeOUs have no role for admins; the clone lists its admin"},
		{"roles of other names", func(t *testing.T, s []Source) {
			eachOrderer(s, func(org *cb.ConfigGroup) {
				editMSP(t, org, func(c *mspproto.FabricMSPConfig) {
					c.FabricNodeOus.AdminOuIdentifier.OrganizationalUnitIdentifier = "boss"
				})
			})
		}, `MSP OrdererMSP: the organizational unit of role admin is "boss"; in the clone it is "admin"`},
		{"an old capability", func(t *testing.T, s []Source) {
			edit(t, s[0].Config.ChannelGroup, channelconfig.CapabilitiesKey, &cb.Capabilities{}, func(m proto.Message) {
				m.(*cb.Capabilities).Capabilities = map[string]*cb.Capability{"V1_4_2": {}}
			})
		}, "MSP OrdererMSP: it has NodeOUs in a channel whose capability does not know them all"},
		{"Idemix", func(t *testing.T, s []Source) {
			edit(t, theOrg(t, app(s)), channelconfig.MSPKey, &mspproto.MSPConfig{}, func(m proto.Message) {
				m.(*mspproto.MSPConfig).Type = typeIdemix
				m.(*mspproto.MSPConfig).Config = protoutil.MustMarshal(&mspproto.IdemixMSPConfig{Name: "AnonMSP"})
			})
		}, "MSP AnonMSP: it is Idemix; the clone has an X.509 MSP of that name"},
		{"anchor peers", func(t *testing.T, s []Source) {
			theOrg(t, app(s)).Values[channelconfig.AnchorPeersKey] = &cb.ConfigValue{}
		}, "anchor peers: they are left out"},
		{"maintenance", func(t *testing.T, s []Source) {
			edit(t, s[0].Config.ChannelGroup.Groups["Orderer"], channelconfig.ConsensusTypeKey, &ab.ConsensusType{}, func(m proto.Message) {
				m.(*ab.ConsensusType).State = ab.ConsensusType_STATE_MAINTENANCE
			})
		}, "channel ch1: it is in maintenance mode; its clone is in normal mode"},
		{"too many brokers", func(t *testing.T, s []Source) {
			for _, src := range s {
				edit(t, src.Config.ChannelGroup.Groups["Orderer"], channelconfig.KafkaBrokersKey, &ab.KafkaBrokers{}, func(m proto.Message) {
					m.(*ab.KafkaBrokers).Brokers = make([]string, 11)
				})
			}
		}, "Kafka: the configuration names 11 brokers; the clone has 9"},
		{"a member of no consortium", func(t *testing.T, s []Source) {
			for name, org := range app(s).Groups {
				app(s).Groups["New"+name] = proto.Clone(org).(*cb.ConfigGroup)
				break
			}
		}, "of channel ch1: it is added to consortium"},
	} {
		t.Run(c.name, func(t *testing.T) {
			sources := blocks(t, "2.5.16.kafka")
			c.do(t, sources)
			s, err := Read(sources, nil)
			require.NoError(t, err)
			require.Contains(t, strings.Join(s.NotKept, "\n"), c.want)
			groups, err := s.Groups(material(s))
			require.NoError(t, err)
			ct := &ab.ConsensusType{}
			require.NoError(t, decode(groups["ch1"].Groups["Orderer"], channelconfig.ConsensusTypeKey, ct))
			require.Equal(t, ab.ConsensusType_STATE_NORMAL, ct.State)
			for name := range groups["ch1"].Groups["Application"].Groups {
				require.Contains(t, groups["syschannel"].Groups["Consortiums"].Groups["SampleConsortium"].Groups, name)
			}
		})
	}
}

func eachOrderer(sources []Source, do func(org *cb.ConfigGroup)) {
	for _, src := range sources {
		for _, org := range src.Config.ChannelGroup.Groups["Orderer"].Groups {
			do(org)
		}
	}
}

func principal(class mspproto.MSPPrincipal_Classification, m proto.Message) *cb.Policy {
	return policydsl.SignaturePolicy(&cb.SignaturePolicyEnvelope{
		Rule:       policydsl.NOutOf(1, policydsl.SignedBy(0)),
		Identities: []*mspproto.MSPPrincipal{{PrincipalClassification: class, Principal: protoutil.MustMarshal(m)}},
	})
}

func TestASystemChannelIsMadeUpWhereNoneIsGiven(t *testing.T) {
	s, err := Read(blocks(t, "2.5.16.kafka")[:1], nil)
	require.NoError(t, err)
	require.Equal(t, "syschannel", s.SystemChannel)
	require.Contains(t, strings.Join(s.NotKept, "\n"), "the system channel: its configuration was not given")
	groups, err := s.Groups(material(s))
	require.NoError(t, err)
	system := groups["syschannel"]
	require.NotContains(t, system.Groups, "Application")
	require.Len(t, system.Groups["Consortiums"].Groups["SampleConsortium"].Groups, 1)
	require.True(t, proto.Equal(system.Groups["Orderer"], groups["ch1"].Groups["Orderer"]))

	s, err = Read(blocks(t, "2.5.16.raft")[:1], nil)
	require.NoError(t, err)
	require.Empty(t, s.SystemChannel, "Raft can do without")
}

func TestWhatCannotBeClonedIsRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(t *testing.T) []Source
		want string
	}{
		{"nothing", func(*testing.T) []Source { return nil }, "no channel configuration"},
		{"a channel twice", func(t *testing.T) []Source {
			return append(blocks(t, "2.5.16.kafka"), blocks(t, "2.2.15.kafka")[0])
		}, "2.2.15.kafka.ch1.block are both of channel ch1; give one"},
		{"two system channels", func(t *testing.T) []Source {
			s := blocks(t, "2.5.16.kafka")
			s[0].Config = s[1].Config
			return s
		}, "are both system channels"},
		{"half a migration", func(t *testing.T) []Source {
			return []Source{blocks(t, "2.5.16.raft")[0], blocks(t, "2.5.16.kafka")[1]}
		}, "in the middle of its migration"},
		{"solo", func(t *testing.T) []Source {
			s := blocks(t, "2.5.16.kafka")
			for _, src := range s {
				edit(t, src.Config.ChannelGroup.Groups["Orderer"], channelconfig.ConsensusTypeKey, &ab.ConsensusType{}, func(m proto.Message) {
					m.(*ab.ConsensusType).Type = "solo"
				})
			}
			return s
		}, `consensus type "solo" cannot be cloned`},
		{"too many orderers", func(t *testing.T) []Source {
			s := blocks(t, "2.5.16.kafka")
			var many []string
			for i := range 10 {
				many = append(many, fmt.Sprintf("o%d.example.com:7050", i))
			}
			setAddresses(t, s[0].Config.ChannelGroup, channelconfig.OrdererAddressesKey, many...)
			setAddresses(t, s[1].Config.ChannelGroup, channelconfig.OrdererAddressesKey, many...)
			return s
		}, "the network has 10 orderers; a testnet has at most 9"},
		{"no address", func(t *testing.T) []Source {
			s := blocks(t, "2.5.16.kafka")
			for _, src := range s {
				delete(src.Config.ChannelGroup.Values, channelconfig.OrdererAddressesKey)
			}
			return s
		}, "clone with an inventory"},
		{"damage", func(t *testing.T) []Source {
			s := blocks(t, "2.5.16.kafka")
			theOrg(t, s[0].Config.ChannelGroup.Groups["Application"]).Values["MSP"].Value = []byte{0xff}
			return s
		}, "decoding MSP"},
		{"no group", func(*testing.T) []Source { return []Source{{Channel: "ch1", From: "x.block", Config: &cb.Config{}}} }, "x.block: channel ch1 has no Orderer group"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Read(c.make(t), nil)
			require.ErrorContains(t, err, c.want)
		})
	}
}
