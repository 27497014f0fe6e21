package fabrictest

import "testing"

func TestReleasesAreRead(t *testing.T) {
	for text, want := range map[string]Release{
		"1.4.12": {1, 4}, "2.2.15": {2, 2}, "v2.5.16": {2, 5}, "v2.5.16-4-gabc": {2, 5}, "latest": {}, "2": {}, "": {},
	} {
		got, ok := parse(text)
		if got != want || ok != (want != Release{}) {
			t.Errorf("%q: %v, %v", text, got, ok)
		}
	}
	if !(Release{1, 4}).Before(2, 0) || !(Release{2, 2}).Before(2, 3) || (Release{2, 5}).Before(2, 5) || (Release{2, 5}).Before(1, 9) {
		t.Error("order of releases")
	}
}

func TestOrdererYAMLHasTheKeysOfTheRelease(t *testing.T) {
	const text = "General: {BootstrapMethod: file, BootstrapFile: f}\nAdmin: {ListenAddress: x}\nChannelParticipation: {Enabled: true}\n"
	for r, want := range map[Release]string{
		{1, 4}: "General:\n    GenesisFile: f\n    GenesisMethod: file\n",
		{2, 2}: "General:\n    BootstrapFile: f\n    BootstrapMethod: file\n",
		{2, 5}: "Admin:\n    ListenAddress: x\nChannelParticipation:\n    Enabled: true\nGeneral:\n    BootstrapFile: f\n    BootstrapMethod: file\n",
	} {
		got, err := adapt([]byte(text), r)
		if err != nil || string(got) != want {
			t.Errorf("%s: %v\n%s", r, err, got)
		}
	}
}
