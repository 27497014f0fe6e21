package cluster

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	ab "github.com/hyperledger/fabric-protos-go/orderer"
	"github.com/stretchr/testify/require"

	"raftmig/orderer/comm"
	"raftmig/orderer/protoutil"
)

func joined(p comm.Parts) []byte { return bytes.Join(p, nil) }

func consensusStep(r *ab.ConsensusRequest) *ab.StepRequest {
	return &ab.StepRequest{Payload: &ab.StepRequest_ConsensusRequest{ConsensusRequest: r}}
}

func submitStep(r *ab.SubmitRequest) *ab.StepRequest {
	return &ab.StepRequest{Payload: &ab.StepRequest_SubmitRequest{SubmitRequest: r}}
}

func TestStepRequestsAreEncodedAsTheLibraryDoes(t *testing.T) {
	long := []byte(strings.Repeat("x", 300))
	for _, r := range []*ab.ConsensusRequest{
		{},
		{Channel: "ch"},
		{Channel: "ch", Payload: long},
		{Channel: string(long), Payload: []byte("p"), Metadata: long},
		{Metadata: []byte("m")},
	} {
		want := protoutil.MustMarshal(consensusStep(r))
		require.Equal(t, want, joined(consensusParts(r.Channel, [][]byte{r.Payload}, r.Metadata)))
		half := len(r.Payload) / 2
		require.Equal(t, want, joined(consensusParts(r.Channel, [][]byte{r.Payload[:half], nil, r.Payload[half:]}, r.Metadata)))
	}
	for _, r := range []*ab.SubmitRequest{
		{Payload: &cb.Envelope{}},
		{Channel: "ch", LastValidationSeq: 7, Payload: &cb.Envelope{Payload: long, Signature: []byte("s")}},
		{Channel: "ch", LastValidationSeq: 1 << 63, Payload: &cb.Envelope{Payload: []byte("p")}},
	} {
		want := protoutil.MustMarshal(submitStep(r))
		require.Equal(t, want, joined(submitParts(r.Channel, r.LastValidationSeq, protoutil.NewMessage(r.Payload))))
	}
}

// requireSameStep compares with the decoding by the library.
func requireSameStep(t testing.TB, raw []byte) {
	var want ab.StepRequest
	wantErr := proto.Unmarshal(raw, &want)
	got, err := parseStep(raw)
	if wantErr != nil {
		require.Error(t, err)
		return
	}
	require.NoError(t, err)
	require.Equal(t, want.GetConsensusRequest() != nil, got.consensus != nil)
	if c := want.GetConsensusRequest(); c != nil {
		require.Equal(t, c.Channel, got.consensus.Channel)
		require.Equal(t, string(c.Payload), string(got.consensus.Payload))
		require.Equal(t, string(c.Metadata), string(got.consensus.Metadata))
	}
	require.Equal(t, want.GetSubmitRequest() != nil, got.submit != nil)
	if s := want.GetSubmitRequest(); s != nil {
		require.Equal(t, s.Channel, got.submit.channel)
		require.Equal(t, s.LastValidationSeq, got.submit.configSeq)
		require.Equal(t, s.Payload != nil, got.submit.msg != nil)
		if s.Payload != nil {
			require.Equal(t, string(protoutil.NewMessage(s.Payload).Bytes()), string(got.submit.msg.Bytes()))
		}
	}
}

// stepVectors are encodings that a decoder could get wrong.
func stepVectors() [][]byte {
	vectors := [][]byte{
		nil, {0x0a, 0}, {0x12, 0}, {0x0a, 2, 0x0a, 0}, {0x0a, 1}, {0xff}, {0x08, 1}, {0x1a, 0},
		{0x12, 2, 0x10, 5},             // no payload
		{0x12, 4, 0x10, 5, 0x1a, 0},    // an empty one
		{0x12, 4, 0x1a, 0, 0x10, 5},    // in another order
		{0x12, 5, 0x10, 0x85, 0, 0x1a}, // cut
		{0x12, 6, 0x10, 1, 0x10, 2, 0x1a, 0},
		{0x12, 5, 0x1a, 3, 0x18, 1, 0x00},              // not an envelope
		{0x0a, 3, 0x0a, 1, 0xff},                       // a channel that is no UTF-8
		{0x0a, 4, 0x12, 0, 0x12, 0},                    // twice
		{0x0a, 6, 0x1a, 1, 'm', 0x12, 1, 'p'},          // in another order
		{0x0a, 3, 0x12, 1, 'p', 0x0a, 3, 0x1a, 1, 'm'}, // merged
		{0x0a, 3, 0x12, 1, 'p', 0x12, 2, 0x1a, 0},      // the last one counts
	}
	envelope := &cb.Envelope{Payload: []byte("p"), Signature: []byte("s")}
	return append(vectors,
		protoutil.MustMarshal(consensusStep(&ab.ConsensusRequest{Channel: "ch", Payload: []byte("p"), Metadata: []byte("m")})),
		protoutil.MustMarshal(submitStep(&ab.SubmitRequest{Channel: "ch", LastValidationSeq: 3, Payload: envelope})))
}

func TestStepRequestsAreDecodedAsTheLibraryDoes(t *testing.T) {
	for _, raw := range stepVectors() {
		requireSameStep(t, raw)
	}
}

func FuzzParseStep(f *testing.F) {
	for _, raw := range stepVectors() {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) { requireSameStep(t, raw) })
}

// What another orderer says it has taken is believed only within what was sent.
func FuzzTaken(f *testing.F) {
	f.Add(encodeTaken(0), 1)
	f.Add(encodeTaken(3), 2)
	f.Add(encodeTaken(1<<63), 0)
	f.Add([]byte{0x08, 0xff}, 3)
	f.Fuzz(func(t *testing.T, raw []byte, sent int) {
		n, err := decodeTaken(raw)
		if err != nil {
			return
		}
		again, err := decodeTaken(encodeTaken(n))
		require.NoError(t, err)
		require.Equal(t, n, again)

		sent = max(0, min(sent, 100))
		a, reported := newAnswers(time.Hour), 0
		for range sent {
			require.True(t, a.await(func(error) { reported++ }))
		}
		require.Equal(t, n > uint64(sent), a.taken(n) != nil)
		if n <= uint64(sent) {
			require.EqualValues(t, n, reported)
		}
		a.end(ErrAborted)
		require.Equal(t, sent, reported, "each is reported once")
	})
}
