package vec

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRopeApply(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels) {
		r := random(20)
		for _, interleaved := range []bool{false, true} {
			for _, tt := range []struct{ dim, headDim, heads int }{{128, 128, 3}, {64, 64, 1}, {32, 80, 2}, {10, 12, 4}, {2, 2, 1}, {16, 16, 0}} {
				rope, err := NewRope(RopeConfig{Dim: tt.dim, Base: 1e4, Interleaved: interleaved})
				require.NoError(t, err)
				x := numbers(r, tt.heads*tt.headDim, false)
				before, plain := clone(x), clone(x)
				table := make([]float32, rope.TableLen())
				rope.Table(table, 1000)
				rope.Apply(x, tt.headDim, table)
				withKernels(&scalar, func() { rope.Apply(plain, tt.headDim, table) })
				wantSame(t, "scalar", x, plain)
				for h := range tt.heads {
					got, from := x[h*tt.headDim:][:tt.headDim], before[h*tt.headDim:][:tt.headDim]
					want := append([]float32(nil), from...)
					for i := range tt.dim / 2 {
						a, b := i, i+tt.dim/2
						if interleaved {
							a, b = 2*i, 2*i+1
						}
						angle := 1000 * math.Pow(1e4, -2*float64(i)/float64(tt.dim))
						pair := complex(float64(from[a]), float64(from[b])) * complex(math.Cos(angle), math.Sin(angle))
						want[a], want[b] = float32(real(pair)), float32(imag(pair))
					}
					for i, v := range want {
						require.InDelta(t, v, got[i], 4e-7*(1+math.Abs(float64(v))), "%d", i)
					}
				}
			}
		}
	})
}

// Every eighth frequency; pairs 8.09278 to 17.39802 make 32 to 1 turns within
// 4096 tokens.
func TestRopeScalings(t *testing.T) {
	gptoss := RopeConfig{Dim: 64, Base: 150000, Scaling: RopeYaRN, Factor: 32, Original: 4096, BetaFast: 32, BetaSlow: 1}
	truncated := gptoss
	truncated.Truncate = true
	for _, tt := range []struct {
		name      string
		config    RopeConfig
		every8    []float64
		attention float64
	}{
		{"plain", RopeConfig{Dim: 64, Base: 1e6}, []float64{1, 3.1622777e-2, 1e-3, 3.1622777e-5}, 1},
		{"linear", RopeConfig{Dim: 64, Base: 1e4, Scaling: RopeLinear, Factor: 4}, []float64{0.25, 0.025, 0.0025, 0.00025}, 1},
		{"gpt-oss", gptoss, yarnByHand(gptoss, 8.0927791, 17.3980245), 0.1*math.Log(32) + 1},
		{"truncated", truncated, yarnByHand(truncated, 8, 18), 0.1*math.Log(32) + 1},
	} {
		rope, err := NewRope(tt.config)
		require.NoError(t, err)
		for i, want := range tt.every8 {
			require.InEpsilon(t, want, rope.Frequencies()[8*i], 2e-6, "%s %d", tt.name, 8*i)
		}
		require.InEpsilon(t, tt.attention, rope.Attention(), 1e-12)
		table := make([]float32, rope.TableLen())
		rope.Table(table, 0)
		require.Equal(t, float32(tt.attention), table[0])
	}
}

// yarnByHand are every eighth frequency with the range of pairs given.
func yarnByHand(c RopeConfig, low, high float64) (out []float64) {
	for i := 0; i < c.Dim/2; i += 8 {
		f := math.Exp(-2 * float64(i) / float64(c.Dim) * math.Log(c.Base))
		switch {
		case float64(i) >= high:
			f /= c.Factor
		case float64(i) > low:
			share := (float64(i) - low) / (high - low)
			f = f*(1-share) + f/c.Factor*share
		}
		out = append(out, f)
	}
	return out
}

func TestRopeLlama3AndFactors(t *testing.T) {
	rope, err := NewRope(RopeConfig{Dim: 128, Base: 5e5, Scaling: RopeLlama3, Factor: 8, Original: 8192, LowFactor: 1, HighFactor: 4})
	require.NoError(t, err)
	plain, err := NewRope(RopeConfig{Dim: 128, Base: 5e5})
	require.NoError(t, err)
	factors := make([]float32, 64)
	for i, f := range plain.Frequencies() {
		turns := 8192 * f / (2 * math.Pi)
		switch got := rope.Frequencies()[i]; {
		case turns > 4:
			require.Equal(t, f, got)
		case turns < 1:
			require.InEpsilon(t, f/8, got, 1e-15)
		default:
			require.True(t, f/8 < got && got < f)
		}
		factors[i] = float32(f / rope.Frequencies()[i])
	}
	same, err := NewRope(RopeConfig{Dim: 128, Base: 5e5, Factors: factors})
	require.NoError(t, err)
	for i, f := range rope.Frequencies() {
		require.InEpsilon(t, f, same.Frequencies()[i], 1e-7)
	}
}

func TestRopeErrors(t *testing.T) {
	for want, c := range map[string]RopeConfig{
		"come in pairs":          {Dim: 7, Base: 1e4},
		"base 0":                 {Dim: 8},
		"3 factors for 4":        {Dim: 8, Base: 1e4, Factors: []float32{1, 1, 1}},
		"factor 1 is 0":          {Dim: 4, Base: 1e4, Factors: []float32{1, 0}},
		"not between":            {Dim: 8, Base: 1e4, Scaling: RopeLinear, Factor: math.NaN()},
		"wants the original":     {Dim: 8, Base: 1e4, Scaling: RopeYaRN, Factor: 4},
		"wants frequency":        {Dim: 8, Base: 1e4, Scaling: RopeLlama3, Factor: 4, Original: 10},
		"none of linear, yarn":   {Dim: 8, Base: 1e4, Scaling: "dynamic", Factor: 4},
		"base NaN":               {Dim: 8, Base: math.NaN()},
		"0 dimensions; they com": {Base: 1e4},
	} {
		_, err := NewRope(c)
		require.ErrorContains(t, err, want)
	}
}
