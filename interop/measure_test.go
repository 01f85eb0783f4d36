package interop

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCompare(t *testing.T) {
	want := [][]float32{{0, 1, 2}, {3, 0, 0}}
	d, err := Compare(want, want)
	require.NoError(t, err)
	require.Equal(t, Difference{Positions: 2, Top1: 1}, d)

	// A constant does not change the distribution.
	d, err = Compare(want, [][]float32{{1, 2, 3}, {3, 0, 0}})
	require.NoError(t, err)
	require.Equal(t, 1.0, d.Max)
	require.Equal(t, 1.0, d.Top1)
	require.InDelta(t, 0, d.KLD, 1e-15)

	// Of (1/2, 1/2) against (1/4, 3/4): log(2) - log(3)/2.
	d, err = Compare([][]float32{{0, 0}}, [][]float32{{0, float32(math.Log(3))}})
	require.NoError(t, err)
	require.InDelta(t, math.Log(2)-math.Log(3)/2, d.KLD, 1e-7)
	require.Zero(t, d.Top1)

	for _, got := range [][][]float32{nil, {{0, 1, 2}}, {{0, 1, 2}, {3, 0}}, {{0, 1, 2}, {3, 0, float32(math.NaN())}}} {
		_, err := Compare(want, got)
		require.Error(t, err)
	}
	_, err = Compare(nil, nil)
	require.Error(t, err)
}

func TestJoin(t *testing.T) {
	a, b := Difference{1, 3, 1, 0.1}, Difference{3, 2, 0, 0.5}
	d := a.Join(b)
	require.Equal(t, 4, d.Positions)
	require.Equal(t, 3.0, d.Max)
	require.InDelta(t, 0.25, d.Top1, 1e-15)
	require.InDelta(t, 0.4, d.KLD, 1e-15)
	require.Equal(t, a, Difference{}.Join(a))
	require.Equal(t, Difference{}, Difference{}.Join(Difference{}))
}
