package testnet

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// maxAnswer bounds what is read of an answer of the participation API.
const maxAnswer = 64 << 10

// versionLine is what "orderer version" says of itself; releases have a number,
// builds of a branch may have none.
var versionLine = regexp.MustCompile(`Version: v?(\d+)\.(\d+)`)

// checkJoins returns an error for a Fabric orderer that is older than the
// participation API, which came with 2.3.
func checkJoins(bin string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, bin, "version").Output()
	if err != nil {
		return fmt.Errorf("asking %s for its version: %w", bin, err)
	}
	m := versionLine.FindSubmatch(out)
	if m == nil {
		return nil
	}
	major, _ := strconv.Atoi(string(m[1]))
	minor, _ := strconv.Atoi(string(m[2]))
	if major < 2 || major == 2 && minor < 3 {
		return fmt.Errorf("%s is of Fabric %d.%d; orderers join channels from 2.3 on, before that they need a system channel", bin, major, minor)
	}
	return nil
}

// join has an orderer join a channel through the participation API (spec 9), as
// "osnadmin channel join" does. One that has the channel already is left alone.
func (n *Network) join(ctx context.Context, o Node, c Channel) error {
	block, err := os.ReadFile(filepath.Join(n.Dir, filepath.FromSlash(c.Genesis)))
	if err != nil {
		return fmt.Errorf("reading the block to join with: %w", err)
	}
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("config-block", c.Name+".block")
	if err == nil {
		_, err = part.Write(block)
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		return fmt.Errorf("making the request to join: %w", err)
	}
	url := fmt.Sprintf("https://%s:%d/participation/v1/channels", host, o.Admin)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, &body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", form.FormDataContentType())
	client, err := n.adminClient(o)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("%s: asking it to join: %w", o.Name, err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	switch {
	case err != nil:
		return fmt.Errorf("%s: reading the answer: %w", o.Name, err)
	case resp.StatusCode == http.StatusCreated:
		return nil
	case resp.StatusCode == http.StatusMethodNotAllowed && strings.Contains(string(text), "channel already exists"):
		return nil
	}
	return fmt.Errorf("%s does not join: %s: %s", o.Name, resp.Status, strings.TrimSpace(string(text)))
}

// adminClient proves itself with the node's own certificate, which its Admin
// endpoint trusts.
func (n *Network) adminClient(o Node) (*http.Client, error) {
	file := func(name string) string {
		return filepath.Join(n.Dir, filepath.FromSlash(o.Crypto), "tls", name)
	}
	pair, err := tls.LoadX509KeyPair(file("server.crt"), file("server.key"))
	if err != nil {
		return nil, fmt.Errorf("loading the certificate of %s: %w", o.Name, err)
	}
	ca, err := os.ReadFile(file("ca.crt"))
	if err != nil {
		return nil, fmt.Errorf("loading the CA of %s: %w", o.Name, err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12},
	}}, nil
}
