package cryptogen

import (
	"fmt"
	"os"

	"raftmig/testnet/internal/strictyaml"
)

// Config is the content of a crypto-config.yaml.
type Config struct {
	OrdererOrgs []OrgSpec `yaml:"OrdererOrgs,omitempty"`
	PeerOrgs    []OrgSpec `yaml:"PeerOrgs,omitempty"`
}

// OrgSpec describes an organization.
type OrgSpec struct {
	Name          string       `yaml:"Name"`
	Domain        string       `yaml:"Domain"`
	EnableNodeOUs bool         `yaml:"EnableNodeOUs"`
	CA            NodeSpec     `yaml:"CA,omitempty"`
	Specs         []NodeSpec   `yaml:"Specs,omitempty"`
	Template      NodeTemplate `yaml:"Template,omitempty"`
	Users         UsersSpec    `yaml:"Users,omitempty"`
}

// NodeSpec describes a node, or the CA of an organization. CommonName and
// SANS are templates over .Hostname, .Domain and (SANS only) .CommonName.
type NodeSpec struct {
	Hostname           string   `yaml:"Hostname,omitempty"`
	CommonName         string   `yaml:"CommonName,omitempty"`
	Country            string   `yaml:"Country,omitempty"`
	Province           string   `yaml:"Province,omitempty"`
	Locality           string   `yaml:"Locality,omitempty"`
	OrganizationalUnit string   `yaml:"OrganizationalUnit,omitempty"`
	StreetAddress      string   `yaml:"StreetAddress,omitempty"`
	PostalCode         string   `yaml:"PostalCode,omitempty"`
	SANS               []string `yaml:"SANS,omitempty"`
}

// NodeTemplate describes Count nodes numbered from Start. Hostname is a
// template over .Prefix ("peer" or "orderer"), .Index and .Domain.
type NodeTemplate struct {
	Count    int      `yaml:"Count,omitempty"`
	Start    int      `yaml:"Start,omitempty"`
	Hostname string   `yaml:"Hostname,omitempty"`
	SANS     []string `yaml:"SANS,omitempty"`
}

// UsersSpec is the number of users beside Admin; orderer organizations ignore it.
type UsersSpec struct {
	Count int `yaml:"Count,omitempty"`
}

// Parse reads a crypto-config.yaml. Errors name file and line.
func Parse(name string, data []byte) (*Config, error) {
	c := &Config{}
	if _, err := strictyaml.Decode(name, data, c, nil); err != nil {
		return nil, err
	}
	if len(c.OrdererOrgs)+len(c.PeerOrgs) == 0 {
		return nil, fmt.Errorf("%s: it has neither OrdererOrgs nor PeerOrgs", name)
	}
	return c, nil
}

// Load reads a crypto-config.yaml from a file.
func Load(file string) (*Config, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the crypto configuration: %w", err)
	}
	return Parse(file, data)
}
