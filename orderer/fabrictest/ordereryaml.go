package fabrictest

import (
	"testing"

	"go.yaml.in/yaml/v3"
)

// OrdererYAML makes an orderer.yaml in the words of 2.5 one that the real orderer
// reads: versions before 2.3 refuse the keys of the admin endpoint, and 1.4 has
// other names for the bootstrap block (spec, Appendix B).
func OrdererYAML(t testing.TB, text []byte) []byte {
	t.Helper()
	out, err := adapt(text, Version(t))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func adapt(text []byte, r Release) ([]byte, error) {
	var file map[string]any
	if err := yaml.Unmarshal(text, &file); err != nil {
		return nil, err
	}
	if r.Before(2, 3) {
		delete(file, "Admin")
		delete(file, "ChannelParticipation")
	}
	if general, ok := file["General"].(map[string]any); ok && r.Before(2, 0) {
		general["GenesisMethod"], general["GenesisFile"] = "file", general["BootstrapFile"]
		delete(general, "BootstrapMethod")
		delete(general, "BootstrapFile")
	}
	return yaml.Marshal(file)
}
