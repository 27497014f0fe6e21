package kafka

import (
	"fmt"
	"strings"
	"sync"

	"github.com/IBM/sarama"
	"go.uber.org/zap"
)

// saramaLog receives what the Kafka client logs. The client has one logger for
// the whole process and no other sign of some events, so this is the one
// variable of the package; it is set before any client exists.
var saramaLog = &logHub{listeners: map[*logListener]struct{}{}}

func init() { sarama.Logger = saramaLog }

// logHub passes log lines on to consenters' loggers and to listeners.
type logHub struct {
	mu        sync.Mutex
	listeners map[*logListener]struct{}
}

type logListener struct {
	substr string
	heard  func(line string)
}

// listen calls heard with every line that contains substr, until the returned
// function is called. heard must not block.
func (h *logHub) listen(substr string, heard func(line string)) (stop func()) {
	l := &logListener{substr, heard}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.listeners[l] = struct{}{}
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.listeners, l)
	}
}

func (h *logHub) fire(line string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for l := range h.listeners {
		if strings.Contains(line, l.substr) {
			l.heard(line)
		}
	}
}

// Print implements sarama.StdLogger.
func (h *logHub) Print(v ...any) { h.fire(fmt.Sprint(v...)) }

// Printf implements sarama.StdLogger.
func (h *logHub) Printf(format string, v ...any) { h.fire(fmt.Sprintf(format, v...)) }

// Println implements sarama.StdLogger.
func (h *logHub) Println(v ...any) { h.fire(fmt.Sprintln(v...)) }

// attach writes the client's lines to sarama at debug level and explains the
// one that operators cannot make sense of (spec 3.4).
func (h *logHub) attach(log, sarama *zap.SugaredLogger) (detach func()) {
	stopAll := h.listen("", func(line string) { sarama.Debug(strings.TrimSuffix(line, "\n")) })
	stopHint := h.listen("insufficient data to decode packet", func(string) {
		log.Error("Unable to decode a Kafka packet. Usually, this indicates that the Kafka.Version specified in the orderer " +
			"configuration is incorrectly set to a version which is newer than the actual Kafka broker version.")
	})
	return func() {
		stopAll()
		stopHint()
	}
}
