package present

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"raftmig/runbook"
)

// EvidenceItems is all that a step found or did.
func EvidenceItems(st runbook.StepView, local *time.Location) []Item {
	out := []Item{{Line: Line{{Strong, Clean(string(st.ID))}, {Normal, "  "}, {StatusTone(st.Status), StatusWord(st.Status)}}}}
	if !st.StartedAt.IsZero() {
		out = append(out, Field("began", Normal, Clock(st.StartedAt, local)))
	}
	if !st.EndedAt.IsZero() {
		out = append(out, Field("ended", Normal, Clock(st.EndedAt, local)+", after "+Seconds(st.EndedAt.Sub(st.StartedAt).Seconds())))
	}
	if st.Note != "" {
		out = append(out, Field("note", Warn, st.Note))
	}
	out = append(out, ProblemItems(st.Problem)...)
	if len(st.Evidence) == 0 {
		return append(out, Blank(), Para(Muted, "No evidence yet: it is kept here once the step has done something."))
	}
	for _, e := range st.Evidence {
		out = append(out, Blank())
		out = append(out, oneEvidence(e)...)
	}
	return out
}

func oneEvidence(e runbook.Evidence) []Item {
	head := Line{{Normal, Clean(e.Summary)}, {Muted, " (" + Seconds(e.Seconds) + ")"}}
	if e.AlreadyDone {
		head = append(head, Span{Strong, " already so, nothing changed"})
	}
	out := []Item{{Label: "found", Line: head}}
	if u := e.Update; u != nil {
		out = append(out, Field("update", Normal, updateText(u)))
	}
	if b := e.Backup; b != nil {
		out = append(out, Field("backup", Normal, fmt.Sprintf("%s, %s in %s", Plural(b.Files, "file"), Bytes(b.Bytes), b.Dir)),
			Field("manifest", Normal, b.Manifest))
		for _, ch := range sortedKeys(b.Heights) {
			out = append(out, sub(fmt.Sprintf("%s: height %d in the copy", ch, b.Heights[ch])))
		}
	}
	out = append(out, listItems(e)...)
	if m := e.Metadata; m != nil {
		out = append(out, Field("metadata", Normal, "SHA-256 "+m.Hash))
		for i, c := range m.Consenters {
			out = append(out, sub(fmt.Sprintf("%d  %s  %s:%d  server %s client %s  until %s", i+1, c.Node, c.Host, c.Port,
				Short(c.ServerCert), Short(c.ClientCert), c.NotAfter.UTC().Format("2006-01-02"))))
		}
		o := m.Options
		out = append(out, sub(fmt.Sprintf("tick %s, election %d ticks, heartbeat %d ticks, %d blocks in flight, snapshot every %s",
			o.TickInterval, o.ElectionTick, o.HeartbeatTick, o.MaxInflightBlocks, Bytes(int64(o.SnapshotIntervalSize)))))
	}
	for _, f := range e.Findings {
		out = append(out, sub(fmt.Sprintf("%s  %s: %s", SeverityWord(f.Severity), f.Check, f.Summary)))
	}
	return out
}

func listItems(e runbook.Evidence) []Item {
	var out []Item
	if l := e.ChannelList; l != nil {
		out = append(out, Field("channels", Normal, strings.Join(l.Names, ", ")))
		for _, src := range sortedKeys(l.Sources) {
			out = append(out, sub(fmt.Sprintf("%s: %s", src, strings.Join(l.Sources[src], ", "))))
		}
	}
	for _, ch := range e.Channels {
		out = append(out, channelItems(ch)...)
	}
	for _, p := range e.Processes {
		text := fmt.Sprintf("%s (%s): down", p.Node, p.Tier)
		if p.Running {
			text = fmt.Sprintf("%s (%s): up, pid %d", p.Node, p.Tier, p.PID)
		}
		out = append(out, sub(text))
	}
	for _, f := range e.Flush {
		text := f.String()
		if f.Error != "" {
			text = f.Channel + ": " + f.Error
		}
		out = append(out, sub(text))
	}
	for _, s := range e.Signatures {
		out = append(out, sub(signaturesText(s)))
	}
	for _, t := range e.Transactions {
		out = append(out, sub(fmt.Sprintf("%s: transaction %s in block %d on every node", t.Channel, Short(t.TxID), t.Block)))
	}
	return out
}

// channelItems puts nodes that show the same on one line.
func channelItems(ch runbook.ChannelState) []Item {
	var out []Item
	var views []string
	nodes := map[string][]string{}
	for _, n := range ch.Nodes {
		if n.Error != "" {
			out = append(out, Item{Indent: 9, Line: T(Bad, fmt.Sprintf("%s on %s: NO ANSWER: %s", ch.Name, n.Node, n.Error))})
			continue
		}
		view := fmt.Sprintf("%s, %s, height %d, hash %s, seq %d", dash(n.Type), StateWord(n.State), n.Height, Short(n.LastBlockHash), n.ConfigSequence)
		if n.Leader != 0 {
			view += fmt.Sprintf(", leader %d", n.Leader)
		}
		if nodes[view] == nil {
			views = append(views, view)
		}
		nodes[view] = append(nodes[view], n.Node)
	}
	for _, v := range views {
		where := "on " + strings.Join(nodes[v], ", ")
		if len(nodes[v]) == len(ch.Nodes) && len(ch.Nodes) > 1 {
			where = fmt.Sprintf("on all %d nodes", len(ch.Nodes))
		}
		out = append(out, sub(fmt.Sprintf("%s %s: %s", ch.Name, where, v)))
	}
	return out
}

func updateText(u *runbook.UpdateReceipt) string {
	what := strings.ReplaceAll(string(u.Change), "-", " ")
	sent := "nothing sent, it was in force"
	if u.Status != "" {
		sent = fmt.Sprintf("%s from %s", u.Status, u.Node)
	}
	return fmt.Sprintf("%s on %s: %s; block %d, seq %d, hash %s", what, u.Channel, sent, u.Block, u.Sequence, Short(u.Hash))
}

func sub(text string) Item { return Item{Indent: 9, Line: T(Normal, text)} }

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
