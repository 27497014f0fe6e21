package configtxgen

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"raftmig/testnet/internal/strictyaml"
)

// Config is the content of a configtx.yaml.
type Config struct {
	Profiles      map[string]*Profile        `yaml:"Profiles"`
	Organizations []*Organization            `yaml:"Organizations"`
	Channel       *Profile                   `yaml:"Channel"`
	Application   *Application               `yaml:"Application"`
	Orderer       *Orderer                   `yaml:"Orderer"`
	Capabilities  map[string]map[string]bool `yaml:"Capabilities"`
}

// Profile describes a channel.
type Profile struct {
	Consortium   string                 `yaml:"Consortium"`
	Application  *Application           `yaml:"Application"`
	Orderer      *Orderer               `yaml:"Orderer"`
	Consortiums  map[string]*Consortium `yaml:"Consortiums"`
	Capabilities map[string]bool        `yaml:"Capabilities"`
	Policies     map[string]*Policy     `yaml:"Policies"`
}

// Policy is a rule of type Signature or ImplicitMeta.
type Policy struct {
	Type string `yaml:"Type"`
	Rule string `yaml:"Rule"`
}

// Consortium is a set of organizations that may create channels.
type Consortium struct {
	Organizations []*Organization `yaml:"Organizations"`
}

// Application describes the peer organizations of a channel.
type Application struct {
	Organizations []*Organization    `yaml:"Organizations"`
	Capabilities  map[string]bool    `yaml:"Capabilities"`
	Policies      map[string]*Policy `yaml:"Policies"`
	ACLs          map[string]string  `yaml:"ACLs"`
}

// Organization is a member of a channel. MSPDir is relative to the file.
type Organization struct {
	Name             string             `yaml:"Name"`
	ID               string             `yaml:"ID"`
	MSPDir           string             `yaml:"MSPDir"`
	MSPType          string             `yaml:"MSPType"`
	Policies         map[string]*Policy `yaml:"Policies"`
	AnchorPeers      []*AnchorPeer      `yaml:"AnchorPeers"`
	OrdererEndpoints []string           `yaml:"OrdererEndpoints"`
	// AdminPrincipal is "Role.ADMIN" (default) or "Role.MEMBER": who satisfies
	// the default Admins policy. Deprecated by Fabric.
	AdminPrincipal string `yaml:"AdminPrincipal"`
	SkipAsForeign  bool   `yaml:"SkipAsForeign"`
}

// AnchorPeer is a peer that other organizations' peers contact first.
type AnchorPeer struct {
	Host string `yaml:"Host"`
	Port int32  `yaml:"Port"`
}

// Orderer describes the ordering service.
type Orderer struct {
	OrdererType   string             `yaml:"OrdererType"`
	Addresses     []string           `yaml:"Addresses"`
	BatchTimeout  time.Duration      `yaml:"BatchTimeout"`
	BatchSize     BatchSize          `yaml:"BatchSize"`
	Kafka         Kafka              `yaml:"Kafka"`
	EtcdRaft      *EtcdRaft          `yaml:"EtcdRaft"`
	Organizations []*Organization    `yaml:"Organizations"`
	MaxChannels   uint64             `yaml:"MaxChannels"`
	Capabilities  map[string]bool    `yaml:"Capabilities"`
	Policies      map[string]*Policy `yaml:"Policies"`
}

// BatchSize limits blocks.
type BatchSize struct {
	MaxMessageCount   uint32 `yaml:"MaxMessageCount"`
	AbsoluteMaxBytes  Size   `yaml:"AbsoluteMaxBytes"`
	PreferredMaxBytes Size   `yaml:"PreferredMaxBytes"`
}

// Kafka lists brokers as host:port.
type Kafka struct {
	Brokers []string `yaml:"Brokers"`
}

// EtcdRaft is the metadata of a Raft ordering service.
type EtcdRaft struct {
	Consenters []*Consenter `yaml:"Consenters"`
	Options    RaftOptions  `yaml:"Options"`
}

// Consenter is a Raft node. The certificates are files relative to the
// configuration; their content goes into the channel.
type Consenter struct {
	Host          string `yaml:"Host"`
	Port          uint32 `yaml:"Port"`
	ClientTLSCert string `yaml:"ClientTLSCert"`
	ServerTLSCert string `yaml:"ServerTLSCert"`
}

// RaftOptions are the options of the etcdraft metadata.
type RaftOptions struct {
	TickInterval         string `yaml:"TickInterval"`
	ElectionTick         uint32 `yaml:"ElectionTick"`
	HeartbeatTick        uint32 `yaml:"HeartbeatTick"`
	MaxInflightBlocks    uint32 `yaml:"MaxInflightBlocks"`
	SnapshotIntervalSize Size   `yaml:"SnapshotIntervalSize"`
}

// File is a configtx.yaml that was read.
type File struct {
	Path   string
	Config Config
	lines  strictyaml.Lines
}

// DefaultPaths are the folders that are searched for a configtx.yaml where
// none is named: FABRIC_CFG_PATH (fabricCfgPath, "" if unset), the current
// folder, Fabric's own.
func DefaultPaths(fabricCfgPath string) []string {
	paths := []string{".", "/etc/hyperledger/fabric"}
	if fabricCfgPath != "" {
		paths = append([]string{fabricCfgPath}, paths...)
	}
	return paths
}

// Find returns the configtx.yaml in the first of the folders that has one. A
// path may also be the file itself.
func Find(paths ...string) (string, error) {
	for _, p := range paths {
		info, err := os.Stat(p)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return "", fmt.Errorf("looking for configtx.yaml: %w", err)
		case !info.IsDir():
			return p, nil
		}
		file := filepath.Join(p, "configtx.yaml")
		if _, err := os.Stat(file); err == nil {
			return file, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("looking for configtx.yaml: %w", err)
		}
	}
	return "", fmt.Errorf("there is no configtx.yaml in %s; name its folder with -configPath or FABRIC_CFG_PATH", strings.Join(paths, ", "))
}

// Load reads a configtx.yaml. Variables of env (NAME=value) called CONFIGTX_
// and the path of a key override that key, e.g. CONFIGTX_ORDERER_BATCHTIMEOUT.
// As in Fabric, an override of a section does not reach the profiles that
// merged the section.
func Load(file string, env []string) (*File, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the channel configuration: %w", err)
	}
	return Parse(file, data, env)
}

// Parse is Load for content that was read already.
func Parse(file string, data []byte, env []string) (*File, error) {
	f := &File{Path: file}
	var err error
	f.lines, err = strictyaml.Decode(file, data, &f.Config, overrides(env))
	if err != nil {
		return nil, err
	}
	return f, nil
}

func overrides(env []string) strictyaml.Lookup {
	vars := map[string]string{}
	for _, e := range env {
		if name, value, ok := strings.Cut(e, "="); ok && value != "" && strings.HasPrefix(name, "CONFIGTX_") {
			vars[name] = value
		}
	}
	if len(vars) == 0 {
		return nil
	}
	return func(path []string) (string, bool) {
		v, ok := vars["CONFIGTX_"+strings.ToUpper(strings.Join(path, "_"))]
		return v, ok
	}
}

// ProfileNames returns the names of all profiles, sorted.
func (f *File) ProfileNames() []string {
	names := make([]string, 0, len(f.Config.Profiles))
	for n := range f.Config.Profiles {
		names = append(names, n)
	}
	sort.Strings(names)
	return names
}

// mistake is an error about the value at path.
func (f *File) mistake(path, format string, args ...any) error {
	return &strictyaml.Error{File: f.Path, Line: f.lineOf(path), Text: fmt.Sprintf(format, args...)}
}

// lineOf returns the line of path or of the nearest key above it.
func (f *File) lineOf(path string) int {
	for {
		if line := f.lines[path]; line > 0 {
			return line
		}
		i := strings.LastIndexByte(path, '.')
		if i < 0 {
			return 0
		}
		path = path[:i]
	}
}
