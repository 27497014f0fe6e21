package runbook

// Ready is what the driver must do now, in the order of the fields.
type Ready struct {
	// Events are to be appended to the journal, in this order, and made durable
	// before anything else is done.
	Events []Event
	// Effects are to be performed then. They are independent of each other and
	// of the effects still being performed; each has its EventIntended in Events.
	Effects []Effect
	// Cancel names effects that are being performed and no longer needed. They
	// only read, or only write the backup. Their end is still to be reported.
	Cancel []EffectID
}

// Empty reports whether there is nothing to do but wait for an event.
func (r Ready) Empty() bool {
	return len(r.Events) == 0 && len(r.Effects) == 0 && len(r.Cancel) == 0
}
