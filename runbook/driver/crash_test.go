package driver

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCrashPointsAreTakenFromTheEnvironment(t *testing.T) {
	env := func(vars map[string]string) func(string) string { return func(n string) string { return vars[n] } }
	var o Options
	require.NoError(t, o.CrashFromEnv(env(nil)))
	require.Nil(t, o.AfterAppend)
	require.NoError(t, o.CrashFromEnv(env(map[string]string{CrashAfter: "3"})))
	require.NotNil(t, o.AfterAppend)
	require.Nil(t, o.BeforeAppend)
	o.AfterAppend(2) // not yet
	require.Error(t, o.CrashFromEnv(env(map[string]string{CrashBefore: "soon"})))
	require.Error(t, o.CrashFromEnv(env(map[string]string{CrashBefore: "0"})))
}

func TestHooksSeeEveryRecordInOrder(t *testing.T) {
	n, m := network(), &memory{}
	var before, after []int
	d := newDriver(t, Options{
		Operator: n, Journal: m, Plan: unattended(n),
		BeforeAppend: func(i int) { require.Len(t, m.kept(), i-1); before = append(before, i) },
		AfterAppend:  func(i int) { require.Len(t, m.kept(), i); after = append(after, i) },
	})
	_, err := d.Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, before, after)
	require.Len(t, after, len(m.kept()))
	require.Equal(t, len(m.kept()), after[len(after)-1])
}
