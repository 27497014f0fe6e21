package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"

	"raftmig/orderer/protoutil"
)

// loop is the state of the goroutine that reads the topic.
type loop struct {
	*Chain
	timer     *time.Timer // the batch timer; nil while it is stopped
	ttcFailed chan uint64 // numbers of time-to-cut records that could not be posted

	// While consumption is interrupted: resumed gets a value when the client
	// has subscribed anew, patience fires when that takes too long (spec 3.4).
	resumed     chan struct{}
	patience    *time.Timer
	stopHearing func()
}

// consume reads the topic until the chain is halted or cannot go on. Then and
// while records cannot be read, the chain is errored.
func (c *Chain) consume() {
	l := &loop{Chain: c, ttcFailed: make(chan uint64, 1)}
	defer c.errored.close()
	defer l.endInterruption()
	defer l.stopTimer()
	for l.next() {
	}
}

// next handles one event and reports whether to go on.
func (l *loop) next() bool {
	var expired, patience <-chan time.Time
	if l.timer != nil {
		expired = l.timer.C
	}
	if l.patience != nil {
		patience = l.patience.C
	}
	select {
	case <-l.ctx.Done():
		l.log.Warnf("[channel: %s] Consenter for channel exiting", l.id)
		return false
	case err := <-l.records.Errors():
		if err != nil {
			l.consumptionError(err)
		}
	case <-l.resumed:
		l.endInterruption()
		l.log.Warnf("[channel: %s] Consumption will resume.", l.id)
	case <-patience:
		l.endInterruption()
		l.unavailable()
	case record, ok := <-l.records.Messages():
		if !ok {
			l.log.Errorf("[channel: %s] Kafka consumer closed.", l.id)
			return false
		}
		return l.record(record)
	case <-expired:
		l.timer = nil
		return l.perform(l.sequencer.TimerExpired())
	case number := <-l.ttcFailed:
		return l.perform(l.sequencer.TimeToCutFailed(number))
	}
	return true
}

// record handles a record; it also proves that records can be read.
func (l *loop) record(r *sarama.ConsumerMessage) bool {
	l.endInterruption()
	if l.errored.renew() {
		l.log.Infof("[channel: %s] Marked consenter as available again", l.id)
	}
	msg, err := ParseMessage(r.Value)
	if err != nil {
		l.log.Errorf("[channel: %s] Unable to unmarshal consumed message = %s", l.id, err)
		return true
	}
	return l.perform(l.sequencer.Step(r.Offset, msg))
}

func (l *loop) consumptionError(err *sarama.ConsumerError) {
	l.log.Errorf("[channel: %s] Error during consumption: %s", l.id, err)
	switch {
	case l.errored.isClosed():
	case errors.Is(err.Err, sarama.ErrOffsetOutOfRange): // the one that the client does not recover from
		l.log.Errorf("[channel: %s] Unrecoverable error during consumption: %s", l.id, err)
	default:
		l.beginInterruption()
		l.log.Warnf("[channel: %s] Deliver sessions will be dropped if consumption errors continue.", l.id)
		return
	}
	l.unavailable()
}

// unavailable ends Deliver sessions and posts a record whose arrival will make
// the chain available again.
func (l *loop) unavailable() {
	l.errored.close()
	l.log.Warnf("[channel: %s] Closed the errorChan", l.id)
	if l.reviving.CompareAndSwap(false, true) {
		l.helpers.Go(func() {
			defer l.reviving.Store(false)
			if err := l.postConnect(l.ctx, func(int64) {}); err != nil {
				l.log.Debugf("[channel: %s] Cannot post CONNECT message = %s", l.id, err)
			}
		})
	}
}

func (l *loop) beginInterruption() {
	if l.resumed != nil {
		return
	}
	resumed := make(chan struct{}, 1)
	l.resumed = resumed
	l.patience = time.NewTimer(l.consenter.config.Retry.NetworkTimeouts.ReadTimeout)
	l.stopHearing = saramaLog.listen(fmt.Sprintf("added subscription to %s/%d", l.id, partition), func(string) {
		select {
		case resumed <- struct{}{}:
		default:
		}
	})
}

func (l *loop) endInterruption() {
	if l.resumed == nil {
		return
	}
	l.stopHearing()
	l.patience.Stop()
	l.resumed, l.patience = nil, nil
}

func (l *loop) stopTimer() {
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
}

// perform does what the sequencer asks for and reports whether to go on.
func (l *loop) perform(actions []Action) bool {
	for _, a := range actions {
		switch a := a.(type) {
		case WriteBlock:
			l.support.WriteBlock(l.support.CreateNextBlock(a.Messages), a.Metadata.Marshal())
			l.measure()
		case WriteConfigBlock:
			block := l.support.CreateNextBlock([]*protoutil.Message{a.Message})
			l.support.WriteConfigBlock(block, a.Metadata.Marshal())
			l.measure()
		case Resubmit:
			if !l.perform(l.sequencer.Resubmitted(a, l.resubmit(a))) {
				return false
			}
		case StartTimer:
			l.stopTimer()
			l.timer = time.NewTimer(l.support.SharedConfig().BatchTimeout())
		case StopTimer:
			l.stopTimer()
		case PostTimeToCut:
			l.postTimeToCut(a.BlockNumber)
		case BlockIngress:
			l.ingress.renew()
		case UnblockIngress:
			l.ingress.close()
		case Compatibility:
			l.log.Warnf("[channel: %s] This orderer is running in compatibility mode", l.id)
		case Duplicate:
			l.log.Debugf("[channel: %s] OriginalOffset(%d) <= LastOriginalOffsetProcessed(%d), message has been consumed already, discard",
				l.id, a.Original, a.Processed)
		case Discard:
			l.log.Warnf("[channel: %s] Error when processing incoming message of type REGULAR = %s", l.id, a.Reason)
		case Stop:
			l.log.Warnf("[channel: %s] %s", l.id, a.Reason)
			l.log.Errorf("[channel: %s] Consenter for channel exiting", l.id)
			return false
		}
	}
	return true
}

// resubmit posts a message until Kafka has it: other orderers may have failed
// to, and the client was told that it is safe.
func (l *loop) resubmit(a Resubmit) error {
	value := a.Record.Marshal()
	return l.retry().do(l.ctx, "Re-submitting a message", func() error {
		_, err := l.producer.post(l.ctx, value)
		if errors.Is(err, sarama.ErrMessageSizeTooLarge) || errors.Is(err, sarama.ErrInvalidMessage) ||
			errors.Is(err, errProducerClosed) || errors.Is(err, context.Canceled) {
			return permanent{err}
		}
		return err
	})
}

// postTimeToCut does not wait: records go on being read meanwhile.
func (l *loop) postTimeToCut(number uint64) {
	l.log.Debugf("[channel: %s] Time-to-cut block [%d] timer expired", l.id, number)
	l.helpers.Go(func() {
		if _, err := l.producer.post(l.ctx, TimeToCut{number}.Marshal()); err != nil {
			l.log.Errorf("[channel: %s] cannot post time-to-cut message = %s", l.id, err)
			select {
			case l.ttcFailed <- number:
			case <-l.ctx.Done():
			}
		}
	})
}
