package participation

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestJoin(t *testing.T) {
	for _, tc := range []struct {
		name    string
		status  int
		body    string
		already bool
		err     string
	}{
		{"it joins", http.StatusCreated, `{"name":"ch1"}`, false, ""},
		{"it has the channel", http.StatusMethodNotAllowed, `{"error":"cannot join: channel already exists"}`, true, ""},
		{"there is a system channel", http.StatusMethodNotAllowed, `{"error":"cannot join: system channel exists"}`, false, "405 Method Not Allowed: cannot join: system channel exists"},
		{"a bad block", http.StatusBadRequest, `{"error":"invalid join block: no"}`, false, "orderer4: the orderer does not join ch1: 400 Bad Request: invalid join block: no"},
		{"something else answers", http.StatusNotFound, "404 page not found\n", false, "404 Not Found: 404 page not found"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				file, _, err := r.FormFile("config-block")
				if err != nil || r.Method != http.MethodPost || r.URL.Path != "/participation/v1/channels" {
					http.Error(w, "wrong request", http.StatusTeapot)
					return
				}
				block, err := io.ReadAll(file)
				if err != nil || string(block) != "block" || len(r.MultipartForm.File) != 1 {
					http.Error(w, "wrong block", http.StatusTeapot)
					return
				}
				w.WriteHeader(tc.status)
				_, _ = io.WriteString(w, tc.body) // the client's answer tells
			}))
			defer s.Close()
			already, err := Endpoint{Node: "orderer4", URL: s.URL + "/"}.Join(t.Context(), "ch1", []byte("block"))
			require.Equal(t, tc.already, already)
			if tc.err == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tc.err)
		})
	}
	_, err := Endpoint{Node: "orderer4", URL: "http://127.0.0.1:1"}.Join(t.Context(), "ch1", nil)
	require.ErrorContains(t, err, "the channel participation API does not answer")
	_, err = Endpoint{Node: "orderer4", URL: "://"}.Join(t.Context(), "ch1", nil)
	require.ErrorContains(t, err, "orderer4")
}
