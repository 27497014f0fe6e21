package operations

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
)

type logSpec struct{ spec string }

func (l *logSpec) Spec() string { return l.spec }
func (l *logSpec) ActivateSpec(s string) error {
	if s == "bogus" {
		return errors.New("invalid logging specification 'bogus': bad segment 'bogus'")
	}
	l.spec = s
	return nil
}

func start(t *testing.T) (*System, *Health) {
	h := NewHealth(func() time.Time { return time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC) })
	s, err := Start(Options{
		ListenAddress: "127.0.0.1:0", LogSpec: &logSpec{"info"}, Health: h, Logger: zap.NewNop().Sugar(),
		Version: Version{CommitSHA: "abc", Version: "2.5.16", Raftmig: "1"},
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "a 1") }),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop(context.Background())) })
	return s, h
}

func do(t *testing.T, s *System, method, path, body string) (int, string) {
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.Addr()+path, strings.NewReader(body))
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.NotEmpty(t, resp.Header.Get("X-Request-Id"))
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, strings.TrimSpace(string(b))
}

func TestAnswersHaveFabricsForm(t *testing.T) {
	s, h := start(t)
	for _, test := range []struct {
		method, path, body string
		code               int
		want               string
	}{
		{"GET", "/version", "", 200, `{"CommitSHA":"abc","Version":"2.5.16","Raftmig":"1"}`},
		{"POST", "/version", "", 400, `{"Error":"invalid request method: POST"}`},
		{"GET", "/logspec", "", 200, `{"spec":"info"}`},
		{"PUT", "/logspec", `{"spec":"debug:a=warn"}`, 204, ""},
		{"GET", "/logspec", "", 200, `{"spec":"debug:a=warn"}`},
		{"PUT", "/logspec", `{"spec":"bogus"}`, 400, `{"error":"invalid logging specification 'bogus': bad segment 'bogus'"}`},
		{"DELETE", "/logspec", "", 400, `{"error":"invalid request method: DELETE"}`},
		{"GET", "/metrics", "", 200, "a 1"},
		{"GET", "/healthz", "", 200, `{"status":"OK","time":"2026-11-22T03:00:00Z"}`},
		{"POST", "/healthz", "", 405, ""},
		{"GET", "/other", "", 404, "404 page not found"},
	} {
		code, body := do(t, s, test.method, test.path, test.body)
		require.Equal(t, test.code, code, "%s %s", test.method, test.path)
		require.Equal(t, test.want, body, "%s %s", test.method, test.path)
	}
	code, body := do(t, s, "PUT", "/logspec", "{")
	require.Equal(t, 400, code)
	require.Contains(t, body, `{"error":`)

	require.NoError(t, h.RegisterChecker("ch2/0", func(context.Context) error { return errors.New("[replica ids: [1]]: no") }))
	require.NoError(t, h.RegisterChecker("ch1/0", func(context.Context) error { return errors.New("down") }))
	require.NoError(t, h.RegisterChecker("ch3/0", func(context.Context) error { return nil }))
	require.EqualError(t, h.RegisterChecker("ch3/0", nil), "'ch3/0' is already registered")
	code, body = do(t, s, "GET", "/healthz", "")
	require.Equal(t, 503, code)
	require.Equal(t, `{"status":"Service Unavailable","time":"2026-11-22T03:00:00Z","failed_checks":[{"component":"ch1/0","reason":"down"},{"component":"ch2/0","reason":"[replica ids: [1]]: no"}]}`, body)
	h.DeregisterChecker("ch1/0")
	_, body = do(t, s, "GET", "/healthz", "")
	require.NotContains(t, body, "ch1/0")
	require.True(t, json.Valid([]byte(body)))
}

// recorder is a ResponseWriter that only keeps the code.
type recorder struct {
	http.ResponseWriter
	code int
}

func (r *recorder) WriteHeader(code int) { r.code = code }
func (r *recorder) Header() http.Header  { return http.Header{} }

func TestChecksThatTakeTooLongGiveATimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHealth(time.Now)
		require.NoError(t, h.RegisterChecker("slow", func(ctx context.Context) error {
			time.Sleep(healthTimeout + time.Second) // one that does not heed its context; synctest's time
			return nil
		}))
		r, err := http.NewRequestWithContext(t.Context(), "GET", "/healthz", nil)
		require.NoError(t, err)
		w := &recorder{}
		begin := time.Now()
		h.ServeHTTP(w, r)
		require.Equal(t, http.StatusRequestTimeout, w.code)
		require.Equal(t, healthTimeout, time.Since(begin))
		time.Sleep(2 * time.Second) // until the slow check has ended
	})
}
