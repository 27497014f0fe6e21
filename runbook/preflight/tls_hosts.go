package preflight

import (
	"net/netip"
	"strings"

	"raftmig/runbook"
)

var hostNames = check{
	id:    "tls.host-names",
	title: "host names in certificates",
	hint:  "Give the orderer a certificate whose subject alternative names cover its cluster host, or correct clusterHost.",
	ok:    say("every certificate covers its orderer's cluster host"),
	judge: func(f runbook.Facts) []complaint {
		var out []complaint
		for _, o := range f.Orderers {
			cert := o.ServedCert
			if cert == nil {
				cert = o.ServerCert
			}
			switch {
			case cert == nil || o.ClusterHost == "":
			case len(cert.SANs) == 0:
				out = append(out, bad("%s: its certificate has no subject alternative name", o.Node))
			case !covers(cert.SANs, o.ClusterHost):
				out = append(out, bad("%s: its certificate is for %s, not for %s", o.Node, strings.Join(cert.SANs, ", "), o.ClusterHost))
			}
		}
		return out
	},
}

// covers reports whether a host matches one of the names, as TLS clients
// match: an asterisk stands for one whole leftmost label.
func covers(names []string, host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	ip, ipErr := netip.ParseAddr(host)
	for _, name := range names {
		name = strings.ToLower(name)
		if other, err := netip.ParseAddr(name); err == nil {
			if ipErr == nil && other.Unmap() == ip.Unmap() {
				return true
			}
			continue
		}
		if ipErr == nil {
			continue
		}
		if name == host {
			return true
		}
		if suffix, ok := strings.CutPrefix(name, "*."); ok {
			if label, rest, found := strings.Cut(host, "."); found && label != "" && rest == suffix {
				return true
			}
		}
	}
	return false
}
