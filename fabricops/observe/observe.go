package observe

import (
	"context"
	"sync"

	"raftmig/runbook"
)

// scanBack is how much of an existing log is read for the leaders and the
// version that it names, in bytes.
const scanBack = 32 << 20

// linesKept is how many lines wait for a reader of Lines; older ones are
// dropped. What they said of leaders is kept all the same.
const linesKept = 4096

// Source is a node and the file of its log.
type Source struct {
	Node string
	File string
}

// Observer follows the logs of all nodes. It is safe for concurrent use.
type Observer struct {
	lines  chan runbook.LogLine
	cancel context.CancelFunc
	done   sync.WaitGroup
	caught sync.WaitGroup

	mu    sync.Mutex
	nodes map[string]*nodeView
}

type nodeView struct {
	leaders map[string]uint64
	raftIDs map[string]uint64
	version string
	// settings of the Kafka section, as the last start logged them.
	settings map[string]string
	died     string // the last panic or fatal line of the running process
	info     bool   // a line of level INFO or below was seen
	trouble  string // why the log cannot be read
}

// New starts to follow the logs; sources without a file are passed over.
func New(sources []Source) *Observer {
	ctx, cancel := context.WithCancel(context.Background())
	o := &Observer{lines: make(chan runbook.LogLine, linesKept), cancel: cancel, nodes: map[string]*nodeView{}}
	for _, s := range sources {
		if s.File != "" {
			o.nodes[s.Node] = newView()
		}
	}
	for _, s := range sources { // the map is complete: from here on it is only read
		if s.File == "" {
			continue
		}
		o.caught.Add(1)
		o.done.Go(func() {
			live := false
			f := &follower{path: s.File}
			f.follow(ctx, scanBack, func(text string) { o.take(s.Node, text, live) }, func() {
				live = true
				o.caught.Done()
			}, func(err error) { o.failed(s.Node, err) })
		})
	}
	return o
}

func newView() *nodeView {
	return &nodeView{leaders: map[string]uint64{}, raftIDs: map[string]uint64{}}
}

// Close ends the following and closes Lines.
func (o *Observer) Close() {
	o.cancel()
	o.done.Wait()
	close(o.lines)
}

// Lines delivers the lines that are written from the start of the observer
// on. If nobody reads, the oldest are dropped.
func (o *Observer) Lines() <-chan runbook.LogLine { return o.lines }

// CaughtUp returns when what the logs held at the start has been read, or when
// ctx ends.
func (o *Observer) CaughtUp(ctx context.Context) error {
	done := make(chan struct{})
	go func() { o.caught.Wait(); close(done) }() // ends with Close at the latest
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Leader is the Raft ID of the leader that a node reported last for a channel
// since it was started; 0 for none. known is false if it has reported nothing
// of the channel.
func (o *Observer) Leader(node, channel string) (leader uint64, known bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if v := o.nodes[node]; v != nil {
		leader, known = v.leaders[channel]
	}
	return leader, known
}

// Trouble is why a node's log cannot tell leaders: it cannot be read, or holds
// no line of level INFO; "" if it can, or if the node has no log.
func (o *Observer) Trouble(node string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	v := o.nodes[node]
	switch {
	case v == nil:
		return ""
	case v.trouble != "":
		return v.trouble
	case !v.info:
		return "it holds no line of level INFO; leaders are logged at that level"
	default:
		return ""
	}
}

func (o *Observer) failed(node string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.nodes[node].trouble = ""; err != nil {
		o.nodes[node].trouble = err.Error()
	}
}

// Version is what the node's log says of its version, "" if nothing.
func (o *Observer) Version(node string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if v := o.nodes[node]; v != nil {
		return v.version
	}
	return ""
}

// Setting is what a node logged of its Kafka section at its last start
// ("Kafka.Version", "Kafka.TLS.Enabled", "Kafka.SASLPlain.Enabled"), "" if
// nothing.
func (o *Observer) Setting(node, name string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if v := o.nodes[node]; v != nil {
		return v.settings[name]
	}
	return ""
}

// Died is the panic or fatal line that ended the node's process, "" if none
// was logged since its last start.
func (o *Observer) Died(node string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if v := o.nodes[node]; v != nil {
		return v.died
	}
	return ""
}

// Stopped forgets the leaders that a node named: it was stopped.
func (o *Observer) Stopped(node string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if v := o.nodes[node]; v != nil {
		v.leaders, v.raftIDs = map[string]uint64{}, map[string]uint64{}
	}
}

func (o *Observer) take(node, text string, live bool) {
	l := Parse(node, text)
	o.mu.Lock()
	v := o.nodes[node]
	v.info = v.info || l.Level == "INFO" || l.Level == "DEBUG"
	if l.Start {
		v.settings = nil
	}
	for name, value := range l.Settings {
		if v.settings == nil {
			v.settings = map[string]string{}
		}
		v.settings[name] = value
	}
	switch {
	case l.Start:
		v.leaders, v.raftIDs, v.died = map[string]uint64{}, map[string]uint64{}, ""
	case l.Leader != nil:
		v.leaders[l.Leader.Channel] = l.Leader.To
		v.raftIDs[l.Leader.Channel] = l.Leader.RaftID
	case l.Version != "":
		v.version = l.Version
	case l.Level == "PANIC" || l.Level == "FATAL":
		v.died = l.Text
	}
	o.mu.Unlock()
	if !live {
		return
	}
	for {
		select {
		case o.lines <- l.LogLine:
			return
		default:
		}
		select {
		case <-o.lines: // the oldest makes room
		default:
		}
	}
}
