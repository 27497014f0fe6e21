package server

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/protoutil"
	"raftmig/orderer/server/fixture"
)

// administered is an orderer with its Admin endpoint under TLS.
type administered struct {
	*running
	admin string // localhost:port
}

// withAdmin is the configuration of orderer i with an Admin endpoint.
func (n *network) withAdmin(i, port int) string {
	own := n.Path(fixture.OrdererDir(i), "tls")
	return fmt.Sprintf(`Admin: {ListenAddress: "127.0.0.1:%[1]d", TLS: {Enabled: true, PrivateKey: %[2]s/server.key, Certificate: %[2]s/server.crt, ClientAuthRequired: true, ClientRootCAs: [%[2]s/ca.crt]}}
ChannelParticipation: {Enabled: true, MaxRequestBodySize: 1 MB}
`, port, own)
}

func (n *network) startAdministered(i int) *administered {
	port := freePort(n.t)
	r := n.await(n.launchChanged(i, n.withAdmin(i, port), withoutBootstrap))
	return &administered{r, fmt.Sprintf("localhost:%d", port)}
}

// startFabricAdministered runs a real orderer, which has to know the API.
func (n *network) startFabricAdministered(i int) *administered {
	return n.startFabricAdministeredBy(i, "none")
}

func (n *network) startFabricAdministeredBy(i int, bootstrapMethod string) *administered {
	binary, port := fabricBinary(n.t, "orderer"), freePort(n.t)
	dir := n.Path(fmt.Sprintf("fabric%d", i))
	require.NoError(n.t, os.MkdirAll(dir, 0o755))
	text := strings.Replace(n.config(i, ""), "Consensus: {", "Consensus: {EvictionSuspicion: 1s, ", 1)
	text += "  Topic: {ReplicationFactor: 1}\n  TLS: {Enabled: false}\n" + n.withAdmin(i, port)
	require.NoError(n.t, os.WriteFile(filepath.Join(dir, "orderer.yaml"), []byte(text), 0o600))
	cmd := exec.Command(binary)
	cmd.Env = append(os.Environ(), "FABRIC_CFG_PATH="+dir, "FABRIC_LOGGING_FORMAT="+plainFormat, "ORDERER_GENERAL_BOOTSTRAPMETHOD="+bootstrapMethod)
	return &administered{n.startProcess(i, cmd), fmt.Sprintf("localhost:%d", port)}
}

// osnadmin runs "osnadmin channel" with arguments on the orderer.
func (a *administered) osnadmin(args ...string) string {
	a.t.Helper()
	own := a.Path(fixture.OrdererDir(0), "tls")
	args = append(append([]string{"channel"}, args...), "-o", a.admin,
		"--ca-file", own+"/ca.crt", "--client-cert", own+"/server.crt", "--client-key", own+"/server.key")
	out, err := exec.Command(fabricBinary(a.t, "osnadmin"), args...).CombinedOutput()
	require.NoError(a.t, err, "osnadmin %v: %s", args, out)
	return string(out)
}

// request does one request over the Admin endpoint and returns what matters of
// the answer.
func (a *administered) request(method, path string, headers map[string]string, body []byte) string {
	a.t.Helper()
	own := a.Path(fixture.OrdererDir(0), "tls")
	cert, err := tls.LoadX509KeyPair(own+"/server.crt", own+"/server.key")
	require.NoError(a.t, err)
	ca, err := os.ReadFile(own + "/ca.crt")
	require.NoError(a.t, err)
	pool := x509.NewCertPool()
	require.True(a.t, pool.AppendCertsFromPEM(ca))
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{cert}}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	req, err := http.NewRequest(method, "https://"+a.admin+path, bytes.NewReader(body))
	require.NoError(a.t, err)
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	resp, err := client.Do(req)
	require.NoError(a.t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(a.t, err)
	text := fmt.Sprint(resp.StatusCode)
	for _, k := range []string{"Allow", "Location", "Cache-Control", "Content-Type"} {
		text += fmt.Sprintf(" %s=%q", k, resp.Header.Get(k))
	}
	if resp.Header.Get("X-Request-Id") == "" {
		text += " no request ID"
	}
	return text + " " + decoder.ReplaceAllString(spaces.ReplaceAllString(string(b), " "), "$1…")
}

// multipartOf is a form with the parts given as name, file name, content.
func multipartOf(t testing.TB, parts ...[3]string) (map[string]string, []byte) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	require.NoError(t, w.SetBoundary("boundary"))
	for _, p := range parts {
		f, err := w.CreateFormFile(p[0], p[1])
		require.NoError(t, err)
		_, err = f.Write([]byte(p[2]))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return map[string]string{"Content-Type": w.FormDataContentType()}, b.Bytes()
}

// TestInteropTheParticipationAPIAnswersAsARealOrdererDoes sends the same requests to a
// real orderer and to ours, which order a channel together, and lets osnadmin
// join, list and remove channels on both.
func TestInteropTheParticipationAPIAnswersAsARealOrdererDoes(t *testing.T) {
	fabricBinary(t, "osnadmin") // there are none before the API
	n := newNetworkWithout(t)
	real, ours, third := n.startFabricAdministered(0), n.startAdministered(1), n.startAdministered(2)
	pair := &compared{t, real, ours}
	osnadmin, request := pair.osnadmin, pair.request
	genesis := n.AppGenesis("ch1", 3, n.ports...)
	file := n.Path("ch1.block")
	require.NoError(t, os.WriteFile(file, protoutil.MustMarshal(genesis), 0o600))

	const channels = "/participation/v1/channels"
	osnadmin("list")
	osnadmin("list", "-c", "ch1")
	osnadmin("remove", "-c", "ch1")
	for _, r := range [][2]string{
		{"GET", "/participation/v1/"}, {"GET", "/participation/v1"}, {"POST", "/participation/v1/"}, {"GET", "/participation/v1/x"}, {"GET", "/"},
		{"PUT", channels}, {"DELETE", channels}, {"POST", channels}, {"HEAD", channels}, {"GET", channels + "/"}, {"GET", channels + "/Bad"}, {"DELETE", channels + "/Bad"},
		{"PUT", channels + "/ch1"}, {"POST", channels + "/ch1"}, {"GET", channels + "/a/b"}, {"GET", channels + "/a%2Fb"}, {"GET", channels + "//ch1"},
	} {
		request(r[0], r[1], nil, nil)
	}
	for _, accept := range []string{"text/html", "application/*", "*/*", "text/html,application/json"} {
		request("GET", channels, map[string]string{"Accept": accept}, nil)
		request("DELETE", channels+"/ch1", map[string]string{"Accept": accept}, nil)
		request("POST", channels, map[string]string{"Accept": accept, "Content-Type": "multipart/form-data; boundary=b"}, nil)
	}
	request("POST", channels, map[string]string{"Content-Type": "application/json"}, []byte("{}"))
	request("POST", channels, map[string]string{"Content-Type": "multipart/form-data; boundary"}, nil)
	content := string(protoutil.MustMarshal(genesis))
	kafka := n.Genesis(func(c *cb.Config) {}) // a system channel of Kafka
	app := n.SystemConfig()
	delete(app.ChannelGroup.Groups, "Consortiums")
	for _, parts := range [][][3]string{
		{}, {{"other", "f", content}}, {{"config-block", "f", content}, {"other", "f", "x"}}, {{"config-block", "f", "garbage"}},
		{{"config-block", "f", ""}}, {{"config-block", "f", string(protoutil.MustMarshal(kafka))}},
		{{"config-block", "f", string(protoutil.MustMarshal(n.ConfigBlock("ch1", app)))}},
		{{"config-block", "f", strings.Repeat("x", 2<<20)}},
	} {
		headers, body := multipartOf(t, parts...)
		request("POST", channels, headers, body)
	}

	require.Contains(t, osnadmin("join", "-c", "ch1", "-b", file), "Status: 201")
	third.osnadmin("join", "-c", "ch1", "-b", file)
	osnadmin("join", "-c", "ch1", "-b", file)
	osnadmin("list")
	system := n.Path("sys.block")
	require.NoError(t, os.WriteFile(system, protoutil.MustMarshal(n.Genesis(func(c *cb.Config) { n.SetRaft(c, n.RaftMetadata(n.ports...)) })), 0o600))
	osnadmin("join", "-c", "syschannel", "-b", system)
	for i, a := range []*administered{real, ours, third} {
		a.ordered(fmt.Sprint("together ", i), real.running, ours.running, third.running)
	}

	// ours goes, comes back as a follower, and is made a consenter again
	real.setConsenters(0, 2)
	ours.follows()
	require.Equal(t, "Status: 204\n\n", ours.osnadmin("remove", "-c", "ch1"))
	osnadmin("remove", "-c", "nothing")
	last := real.setConsenters(0, 2)
	require.NoError(t, os.WriteFile(file, protoutil.MustMarshal(last), 0o600))
	require.Contains(t, ours.osnadmin("join", "-c", "ch1", "-b", file), `"onboarding"`)
	real.setConsenters(0, 2, 1)
	require.Eventually(t, func() bool {
		_, status := ours.deliver("ch1", n.OrdererAdmin(), newestOnly)
		return status == cb.Status_SUCCESS
	}, patience, tick)
	ours.ordered("again", real.running, third.running)

	// the same for the real one, on blocks of ours
	ours.setConsenters(2, 1)
	real.follows()
	ours.setConsenters(2, 1, 0)
	require.Eventually(t, func() bool {
		_, status := real.deliver("ch1", n.OrdererAdmin(), newestOnly)
		return status == cb.Status_SUCCESS
	}, patience, tick)
	real.ordered("and again", ours.running, third.running)

	// the folders change hands
	real.stop()
	<-real.ended
	ours.shutdown()
	ours, real = n.startAdministered(0), n.startFabricAdministered(1)
	for i, a := range []*administered{ours, real} {
		a.ordered(fmt.Sprint("in other hands ", i), real.running, ours.running, third.running)
	}
	// each leaves without having been evicted, and joins again
	last = configBlock(third.running, "ch1")
	require.NoError(t, os.WriteFile(file, protoutil.MustMarshal(last), 0o600))
	var answers []string
	for i, a := range []*administered{ours, real} {
		require.Equal(t, "Status: 204\n\n", a.osnadmin("remove", "-c", "ch1"))
		require.Eventually(t, func() bool { return strings.Contains(a.osnadmin("list", "-c", "ch1"), "404") }, patience, tick)
		answers = append(answers, a.osnadmin("join", "-c", "ch1", "-b", file))
		require.Eventually(t, func() bool { return strings.Contains(a.osnadmin("list", "-c", "ch1"), `"active"`) }, patience, tick)
		third.ordered(fmt.Sprint("back ", i), ours.running, real.running)
	}
	require.Equal(t, answers[0], answers[1])
	for _, a := range []*administered{real, ours, third} {
		require.Equal(t, "Status: 204\n\n", a.osnadmin("remove", "-c", "ch1"))
	}
	pair = &compared{t, real, ours}
	pair.same("a channel that is gone", func(a *administered) string {
		return normal(a.broadcast(n.Message("ch1", n.OrgUser("User1"), "x")))
	})
}

// compared are a real orderer and one of ours that are asked the same.
type compared struct {
	t          *testing.T
	real, ours *administered
}

func (c *compared) same(name string, ask func(*administered) string) string {
	c.t.Helper()
	theirs, mine := ask(c.real), ask(c.ours)
	c.t.Logf("%s: %s", name, strings.TrimSpace(theirs))
	assert.Equal(c.t, theirs, mine, name)
	return theirs
}

func (c *compared) osnadmin(args ...string) string {
	c.t.Helper()
	return c.same(strings.Join(args, " "), func(a *administered) string { return a.osnadmin(args...) })
}

func (c *compared) request(method, path string, headers map[string]string, body []byte) {
	c.t.Helper()
	c.same(fmt.Sprint(method, " ", path, " ", headers), func(a *administered) string { return a.request(method, path, headers, body) })
}

// TestInteropASystemChannelInTheParticipationAPI has a real orderer and ours,
// each alone, join a system channel, restart, create a channel and remove the
// system channel.
func TestInteropASystemChannelInTheParticipationAPI(t *testing.T) {
	fabricBinary(t, "osnadmin") // there are none before the API
	theirs, mine := newNetworkWithout(t), newNetworkWithout(t)
	pair := &compared{t, theirs.startFabricAdministered(0), mine.startAdministered(0)}
	join := func(channel string, block func(n *network) *cb.Block) string {
		t.Helper()
		return pair.same("join "+channel, func(a *administered) string {
			file := a.Path("join.block")
			require.NoError(t, os.WriteFile(file, protoutil.MustMarshal(block(a.network)), 0o600))
			return a.osnadmin("join", "-c", channel, "-b", file)
		})
	}
	system := func(n *network) *cb.Block {
		return n.Genesis(func(c *cb.Config) {
			n.SetRaft(c, n.RaftMetadata(n.ports[:1]...))
			fixture.SetAddresses(c, fmt.Sprint("localhost:", n.ports[0]))
		})
	}
	application := func(n *network) *cb.Block { return n.AppGenesis("ch2", 1, n.ports...) }

	require.Contains(t, join("syschannel", system), `"inactive"`)
	for _, args := range [][]string{{"list"}, {"list", "-c", "syschannel"}, {"remove", "-c", "ch2"}} {
		pair.osnadmin(args...)
	}
	join("ch2", application)
	join("syschannel", system)
	pair.same("a message before the restart", func(a *administered) string {
		return normal(a.broadcast(a.Message("syschannel", a.OrdererAdmin(), "x")))
	})
	pair.real.stop()
	<-pair.real.ended
	pair.ours.shutdown()
	pair.real, pair.ours = theirs.startFabricAdministered(0), mine.startAdministered(0)
	for _, a := range []*administered{pair.real, pair.ours} {
		a.accepted(a.Creation())
		a.blocks("ch1", a.OrgUser("User1"), 0)
	}
	for _, args := range [][]string{
		{"list"}, {"list", "-c", "syschannel"}, {"list", "-c", "ch1"}, {"remove", "-c", "ch1"}, {"remove", "-c", "nothing"},
	} {
		pair.osnadmin(args...)
	}
	join("ch2", application)
	require.Equal(t, "Status: 204\n\n", strings.TrimRight(pair.osnadmin("remove", "-c", "syschannel"), "\n")+"\n\n")
	pair.osnadmin("list")
	pair.osnadmin("list", "-c", "ch1")
	pair.osnadmin("remove", "-c", "syschannel")
	for _, a := range []*administered{pair.real, pair.ours} {
		a.ordered("without a system channel")
	}
	require.Contains(t, join("ch2", application), "Status: 201")
	pair.osnadmin("list", "-c", "ch2")
}

// TestInteropChannelsOfKafkaInTheParticipationAPI asks about channels of Kafka.
func TestInteropChannelsOfKafkaInTheParticipationAPI(t *testing.T) {
	fabricBinary(t, "osnadmin") // there are none before the API
	theirs, mine := newNetwork(t), newNetwork(t)
	pair := &compared{t, theirs.startFabricAdministeredBy(0, "file"), nil}
	port := freePort(t)
	pair.ours = &administered{mine.start(0, mine.withAdmin(0, port)), fmt.Sprintf("localhost:%d", port)}
	for _, a := range []*administered{pair.real, pair.ours} {
		a.createCh1()
	}
	for _, args := range [][]string{
		{"list"}, {"list", "-c", "ch1"}, {"remove", "-c", "ch1"}, {"remove", "-c", "syschannel"},
	} {
		pair.osnadmin(args...)
	}
	pair.same("join", func(a *administered) string {
		file := a.Path("join.block")
		require.NoError(t, os.WriteFile(file, protoutil.MustMarshal(a.AppGenesis("ch2", 1, a.ports...)), 0o600))
		return a.osnadmin("join", "-c", "ch2", "-b", file)
	})
}

// follows waits until the node has noticed that it is no consenter of ch1 any
// more. A real one that the leader did not tell looks every 10 seconds.
func (a *administered) follows() {
	a.t.Helper()
	require.Eventually(a.t, func() bool {
		return strings.Contains(a.osnadmin("list", "-c", "ch1"), `"follower"`)
	}, 2*patience, 5*tick)
}
