package inventory_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"raftmig/fabricops/inventory"
)

const (
	oneAdmin = `admin:
  mspID: OrdererMSP
  mspDir: CRYPTO/ordererOrganizations/example.com/users/Admin@example.com/msp
`
	listed = `admins:
  - mspID: OrdererMSP
    mspDir: CRYPTO/ordererOrganizations/example.com/users/Admin@example.com/msp
  - mspID: Org1MSP
    mspDir: CRYPTO/peerOrganizations/org1.example.com/users/Admin@org1.example.com/msp
`
	further = `admins:
  - mspID: Org1MSP
    mspDir: CRYPTO/peerOrganizations/org1.example.com/users/Admin@org1.example.com/msp
`
)

// Every form gives the administrators in the order of the file.
func TestAdministratorsAreOneOrSeveral(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       []string
	}{
		{"one", oneAdmin, []string{"OrdererMSP"}},
		{"one and further ones", oneAdmin + further, []string{"OrdererMSP", "Org1MSP"}},
		{"a list", listed, []string{"OrdererMSP", "Org1MSP"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path, crypto := write(t, strings.Replace(good, oneAdmin, tc.text, 1))
			n, err := inventory.Load(path)
			require.NoError(t, err)
			var got []string
			for _, id := range n.Administrators() {
				got = append(got, id.MSPID)
				require.True(t, strings.HasPrefix(id.MSPDir, crypto))
			}
			require.Equal(t, tc.want, got)

			require.NoError(t, inventory.Save(path, n))
			again, err := inventory.Load(path)
			require.NoError(t, err)
			require.Equal(t, n, again)
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, strings.Contains(tc.text, "admin:\n"), strings.Contains(string(text), "\nadmin:\n"), "the form is kept")
		})
	}
}

func TestFaultsOfAdministratorsNameTheirLine(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{"none at all", "", "admin.mspID: the identity has no MSP ID"},
		{"an empty list", "admins: []\n", "admin.mspID: the identity has no MSP ID"},
		{"one is listed twice", oneAdmin + listed, ":34: admins[0].mspDir: MSP folder"},
		{"one without MSP ID", strings.Replace(listed, "mspID: Org1MSP", "tlsCert: a", 1), "admins[1].mspID: the identity has no MSP ID"},
		{"a folder that is not there", strings.Replace(listed, "Admin@org1.example.com/msp", "Nobody@org1.example.com/msp", 1), "admins[1].mspDir: "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path, _ := write(t, strings.Replace(good, oneAdmin, tc.text, 1))
			_, err := inventory.Load(path)
			require.ErrorContains(t, err, tc.want)
		})
	}
}
