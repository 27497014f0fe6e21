package observe

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLeaderFromMetrics(t *testing.T) {
	serve := func(body string) Target {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/metrics" {
				http.NotFound(w, r)
				return
			}
			fmt.Fprint(w, body)
		}))
		t.Cleanup(s.Close)
		return Target{Address: strings.TrimPrefix(s.URL, "http://")}
	}
	follower := "# TYPE consensus_etcdraft_is_leader gauge\nconsensus_etcdraft_is_leader{channel=\"ch1\"} 0\nconsensus_etcdraft_is_leader{channel=\"two\"} 1\n"
	leader := "consensus_etcdraft_is_leader{channel=\"ch1\"} 1\nconsensus_etcdraft_is_leader{channel=\"two\"} 1\nother{channel=\"ch1\"} 1\n"
	targets := []Target{serve(follower), serve(leader), serve("no metrics"), {}}
	for i := range targets {
		targets[i].Node = fmt.Sprintf("orderer%d", i)
	}
	m := NewMetrics(targets)
	require.EqualValues(t, 2, m.Leader("orderer0", "ch1"))
	require.EqualValues(t, 2, m.Leader("orderer1", "ch1"))
	require.Zero(t, m.Leader("orderer2", "ch1"), "a node that does not serve the channel follows nobody")
	require.Zero(t, m.Leader("orderer3", "ch1"), "a node that cannot be asked neither")
	require.Zero(t, m.Leader("orderer0", "two"), "two leaders are none")
	require.Zero(t, m.Leader("orderer0", "three"))
}
