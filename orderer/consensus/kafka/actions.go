package kafka

import "raftmig/orderer/protoutil"

// Action is one thing that the sequencer wants done. Actions are done in the
// order in which they are given.
type Action interface{ isAction() }

type (
	// WriteBlock writes a block of normal messages.
	WriteBlock struct {
		Messages []*protoutil.Message
		Metadata Metadata
	}
	// WriteConfigBlock applies a configuration message and writes it as a
	// block of its own.
	WriteConfigBlock struct {
		Message  *protoutil.Message
		Metadata Metadata
	}
	// Resubmit posts a message anew, under the current configuration. The
	// outcome is reported to Sequencer.Resubmitted before the next Step.
	Resubmit struct{ Record Regular }
	// StartTimer starts the batch timer; its expiry is reported to
	// Sequencer.TimerExpired.
	StartTimer struct{}
	// StopTimer stops the batch timer.
	StopTimer struct{}
	// PostTimeToCut posts a time-to-cut record.
	PostTimeToCut struct{ BlockNumber uint64 }
	// BlockIngress makes WaitReady block, UnblockIngress lets it go on.
	BlockIngress   struct{}
	UnblockIngress struct{}
	// Compatibility notes that a message was treated as Fabric 1.0 did.
	Compatibility struct{}
	// Duplicate notes that a resubmission was dropped because the message was
	// handled before.
	Duplicate struct{ Original, Processed int64 }
	// Discard notes that a message was dropped, and why.
	Discard struct{ Reason error }
	// Stop ends the chain: the topic contradicts the ledger.
	Stop struct{ Reason error }
)

func (WriteBlock) isAction()       {}
func (WriteConfigBlock) isAction() {}
func (Resubmit) isAction()         {}
func (StartTimer) isAction()       {}
func (StopTimer) isAction()        {}
func (PostTimeToCut) isAction()    {}
func (BlockIngress) isAction()     {}
func (UnblockIngress) isAction()   {}
func (Compatibility) isAction()    {}
func (Duplicate) isAction()        {}
func (Discard) isAction()          {}
func (Stop) isAction()             {}
