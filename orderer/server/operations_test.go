package server

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/fabrictest"
	"raftmig/orderer/localconfig"
	"raftmig/orderer/server/fixture"
)

// Spec 8.6: with TLS, /metrics and /logspec want a verified client
// certificate, /healthz and /version do not; ClientAuthRequired wants it of all.
func TestTheOperationsEndpointUnderTLS(t *testing.T) {
	n := newNetwork(t)
	n.raftGenesis(n.RaftMetadata(n.ports[0]))
	ca, err := os.ReadFile(n.Path(fixture.OrdererOrg, "tlsca/tlsca.example.com-cert.pem"))
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(ca))
	load := func(dir, name string) []tls.Certificate {
		pair, err := tls.LoadX509KeyPair(n.Path(dir, "tls", name+".crt"), n.Path(dir, "tls", name+".key"))
		require.NoError(t, err)
		return []tls.Certificate{pair}
	}
	known := load(fixture.OrdererOrg+"/users/Admin@example.com", "client")
	unknown := load("crypto-config/peerOrganizations/org1.example.com/users/User1@org1.example.com", "client")
	for _, required := range []bool{false, true} {
		o := n.launchChanged(0, "", func(c *localconfig.TopLevel) {
			c.Operations.TLS = localconfig.TLS{
				Enabled: true, Certificate: c.General.TLS.Certificate, PrivateKey: c.General.TLS.PrivateKey,
				ClientAuthRequired: required, ClientRootCAs: []string{n.Path(fixture.OrdererOrg, "tlsca/tlsca.example.com-cert.pem")},
			}
		})
		<-o.serving
		get := func(path string, certs []tls.Certificate) (int, error) {
			transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: certs, ServerName: "localhost"}}
			defer transport.CloseIdleConnections()
			resp, err := (&http.Client{Transport: transport}).Get("https://" + o.addresses.Operations + path)
			if err != nil {
				return 0, err
			}
			return resp.StatusCode, resp.Body.Close()
		}
		for path, open := range map[string]bool{"/metrics": false, "/logspec": false, "/healthz": true, "/version": true} {
			code, err := get(path, known)
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, code, path)
			for _, certs := range [][]tls.Certificate{nil, unknown} {
				switch code, err = get(path, certs); {
				case required:
					require.ErrorContains(t, err, "certificate required", path)
				case open:
					require.Equal(t, http.StatusOK, code, path)
				default:
					require.Equal(t, http.StatusUnauthorized, code, path)
				}
			}
		}
		o.shutdown()
	}
}

var varying = regexp.MustCompile(`"time":"[^"]*"|,?"(CommitSHA|Version|Raftmig)":"[^"]*"`)

// The same requests get the same answers from a real orderer and from ours.
// (It spells the level payload "Level(-2)", which it would not read again.)
func TestInteropTheOperationsEndpointIsLikeARealOrderers(t *testing.T) {
	fabrictest.Since(t, 2, 5, "the operations endpoint is like that of 2.5")
	raft := func() *network {
		n := newNetwork(t)
		n.raftGenesis(n.RaftMetadata(n.ports[0]))
		return n
	}
	theirs := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	t.Setenv("ORDERER_OPERATIONS_LISTENADDRESS", theirs)
	raft().startFabric(0)
	ours := raft().start(0, "").addresses.Operations
	type request struct{ method, path, body string }
	requests := []request{
		{"GET", "/healthz", ""}, {"POST", "/healthz", ""}, {"HEAD", "/healthz", ""},
		{"GET", "/version", ""}, {"POST", "/version", "{}"},
		{"GET", "/logspec", ""}, {"PUT", "/logspec", `{}`}, {"GET", "/logspec", ""}, {"PUT", "/logspec", ``},
		{"DELETE", "/logspec", ""}, {"POST", "/logspec", `{"spec":"info"}`},
	}
	for _, spec := range []string{ // the grammar of spec 8.7
		"", ":", "::", "info", "INFO", "Info", "notice", "critical", "warn:error", "fatal", "panic", "dpanic", "warning", "trace",
		"a=debug", "a=debug:", ":a=debug", "a=debug:info", "info:a=debug", "a=DEBUG", "a.b=warn:a=error", "a,b=warn", "a,b.c.=warn:error", "a.=debug:NOTICE",
		"b=info:a=info", "a=debug:a=warn", "a=", "=", "=debug", "a=b=debug", "a==debug", "a,=debug", ",a=debug", ",=debug", "a..b=debug", ".a=debug", "a...=debug",
		".=debug", " a=debug", "a =debug", "a= debug", "a-b=debug", "a_b#c=debug", "a/b=debug", "ä=debug", "a:b:c=debug", "debug,info", "a=debug,b=info",
	} {
		body, err := json.Marshal(map[string]string{"spec": spec})
		require.NoError(t, err)
		requests = append(requests, request{"PUT", "/logspec", string(body)}, request{"GET", "/logspec", ""})
	}
	for _, tc := range requests {
		ask := func(address string) string {
			req, err := http.NewRequest(tc.method, "http://"+address+tc.path, strings.NewReader(tc.body))
			require.NoError(t, err)
			req.Header.Set("X-Request-Id", "mine")
			resp, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			defer resp.Body.Close()
			b, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			return fmt.Sprintf("%d %s %s %s", resp.StatusCode, resp.Header.Get("Content-Type"), resp.Header.Get("X-Request-Id"), varying.ReplaceAllString(strings.TrimSpace(string(b)), ""))
		}
		assert.Equal(t, ask(theirs), ask(ours), "%s %s %s", tc.method, tc.path, tc.body)
	}
}

// General.Profile (spec 8.2).
func TestProfiling(t *testing.T) {
	n := newNetwork(t)
	address := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	o := n.launchChanged(0, "", func(c *localconfig.TopLevel) {
		c.General.Profile = localconfig.Profile{Enabled: true, Address: address}
	})
	<-o.serving
	require.Contains(t, o.log.String(), "Starting Go pprof profiling service on: "+address)
	for _, path := range []string{"", "heap?debug=1", "goroutine?debug=1", "cmdline", "symbol"} {
		resp, err := http.Get("http://" + address + "/debug/pprof/" + path)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusOK, resp.StatusCode, path)
	}
	o.shutdown()
	_, err := http.Get("http://" + address + "/debug/pprof/")
	require.Error(t, err, "it ends with the orderer")
}
