package server

import (
	"fmt"
	"runtime"

	"raftmig/orderer/metrics"
)

// FabricVersion is the Fabric version whose behaviour this engine has. It is
// what GET /version and the metric fabric_version report, so that tools that
// ask for at least 1.4.2 before a migration find what they need.
const FabricVersion = "2.5.16"

// Build says what this binary is.
type Build struct {
	// Version is raftmig's own version, CommitSHA the commit it was built from.
	Version, CommitSHA string
}

func (b Build) withDefaults() Build {
	if b.Version == "" {
		b.Version = "development build"
	}
	if b.CommitSHA == "" {
		b.CommitSHA = "development build"
	}
	return b
}

// VersionInfo is what "orderer version" prints, in Fabric's form.
func VersionInfo(b Build) string {
	b = b.withDefaults()
	return fmt.Sprintf("orderer:\n Version: %s (raftmig %s)\n Commit SHA: %s\n Go version: %s\n OS/Arch: %s/%s\n",
		FabricVersion, b.Version, b.CommitSHA, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

func reportVersion(p metrics.Provider) {
	p.NewGauge(metrics.Opts{
		Name: "fabric_version", Help: "The active version of Fabric.", LabelNames: []string{"version"},
		StatsdFormat: "%{#fqname}.%{version}",
	}).With("version", FabricVersion).Set(1)
}
