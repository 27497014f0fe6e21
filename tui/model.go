package tui

import (
	"time"

	"github.com/charmbracelet/bubbles/textinput"
	tea "github.com/charmbracelet/bubbletea"

	"raftmig/runbook"
	"raftmig/tui/dialog"
	"raftmig/tui/keymap"
	"raftmig/tui/logbuf"
	"raftmig/tui/present"
	"raftmig/tui/styles"
)

// model is all that the screen knows. Update is the only place that changes it.
type model struct {
	opts     Options
	st       styles.Styles
	link     *link
	reattach func() tea.Cmd // nil if it cannot
	gen      int            // of the connection; messages of older ones are dropped

	width, height int
	now           time.Time
	tickSeq       int
	ticking       time.Duration // the period of the ticks that are on, 0 for none

	snap     *runbook.Snapshot
	progress map[runbook.EffectID]runbook.Progress
	newest   runbook.EffectID // of progress
	clients  int
	lost     bool
	lostAt   time.Time
	lostWhy  string

	page      keymap.Page
	back      keymap.Page // where help and step details return to
	step      int         // selected step
	following bool        // the selection follows the current step
	channel   int         // selected channel
	// channelKept: the operator selected it; otherwise it is the first that stands out.
	channelKept bool
	scroll      int // of evidence, findings, help, step

	log       *logbuf.Ring
	logBack   int // rows that the sight lies before the newest; 0 follows
	logWrap   bool
	filtering bool // the filter has the keys
	filter    textinput.Model

	dlg     *dialog.State
	asked   string    // the question that opened by itself last
	graced  int       // sequence of quiet periods
	notice  string    // shown at the bottom until the next key, or for a while
	noticed time.Time // since when
	left    bool      // the operator left the screen
}

func newModel(opts Options, l *link) model {
	return model{
		opts: opts, st: styles.New(opts.NoColor, opts.ASCII), link: l, following: true, filter: dialog.NewInput(),
		log: logbuf.New(opts.logLines()), progress: map[runbook.EffectID]runbook.Progress{},
	}
}

// Init implements tea.Model.
func (m model) Init() tea.Cmd { return m.link.listen(m.gen) }

// Update implements tea.Model. It switches and delegates.
func (m model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
		return m, nil
	case batchMsg:
		if msg.gen != m.gen {
			return m, nil
		}
		cmd := m.onBatch(msg)
		return m, cmd
	case tickMsg:
		if msg.seq != m.tickSeq {
			return m, nil
		}
		m.setNow(msg.at)
		if m.now.Sub(m.noticed) >= noticeTime {
			m.notice = ""
		}
		m.ticking = 0
		return m, m.keepTicking()
	case graceMsg:
		if m.dlg != nil && msg.seq == m.graced {
			m.dlg.Grace = false
		}
		return m, nil
	case sentMsg:
		m.onSent(msg)
		return m, nil
	case reattachedMsg:
		cmd := m.onReattached(msg)
		return m, cmd
	case tea.KeyMsg:
		cmd := m.onKeys(msg)
		return m, cmd
	}
	return m, nil
}

// setNow stores the time, no finer than it is shown.
func (m *model) setNow(at time.Time) {
	if !at.IsZero() {
		m.now = at.Truncate(m.opts.tick())
	}
}

// noticeTime is how long a notice hides the row of keys, unless a key is pressed.
const noticeTime = 6 * time.Second

// tell shows a notice.
func (m *model) tell(text string) { m.notice, m.noticed = text, m.now }

// mood is the state of the run in one word.
func (m *model) mood() present.Mood { return present.MoodOf(m.snap, m.lost) }

// keepTicking starts the ticks that the mood needs, unless they are on: each
// second while the run moves, each minute while it waits, none when it is over.
func (m *model) keepTicking() tea.Cmd {
	var want time.Duration
	switch m.mood() {
	case present.MoodRunning, present.MoodRollingBack:
		want = m.opts.tick()
	case present.MoodWaiting, present.MoodStill:
		want = time.Minute
	}
	if want == m.ticking {
		return nil
	}
	m.ticking = want
	m.tickSeq++
	if want == 0 {
		return nil
	}
	return tick(want, m.tickSeq)
}

// keys are the bindings that hold now.
func (m *model) keys() []keymap.Binding {
	c := keymap.Context{
		Page: m.page, ReadOnly: m.opts.ReadOnly, Lost: m.lost, Known: m.snap != nil, Following: m.following, InProcess: m.opts.InProcess,
	}
	if m.page == keymap.PageLog {
		c.Following = m.logBack == 0
	}
	if s := m.snap; s != nil {
		c.Ended, c.Waiting, c.Still = s.Outcome != "", present.Waits(s), present.Still(s)
		if !s.AbortOffered {
			c.AbortOff = present.WayBack(s)[1:].String()
		}
	}
	return keymap.Bindings(c)
}
