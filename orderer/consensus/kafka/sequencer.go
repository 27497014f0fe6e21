package kafka

import (
	"errors"
	"fmt"

	cb "github.com/hyperledger/fabric-protos-go/common"

	"raftmig/orderer/blockcutter"
	"raftmig/orderer/msgprocessor"
	"raftmig/orderer/protoutil"
)

// Rules is what the sequencer asks of the channel. The answers are those of
// the configuration that the blocks written so far have brought about.
type Rules interface {
	// Sequence is the current config sequence.
	Sequence() uint64
	// Resubmission is the orderer capability of that name.
	Resubmission() bool
	// ClassifyMsg, ProcessNormalMsg and ProcessConfigMsg are as in
	// msgprocessor.Processor.
	ClassifyMsg(header *cb.ChannelHeader) msgprocessor.Classification
	ProcessNormalMsg(msg *protoutil.Message) (configSeq uint64, err error)
	ProcessConfigMsg(msg *protoutil.Message) (config *protoutil.Message, configSeq uint64, err error)
}

// Sequencer turns a channel's topic into blocks (spec 3.5, 3.6). It is a pure
// state machine: equal records give equal blocks on every orderer. It is not
// safe for concurrent use.
type Sequencer struct {
	cutter blockcutter.Receiver
	rules  Rules

	lastOffsetPersisted         int64
	lastOriginalOffsetProcessed int64
	lastResubmittedConfigOffset int64
	lastCutBlockNumber          uint64
	timerRunning                bool
	ingressBlocked              bool
	// restoredUntil is an offset that every record posted before this start is
	// below; 0 if it is unknown or of no more interest.
	restoredUntil int64

	actions []Action // of the step under way
}

// NewSequencer returns a sequencer that goes on after the block with the
// metadata and number given. cutter must be empty.
func NewSequencer(last Metadata, lastBlock uint64, cutter blockcutter.Receiver, rules Rules) *Sequencer {
	return &Sequencer{
		cutter: cutter, rules: rules,
		lastOffsetPersisted:         last.LastOffsetPersisted,
		lastOriginalOffsetProcessed: last.LastOriginalOffsetProcessed,
		lastResubmittedConfigOffset: last.LastResubmittedConfigOffset,
		lastCutBlockNumber:          lastBlock,
		ingressBlocked: last.LastResubmittedConfigOffset != 0 &&
			last.LastResubmittedConfigOffset > last.LastOriginalOffsetProcessed,
	}
}

// LastOffsetPersisted is the offset that the last block records as the last
// one contained in blocks; consumption goes on behind it.
func (s *Sequencer) LastOffsetPersisted() int64 { return s.lastOffsetPersisted }

// IngressBlocked reports whether a resubmitted configuration message is still
// under way, so that no new messages may be taken.
func (s *Sequencer) IngressBlocked() bool { return s.ingressBlocked }

// LastCutBlockNumber is the number of the last block.
func (s *Sequencer) LastCutBlockNumber() uint64 { return s.lastCutBlockNumber }

// Connected tells that a record posted by this start, after everything that
// an earlier life of the orderer posted, has this offset.
func (s *Sequencer) Connected(offset int64) {
	if s.ingressBlocked {
		s.restoredUntil = offset
	}
}

// Step takes the next record of the topic. A nil message is one that says nothing.
func (s *Sequencer) Step(offset int64, msg Message) []Action {
	s.actions = nil
	switch m := msg.(type) {
	case TimeToCut:
		s.timeToCut(offset, m.BlockNumber)
	case Regular:
		if err := s.regular(offset, m); err != nil {
			s.do(Discard{err})
		}
	}
	if s.restoredUntil != 0 && offset >= s.restoredUntil {
		// The resubmission that blocks since the start was seen or will never come.
		s.unblock()
	}
	return s.actions
}

// TimerExpired tells that the batch timer ran out.
func (s *Sequencer) TimerExpired() []Action {
	s.timerRunning = false
	return []Action{PostTimeToCut{s.lastCutBlockNumber + 1}}
}

// TimeToCutFailed tells that a time-to-cut record could not be posted. If its
// block is still to be cut, the timer starts again.
func (s *Sequencer) TimeToCutFailed(number uint64) []Action {
	s.actions = nil
	if number == s.lastCutBlockNumber+1 {
		s.startTimer()
	}
	return s.actions
}

// Resubmitted tells the outcome of a Resubmit.
func (s *Sequencer) Resubmitted(r Resubmit, err error) []Action {
	s.actions = nil
	class := "normal"
	if r.Record.Class == ClassConfig {
		class = "config"
	}
	switch {
	case err != nil:
		s.do(Discard{fmt.Errorf("error re-submitting %s message because = %w", class, err)})
	case r.Record.Class == ClassConfig:
		s.lastResubmittedConfigOffset = r.Record.OriginalOffset
		s.ingressBlocked, s.restoredUntil = true, 0
		s.do(BlockIngress{})
	}
	return s.actions
}

func (s *Sequencer) do(a Action) { s.actions = append(s.actions, a) }

func (s *Sequencer) unblock() {
	s.restoredUntil = 0
	if s.ingressBlocked {
		s.ingressBlocked = false
		s.do(UnblockIngress{})
	}
}

func (s *Sequencer) timeToCut(offset int64, number uint64) {
	next := s.lastCutBlockNumber + 1
	switch {
	case number < next: // stale: another orderer's, or ours overtaken by a full batch
		return
	case number > next:
		s.do(Stop{fmt.Errorf("got larger time-to-cut message (%d) than allowed/expected (%d)"+
			" - this might indicate a bug", number, next)})
		return
	}
	s.stopTimer()
	batch := s.cutter.Cut()
	if len(batch) == 0 {
		s.do(Stop{fmt.Errorf("got right time-to-cut message (for block [%d]),"+
			" no pending requests though; this might indicate a bug", next)})
		return
	}
	// Fabric leaves LastResubmittedConfigOffset out of these blocks.
	s.write(batch, Metadata{LastOffsetPersisted: offset, LastOriginalOffsetProcessed: s.lastOriginalOffsetProcessed})
}

func (s *Sequencer) regular(offset int64, m Regular) error {
	msg, err := protoutil.ParseMessage(m.Payload)
	if err != nil {
		return fmt.Errorf("failed to unmarshal payload of regular message because = %w", err)
	}
	switch {
	case m.Class == ClassUnknown || !s.rules.Resubmission():
		s.do(Compatibility{})
		return s.compatible(offset, msg)
	case m.Class == ClassNormal:
		return s.normal(offset, m, msg)
	case m.Class == ClassConfig:
		return s.config(offset, m, msg)
	}
	return fmt.Errorf("unsupported regular kafka message type: %s", m.Class)
}

// compatible treats a message as Fabric 1.0 did: it is validated by every
// orderer and never resubmitted.
func (s *Sequencer) compatible(offset int64, msg *protoutil.Message) error {
	header, err := msg.ChannelHeader()
	if err != nil {
		return fmt.Errorf("discarding bad config message because of channel header unmarshalling error = %w", err)
	}
	switch s.rules.ClassifyMsg(header) {
	case msgprocessor.ConfigMsg:
		if _, _, err := s.rules.ProcessConfigMsg(msg); err != nil {
			return fmt.Errorf("discarding bad config message because = %w", err)
		}
		s.commitConfig(offset, msg, s.lastOriginalOffsetProcessed)
	case msgprocessor.NormalMsg:
		if _, err := s.rules.ProcessNormalMsg(msg); err != nil {
			return fmt.Errorf("discarding bad normal message because = %w", err)
		}
		s.commitNormal(offset, msg, s.lastOriginalOffsetProcessed)
	default:
		return errors.New("not expecting message of type ConfigUpdate")
	}
	return nil
}

func (s *Sequencer) normal(offset int64, m Regular, msg *protoutil.Message) error {
	if s.isDuplicate(m) {
		return nil
	}
	if m.ConfigSeq < s.rules.Sequence() {
		configSeq, err := s.rules.ProcessNormalMsg(msg)
		if err != nil {
			return fmt.Errorf("discarding bad normal message because = %w", err)
		}
		s.resubmit(ClassNormal, msg, configSeq, offset)
		return nil
	}
	s.commitNormal(offset, msg, s.originalOf(m))
	return nil
}

func (s *Sequencer) config(offset int64, m Regular, msg *protoutil.Message) error {
	// With this record, or one of another orderer that stands for it, the last
	// resubmission is back, unless it must be resubmitted once more.
	if back := m.OriginalOffset != 0 && m.OriginalOffset >= s.lastResubmittedConfigOffset; back {
		defer func() {
			if len(s.actions) == 0 || !isResubmit(s.actions[len(s.actions)-1]) {
				s.unblock()
			}
		}()
	}
	if s.isDuplicate(m) {
		return nil
	}
	// Another orderer found valid, and resubmitted, what this one did not.
	s.lastResubmittedConfigOffset = max(s.lastResubmittedConfigOffset, m.OriginalOffset)
	if m.ConfigSeq < s.rules.Sequence() {
		config, configSeq, err := s.rules.ProcessConfigMsg(msg)
		if err != nil {
			return fmt.Errorf("rejecting config message because = %w", err)
		}
		s.resubmit(ClassConfig, config, configSeq, offset)
		return nil
	}
	s.commitConfig(offset, msg, s.originalOf(m))
	return nil
}

func isResubmit(a Action) bool {
	_, ok := a.(Resubmit)
	return ok
}

func (s *Sequencer) isDuplicate(m Regular) bool {
	if m.OriginalOffset == 0 || m.OriginalOffset > s.lastOriginalOffsetProcessed {
		return false
	}
	s.do(Duplicate{m.OriginalOffset, s.lastOriginalOffsetProcessed})
	return true
}

// originalOf is the last original offset processed once m is.
func (s *Sequencer) originalOf(m Regular) int64 {
	if m.OriginalOffset != 0 {
		return m.OriginalOffset
	}
	return s.lastOriginalOffsetProcessed
}

func (s *Sequencer) resubmit(class Class, msg *protoutil.Message, configSeq uint64, offset int64) {
	s.do(Resubmit{Regular{Payload: msg.Bytes(), ConfigSeq: configSeq, Class: class, OriginalOffset: offset}})
}

// commitNormal orders a message; original is the last original offset
// processed once it is in a block.
func (s *Sequencer) commitNormal(offset int64, msg *protoutil.Message, original int64) {
	batches, pending := s.cutter.Ordered(msg)
	if pending {
		s.startTimer()
	} else {
		s.stopTimer()
	}
	switch {
	case len(batches) == 0:
		s.lastOriginalOffsetProcessed = original
	case len(batches) == 1 && pending:
		// The message is left for a later block, and original with it: Fabric
		// forgets it here.
		s.write(batches[0], s.metadata(offset-1))
	case len(batches) == 1:
		s.lastOriginalOffsetProcessed = original
		s.write(batches[0], s.metadata(offset))
	default:
		s.write(batches[0], s.metadata(offset-1))
		s.lastOriginalOffsetProcessed = original
		s.write(batches[1], s.metadata(offset))
	}
}

func (s *Sequencer) commitConfig(offset int64, msg *protoutil.Message, original int64) {
	if batch := s.cutter.Cut(); len(batch) > 0 {
		s.write(batch, s.metadata(offset-1))
	}
	s.lastOriginalOffsetProcessed = original
	md := s.metadata(offset)
	s.do(WriteConfigBlock{Message: msg, Metadata: md})
	s.wrote(md)
	s.stopTimer()
}

func (s *Sequencer) metadata(offset int64) Metadata {
	return Metadata{
		LastOffsetPersisted:         offset,
		LastOriginalOffsetProcessed: s.lastOriginalOffsetProcessed,
		LastResubmittedConfigOffset: s.lastResubmittedConfigOffset,
	}
}

func (s *Sequencer) write(batch []*protoutil.Message, md Metadata) {
	s.do(WriteBlock{Messages: batch, Metadata: md})
	s.wrote(md)
}

func (s *Sequencer) wrote(md Metadata) {
	s.lastCutBlockNumber++
	s.lastOffsetPersisted = md.LastOffsetPersisted
}

func (s *Sequencer) startTimer() {
	if !s.timerRunning {
		s.timerRunning = true
		s.do(StartTimer{})
	}
}

func (s *Sequencer) stopTimer() {
	if s.timerRunning {
		s.timerRunning = false
		s.do(StopTimer{})
	}
}
