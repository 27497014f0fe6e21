package runbook

import (
	"fmt"
	"strings"
)

// The equivalent commands of operations on Raft; see commands.go. $CERTS has the
// certificates of each node in a folder of its name.

// commandsOnRaft are those of the update on every channel.
func commandsOnRaft(k *knowledge) []string {
	o := *k.plan.Operation
	var before, edit []string
	switch o.Kind {
	case SetOptions:
		edit = jqEdit(editOptions(*o.Options)...)
	case RemoveConsenter:
		before = []string{isConsenter(o)}
		edit = jqEdit(append([]string{"$V.metadata.consenters|=map(select($S|not))"}, editEndpoint(o)...)...)
	case AddConsenter:
		host, port := hostPort(o.Consenter)
		before = []string{
			fmt.Sprintf("C='{\"host\":\"%s\",\"port\":%s,", host, port),
			`"client_tls_cert":"'$(base64 -w0 ` + "$CERTS/" + o.Node + `/client.crt)'",`,
			`"server_tls_cert":"'$(base64 -w0 ` + "$CERTS/" + o.Node + `/server.crt)'"}'`,
		}
		edit = jqEdit(`$V.metadata.consenters+=[$C]`)
	case RotateCertificates:
		before = []string{
			isConsenter(o),
			`C='{"client_tls_cert":"'$(base64 -w0 ` + quote(o.Files.ClientCert) + `)'",`,
			`"server_tls_cert":"'$(base64 -w0 ` + quote(o.Files.ServerCert) + `)'"}'`,
		}
		edit = jqEdit("$V.metadata.consenters|=map(if $S then .+$C else . end)")
	}
	if o.Endpoint != "" && o.Kind == RemoveConsenter {
		before = append(before, globalEndpoints)
	}
	out := commandsUpdate(k, edit...)
	if before != nil {
		out = append([]string{command(before...)}, out...)
	}
	return out
}

// globalEndpoints sets A, the channel's own list of endpoints.
const globalEndpoints = "A=.channel_group.values.OrdererAddresses.value.addresses"

// commandsEndpoint are those of the update that adds an endpoint.
func commandsEndpoint(k *knowledge) []string {
	edit := jqEdit(fmt.Sprintf("$A+=[\"%s\"]", k.plan.Operation.Endpoint))
	return append([]string{globalEndpoints}, commandsUpdate(k, edit...)...)
}

// jqEdit edits the configuration of the channel by jq, in several assignments.
func jqEdit(edits ...string) []string {
	lines := []string{`  jq "\`}
	for i, e := range edits {
		if i > 0 {
			e = "|" + e
		}
		lines = append(lines, "    "+quoteForShell(e)+`\`)
	}
	return append(lines, `  " $CH.json > $CH.new.json`)
}

// quoteForShell quotes what stands between double quotes of a shell, except
// variables.
func quoteForShell(text string) string {
	var out []rune
	for _, r := range text {
		if r == '"' {
			out = append(out, '\\')
		}
		out = append(out, r)
	}
	return string(out)
}

// isConsenter sets S, which selects the consenter.
func isConsenter(o Operation) string {
	host, port := hostPort(o.Consenter)
	return fmt.Sprintf(`S='.host=="%s" and .port==%s'`, host, port)
}

// editEndpoint takes an endpoint out of the channel's own list. Where
// organizations have lists of their own, theirs is edited in the same way.
func editEndpoint(o Operation) []string {
	if o.Endpoint == "" {
		return nil
	}
	return []string{fmt.Sprintf("$A-=[\"%s\"]", o.Endpoint)}
}

func editOptions(r RaftOptions) []string {
	var out []string
	add := func(set bool, name string, value any) {
		if set {
			out = append(out, fmt.Sprintf("$V.metadata.options.%s=%v", name, value))
		}
	}
	add(r.TickInterval != "", "tick_interval", `"`+r.TickInterval+`"`)
	add(r.ElectionTick != 0, "election_tick", r.ElectionTick)
	add(r.HeartbeatTick != 0, "heartbeat_tick", r.HeartbeatTick)
	add(r.MaxInflightBlocks != 0, "max_inflight_blocks", r.MaxInflightBlocks)
	add(r.SnapshotIntervalSize != 0, "snapshot_interval_size", r.SnapshotIntervalSize)
	return out
}

// commandsInstall puts the new files onto the node.
func commandsInstall(o Operation) []string {
	return []string{
		command("scp "+quote(o.Files.ServerCert)+" \\", "  "+o.Node+":$TLS_CERTIFICATE"),
		command("scp "+quote(o.Files.ServerKey)+" \\", "  "+o.Node+":$TLS_PRIVATEKEY"),
		command("scp "+quote(o.Files.ClientCert)+" \\", "  "+o.Node+":$CLUSTER_CLIENTCERTIFICATE"),
		command("scp "+quote(o.Files.ClientKey)+" \\", "  "+o.Node+":$CLUSTER_CLIENTPRIVATEKEY"),
	}
}

func hostPort(address string) (host, port string) {
	i := strings.LastIndex(address, ":")
	if i < 0 {
		return address, "0"
	}
	return strings.Trim(address[:i], "[]"), address[i+1:]
}
