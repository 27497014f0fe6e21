package channelcfg_test

import (
	"context"
	"testing"
	"time"

	"github.com/golang/protobuf/proto"
	cb "github.com/hyperledger/fabric-protos-go/common"
	"github.com/stretchr/testify/require"

	"raftmig/fabricops/broadcast"
	"raftmig/fabricops/channelcfg"
	"raftmig/fabricops/identity"
	"raftmig/fabricops/internal/fakenet"
	"raftmig/orderer/protoutil"
	"raftmig/runbook"
)

// exported returns an update of the network and a copy of it that has gone
// through a file.
func exported(t *testing.T, v *channelcfg.View) (*channelcfg.Update, func() *channelcfg.Update) {
	t.Helper()
	u, err := channelcfg.Build(v, runbook.ChangeEnterMaintenance, nil)
	require.NoError(t, err)
	return u, func() *channelcfg.Update {
		env, err := u.Export()
		require.NoError(t, err)
		file := protoutil.MustMarshal(env)
		env, err = protoutil.UnmarshalEnvelope(file)
		require.NoError(t, err)
		again, err := channelcfg.FromEnvelope(env)
		require.NoError(t, err)
		return again
	}
}

func TestSignaturesOfSeveralFilesAreJoined(t *testing.T) {
	crypto := fakenet.NewCrypto(t)
	admin, err := identity.Load(crypto.Admin())
	require.NoError(t, err)
	user, err := identity.Load(crypto.User())
	require.NoError(t, err)
	u, file := exported(t, newest(t, "2.5.16", fakenet.KafkaNormal, fakenet.Channel))
	a, b := file(), file()
	require.Equal(t, u.Bytes, a.Bytes)
	require.NoError(t, a.Sign(admin))
	require.NoError(t, b.Sign(admin))
	require.NoError(t, b.Sign(user))
	require.NoError(t, a.Merge(b))
	signers := a.Signers()
	require.Len(t, signers, 2, "who signed both files counts once")
	require.Equal(t, "OrdererMSP", signers[0].MSPID)
	require.Equal(t, "Org1MSP", signers[1].MSPID)
	require.Contains(t, signers[1].Subject, "CN=User1@org1.example.com")
	for _, s := range signers {
		require.Empty(t, s.Error)
	}
	signed, err := a.SignedBy(user)
	require.NoError(t, err)
	require.True(t, signed)

	a.Signatures[1] = proto.Clone(a.Signatures[1]).(*cb.ConfigSignature)
	a.Signatures[1].Signature[8] ^= 1
	require.Contains(t, a.Signers()[1].Error, "does not fit the update")
	require.NoError(t, a.Merge(b))
	require.Empty(t, a.Signers()[1].Error, "a sound copy takes the place of a damaged one")

	other, err := channelcfg.Build(newest(t, "2.2.15", fakenet.KafkaNormal, fakenet.SystemChannel), runbook.ChangeEnterMaintenance, nil)
	require.NoError(t, err)
	require.ErrorIs(t, a.Merge(other), channelcfg.ErrOtherUpdate)
}

func TestEnvelopesThatHoldNoUpdate(t *testing.T) {
	v := newest(t, "2.5.16", fakenet.KafkaNormal, fakenet.Channel)
	u, _ := exported(t, v)
	wrap := func(channel string, config *cb.ConfigUpdate, signatures ...*cb.ConfigSignature) *cb.Envelope {
		env, err := protoutil.NewSignedEnvelope(protoutil.EnvelopeSpec{
			Type: cb.HeaderType_CONFIG_UPDATE, ChannelID: channel,
			Data: &cb.ConfigUpdateEnvelope{ConfigUpdate: protoutil.MustMarshal(config), Signatures: signatures},
		}, nil)
		require.NoError(t, err)
		return env
	}
	inner := &cb.ConfigUpdate{}
	require.NoError(t, proto.Unmarshal(u.Bytes, inner))
	_, err := channelcfg.FromEnvelope(wrap(fakenet.Channel, inner))
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		env  *cb.Envelope
		want string
	}{
		"nothing":          {&cb.Envelope{}, ""},
		"a config block's": {must(protoutil.EnvelopeAt(v.Block, 0)), ""},
		"another channel":  {wrap("other", inner), "the envelope is for channel other, the update in it for ch1"},
		"no channel":       {wrap("", &cb.ConfigUpdate{WriteSet: inner.WriteSet}), "names no channel"},
		"no content":       {wrap("ch1", &cb.ConfigUpdate{ChannelId: "ch1"}), "writes nothing"},
		"a broken creator": {wrap(fakenet.Channel, inner, &cb.ConfigSignature{SignatureHeader: []byte{0xff}}), "signature 0 of the update"},
	} {
		_, err := channelcfg.FromEnvelope(tc.env)
		require.Error(t, err, name)
		require.ErrorContains(t, err, tc.want, name)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestAnUpdateSignedElsewhereIsSubmitted(t *testing.T) {
	for _, tc := range []struct {
		name   string
		faults []fakenet.Fault
		status string
	}{
		{name: "at once", status: "SUCCESS"},
		{name: "after an answer that was lost", faults: []fakenet.Fault{fakenet.LoseAnswer}, status: "UNKNOWN"},
		{name: "after a message that was lost", faults: []fakenet.Fault{fakenet.LoseMessage}, status: "SUCCESS"},
		{name: "after a node without leader", faults: []fakenet.Fault{fakenet.Unavailable, fakenet.Unavailable}, status: "SUCCESS"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			net := kafkaNetwork(t)
			before := len(net.Blocks(fakenet.Channel))
			s := submitter(t, net)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			v, _, err := s.Read(ctx, fakenet.Channel)
			require.NoError(t, err)
			_, file := exported(t, v)
			u := file()
			require.NoError(t, u.Sign(s.Admins[0]))
			net.Break(tc.faults...)
			r, err := s.SubmitUpdate(ctx, u, ignore)
			require.NoError(t, err)
			require.False(t, r.AlreadyDone)
			require.Equal(t, tc.status, r.Receipt.Status)
			require.Len(t, net.Blocks(fakenet.Channel), before+1)

			again, err := s.SubmitUpdate(ctx, u, ignore)
			require.NoError(t, err)
			require.True(t, again.AlreadyDone)
		})
	}
}

// It has come into force by another way between the look and the sending.
func TestAnUpdateThatOvertakesItselfIsDone(t *testing.T) {
	net := kafkaNetwork(t)
	s := submitter(t, net)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	v, _, err := s.Read(ctx, fakenet.Channel)
	require.NoError(t, err)
	_, file := exported(t, v)
	u := file()
	require.NoError(t, u.Sign(s.Admins[0]))
	_, err = s.SubmitUpdate(ctx, u, ignore)
	require.NoError(t, err)
	blocks := len(net.Blocks(fakenet.Channel))
	lag := func(n int) {
		for i := range net.Nodes {
			net.Lag(i, fakenet.Channel, n)
		}
	}
	lag(1)
	r, err := s.SubmitUpdate(ctx, u, func(string) { lag(0) }) // when it is about to send
	require.NoError(t, err)
	require.True(t, r.AlreadyDone)
	require.Empty(t, r.Receipt.Status, "what was sent was refused")
	require.Len(t, net.Blocks(fakenet.Channel), blocks)
}

func TestAnUpdateWithTooFewSignaturesIsRefusedAtOnce(t *testing.T) {
	net := kafkaNetwork(t)
	s := submitter(t, net)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	v, _, err := s.Read(ctx, fakenet.Channel)
	require.NoError(t, err)
	_, file := exported(t, v)
	_, err = s.SubmitUpdate(ctx, file(), ignore)
	var refused *broadcast.StatusError
	require.ErrorAs(t, err, &refused)
	require.Contains(t, refused.Info, "'Admins' sub-policies")
	require.NoError(t, ctx.Err())
}
