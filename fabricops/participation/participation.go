// Package participation has orderers join channels through Fabric's channel
// participation API (2.3 and later), as "osnadmin channel join" does.
package participation

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"time"

	"raftmig/runbook"
)

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 10

const timeout = 30 * time.Second

// Endpoint is the Admin endpoint of one orderer.
type Endpoint struct {
	Node string // for messages
	// URL is https://host:port, or http://host:port where the node's Admin.TLS is off.
	URL string
	// TLS has the roots that the endpoint's certificate must chain to, and the
	// client certificate that it asks for.
	TLS *tls.Config
}

// Join has the orderer join a channel with a config block. already is set where
// it has the channel; its block is not looked at then.
func (e Endpoint) Join(ctx context.Context, channel string, block []byte) (already bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("config-block", channel+".block")
	if err == nil {
		_, err = part.Write(block)
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		return false, fmt.Errorf("making the request to join %s: %w", channel, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(e.URL, "/")+"/participation/v1/channels", &body)
	if err != nil {
		return false, fmt.Errorf("%s: %w", e.Node, err)
	}
	req.Header.Set("Content-Type", form.FormDataContentType())
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: e.TLS, DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return false, &runbook.Problem{
			What: "the channel participation API does not answer", Where: e.Node, Why: err.Error(),
			Hint: "Check participation in raftmig.yaml, and Admin and ChannelParticipation in the node's orderer.yaml; the first administrator's tlsCert is what the node is shown.",
		}
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	text := reason(answer)
	switch {
	case err != nil:
		return false, fmt.Errorf("%s: reading its answer: %w", e.Node, err)
	case resp.StatusCode == http.StatusCreated:
		return false, nil
	case resp.StatusCode == http.StatusMethodNotAllowed && strings.Contains(text, "channel already exists"):
		return true, nil
	default:
		return false, &runbook.Problem{What: "the orderer does not join " + channel, Where: e.Node, Why: resp.Status + ": " + text}
	}
}

// reason is the text of an answer that is an error.
func reason(answer []byte) string {
	var body struct{ Error string }
	if json.Unmarshal(answer, &body) == nil && body.Error != "" {
		return body.Error
	}
	return strings.TrimSpace(string(answer))
}
