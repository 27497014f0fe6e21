package kafka

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"pgregory.net/rapid"

	"raftmig/orderer/blockcutter"
	"raftmig/orderer/protoutil"
)

// replica is an orderer on a topic in memory. What it writes survives its
// restarts; everything else is restored from its last block.
type replica struct {
	bench
	topic  *[]Message
	next   int // offset of the next record to be read
	ledger []*cb.Block
	// forgetful is set while the last block left a resubmitted record pending.
	// A restart then counts an original offset that others forgot (see the
	// package comment), so it is not tried here.
	forgetful bool
	// crash makes the orderer die between the two blocks of the next step that
	// writes two.
	crash bool
}

func newReplica(topic *[]Message, limits ab.BatchSize) *replica {
	r := &replica{topic: topic, ledger: []*cb.Block{protoutil.NewBlockOf(0, nil, nil)}}
	r.limits, r.resubmission = limits, true
	r.last = Metadata{LastOffsetPersisted: -1}
	r.restart()
	return r
}

func (r *replica) restart() {
	r.seq = 0
	for _, b := range r.ledger {
		if protoutil.IsConfigBlock(b) {
			r.seq++
		}
	}
	cutter := blockcutter.New(func() *ab.BatchSize { return &r.limits })
	r.Sequencer = NewSequencer(r.last, uint64(len(r.ledger)-1), cutter, r)
	r.next = int(r.LastOffsetPersisted()) + 1
}

// ProcessNormalMsg finds every third message invalid under a newer configuration.
func (r *replica) ProcessNormalMsg(m *protoutil.Message) (uint64, error) {
	if becomesInvalid(textOf(m)) {
		return 0, errInvalid
	}
	return r.seq, nil
}

func (r *replica) ProcessConfigMsg(m *protoutil.Message) (*protoutil.Message, uint64, error) {
	seq, err := r.ProcessNormalMsg(m)
	return m, seq, err
}

func becomesInvalid(text string) bool { return text[len(text)-1]%3 == 0 }

func (r *replica) post(m Message) { *r.topic = append(*r.topic, m) }

func (r *replica) write(messages []*protoutil.Message, md Metadata) {
	last := r.ledger[len(r.ledger)-1]
	r.ledger = append(r.ledger, protoutil.NewBlockOf(last.Header.Number+1, protoutil.BlockHeaderHash(last.Header), messages))
	r.last, r.forgetful = md, false
}

func (r *replica) perform(t *rapid.T, actions []Action) {
	for _, a := range actions {
		switch a := a.(type) {
		case WriteBlock:
			r.write(a.Messages, a.Metadata)
		case WriteConfigBlock:
			r.write([]*protoutil.Message{a.Message}, a.Metadata)
			r.seq++
		case Resubmit:
			r.post(a.Record)
			r.perform(t, r.Resubmitted(a, nil))
		case PostTimeToCut:
			r.post(TimeToCut{a.BlockNumber})
		case Stop:
			t.Fatalf("stopped: %s", a.Reason)
		}
	}
}

// read takes the next record, if there is one.
func (r *replica) read(t *rapid.T) bool {
	if r.next == len(*r.topic) {
		return false
	}
	offset := r.next
	r.next++
	height := len(r.ledger)
	msg := (*r.topic)[offset]
	actions := r.Step(int64(offset), msg)
	if r.crash && writes(actions) == 2 {
		r.crash = false
		r.perform(t, actions[:1+slices.IndexFunc(actions, isWrite)])
		r.restart()
		return true
	}
	r.perform(t, actions)
	if m, ok := msg.(Regular); ok && m.OriginalOffset != 0 && len(r.ledger) == height+1 && r.last.LastOffsetPersisted == int64(offset-1) {
		r.forgetful = true
	}
	return true
}

func isWrite(a Action) bool {
	switch a.(type) {
	case WriteBlock, WriteConfigBlock:
		return true
	}
	return false
}

func writes(actions []Action) (n int) {
	for _, a := range actions {
		if isWrite(a) {
			n++
		}
	}
	return n
}

func (r *replica) timeOut(t *rapid.T) bool {
	if !r.timerRunning {
		return false
	}
	r.perform(t, r.TimerExpired())
	return true
}

// Orderers that read one topic write the same blocks, whenever they are
// restarted and however far each of them has got, and no message that stays
// valid is lost.
func TestReplicasOfOneTopicWriteTheSameBlocks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		topic := []Message{Connect{}}
		limits := ab.BatchSize{
			MaxMessageCount:   rapid.Uint32Range(1, 5).Draw(t, "count"),
			PreferredMaxBytes: rapid.Uint32Range(40, 200).Draw(t, "bytes"),
		}
		replicas := []*replica{newReplica(&topic, limits), newReplica(&topic, limits), newReplica(&topic, limits)}
		posted := 0
		var mustStay []string
		t.Repeat(map[string]func(*rapid.T){
			"post": func(t *rapid.T) {
				r := replicas[rapid.IntRange(0, len(replicas)-1).Draw(t, "replica")]
				posted++
				text := fmt.Sprintf("m%d", posted)
				class, typ := ClassNormal, cb.HeaderType_ENDORSER_TRANSACTION
				if rapid.IntRange(0, 5).Draw(t, "kind") == 0 {
					class, typ = ClassConfig, cb.HeaderType_CONFIG
				}
				if !becomesInvalid(text) {
					mustStay = append(mustStay, text)
				}
				m := sized(typ, text, rapid.IntRange(0, 230).Draw(t, "size"))
				r.post(Regular{Payload: m.Bytes(), ConfigSeq: r.seq, Class: class})
			},
			"read": func(t *rapid.T) {
				r := replicas[rapid.IntRange(0, len(replicas)-1).Draw(t, "replica")]
				for range rapid.IntRange(1, 6).Draw(t, "records") {
					r.read(t)
				}
			},
			"time out": func(t *rapid.T) {
				if !replicas[rapid.IntRange(0, len(replicas)-1).Draw(t, "replica")].timeOut(t) {
					t.Skip("no timer is running")
				}
			},
			"restart": func(t *rapid.T) {
				r := replicas[rapid.IntRange(0, len(replicas)-1).Draw(t, "replica")]
				if r.forgetful {
					t.Skip("where Fabric's orderers part too")
				}
				r.restart()
			},
			"crash": func(t *rapid.T) {
				replicas[rapid.IntRange(0, len(replicas)-1).Draw(t, "replica")].crash = true
			},
			"": func(t *rapid.T) { sameBlocks(t, replicas) },
		})
		for busy := true; busy; { // until nothing happens any more
			busy = false
			for _, r := range replicas {
				for r.read(t) {
					busy = true
				}
				busy = r.timeOut(t) || busy
			}
		}
		sameBlocks(t, replicas)
		for _, r := range replicas {
			if len(r.ledger) != len(replicas[0].ledger) {
				t.Fatalf("heights %d and %d", len(replicas[0].ledger), len(r.ledger))
			}
			if r.IngressBlocked() {
				t.Fatal("ingress is blocked, but nothing is under way")
			}
		}
		have := map[string]bool{}
		for _, b := range replicas[0].ledger {
			for i := range b.Data.Data {
				env, err := protoutil.EnvelopeAt(b, i)
				if err != nil {
					t.Fatal(err)
				}
				have[textOf(protoutil.NewMessage(env))] = true
			}
		}
		for _, text := range mustStay {
			if !have[text] {
				t.Fatalf("%s is lost", text)
			}
		}
	})
}

// sameBlocks fails unless each ledger is a beginning of the longest one.
func sameBlocks(t *rapid.T, replicas []*replica) {
	for _, r := range replicas[1:] {
		for n := range min(len(r.ledger), len(replicas[0].ledger)) {
			a, b := protoutil.MustMarshal(replicas[0].ledger[n]), protoutil.MustMarshal(r.ledger[n])
			if !bytes.Equal(a, b) {
				t.Fatalf("block %d differs: %v", n, replicas[0].ledger[n].Header)
			}
		}
	}
}
