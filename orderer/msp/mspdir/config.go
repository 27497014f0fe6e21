package mspdir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	mspproto "github.com/hyperledger/fabric-protos-go/msp"
	"go.yaml.in/yaml/v3"
)

// configFile is config.yaml. Certificates are paths below the MSP folder.
type configFile struct {
	OrganizationalUnitIdentifiers []*ouConfig `yaml:"OrganizationalUnitIdentifiers"`
	NodeOUs                       *struct {
		Enable              bool      `yaml:"Enable"`
		ClientOUIdentifier  *ouConfig `yaml:"ClientOUIdentifier"`
		PeerOUIdentifier    *ouConfig `yaml:"PeerOUIdentifier"`
		AdminOUIdentifier   *ouConfig `yaml:"AdminOUIdentifier"`
		OrdererOUIdentifier *ouConfig `yaml:"OrdererOUIdentifier"`
	} `yaml:"NodeOUs"`
}

type ouConfig struct {
	Certificate                  string `yaml:"Certificate"`
	OrganizationalUnitIdentifier string `yaml:"OrganizationalUnitIdentifier"`
}

// config adds what config.yaml says, if there is one.
func (r *reader) config(conf *mspproto.FabricMSPConfig) error {
	path := filepath.Join(r.dir, "config.yaml")
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("failed loading configuration file at [%s]: %w", path, err)
	}
	var c configFile
	if err := yaml.Unmarshal(raw, &c); err != nil {
		return fmt.Errorf("failed unmarshalling configuration file at [%s]: %w", path, err)
	}
	for _, ou := range c.OrganizationalUnitIdentifiers {
		if ou == nil {
			continue
		}
		certPath := filepath.Join(r.dir, ou.Certificate)
		cert, err := os.ReadFile(certPath)
		if err != nil {
			return fmt.Errorf("failed loading OrganizationalUnit certificate at [%s]: %w", certPath, err)
		}
		conf.OrganizationalUnitIdentifiers = append(conf.OrganizationalUnitIdentifiers, &mspproto.FabricOUIdentifier{
			Certificate:                  cert,
			OrganizationalUnitIdentifier: ou.OrganizationalUnitIdentifier,
		})
	}
	if n := c.NodeOUs; n != nil && n.Enable {
		conf.FabricNodeOus = &mspproto.FabricNodeOUs{
			Enable:              true,
			ClientOuIdentifier:  r.nodeOU("ClientOU", n.ClientOUIdentifier),
			PeerOuIdentifier:    r.nodeOU("PeerOU", n.PeerOUIdentifier),
			AdminOuIdentifier:   r.nodeOU("AdminOU", n.AdminOUIdentifier),
			OrdererOuIdentifier: r.nodeOU("OrdererOU", n.OrdererOUIdentifier),
		}
	}
	return nil
}

// nodeOU returns nil for a unit without a name. If its certificate cannot be
// read the unit counts below every CA, as in Fabric.
func (r *reader) nodeOU(kind string, ou *ouConfig) *mspproto.FabricOUIdentifier {
	if ou == nil || ou.OrganizationalUnitIdentifier == "" {
		return nil
	}
	out := &mspproto.FabricOUIdentifier{OrganizationalUnitIdentifier: ou.OrganizationalUnitIdentifier}
	if ou.Certificate == "" {
		return out
	}
	path := filepath.Join(r.dir, ou.Certificate)
	cert, err := os.ReadFile(path)
	if err != nil {
		r.warn(fmt.Sprintf("Failed loading %s certificate at [%s]: [%v]", kind, path, err))
		return out
	}
	out.Certificate = cert
	return out
}
