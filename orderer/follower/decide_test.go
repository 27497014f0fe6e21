package follower

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Spec 4.9 and 9: what a follower does, by what it knows.
func TestNextStep(t *testing.T) {
	for _, test := range []struct {
		name string
		view view
		want step
	}{
		{"onboarding from nothing", view{join: 1}, pullToJoin},
		{"onboarding in the middle", view{height: 3, join: 5}, pullToJoin},
		{"membership does not count before the join block", view{height: 3, join: 5, member: true, asked: true}, pullToJoin},
		{"the join block makes it a consenter", view{height: 5, join: 5, member: true}, become},
		{"it does not: others are asked", view{height: 5, join: 5}, ask},
		{"a ledger of an earlier run", view{height: 5}, ask},
		{"a consenter by it", view{height: 5, member: true}, become},
		{"others have more", view{height: 5, network: 7, asked: true}, pull},
		{"others have more, among it perhaps an eviction", view{height: 5, network: 7, asked: true, member: true}, pull},
		{"others have no more", view{height: 7, network: 7, asked: true}, wait},
		{"all that others had is here", view{height: 7, network: 7}, ask},
		{"evicted: its own ledger is not believed", view{height: 5, member: true, evicted: true}, ask},
		{"evicted: others have more", view{height: 5, network: 7, asked: true, member: true, evicted: true}, pull},
		{"evicted: what was pulled may be out of date again", view{height: 7, network: 7, member: true, evicted: true}, ask},
		{"evicted: added again", view{height: 7, network: 7, asked: true, member: true, evicted: true}, become},
		{"evicted: not added again", view{height: 7, network: 7, asked: true, evicted: true}, wait},
	} {
		require.Equal(t, test.want, next(test.view), test.name)
	}
}

func TestPausesGrowByHalf(t *testing.T) {
	b := backOff{least: 4 * time.Second, most: 10 * time.Second}
	for _, want := range []time.Duration{4, 6, 9, 10, 10} {
		require.Equal(t, want*time.Second, b.next())
	}
	b.reset()
	require.Equal(t, 4*time.Second, b.next())
}
