package operations

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"raftmig/orderer/server/fixture"
)

// Spec 9: the Admin endpoint has a listener of its own and serves nobody
// without a certificate of its client CAs.
func TestTheAdminEndpointWantsAVerifiedClient(t *testing.T) {
	n := fixture.New(t)
	own := n.Path(fixture.OrdererDir(0), "tls")
	cert, err := tls.LoadX509KeyPair(own+"/server.crt", own+"/server.key")
	require.NoError(t, err)
	ca, err := os.ReadFile(own + "/ca.crt")
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(ca))
	hello := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	serve := func(auth tls.ClientAuthType) *Server {
		s, err := ServeAdmin("127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: auth, ClientCAs: pool}, "/p/", hello, zap.NewNop().Sugar())
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Stop(context.Background())) })
		return s
	}
	get := func(s *Server, path string, certs ...tls.Certificate) (*http.Response, error) {
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{
			RootCAs: pool, ServerName: "localhost", Certificates: certs,
		}}}
		r, err := http.NewRequestWithContext(t.Context(), "GET", "https://"+s.Addr()+path, nil)
		require.NoError(t, err)
		resp, err := client.Do(r)
		if err == nil {
			require.NoError(t, resp.Body.Close())
		}
		return resp, err
	}
	required := serve(tls.RequireAndVerifyClientCert)
	resp, err := get(required, "/p/x", cert)
	require.NoError(t, err)
	require.Equal(t, http.StatusTeapot, resp.StatusCode)
	require.NotEmpty(t, resp.Header.Get("X-Request-Id"))
	resp, err = get(required, "/other", cert)
	require.NoError(t, err)
	require.Equal(t, http.StatusNotFound, resp.StatusCode)
	_, err = get(required, "/p/x")
	require.ErrorContains(t, err, "certificate required")
	resp, err = get(serve(tls.VerifyClientCertIfGiven), "/p/x")
	require.NoError(t, err)
	require.Equal(t, http.StatusUnauthorized, resp.StatusCode)

	_, err = ServeAdmin("256.0.0.1:0", nil, "/p/", hello, zap.NewNop().Sugar())
	require.Error(t, err)
}
