package infer

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func sampler(t testing.TB, o SampleOptions) *Sampler {
	s, err := NewSampler(o)
	require.NoError(t, err)
	return s
}

// shares are how often tokens are drawn.
func shares(t *testing.T, o SampleOptions, logits []float32) []float64 {
	const n = 20000
	s := sampler(t, o)
	out := make([]float64, len(logits))
	for range n {
		token, err := s.Sample(logits)
		require.NoError(t, err)
		out[token] += 1.0 / n
	}
	return out
}

func TestSample(t *testing.T) {
	log := func(p ...float64) (x []float32) {
		for _, v := range p {
			x = append(x, float32(math.Log(v)))
		}
		return x
	}
	inf := float32(math.Inf(-1))
	for name, test := range map[string]struct {
		o      SampleOptions
		logits []float32
		want   []float64
	}{
		"greedy":         {SampleOptions{}, log(.2, .5, .3), []float64{0, 1, 0}},
		"greedy, equal":  {SampleOptions{}, log(.2, .4, .4), []float64{0, 1, 0}},
		"as it is":       {SampleOptions{Temperature: 1}, log(.2, .5, .3), []float64{.2, .5, .3}},
		"temperature":    {SampleOptions{Temperature: .5}, log(.2, .5, .3), []float64{.04 / .38, .25 / .38, .09 / .38}},
		"top-k":          {SampleOptions{Temperature: 1, TopK: 2}, log(.2, .5, .3), []float64{0, .625, .375}},
		"top-k of all":   {SampleOptions{Temperature: 1, TopK: 9}, log(.2, .5, .3), []float64{.2, .5, .3}},
		"top-p":          {SampleOptions{Temperature: 1, TopP: .6}, log(.2, .5, .3), []float64{0, .625, .375}},
		"top-p, one":     {SampleOptions{Temperature: 1, TopP: .01}, log(.2, .5, .3), []float64{0, 1, 0}},
		"min-p":          {SampleOptions{Temperature: 1, MinP: .5}, log(.2, .5, .3), []float64{0, .625, .375}},
		"before heat":    {SampleOptions{Temperature: 100, MinP: .5}, log(.2, .5, .3), []float64{0, .5, .5}},
		"bias":           {SampleOptions{Temperature: 1, Bias: map[int32]float32{1: inf, 7: 3}}, log(.2, .5, .3), []float64{.4, 0, .6}},
		"greedy, biased": {SampleOptions{Bias: map[int32]float32{0: 5}}, log(.2, .5, .3), []float64{1, 0, 0}},
		"excluded":       {SampleOptions{Temperature: 1}, []float32{inf, 0, inf}, []float64{0, 1, 0}},
	} {
		got := shares(t, test.o, test.logits)
		for i, want := range test.want {
			require.InDelta(t, want, got[i], 0.015, "%s, token %d", name, i)
			if want == 0 {
				require.Zero(t, got[i], "%s, token %d", name, i)
			}
		}
	}
}

func TestSampleRepeat(t *testing.T) {
	s := sampler(t, SampleOptions{Repeat: 2, RepeatLast: 2})
	pick := func(logits ...float32) int32 {
		token, err := s.Sample(logits)
		require.NoError(t, err)
		return token
	}
	require.EqualValues(t, 0, pick(3, 2, 1))
	s.Accept(0)
	require.EqualValues(t, 1, pick(3, 2, 1))
	require.EqualValues(t, 1, pick(-1, -1.5, -3), "a negative one is made smaller")
	s.Accept(0, 0, 1)
	require.EqualValues(t, 2, pick(3, 3, 2), "once, however often it came")
	s.Accept(2, 2)
	require.EqualValues(t, 0, pick(3, 2, 1), "forgotten by now")
}

func TestSampleSeed(t *testing.T) {
	logits := make([]float32, 50)
	draw := func(seed uint64) (out []int32) {
		s := sampler(t, SampleOptions{Temperature: 1, Seed: seed})
		for range 20 {
			token, err := s.Sample(logits)
			require.NoError(t, err)
			out = append(out, token)
		}
		return out
	}
	require.Equal(t, draw(1), draw(1))
	require.NotEqual(t, draw(1), draw(2))
}

func TestSampleErrors(t *testing.T) {
	nan := float32(math.NaN())
	for _, o := range []SampleOptions{{Temperature: -1}, {Temperature: nan}, {TopK: -1}, {TopP: 1.1}, {MinP: -1}, {Repeat: -1}, {RepeatLast: -1}} {
		_, err := NewSampler(o)
		require.Error(t, err)
	}
	for _, o := range []SampleOptions{{}, {Temperature: 1}} {
		_, err := sampler(t, o).Sample([]float32{nan, nan})
		require.ErrorIs(t, err, errNoToken)
		_, err = sampler(t, SampleOptions{Bias: map[int32]float32{0: float32(math.Inf(-1))}}).Sample([]float32{0})
		require.ErrorIs(t, err, errNoToken)
		token, err := sampler(t, o).Sample([]float32{nan, 1})
		require.NoError(t, err)
		require.EqualValues(t, 1, token)
	}
}

// Drawing allocates nothing once there is room.
func TestSampleAllocations(t *testing.T) {
	logits := make([]float32, 5000)
	for i := range logits {
		logits[i] = float32(i % 97)
	}
	s := sampler(t, SampleOptions{Temperature: 1, TopK: 40, TopP: .9, MinP: .05, Repeat: 1.1, Bias: map[int32]float32{3: 1}})
	s.Accept(someTokens(100, 5000)...)
	require.Zero(t, testing.AllocsPerRun(10, func() {
		token, _ := s.Sample(logits)
		s.Accept(token)
	}))
}

// Stops are found wherever they are cut, and nothing of them is given out.
func TestHolder(t *testing.T) {
	text := "one two. three END four"
	for _, stop := range []string{"END", "two. t", "o", "four", "x", "\n\n", ""} {
		want, _, _ := strings.Cut(text, stop)
		if stop == "" {
			want = text
		}
		for size := 1; size < 6; size++ {
			var got strings.Builder
			h := holder{stop: []string{"?!", stop}, emit: func(s string) error { got.WriteString(s); return nil }}
			for at := 0; at < len(text); at += size {
				require.NoError(t, h.push(text[at:min(at+size, len(text))]))
				require.True(t, strings.HasPrefix(want, got.String()), "%q", got.String())
			}
			require.NoError(t, h.flush())
			require.Equal(t, want, got.String())
			require.Equal(t, want, h.text.String())
			require.Equal(t, strings.Contains(text, stop) && stop != "", h.stopped)
		}
	}
}
