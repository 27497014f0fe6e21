package channelparticipation

import (
	"bytes"
	"errors"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"raftmig/orderer/channelconfig"
	"raftmig/orderer/protoutil"
	"raftmig/orderer/server/fixture"
	"raftmig/orderer/types"
)

// channels answers as told.
type channels struct {
	list   types.ChannelList
	info   types.ChannelInfo
	err    error
	joined string
}

func (c *channels) ChannelList() types.ChannelList { return c.list }
func (c *channels) ChannelInfo(string) (types.ChannelInfo, error) {
	return c.info, c.err
}

func (c *channels) JoinChannel(id string, b *cb.Block, app bool) (types.ChannelInfo, error) {
	c.joined = fmt.Sprint(id, " ", b.Header.Number, " ", app)
	return c.info, c.err
}
func (c *channels) RemoveChannel(string) error { return c.err }

func handler(c *channels) *Handler {
	return NewHandler(Options{Enabled: true, MaxRequestBodySize: 1 << 20, Channels: c, Logger: zap.NewNop().Sugar()})
}

type part struct{ name, file, content string }

// form is a multipart body and its content type.
func form(t testing.TB, parts ...part) (string, string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range parts {
		if p.file == "" {
			require.NoError(t, w.WriteField(p.name, p.content))
			continue
		}
		f, err := w.CreateFormFile(p.name, p.file)
		require.NoError(t, err)
		_, err = f.Write([]byte(p.content))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return b.String(), w.FormDataContentType()
}

type exchange struct {
	method, path, accept, contentType, body string
	channels                                *channels
	code                                    int
	want                                    string            // the body without newline; "…" at its end: a prefix
	headers                                 map[string]string // "" means absent
}

func (e exchange) check(t *testing.T) {
	t.Helper()
	r := httptest.NewRequest(e.method, e.path, strings.NewReader(e.body))
	if e.accept != "" {
		r.Header.Set("Accept", e.accept)
	}
	if e.contentType != "" {
		r.Header.Set("Content-Type", e.contentType)
	}
	w := httptest.NewRecorder()
	if e.channels == nil {
		e.channels = &channels{}
	}
	handler(e.channels).ServeHTTP(w, r)
	name := fmt.Sprintf("%s %s (%s %s)", e.method, e.path, e.accept, e.contentType)
	require.Equal(t, e.code, w.Code, "%s: %s", name, w.Body)
	body := strings.TrimSuffix(w.Body.String(), "\n")
	if prefix, cut := strings.CutSuffix(e.want, "…"); cut {
		require.True(t, strings.HasPrefix(body, prefix), "%s: %s", name, body)
	} else {
		require.Equal(t, e.want, body, name)
	}
	if strings.HasPrefix(body, "{") {
		require.Equal(t, "application/json", w.Header().Get("Content-Type"), name)
	}
	for key, value := range e.headers {
		require.Equal(t, value, w.Header().Get(key), "%s: %s", name, key)
	}
}

const one = URLBaseV1Channels + "/ch1"

// Every row of spec 9 but for the join's body.
func TestRequestsAreAnsweredAsFabricDoes(t *testing.T) {
	info := types.ChannelInfo{Name: "ch1", ConsensusRelation: types.ConsensusRelationFollower, Status: types.StatusOnBoarding, Height: 7}
	const infoText = `{"name":"ch1","url":"/participation/v1/channels/ch1","consensusRelation":"follower","status":"onboarding","height":7}`
	fails := func(err error) *channels { return &channels{err: err} }
	noStore := map[string]string{"Cache-Control": "no-store"}
	for _, e := range []exchange{
		{method: "GET", path: URLBaseV1Channels, code: 200, want: `{"systemChannel":null,"channels":null}`, headers: noStore},
		{method: "GET", path: URLBaseV1Channels, code: 200, headers: noStore, channels: &channels{list: types.ChannelList{
			SystemChannel: &types.ChannelInfoShort{Name: "sys"}, Channels: []types.ChannelInfoShort{{Name: "a"}, {Name: "b"}},
		}}, want: `{"systemChannel":{"name":"sys","url":"/participation/v1/channels/sys"},"channels":[` +
			`{"name":"a","url":"/participation/v1/channels/a"},{"name":"b","url":"/participation/v1/channels/b"}]}`},
		{method: "GET", path: one, code: 200, want: infoText, channels: &channels{info: info}, headers: noStore},
		{method: "GET", path: one, code: 404, want: `{"error":"channel does not exist"}`, channels: fails(types.ErrChannelNotExist)},
		{method: "GET", path: URLBaseV1Channels + "/Bad", code: 400, want: `{"error":"invalid channel ID: 'Bad' contains illegal characters"}`},
		{method: "DELETE", path: URLBaseV1Channels + "/a_b", code: 400, want: `{"error":"invalid channel ID: 'a_b' contains illegal characters"}`},

		{method: "DELETE", path: one, code: 204},
		{method: "DELETE", path: one, code: 404, want: `{"error":"cannot remove: channel does not exist"}`, channels: fails(types.ErrChannelNotExist)},
		{
			method: "DELETE", path: one, code: 405, want: `{"error":"cannot remove: system channel exists"}`,
			channels: fails(types.ErrSystemChannelExists), headers: map[string]string{"Allow": "GET"},
		},
		{method: "DELETE", path: one, code: 409, want: `{"error":"cannot remove: channel pending removal"}`, channels: fails(types.ErrChannelPendingRemoval)},
		{method: "DELETE", path: one, code: 400, want: `{"error":"cannot remove: oops"}`, channels: fails(errors.New("oops"))},

		// methods
		{method: "PUT", path: one, code: 405, want: `{"error":"invalid request method: PUT"}`, headers: map[string]string{"Allow": "GET, DELETE"}},
		{method: "POST", path: one, code: 405, want: `{"error":"invalid request method: POST"}`, headers: map[string]string{"Allow": "GET, DELETE"}},
		{method: "DELETE", path: URLBaseV1Channels, code: 405, want: `{"error":"invalid request method: DELETE"}`, headers: map[string]string{"Allow": "GET, POST"}},
		{method: "PUT", path: URLBaseV1Channels, code: 405, want: `{"error":"invalid request method: PUT"}`, headers: map[string]string{"Allow": "GET, POST"}},
		{method: "POST", path: URLBaseV1, code: 405},
		{method: "GET", path: URLBaseV1, code: 302, want: "…", headers: map[string]string{"Location": URLBaseV1Channels}},

		// what is accepted
		{method: "GET", path: URLBaseV1Channels, accept: "text/html", code: 406, want: `{"error":"response Content-Type is application/json only"}`},
		{method: "GET", path: one, accept: "text/html", code: 406, want: `{"error":"response Content-Type is application/json only"}`},
		{method: "DELETE", path: one, accept: "text/html", code: 406, want: `{"error":"response Content-Type is application/json only"}`},
		{method: "GET", path: one, accept: "text/html, application/json;q=1", code: 200, want: infoText, channels: &channels{info: info}},
		{method: "GET", path: one, accept: "application/*", code: 200, want: infoText, channels: &channels{info: info}},
		{method: "GET", path: one, accept: "*/*", code: 200, want: infoText, channels: &channels{info: info}},

		// paths
		{method: "GET", path: one + "/x", code: 404, want: "404 page not found"},
		{method: "GET", path: URLBaseV1Channels + "/", code: 404, want: "404 page not found"},
		{method: "GET", path: URLBaseV1 + "other", code: 404, want: "404 page not found"},

		// a join that is none
		{method: "POST", path: URLBaseV1Channels, contentType: "application/json", code: 400, want: `{"error":"unsupported Content-Type: [application/json]"}`},
		{method: "POST", path: URLBaseV1Channels, code: 400, want: `{"error":"unsupported Content-Type: []"}`},
		{method: "POST", path: URLBaseV1Channels, contentType: "multipart/form-data; boundary=x", accept: "text/html", code: 406, want: `{"error":"response Content-Type is application/json only"}`},
		{method: "POST", path: URLBaseV1Channels, contentType: "multipart/form-data; boundary", code: 400, want: `{"error":"cannot parse Mime media type: mime: invalid media parameter"}`},
		{method: "POST", path: URLBaseV1Channels, contentType: "multipart/form-data; boundary=x", code: 400, want: `{"error":"cannot read form from request body: multipart: NextPart: EOF"}`},
	} {
		e.check(t)
	}
}

// Spec 9, POST.
func TestJoinsAreAnsweredAsFabricDoes(t *testing.T) {
	n := fixture.New(t)
	app := string(protoutil.MustMarshal(n.AppGenesis("ch1", 1, 7050)))
	system := string(protoutil.MustMarshal(n.Genesis(nil)))
	file := func(content string) part { return part{FormDataConfigBlockKey, "config.block", content} }
	info := types.ChannelInfo{Name: "ch1", ConsensusRelation: types.ConsensusRelationConsenter, Status: types.StatusActive, Height: 1}
	noData := n.AppGenesis("ch1", 1, 7050)
	noData.Data = nil
	noHeader := n.AppGenesis("ch1", 1, 7050)
	noHeader.Header = nil
	changed := n.AppGenesis("ch1", 1, 7050)
	changed.Header.DataHash = []byte("other")
	neither := n.SystemConfig()
	delete(neither.ChannelGroup.Groups, channelconfig.ConsortiumsGroup)
	text := func(b *cb.Block) string { return string(protoutil.MustMarshal(b)) }
	for _, test := range []struct {
		parts   []part
		fail    error
		joined  string // what the registrar was asked for
		code    int
		want    string
		headers map[string]string
	}{
		{
			parts: []part{file(app)}, joined: "ch1 0 true", code: 201, headers: map[string]string{"Location": one},
			want: `{"name":"ch1","url":"/participation/v1/channels/ch1","consensusRelation":"consenter","status":"active","height":1}`,
		},
		{parts: []part{file(system)}, joined: "syschannel 0 false", code: 201, want: "…"},
		{parts: []part{{"other", "config.block", app}}, code: 400, want: `{"error":"form does not contains part key: config-block"}`},
		{parts: []part{{FormDataConfigBlockKey, "", app}}, code: 400, want: `{"error":"form does not contains part key: config-block"}`},
		{parts: []part{file(app), {"other", "f", "x"}}, code: 400, want: `{"error":"form contains too many parts"}`},
		{parts: []part{file(app), {"other", "", "x"}}, code: 400, want: `{"error":"form contains too many parts"}`},
		{parts: []part{file("\x0a\x05")}, code: 400, want: `{"error":"cannot unmarshal file part config-block into a block: …`},
		{parts: []part{file("")}, code: 400, want: `{"error":"invalid join block: block is not a config block"}`},
		{parts: []part{file(text(noData))}, code: 400, want: `{"error":"invalid join block: block is not a config block"}`},
		{parts: []part{file(text(noHeader))}, code: 400, want: `{"error":"invalid join block: block header is nil"}`},
		{parts: []part{file(text(changed))}, code: 400, want: `{"error":"invalid join block: the block's data is not what its header claims"}`},
		{
			parts: []part{file(text(n.ConfigBlock("ch1", neither)))}, code: 400,
			want: `{"error":"invalid join block: invalid config: must have at least one of application or consortiums"}`,
		},
		{parts: []part{file(text(n.ConfigBlock("ch1", &cb.Config{})))}, code: 400, want: `{"error":"invalid join block: …`},
		{parts: []part{file(app + strings.Repeat("x", 1<<20))}, code: 400, want: `{"error":"cannot read form from request body: http: request body too large"}`},

		{parts: []part{file(app)}, fail: types.ErrSystemChannelExists, code: 405, want: `{"error":"cannot join: system channel exists"}`, headers: map[string]string{"Allow": "GET"}},
		{parts: []part{file(app)}, fail: types.ErrChannelAlreadyExists, code: 405, want: `{"error":"cannot join: channel already exists"}`, headers: map[string]string{"Allow": "GET, DELETE"}},
		{parts: []part{file(system)}, fail: types.ErrAppChannelsAlreadyExists, code: 403, want: `{"error":"cannot join: application channels already exist"}`},
		{parts: []part{file(app)}, fail: types.ErrChannelPendingRemoval, code: 409, want: `{"error":"cannot join: channel pending removal"}`},
		{parts: []part{file(app)}, fail: types.ErrChannelRemovalFailure, code: 500, want: `{"error":"cannot join: channel removal failure"}`},
		{parts: []part{file(app)}, fail: errors.New("oops"), code: 400, want: `{"error":"cannot join: oops"}`},
	} {
		c := &channels{info: info, err: test.fail}
		body, contentType := form(t, test.parts...)
		exchange{
			method: "POST", path: URLBaseV1Channels, contentType: contentType, body: body, channels: c,
			code: test.code, want: test.want, headers: test.headers,
		}.check(t)
		if test.joined != "" || test.code == 400 && test.fail == nil {
			require.Equal(t, test.joined, c.joined, test.want)
		}
	}
}

func TestADisabledAPIAnswersOnlyThat(t *testing.T) {
	h := NewHandler(Options{Logger: zap.NewNop().Sugar()})
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
		for _, path := range []string{URLBaseV1, URLBaseV1Channels, one} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
			require.Equal(t, http.StatusServiceUnavailable, w.Code)
			require.Equal(t, `{"error":"channel participation API is disabled"}`+"\n", w.Body.String())
			require.Equal(t, "application/json", w.Header().Get("Content-Type"))
		}
	}
}
