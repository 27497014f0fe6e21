package testnet

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"text/template"

	"raftmig/testnet/configtxgen"
)

// configtxText is the configtx.yaml of a generated network: policies and
// capabilities written out, one consortium of all application organizations.
var configtxText = template.Must(template.New("configtx").Parse(`# Made by raftmig testnet.
Organizations:
{{- range .OrdererOrgs}}
  - &{{.Name}}
    Name: {{.Name}}
    ID: {{.MSPID}}
    MSPDir: {{.MSPDir}}
    Policies:
      Readers: {Type: Signature, Rule: "OR('{{.MSPID}}.member')"}
      Writers: {Type: Signature, Rule: "OR('{{.MSPID}}.member')"}
      Admins: {Type: Signature, Rule: "OR('{{.MSPID}}.admin')"}
{{- end}}
{{- range .AppOrgs}}
  - &{{.Name}}
    Name: {{.Name}}
    ID: {{.MSPID}}
    MSPDir: {{.MSPDir}}
    Policies:
      Readers: {Type: Signature, Rule: "OR('{{.MSPID}}.member')"}
      Writers: {Type: Signature, Rule: "OR('{{.MSPID}}.member')"}
      Admins: {Type: Signature, Rule: "OR('{{.MSPID}}.admin')"}
      Endorsement: {Type: Signature, Rule: "OR('{{.MSPID}}.member')"}
{{- end}}

Capabilities:
  Channel: &ChannelCapabilities {{"{"}}{{.Capability}}: true}
  Orderer: &OrdererCapabilities {V1_4_2: true}
  Application: &ApplicationCapabilities {V1_4_2: true}

Application: &ApplicationDefaults
  Organizations:
  Policies:
    Readers: {Type: ImplicitMeta, Rule: "ANY Readers"}
    Writers: {Type: ImplicitMeta, Rule: "ANY Writers"}
    Admins: {Type: ImplicitMeta, Rule: "MAJORITY Admins"}
    LifecycleEndorsement: {Type: ImplicitMeta, Rule: "MAJORITY Endorsement"}
    Endorsement: {Type: ImplicitMeta, Rule: "MAJORITY Endorsement"}
  Capabilities: *ApplicationCapabilities

Orderer: &OrdererDefaults
  OrdererType: {{.Type}}
  Addresses: [{{.Addresses}}]
  BatchTimeout: {{.BatchTimeout}}
  BatchSize: {MaxMessageCount: {{.MaxMessageCount}}, AbsoluteMaxBytes: 10 MB, PreferredMaxBytes: 2 MB}
{{- if .Consenters}}
  EtcdRaft:
    Consenters:
{{- range .Consenters}}
      - {Host: {{.Host}}, Port: {{.Port}}, ClientTLSCert: {{.Cert}}, ServerTLSCert: {{.Cert}}}
{{- end}}
    Options:
      TickInterval: {{.Raft.TickInterval}}
      ElectionTick: {{.Raft.ElectionTick}}
      HeartbeatTick: {{.Raft.HeartbeatTick}}
      MaxInflightBlocks: {{.Raft.MaxInflightBlocks}}
      SnapshotIntervalSize: {{.Raft.SnapshotIntervalSize}}
{{- else}}
  Kafka: {Brokers: [{{.Brokers}}]}
{{- end}}
  Organizations:
  Policies:
    Readers: {Type: ImplicitMeta, Rule: "ANY Readers"}
    Writers: {Type: ImplicitMeta, Rule: "ANY Writers"}
    Admins: {Type: ImplicitMeta, Rule: "MAJORITY Admins"}
    BlockValidation: {Type: ImplicitMeta, Rule: "ANY Writers"}
  Capabilities: *OrdererCapabilities

Channel: &ChannelDefaults
  Policies:
    Readers: {Type: ImplicitMeta, Rule: "ANY Readers"}
    Writers: {Type: ImplicitMeta, Rule: "ANY Writers"}
    Admins: {Type: ImplicitMeta, Rule: "MAJORITY Admins"}
  Capabilities: *ChannelCapabilities

Profiles:
{{- if not .Joined}}
  Genesis:
    <<: *ChannelDefaults
    Orderer:
      <<: *OrdererDefaults
      Organizations: [{{range $i, $o := .OrdererOrgs}}{{if $i}}, {{end}}*{{.Name}}{{end}}]
    Consortiums:
      SampleConsortium:
        Organizations: [{{range $i, $o := .AppOrgs}}{{if $i}}, {{end}}*{{.Name}}{{end}}]
{{- end}}
  Channel:
    <<: *ChannelDefaults
{{- if .Joined}}
    Orderer:
      <<: *OrdererDefaults
      Organizations: [{{range $i, $o := .OrdererOrgs}}{{if $i}}, {{end}}*{{.Name}}{{end}}]
{{- else}}
    Consortium: SampleConsortium
{{- end}}
    Application:
      <<: *ApplicationDefaults
      Organizations: [{{range $i, $o := .AppOrgs}}{{if $i}}, {{end}}*{{.Name}}{{end}}]
`))

type configtxOrg struct{ Name, MSPID, MSPDir string }

type configtxConsenter struct {
	Host string
	Port int
	Cert string
}

func (m *Manifest) generatedConfigtx(t *topology) ([]byte, error) {
	s := &m.Spec
	addresses, brokers := m.addresses()
	var consenters []configtxConsenter
	if !s.ordersByKafka() {
		for _, o := range m.Orderers {
			consenters = append(consenters, configtxConsenter{host, o.Port, path.Join(o.Crypto, "tls", "server.crt")})
		}
	}
	orgs := func(list []organization, dir func(organization) string) []configtxOrg {
		var out []configtxOrg
		for _, o := range list {
			out = append(out, configtxOrg{o.name, o.mspID, path.Join(dir(o), "msp")})
		}
		return out
	}
	if n := len(t.ordererOrgs); n > 1 {
		t.notes = append(t.notes, fmt.Sprintf("a change of the ordering service needs the signatures of %d of its %d organizations (policy MAJORITY Admins)", n/2+1, n))
	}
	var b bytes.Buffer
	err := configtxText.Execute(&b, map[string]any{
		"OrdererOrgs": orgs(t.ordererOrgs, organization.ordererDir), "AppOrgs": orgs(t.appOrgs, organization.peerDir),
		"Capability": s.Capability, "BatchTimeout": s.BatchTimeout, "MaxMessageCount": s.MaxMessageCount,
		"Addresses": strings.Join(addresses, ", "), "Brokers": quoted(brokers),
		"Type": s.Consensus, "Consenters": consenters, "Raft": s.Raft.WithDefaults(), "Joined": s.NoSystemChannel,
	})
	return b.Bytes(), err
}

func quoted(list []string) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = `"` + s + `"`
	}
	return strings.Join(out, ", ")
}

// profiles are the profiles that a network is made from.
type profiles struct {
	genesis  *configtxgen.Profile   // nil without system channel
	channels []*configtxgen.Profile // in turn
}

// orderer describes the ordering service.
func (p *profiles) orderer() *configtxgen.Orderer {
	if p.genesis != nil {
		return p.genesis.Orderer
	}
	return p.channels[0].Orderer
}

// chooseProfiles picks the profiles that s names, or the only candidates.
func chooseProfiles(s *Spec, f *configtxgen.File) (*profiles, error) {
	if s.NoSystemChannel { // the file is a generated one
		p, err := f.Profile("Channel")
		return &profiles{channels: []*configtxgen.Profile{p}}, err
	}
	genesis, channels := s.GenesisProfile, s.ChannelProfiles
	var systems, creations []string
	for _, name := range f.ProfileNames() {
		switch p := f.Config.Profiles[name]; {
		case p == nil:
		case p.Orderer != nil && p.Consortiums != nil:
			systems = append(systems, name)
		case p.Consortium != "" && p.Application != nil:
			creations = append(creations, name)
		}
	}
	if genesis == "" {
		if len(systems) != 1 {
			return nil, fmt.Errorf("%s: name the profile of the system channel; candidates: %s", f.Path, listOr(systems))
		}
		genesis = systems[0]
	}
	if len(channels) == 0 {
		channels = creations
	}
	if len(channels) == 0 && len(s.Channels) > 0 {
		return nil, fmt.Errorf("%s: it has no profile that creates a channel (Consortium and Application)", f.Path)
	}
	out := &profiles{}
	var err error
	if out.genesis, err = f.Profile(genesis); err != nil {
		return nil, err
	}
	if out.genesis.Orderer == nil || out.genesis.Consortiums == nil {
		return nil, fmt.Errorf("%s: profile %s describes no system channel: it needs Orderer and Consortiums", f.Path, genesis)
	}
	for _, name := range channels {
		p, err := f.Profile(name)
		if err != nil {
			return nil, err
		}
		if p.Consortium == "" || p.Application == nil || len(p.Application.Organizations) == 0 {
			return nil, fmt.Errorf("%s: profile %s creates no channel: it needs Consortium and an Application with organizations", f.Path, name)
		}
		out.channels = append(out.channels, p)
	}
	return out, nil
}

func listOr(names []string) string {
	if len(names) == 0 {
		return "none has both Orderer and Consortiums"
	}
	return strings.Join(names, ", ")
}

// adopt makes the user's genesis profile fit this machine, and takes the MSP
// IDs of the organizations from the profiles.
func (t *topology) adopt(p *profiles, addresses, brokers []string) error {
	if p.genesis.Orderer.OrdererType != "kafka" {
		return fmt.Errorf("the system channel's profile has OrdererType %s; a migration starts from kafka", p.genesis.Orderer.OrdererType)
	}
	t.notes = append(t.notes,
		fmt.Sprintf("Orderer.Addresses of configtx.yaml replaced by %s", strings.Join(addresses, ", ")),
		fmt.Sprintf("Orderer.Kafka.Brokers of configtx.yaml replaced by %s", strings.Join(brokers, ", ")))
	p.genesis.Orderer.Addresses, p.genesis.Orderer.Kafka.Brokers = addresses, brokers
	for _, o := range p.genesis.Orderer.Organizations {
		o.OrdererEndpoints = nil // of another network
	}
	var errs []error
	for i := range t.ordererOrgs {
		o := &t.ordererOrgs[i]
		found := find(p.genesis.Orderer.Organizations, "ordererOrganizations/"+o.domain)
		if found == nil {
			errs = append(errs, fmt.Errorf("no orderer organization of the profile has its MSPDir at %s/msp", o.ordererDir()))
			continue
		}
		o.name, o.mspID = found.Name, found.ID
	}
	for i := range t.orderers {
		n := &t.orderers[i]
		at := slices.IndexFunc(t.ordererOrgs, func(o organization) bool { return o.domain == n.org.domain })
		n.org = t.ordererOrgs[at]
	}
	for i := range t.appOrgs {
		o := &t.appOrgs[i]
		for _, c := range p.genesis.Consortiums {
			if found := find(c.Organizations, "peerOrganizations/"+o.domain); found != nil {
				o.name, o.mspID = found.Name, found.ID
			}
		}
	}
	return errors.Join(errs...)
}

func find(orgs []*configtxgen.Organization, dir string) *configtxgen.Organization {
	for _, o := range orgs {
		if strings.HasSuffix(path.Dir(strings.ReplaceAll(o.MSPDir, `\`, "/")), dir) {
			return o
		}
	}
	return nil
}
