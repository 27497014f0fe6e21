package cryptogen

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"text/template"
)

// maxNodes bounds the nodes or users of one organization.
const maxNodes = 10000

// org is an OrgSpec with its templates filled in.
type org struct {
	kind    kind
	domain  string
	nodeOUs bool
	ca      NodeSpec // CommonName without the "tls" of the TLS CA
	nodes   []leaf
	users   []leaf
}

// leaf is what gets an identity and a TLS certificate.
type leaf struct {
	hostname   string // of nodes
	commonName string
	sans       []string
	role       role
}

// kind tells orderer and peer organizations apart.
type kind struct {
	orgs, nodes string // folders
	prefix      string // of host names
	role        role
}

var (
	ordererOrg = kind{orgs: "ordererOrganizations", nodes: "orderers", prefix: "orderer", role: roleOrderer}
	peerOrg    = kind{orgs: "peerOrganizations", nodes: "peers", prefix: "peer", role: rolePeer}
)

// role is the organizational unit of an identity where NodeOUs are enabled.
type role string

const (
	roleClient  role = "client"
	rolePeer    role = "peer"
	roleAdmin   role = "admin"
	roleOrderer role = "orderer"
)

func (r role) isUser() bool { return r == roleClient || r == roleAdmin }

func (o *org) admin() string { return "Admin@" + o.domain }

// render fills in all templates of c and refuses what cannot be made.
func render(c *Config) ([]*org, error) {
	var orgs []*org
	seen := map[string]string{}
	add := func(k kind, specs []OrgSpec) error {
		for i := range specs {
			o, err := renderOrg(k, &specs[i])
			if err != nil {
				return fmt.Errorf("organization %q: %w", specs[i].Name, err)
			}
			key := k.orgs + "/" + strings.ToLower(o.domain)
			if other, twice := seen[key]; twice {
				return fmt.Errorf("organizations %q and %q have the same domain %s", other, specs[i].Name, o.domain)
			}
			seen[key] = specs[i].Name
			orgs = append(orgs, o)
		}
		return nil
	}
	if err := add(peerOrg, c.PeerOrgs); err != nil {
		return nil, err
	}
	if err := add(ordererOrg, c.OrdererOrgs); err != nil {
		return nil, err
	}
	return orgs, nil
}

func renderOrg(k kind, s *OrgSpec) (*org, error) {
	if err := checkName("domain", s.Domain); err != nil {
		return nil, err
	}
	if s.Template.Count < 0 || s.Users.Count < 0 || s.Template.Start < 0 {
		return nil, fmt.Errorf("Template.Count, Template.Start and Users.Count must not be negative")
	}
	if s.Template.Count > maxNodes || s.Users.Count > maxNodes {
		return nil, fmt.Errorf("Template.Count and Users.Count must not be above %d", maxNodes)
	}
	o := &org{kind: k, domain: s.Domain, nodeOUs: s.EnableNodeOUs}
	specs := append([]NodeSpec(nil), s.Specs...)
	for i := range s.Template.Count {
		hostname, err := fill(or(s.Template.Hostname, "{{.Prefix}}{{.Index}}"), map[string]any{
			"Prefix": k.prefix, "Index": i + s.Template.Start, "Domain": s.Domain,
		})
		if err != nil {
			return nil, err
		}
		specs = append(specs, NodeSpec{Hostname: hostname, SANS: s.Template.SANS})
	}
	seen := map[string]bool{}
	for _, n := range specs {
		n, err := renderNode(s.Domain, n)
		if err != nil {
			return nil, err
		}
		if seen[n.CommonName] {
			return nil, fmt.Errorf("node %s is described twice", n.CommonName)
		}
		seen[n.CommonName] = true
		o.nodes = append(o.nodes, leaf{hostname: n.Hostname, commonName: n.CommonName, sans: n.SANS, role: k.role})
	}
	ca := s.CA
	ca.Hostname = or(ca.Hostname, "ca")
	var err error
	if o.ca, err = renderNode(s.Domain, ca); err != nil {
		return nil, fmt.Errorf("its CA: %w", err)
	}
	if k.role == rolePeer {
		for i := 1; i <= s.Users.Count; i++ {
			o.users = append(o.users, leaf{commonName: fmt.Sprintf("User%d@%s", i, s.Domain), role: roleClient})
		}
	}
	o.users = append(o.users, leaf{commonName: o.admin(), role: roleAdmin})
	return o, nil
}

func renderNode(domain string, n NodeSpec) (NodeSpec, error) {
	if n.Hostname == "" && n.CommonName == "" {
		return n, fmt.Errorf("a node has no Hostname")
	}
	data := map[string]any{"Hostname": n.Hostname, "Domain": domain}
	cn, err := fill(or(n.CommonName, "{{.Hostname}}.{{.Domain}}"), data)
	if err != nil {
		return n, err
	}
	if err := checkName("common name", cn); err != nil {
		return n, err
	}
	data["CommonName"] = cn
	sans := []string{cn}
	if n.Hostname != "" {
		sans = append(sans, n.Hostname)
	}
	for _, t := range n.SANS {
		san, err := fill(t, data)
		if err != nil {
			return n, err
		}
		if err := checkSAN(san); err != nil {
			return n, err
		}
		sans = append(sans, san)
	}
	n.CommonName, n.SANS = cn, sans
	return n, nil
}

func fill(text string, data map[string]any) (string, error) {
	t, err := template.New("name").Option("missingkey=error").Parse(text)
	if err != nil {
		return "", fmt.Errorf("template %q: %w", text, err)
	}
	var b strings.Builder
	if err := t.Execute(&b, data); err != nil {
		return "", fmt.Errorf("template %q: %w", text, err)
	}
	return b.String(), nil
}

var namePattern = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?$`)

// checkName keeps out names that are no host names and would not be file names.
func checkName(what, name string) error {
	switch {
	case name == "":
		return fmt.Errorf("it has no %s", what)
	case len(name) > 64:
		return fmt.Errorf("%s %q is longer than the 64 characters that a certificate allows", what, name)
	case !namePattern.MatchString(name) || strings.Contains(name, ".."):
		return fmt.Errorf("%s %q is not a host name", what, name)
	}
	return nil
}

func checkSAN(san string) error {
	if _, err := netip.ParseAddr(san); err == nil {
		return nil
	}
	if san == "" || strings.ContainsAny(san, " /\\\t\n,;") {
		return fmt.Errorf("alternative name %q is neither an IP address nor a host name", san)
	}
	return nil
}

func or(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}
