package cluster

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOneErrorOfThoseOfAllProbes(t *testing.T) {
	forbidden, unavailable := probe{err: fmt.Errorf("o1:7050: %w", ErrForbidden)}, probe{err: fmt.Errorf("o2:7050: %w", ErrServiceUnavailable)}
	silent := probe{err: errors.New("o3:7050: no answer")}
	behind := probe{source: &source{endpoint: Endpoint{Address: "o4:7050"}, height: 3}}

	require.ErrorIs(t, summary([]probe{forbidden, silent}), ErrForbidden)
	require.ErrorIs(t, summary([]probe{unavailable, unavailable, silent}), ErrServiceUnavailable)
	require.EqualError(t, summary(nil), "there are no endpoints")
	require.EqualError(t, summary([]probe{silent}), "o3:7050: no answer")

	for _, probes := range [][]probe{{forbidden, unavailable}, {forbidden, behind}, {unavailable, behind, silent}} {
		err := summary(probes)
		require.NotErrorIs(t, err, ErrForbidden, "one of them may serve this node")
		require.NotErrorIs(t, err, ErrServiceUnavailable)
		for _, p := range probes {
			text := "o4:7050 is at height 3"
			if p.err != nil {
				text = p.err.Error()
			}
			require.ErrorContains(t, err, text)
		}
	}
}
