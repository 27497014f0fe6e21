package types

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// The bodies as osnadmin and scripts read them (spec 9).
func TestBodiesHaveFabricsForm(t *testing.T) {
	for want, body := range map[string]any{
		`{"error":"channel does not exist"}`:     ErrorResponse{ErrChannelNotExist.Error()},
		`{"systemChannel":null,"channels":null}`: ChannelList{},
		`{"systemChannel":{"name":"sys","url":"/u"},"channels":[{"name":"a","url":"/a"}]}`: ChannelList{
			SystemChannel: &ChannelInfoShort{"sys", "/u"}, Channels: []ChannelInfoShort{{"a", "/a"}},
		},
		`{"name":"a","url":"/a","consensusRelation":"config-tracker","status":"onboarding","height":3}`: ChannelInfo{
			"a", "/a", ConsensusRelationConfigTracker, StatusOnBoarding, 3,
		},
	} {
		b, err := json.Marshal(body)
		require.NoError(t, err)
		require.Equal(t, want, string(b))
	}
}
