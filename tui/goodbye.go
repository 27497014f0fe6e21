package tui

import (
	"fmt"

	"raftmig/tui/present"
)

// goodbye is what stays on the ordinary screen after leaving.
func (m *model) goodbye() []string {
	s := m.snap
	switch {
	case s == nil:
		return []string{"Left the screen; nothing was received from the run."}
	case s.Outcome != "":
		return []string{present.Outcome(s)}
	case m.opts.InProcess:
		return []string{"Left the screen; the run of network " + present.Clean(s.Plan.Network) + " stops where it is and can be resumed.", present.WayBack(s).String()}
	}
	out := []string{fmt.Sprintf("Left the screen; the run of network %s goes on: %s, %s.", present.Clean(s.Plan.Network), present.PhaseWord(s.Phase), present.StepCount(s))}
	if m.lost {
		out[0] = fmt.Sprintf("Left the screen; the connection to the run of network %s was lost at %s.", present.Clean(s.Plan.Network), present.Clock(m.lostAt, m.opts.local()))
	}
	out = append(out, present.WayBack(s).String())
	if m.opts.AttachHint != "" {
		out = append(out, "Come back with: "+m.opts.AttachHint)
	}
	return out
}
