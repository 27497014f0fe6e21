package testnet

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"raftmig/orderer/fabrictest"
	"raftmig/testnet/portrange"
)

// coreYAML has what the peers of 1.4 to 2.5 need to join channels and to follow
// the orderers: no gossip with others, no chaincode, hence no Docker.
const coreYAML = `
peer:
  id: peer0
  networkId: testnet
  listenAddress: 127.0.0.1:%[1]d
  address: 127.0.0.1:%[1]d
  chaincodeListenAddress: 127.0.0.1:%[2]d
  localMspId: Org1MSP
  mspConfigPath: %[3]s/msp
  fileSystemPath: %[4]s/data
  tls:
    enabled: true
    cert: {file: %[3]s/tls/server.crt}
    key: {file: %[3]s/tls/server.key}
    rootcert: {file: %[3]s/tls/ca.crt}
  gossip: {bootstrap: "127.0.0.1:%[1]d", useLeaderElection: false, orgLeader: true, endpoint: "127.0.0.1:%[1]d"}
  deliveryclient: {reconnectTotalTimeThreshold: 600s, connTimeout: 3s, reConnectBackoffThreshold: 1s}
  BCCSP: {Default: SW, SW: {Hash: SHA2, Security: 256}}
  handlers:
    authFilters: [{name: DefaultAuth}, {name: ExpirationCheck}]
    decorators: [{name: DefaultDecorator}]
    endorsers: {escc: {name: DefaultEndorsement}}
    validators: {vscc: {name: DefaultValidation}}
  discovery: {enabled: false}
  authentication: {timewindow: 15m}
  maxRecvMsgSize: 104857600
  maxSendMsgSize: 104857600
# Docker is asked only when a chaincode is to run.
vm: {endpoint: "unix:///nowhere"}
chaincode:
  startuptimeout: 300s
  executetimeout: 30s
  installTimeout: 300s
  mode: net
  keepalive: 0
  system: {_lifecycle: enable, cscc: enable, lscc: enable, escc: enable, vscc: enable, qscc: enable}
  logging: {level: info, shim: warning}
ledger:
  state: {stateDatabase: goleveldb, totalQueryLimit: 100000}
  history: {enableHistoryDatabase: false}
operations: {listenAddress: "127.0.0.1:0"}
metrics: {provider: disabled}
`

// peer is a real peer of the first application organization.
type peer struct {
	t   *testing.T
	n   *Network
	bin string
	dir string
	env []string

	mu  sync.Mutex
	log bytes.Buffer
}

func (p *peer) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

func (p *peer) logged(text string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return bytes.Contains(p.log.Bytes(), []byte(text))
}

// startPeer runs a real peer, or skips the test.
func startPeer(t *testing.T, n *Network) *peer {
	t.Helper()
	org := filepath.Join(n.Dir, cryptoDir, "peerOrganizations/org1.example.com")
	own := filepath.Join(org, "peers/peer0.org1.example.com")
	ports, err := portrange.Find(host, 2)
	require.NoError(t, err)
	p := &peer{t: t, n: n, bin: fabrictest.Bin(t, "peer"), dir: t.TempDir()}
	core := fmt.Appendf(nil, coreYAML, ports[0], ports[1], own, p.dir)
	require.NoError(t, os.WriteFile(filepath.Join(p.dir, "core.yaml"), core, 0o600))
	p.env = append(os.Environ(), "FABRIC_CFG_PATH="+p.dir)
	cmd := exec.Command(p.bin, "node", "start")
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = p.env, p.dir, p, p
	require.NoError(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-ended
		if t.Failed() {
			p.mu.Lock()
			defer p.mu.Unlock()
			text := p.log.Bytes()
			t.Logf("end of the peer's log:\n%s", text[max(0, len(text)-4000):])
		}
	})
	p.env = append(p.env, "CORE_PEER_MSPCONFIGPATH="+filepath.Join(org, "users/Admin@org1.example.com/msp"))
	require.Eventually(t, func() bool { return p.logged("Started peer with ID") }, 30*time.Second, 50*time.Millisecond)
	return p
}

// channel runs "peer channel" as the organization's admin.
func (p *peer) channel(args ...string) (string, error) {
	cmd := exec.Command(p.bin, append([]string{"channel"}, args...)...)
	cmd.Env, cmd.Dir = p.env, p.dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// join joins a channel by its genesis block, as an orderer delivers it.
func (p *peer) join(name string) {
	p.t.Helper()
	o := p.n.Inventory.Orderers[0]
	block := filepath.Join(p.dir, name+".block")
	out, err := p.channel("fetch", "0", block, "-c", name, "-o", o.Address, "--tls", "--cafile", o.TLSRootCAs[0])
	require.NoError(p.t, err, out)
	out, err = p.channel("join", "-b", block)
	require.NoError(p.t, err, out)
}

var heightInInfo = regexp.MustCompile(`"height":(\d+)`)

// awaitHeight waits until the peer's ledger of a channel has at least that height.
func (p *peer) awaitHeight(name string, want uint64) {
	p.t.Helper()
	var out string
	require.Eventually(p.t, func() bool {
		var err error
		out, err = p.channel("getinfo", "-c", name)
		m := heightInInfo.FindStringSubmatch(out)
		if err != nil || m == nil {
			return false
		}
		height, err := strconv.ParseUint(m[1], 10, 64)
		return err == nil && height >= want
	}, 40*time.Second, 200*time.Millisecond, "the peer does not reach height %d of %s", want, name)
}
