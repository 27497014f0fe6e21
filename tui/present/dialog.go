package present

import (
	"fmt"
	"strings"
	"time"

	"raftmig/runbook"
)

// Choice is one answer to a dialog. The first choice is the default; it never
// changes anything.
type Choice struct {
	Key  string // the letter that selects it
	Text string
	Off  string // why it cannot be taken, "" if it can
	// Ask says what may be typed with the choice, "" if nothing.
	Ask string
}

// DialogText is what a dialog says.
type DialogText struct {
	Title  string
	Tone   Tone
	Items  []Item
	Choice []Choice
	// Typed is what must be typed exactly to go on; "" where choosing is enough.
	Typed string
}

// GateTyped is what must be typed to pass the gate; "" for a plain yes. A
// severe gate always wants the network's name, whatever the gate says.
func GateTyped(s *runbook.Snapshot) string {
	switch {
	case s == nil || s.Gate == nil:
		return ""
	case s.Gate.Typed != "":
		return s.Gate.Typed
	case s.Gate.Severe:
		return s.Plan.Network
	default:
		return ""
	}
}

// GateDialog is the dialog of the gate at which the run waits.
func GateDialog(s *runbook.Snapshot, local *time.Location, off string) DialogText {
	g := s.Gate
	d := DialogText{Title: Clean(g.Title), Tone: Warn, Typed: Clean(GateTyped(s))}
	if d.Title == "" {
		d.Title = "Go on?"
	}
	if g.Severe {
		d.Tone = Bad
		if strings.Contains(strings.ToLower(d.Title), "no return") {
			d.Title = strings.ToUpper(d.Title)
		} else {
			d.Title = "POINT OF NO RETURN: " + d.Title
		}
	}
	if g.Text != "" {
		d.Items = append(d.Items, Para(Normal, g.Text), Blank())
	}
	if len(s.Channels) > 0 {
		d.Items = append(d.Items, Item{Label: "matrix", Line: ChannelsLine(s)})
	}
	label := "facts"
	for _, f := range g.Facts {
		d.Items = append(d.Items, Field(label, Normal, f))
		label = " "
	}
	if st := stepByID(s, g.Step); st != nil {
		d.Items = append(d.Items, Blank())
		if st.Explain.Undo != "" {
			d.Items = append(d.Items, Field("undo", Normal, st.Explain.Undo))
		}
		if !st.StartedAt.IsZero() {
			d.Items = append(d.Items, Field("waiting", Normal, "since "+Clock(st.StartedAt, local)+"; the run waits as long as you like"))
		}
	}
	wait := Choice{Key: "n", Text: "No, wait"}
	if d.Typed != "" {
		d.Choice = []Choice{wait, {Key: "t", Text: fmt.Sprintf("Type the name %q to go on", d.Typed), Off: off}}
	} else {
		d.Choice = []Choice{wait, {Key: "y", Text: "Yes, go on", Off: off}}
	}
	return d
}

// AbortText is the choice to abort, in a few words.
func AbortText(s *runbook.Snapshot) string {
	if s.Plan.Operation != nil {
		return "Abort: end the run before anything is changed"
	}
	return "Abort: roll back to Kafka"
}

// AbortDialog asks for the way back and says what it costs now.
func AbortDialog(s *runbook.Snapshot, off string) DialogText {
	d := DialogText{Title: "Abort: take the way back to Kafka", Tone: Warn}
	note := s.AbortNote
	if note == "" {
		note = "not known"
	}
	d.Items = []Item{
		Field("cost now", Strong, note),
		Blank(),
		Para(Normal, "The run finishes or stops the effect in hand, then rolls back step by step, with evidence for each, until every channel "+
			"is in normal operation on Kafka. A rollback is not interrupted; the migration can be tried again afterwards."),
	}
	if s.Plan.Operation != nil {
		d.Title = "Abort: end the run, nothing was changed"
		d.Items = d.Items[:1]
		d.Choice = []Choice{{Key: "n", Text: "No, keep going"}, {Key: "y", Text: "Yes, end the run", Off: off}}
		return d
	}
	d.Choice = []Choice{
		{Key: "n", Text: "No, keep going"},
		{Key: "y", Text: "Yes, roll back", Off: off},
		{Key: "w", Text: "Yes, roll back, and say why", Off: off, Ask: "the reason for the journal"},
	}
	return d
}

// ProblemDialog shows why the run stands still and what can be done. The
// reasons say why an answer cannot be taken.
func ProblemDialog(s *runbook.Snapshot, retryOff, abortOff, giveUpOff string) DialogText {
	d := DialogText{Title: "The run stands still", Tone: Bad, Items: ProblemItems(ProblemOf(s))}
	if s.Current >= 0 && s.Current < len(s.Steps) {
		d.Items = append(d.Items, Blank(), Field("step", Normal, string(s.Steps[s.Current].ID)+": "+s.Steps[s.Current].Explain.Title))
	}
	d.Items = append(d.Items, Item{Label: "back", Line: WayBack(s)[1:]})
	if s.Phase == runbook.PhasePrepare {
		for _, f := range s.Findings {
			if f.Severity == runbook.SeverityError {
				d.Items = append(append(d.Items, Blank()), findingItems(f)...)
			}
		}
	}
	d.Choice = []Choice{
		{Key: "n", Text: "Wait, let me look around"},
		{Key: "r", Text: "Retry the step", Off: retryOff},
		{Key: "a", Text: AbortText(s), Off: abortOff},
		{Key: "x", Text: "Give up: end the run where it stands", Off: giveUpOff},
	}
	return d
}

func giveUpText(s *runbook.Snapshot) string {
	const stays = "The network stays exactly as it is now, half way or not: nothing is undone and nothing more is done. "
	if s.Plan.Operation != nil {
		return stays + "Channels that were updated keep the new configuration, and a node that was stopped stays down until someone acts by hand."
	}
	return stays + "Channels in maintenance go on refusing clients until someone acts by hand."
}

// GiveUpDialog says what giving up leaves behind.
func GiveUpDialog(s *runbook.Snapshot, off string) DialogText {
	d := DialogText{Title: "Give up: end the run where it stands", Tone: Bad}
	d.Items = []Item{
		Para(Normal, giveUpText(s)),
		Blank(),
		Item{Label: "back", Line: WayBack(s)[1:]},
		Item{Label: "matrix", Line: ChannelsLine(s)},
	}
	d.Choice = []Choice{{Key: "n", Text: "No, keep the run"}, {Key: "y", Text: "Yes, give up", Off: off}}
	return d
}

// LeaveDialog asks before a run that lives in this process loses its screen.
func LeaveDialog() DialogText {
	return DialogText{
		Title: "Leave: this run lives in this process", Tone: Warn,
		Items: []Item{Para(Normal, "Leaving ends this process; the run stops where it is, as if it had been killed. Nothing is lost: started again, it resumes "+
			"from its journal. But the network stays as it is until then.")},
		Choice: []Choice{{Key: "n", Text: "No, stay"}, {Key: "y", Text: "Yes, leave"}},
	}
}

// LostDialog says that the run can no longer be seen.
func LostDialog(s *runbook.Snapshot, why string, since time.Time, local *time.Location, reattachOff, hint string) DialogText {
	d := DialogText{Title: "Connection to the run lost", Tone: Bad}
	d.Items = append(d.Items, Field("since", Normal, Clock(since, local)))
	if why != "" {
		d.Items = append(d.Items, Field("cause", Normal, why))
	}
	d.Items = append(d.Items, Blank(), Para(Normal, "What the screen shows is what was known then; it is not the present. The run may well go on: "+
		"it finishes the step in hand and then waits for a terminal."))
	if s == nil {
		d.Items = append(d.Items, Para(Normal, "Nothing was ever received from it."))
	}
	if hint != "" {
		d.Items = append(d.Items, Blank(), Field("command", Code, hint))
	}
	d.Choice = []Choice{
		{Key: "n", Text: "Look at what was known"},
		{Key: "r", Text: "Reattach", Off: reattachOff},
		{Key: "q", Text: "Leave this screen"},
	}
	return d
}

func stepByID(s *runbook.Snapshot, id runbook.StepID) *runbook.StepView {
	for i := range s.Steps {
		if s.Steps[i].ID == id {
			return &s.Steps[i]
		}
	}
	return nil
}
