package runbook

import (
	"fmt"
	"strings"
)

// The equivalent commands of steps: what an operator would type who does the
// step by hand with Fabric's own tools. $ORDERER is the host:port of an
// orderer and $CA the file of its TLS CA; FABRIC_CFG_PATH names the folder of a
// core.yaml, as peer has it. Lines fit 80 columns as long as the
// names of channels and nodes do.

// commandsFetch fetches the last config block of every channel named.
func commandsFetch(k *knowledge, channels []string) []string {
	return append(identify(k), command(
		loop("CH", channels),
		`  peer channel fetch config $CH.block -c $CH -o $ORDERER --tls --cafile $CA`,
		`  configtxlator proto_decode --type common.Block --input $CH.block |`,
		`    jq .data.data[0].payload.data.config > $CH.json`,
		`  jq .channel_group.groups.Orderer.values.ConsensusType.value $CH.json`,
		`done`,
	))
}

// identify has peer act as the first administrator, who reads the channels,
// sends the updates and, by sending, signs them; nil if the plan names none.
func identify(k *knowledge) []string {
	if len(k.plan.Admins) == 0 {
		return nil
	}
	a := k.plan.Admins[0]
	return []string{command("export CORE_PEER_LOCALMSPID="+quote(a.MSPID), "export CORE_PEER_MSPCONFIGPATH="+quote(a.MSPDir))}
}

// commandsUpdate makes one change on every channel known, the system channel
// first: as an administrator of each organization at hand, and where others sign
// elsewhere, with a stop for them between the making and the sending.
func commandsUpdate(k *knowledge, edit ...string) []string {
	lines := []string{
		loop("CH", k.channels),
		`  peer channel fetch config $CH.block -c $CH -o $ORDERER --tls --cafile $CA`,
		`  configtxlator proto_decode --type common.Block --input $CH.block |`,
		`    jq .data.data[0].payload.data.config > $CH.json`,
	}
	lines = append(lines, edit...)
	lines = append(lines,
		`  configtxlator proto_encode --type common.Config \`,
		`    --input $CH.json --output $CH.old`,
		`  configtxlator proto_encode --type common.Config \`,
		`    --input $CH.new.json --output $CH.new`,
		`  configtxlator compute_update --channel_id $CH --original $CH.old \`,
		`    --updated $CH.new | configtxlator proto_decode \`,
		`    --type common.ConfigUpdate | jq '{payload:{header:{channel_header:`,
		`    {channel_id:"'$CH'",type:2}},data:{config_update:.}}}' |`,
		`    configtxlator proto_encode --type common.Envelope --output $CH.tx`,
	)
	for _, a := range k.plan.Admins[min(1, len(k.plan.Admins)):] {
		lines = append(lines,
			`  CORE_PEER_LOCALMSPID=`+quote(a.MSPID)+` \`,
			`  CORE_PEER_MSPCONFIGPATH=`+quote(a.MSPDir)+` \`,
			`    peer channel signconfigtx -f $CH.tx`,
		)
	}
	const send = `  peer channel update -f $CH.tx -c $CH -o $ORDERER --tls --cafile $CA`
	out := append([]string{`V=.channel_group.groups.Orderer.values.ConsensusType.value`}, identify(k)...)
	if !k.plan.AwaitSignatures {
		return append(out, command(append(lines, send, `done`)...))
	}
	return append(out,
		command(append(lines, `done`)...),
		command("# elsewhere, as an administrator of another organization:", "for F in *.tx; do peer channel signconfigtx -f $F; done"),
		command(loop("CH", k.channels), send, `done`),
	)
}

// quote quotes a word for a shell where it must be.
func quote(word string) string {
	if word != "" && !strings.ContainsAny(word, " \t\n'\"\\$`&|;<>()*?[]{}#~!") {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// command makes one command of several lines.
func command(lines ...string) string { return strings.Join(lines, "\n") }

func editState(state string) []string {
	return []string{fmt.Sprintf(`  jq "$V.state=\"%s\"" $CH.json > $CH.new.json`, state)}
}

func editType() []string {
	return []string{
		`  jq --slurpfile m metadata.json \`,
		`    "$V.type=\"etcdraft\" | $V.metadata=\$m[0]" $CH.json > $CH.new.json`,
	}
}

// commandsConsenters makes metadata.json, with Fabric's defaults and $HOST as
// long as m is not known.
func commandsConsenters(orderers []string, m *ConsenterMetadata) []string {
	if m == nil {
		m = &ConsenterMetadata{Options: RaftOptions{
			TickInterval: "500ms", ElectionTick: 10, HeartbeatTick: 1, MaxInflightBlocks: 5, SnapshotIntervalSize: 16 << 20,
		}}
		for _, node := range orderers {
			m.Consenters = append(m.Consenters, Consenter{Node: node, Host: "$HOST", Port: 7050})
		}
	}
	lines := []string{
		`consenter() { jq -n --arg h "$2" --argjson p "$3" \`,
		`  --arg s "$(base64 -w0 <$CERTS/$1/server.crt)" \`,
		`  --arg c "$(base64 -w0 <$CERTS/$1/client.crt)" \`,
		`  '{host:$h,port:$p,client_tls_cert:$c,server_tls_cert:$s}'; }`,
		`{`,
	}
	for _, c := range m.Consenters {
		lines = append(lines, fmt.Sprintf("  consenter %s %s %d", c.Node, c.Host, c.Port))
	}
	o := m.Options
	return []string{
		"# $CERTS/NODE has server.crt and client.crt of an orderer's cluster TLS",
		command(append(lines, `} > consenters.json`)...),
		command(
			fmt.Sprintf(`jq -n '{options:{tick_interval:"%s",election_tick:%d,`, o.TickInterval, o.ElectionTick),
			fmt.Sprintf(`  heartbeat_tick:%d,max_inflight_blocks:%d,`, o.HeartbeatTick, o.MaxInflightBlocks),
			fmt.Sprintf(`  snapshot_interval_size:%d},consenters:$c}' \`, o.SnapshotIntervalSize),
			`  --slurpfile c consenters.json > metadata.json`,
		),
	}
}

func commandsControl(verb string, nodes []string) []string {
	var out []string
	for _, n := range nodes {
		out = append(out, fmt.Sprintf("ssh %s systemctl %s %s", n, verb, unit(n)))
	}
	return out
}

// unit stands for the name of the service, which only the operator knows.
func unit(node string) string { return node + ".service" }

// loop begins a shell loop, folded to 80 columns.
func loop(variable string, values []string) string {
	const width = 78
	line := "for " + variable + " in"
	var out strings.Builder
	for _, v := range values {
		if len(line)+1+len(v) > width {
			out.WriteString(line + " \\\n")
			line = "   "
		}
		line += " " + v
	}
	out.WriteString(line + "; do")
	return out.String()
}

// list puts names on one line, the first few and how many more.
func list(names []string) string {
	const most = 4
	if len(names) == 0 {
		return "none"
	}
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Sections of the guide, "Migrating from Kafka to Raft".
const (
	guideAssumptions = "Migrating from Kafka to Raft: Assumptions and considerations"
	guidePrepare     = "Migrating from Kafka to Raft: Preparing to migrate"
	guideEntry       = "Migrating from Kafka to Raft: Entry to maintenance mode"
	guideBackup      = "Migrating from Kafka to Raft: Backup files and shut down servers"
	guideSwitch      = "Migrating from Kafka to Raft: Switch to Raft in maintenance mode"
	guideRestart     = "Migrating from Kafka to Raft: Restart and validate leader"
	guideExit        = "Migrating from Kafka to Raft: Switch out of maintenance mode"
	guideAbort       = "Migrating from Kafka to Raft: Abort and rollback"
)

// undoWayBack is the undo of steps before the point of no return.
func undoWayBack(k *knowledge) string { return wayBack(k) }
