package kafka

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/blockcutter"
	"raftmig/orderer/msgprocessor"
	"raftmig/orderer/protoutil"
)

// bench is a sequencer with a channel's rules around it. A configuration
// message advances the config sequence when its block is written; messages
// named in invalid fail their validation.
type bench struct {
	*Sequencer
	limits       ab.BatchSize
	seq          uint64
	resubmission bool
	invalid      map[string]bool
	resubmitErr  error
	last         Metadata
	blocks       uint64
}

func (b *bench) Sequence() uint64   { return b.seq }
func (b *bench) Resubmission() bool { return b.resubmission }

func (b *bench) ClassifyMsg(h *cb.ChannelHeader) msgprocessor.Classification {
	return (&channel{}).ClassifyMsg(h)
}

func (b *bench) ProcessNormalMsg(m *protoutil.Message) (uint64, error) {
	if b.invalid[textOf(m)] {
		return 0, errInvalid
	}
	return b.seq, nil
}

func (b *bench) ProcessConfigMsg(m *protoutil.Message) (*protoutil.Message, uint64, error) {
	seq, err := b.ProcessNormalMsg(m)
	return m, seq, err
}

// start makes a sequencer as a start of the process would.
func (b *bench) start() {
	cutter := blockcutter.New(func() *ab.BatchSize { return &b.limits })
	b.Sequencer = NewSequencer(b.last, b.blocks, cutter, b)
}

// perform describes actions, and reports back what the sequencer waits for.
func (b *bench) perform(out *strings.Builder, actions []Action) {
	for _, a := range actions {
		switch a := a.(type) {
		case WriteBlock:
			b.wrote(out, "block", a.Messages, a.Metadata)
		case WriteConfigBlock:
			b.wrote(out, "config block", []*protoutil.Message{a.Message}, a.Metadata)
			b.seq++
		case Resubmit:
			m, _ := protoutil.ParseMessage(a.Record.Payload)
			fmt.Fprintf(out, " resubmit %s %s seq=%d orig=%d\n", a.Record.Class, textOf(m), a.Record.ConfigSeq, a.Record.OriginalOffset)
			b.perform(out, b.Resubmitted(a, b.resubmitErr))
		case PostTimeToCut:
			fmt.Fprintf(out, " post ttc %d\n", a.BlockNumber)
		case Duplicate:
			fmt.Fprintf(out, " duplicate: %d is done, up to %d\n", a.Original, a.Processed)
		case Discard:
			// The protobuf library varies its spaces on purpose.
			fmt.Fprintf(out, " discard: %s\n", strings.ReplaceAll(a.Reason.Error(), "\u00a0", " "))
		case Stop:
			fmt.Fprintf(out, " STOP: %s\n", a.Reason)
		default:
			name := strings.TrimPrefix(fmt.Sprintf("%T", a), "kafka.")
			fmt.Fprintf(out, " %s\n", name)
		}
	}
}

func (b *bench) wrote(out *strings.Builder, what string, messages []*protoutil.Message, md Metadata) {
	var texts []string
	for _, m := range messages {
		texts = append(texts, textOf(m))
	}
	b.last, b.blocks = md, b.blocks+1
	fmt.Fprintf(out, " %s %d %v persisted=%d original=%d resubmitted=%d\n", what, b.blocks, texts,
		md.LastOffsetPersisted, md.LastOriginalOffsetProcessed, md.LastResubmittedConfigOffset)
}

func textOf(m *protoutil.Message) string {
	p, err := protoutil.EnvelopePayload(m.Envelope)
	if err != nil {
		return err.Error()
	}
	return strings.TrimRight(string(p.Data), ".")
}

// sized is a message of at least a size in bytes, padded with dots, or of its
// natural one if that is larger. Small sizes are met exactly.
func sized(typ cb.HeaderType, text string, size int) *protoutil.Message {
	m := message(typ, "ch", text)
	if missing := size - int(m.Size()); missing > 0 {
		text += strings.Repeat(".", max(0, missing-8)) // the padding's own length may take a few bytes more
	}
	for m = message(typ, "ch", text); int(m.Size()) < size; m = message(typ, "ch", text) {
		text += "."
	}
	return m
}

var headerTypes = map[string]cb.HeaderType{
	"tx": cb.HeaderType_ENDORSER_TRANSACTION, "config": cb.HeaderType_CONFIG, "update": cb.HeaderType_CONFIG_UPDATE,
}

// parseRecord reads "<offset> connect|ttc N|normal TEXT|config TEXT|plain TEXT|garbage [key=value...]".
// A plain message has class UNKNOWN and the header type given by type.
func parseRecord(line string) (int64, Message, error) {
	words := strings.Fields(line)
	if len(words) < 2 {
		return 0, nil, fmt.Errorf("cannot read %q", line)
	}
	offset, err := strconv.ParseInt(words[0], 10, 64)
	if err != nil {
		return 0, nil, err
	}
	options := map[string]string{}
	text := ""
	for _, w := range words[2:] {
		if k, v, ok := strings.Cut(w, "="); ok {
			options[k] = v
		} else {
			text = w
		}
	}
	number := func(key string) int64 {
		n, _ := strconv.ParseInt(options[key], 10, 64)
		return n
	}
	r := Regular{ConfigSeq: uint64(number("seq")), OriginalOffset: number("orig")}
	typ := cb.HeaderType_ENDORSER_TRANSACTION
	switch words[1] {
	case "connect":
		return offset, Connect{}, nil
	case "empty":
		return offset, nil, nil
	case "ttc":
		n, err := strconv.ParseUint(text, 10, 64)
		return offset, TimeToCut{n}, err
	case "normal":
		r.Class = ClassNormal
	case "config":
		r.Class, typ = ClassConfig, cb.HeaderType_CONFIG
	case "plain":
		typ = headerTypes[options["type"]]
	case "strange":
		r.Class = 7
	case "garbage":
		r.Class, r.Payload = ClassNormal, []byte{0xff}
		return offset, r, nil
	default:
		return 0, nil, fmt.Errorf("no record is called %q", words[1])
	}
	r.Payload = sized(typ, text, int(number("size"))).Bytes()
	return offset, r, nil
}

func (b *bench) run(t *testing.T, d *datadriven.TestData) string {
	var out strings.Builder
	switch d.Cmd {
	case "new":
		b.limits = ab.BatchSize{MaxMessageCount: 3, PreferredMaxBytes: 1000}
		b.seq, b.resubmission, b.last = 1, true, Metadata{LastOffsetPersisted: -3}
		b.blocks, b.resubmitErr = 0, nil
		b.set(t, d)
		b.start()
		fmt.Fprintf(&out, "last block %d, ingress blocked %v\n", b.LastCutBlockNumber(), b.IngressBlocked())
	case "set":
		b.set(t, d)
	case "feed":
		for _, line := range strings.Split(d.Input, "\n") {
			offset, msg, err := parseRecord(line)
			require.NoError(t, err)
			fmt.Fprintf(&out, "%d\n", offset)
			b.perform(&out, b.Step(offset, msg))
		}
	case "timer":
		b.perform(&out, b.TimerExpired())
	case "ttc-failed":
		var n uint64
		d.ScanArgs(t, "block", &n)
		b.perform(&out, b.TimeToCutFailed(n))
	case "connected":
		var offset int64
		d.ScanArgs(t, "offset", &offset)
		b.Connected(offset)
	case "restart":
		b.start()
		fmt.Fprintf(&out, "last block %d, go on at %d, ingress blocked %v\n",
			b.LastCutBlockNumber(), b.LastOffsetPersisted()+1, b.IngressBlocked())
	default:
		t.Fatalf("no command is called %q", d.Cmd)
	}
	return out.String()
}

func (b *bench) set(t *testing.T, d *datadriven.TestData) {
	d.MaybeScanArgs(t, "count", &b.limits.MaxMessageCount)
	d.MaybeScanArgs(t, "bytes", &b.limits.PreferredMaxBytes)
	d.MaybeScanArgs(t, "seq", &b.seq)
	d.MaybeScanArgs(t, "resubmission", &b.resubmission)
	d.MaybeScanArgs(t, "persisted", &b.last.LastOffsetPersisted)
	d.MaybeScanArgs(t, "original", &b.last.LastOriginalOffsetProcessed)
	d.MaybeScanArgs(t, "resubmitted", &b.last.LastResubmittedConfigOffset)
	d.MaybeScanArgs(t, "block", &b.blocks)
	b.invalid = map[string]bool{}
	for _, arg := range d.CmdArgs {
		switch arg.Key {
		case "invalid":
			for _, v := range arg.Vals {
				b.invalid[v] = true
			}
		case "kafka":
			b.resubmitErr = nil
			if arg.Vals[0] == "down" {
				b.resubmitErr = errors.New("kafka is down")
			}
		}
	}
}

// The scripts under testdata say what the sequencer answers to what.
func TestSequencerScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/sequencer", func(t *testing.T, path string) {
		b := &bench{}
		datadriven.RunTest(t, path, b.run)
	})
}
