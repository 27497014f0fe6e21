package channelparticipation

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/protoutil"
	"raftmig/orderer/server/fixture"
)

// Whatever is posted as a join block is judged, and what passes names a channel.
func FuzzValidateJoinBlock(f *testing.F) {
	n := fixture.New(f)
	for _, b := range []*cb.Block{n.AppGenesis("ch1", 1, 7050), n.Genesis(nil), n.ConfigBlock("ch1", &cb.Config{}), {}} {
		f.Add(protoutil.MustMarshal(b))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		block := &cb.Block{}
		if proto.Unmarshal(raw, block) != nil {
			return
		}
		if id, _, err := ValidateJoinBlock(block); err == nil && id == "" {
			t.Error("a block of no channel passes")
		}
	})
}

// Whatever request comes, there is one answer, and its body is JSON where it
// says so. A block that is no join block joins nothing.
func FuzzServeHTTP(f *testing.F) {
	n := fixture.New(f)
	good := string(protoutil.MustMarshal(n.AppGenesis("ch1", 1, 7050)))
	for _, parts := range [][]part{
		{{FormDataConfigBlockKey, "config.block", good}}, {{FormDataConfigBlockKey, "config.block", "junk"}}, {{FormDataConfigBlockKey, "", good}},
		{{"other", "config.block", good}}, {{FormDataConfigBlockKey, "a", good}, {FormDataConfigBlockKey, "b", good}}, {},
	} {
		body, contentType := form(f, parts...)
		f.Add(http.MethodPost, URLBaseV1Channels, "application/json", contentType, body)
	}
	f.Add(http.MethodPost, URLBaseV1Channels, "", "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=config-block; filename=b\r\n\r\n")
	f.Add(http.MethodGet, URLBaseV1Channels+"/ch1", "text/html, */*;q=0.1", "", "")
	f.Add(http.MethodDelete, URLBaseV1Channels+"/../x", ";", "multipart/form-data", "--")
	f.Fuzz(func(t *testing.T, method, path, accept, contentType, body string) {
		r := &http.Request{
			Method: method, URL: &url.URL{Path: path}, Header: http.Header{"Accept": {accept}, "Content-Type": {contentType}},
			Body: io.NopCloser(strings.NewReader(body)),
		}
		c := &channels{}
		w := httptest.NewRecorder()
		handler(c).ServeHTTP(w, r)
		require.GreaterOrEqual(t, w.Code, 200)
		require.Less(t, w.Code, 500)
		if w.Header().Get("Content-Type") == "application/json" {
			require.True(t, json.Valid(w.Body.Bytes()), w.Body.String())
		}
		if c.joined != "" {
			require.Equal(t, http.StatusCreated, w.Code)
			require.Equal(t, http.MethodPost, method)
		}
	})
}
