package kv

import (
	"math"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

func rule(t *testing.T, types string, context, age int) Rule {
	r, err := ParseTypes(types)
	require.NoError(t, err)
	r.MaxContext, r.MinAge = context, age
	return r
}

func planOf(window int, rules ...Rule) *Plan {
	return &Plan{Layers: []Layer{{Heads: 2, KeyWidth: 64, ValWidth: 32, Window: window, Rules: rules}}}
}

// filled is a sequence of n tokens, stored in pieces of the given size, and
// what they were.
func filled(t *testing.T, p *Plan, n, piece int) (s *Sequence, keys, values []float32) {
	l := &p.Layers[0]
	rng := rand.New(rand.NewPCG(3, 4))
	random := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(rng.NormFloat64())
		}
		return v
	}
	kRow, vRow := l.Heads*l.KeyWidth, l.Heads*l.ValWidth
	keys, values = random(n*kRow), random(n*vRow)
	s = NewSequence(p, nil)
	for at := 0; at < n; {
		end := min(n, at+piece)
		for at < end {
			step := s.Step(0, at, end-at)
			require.NoError(t, s.Store(0, at, keys[at*kRow:(at+step)*kRow], values[at*vRow:(at+step)*vRow]))
			at += step
		}
	}
	s.Advance(n)
	return s, keys, values
}

// decoded are a token's keys and values of a head.
func decoded(s *Sequence, token, head int) (k, v []float32) {
	l := &s.plan.Layers[0]
	h := s.Head(0, token/PageTokens, head)
	ks, vs := make([]float32, PageTokens*l.KeyWidth), make([]float32, PageTokens*l.ValWidth)
	decodeKeys(h.Key, ks, h.K, l.KeyWidth)
	h.Value.Dequantize(vs, h.V)
	i := token % PageTokens
	return ks[i*l.KeyWidth:][:l.KeyWidth], vs[i*l.ValWidth:][:l.ValWidth]
}

// relative is the root of the squared error's share.
func relative(got, want []float32) float64 {
	e, n := 0.0, 0.0
	for i, w := range want {
		e += float64(got[i]-w) * float64(got[i]-w)
		n += float64(w) * float64(w)
	}
	return math.Sqrt(e / n)
}

func TestStore(t *testing.T) {
	most := map[string]float64{"f32": 0, "f16": 1e-3, "bf16": 4e-3, "q8_0": 0.01, "e4m3": 0.04, "e5m2": 0.08, "q4_0": 0.15, "q4_1": 0.15, "iq4_nl": 0.15, "int3": 0.25, "int2": 0.5}
	for _, name := range Types() {
		p := planOf(0, rule(t, name, 0, 0))
		require.NoError(t, p.Check())
		s, keys, values := filled(t, p, 300, 77)
		for token := range 300 {
			for head := range 2 {
				k, v := decoded(s, token, head)
				require.LessOrEqual(t, relative(k, keys[token*128+head*64:][:64]), most[name]*1.5, "%s, token %d", name, token)
				require.LessOrEqual(t, relative(v, values[token*64+head*32:][:32]), most[name]*1.5, "%s, token %d", name, token)
			}
		}
		first, end := s.Pages(0)
		require.Equal(t, []int{0, 10}, []int{first, end})
	}
}

// How the tokens come does not change what is stored.
func TestPieces(t *testing.T) {
	for _, rules := range [][]Rule{
		{rule(t, "q8_0", 0, 0)},
		{rule(t, "int3/int2", 0, 0)},
		{rule(t, "f32", 100, 0), rule(t, "q8_0/q4_0", 0, 64), rule(t, "bf16", 0, 0)},
	} {
		p := planOf(0, rules...)
		one, _, _ := filled(t, p, 333, 1)
		want, err := one.Save()
		require.NoError(t, err)
		for _, piece := range []int{32, 50, 333} {
			s, _, _ := filled(t, p, 333, piece)
			got, err := s.Save()
			require.NoError(t, err)
			require.Equal(t, want, got, "%v, pieces of %d", rules, piece)
		}
	}
}

// Rules of context and age choose pages' types.
func TestRules(t *testing.T) {
	p := planOf(0, rule(t, "f32", 100, 0), rule(t, "q8_0/q4_0", 0, 64), rule(t, "bf16", 0, 0))
	s, _, _ := filled(t, p, 100, 100)
	for page := range 4 {
		require.Equal(t, "f32", s.Head(0, page, 0).Key.Name)
	}
	s, _, _ = filled(t, p, 160, 160)
	// When token 159 came, 128 tokens filled pages: the first two are 64 and
	// more from the newest of them.
	var types []string
	for page := range 5 {
		h := s.Head(0, page, 0)
		types = append(types, h.Key.Name+"/"+h.Value.Name)
	}
	require.Equal(t, []string{"q8_0/q4_0", "q8_0/q4_0", "bf16/bf16", "bf16/bf16", "bf16/bf16"}, types)
}

// Few bits wait until tokens are old.
func TestResidual(t *testing.T) {
	s, _, _ := filled(t, planOf(0, rule(t, "int2", 0, 0)), 320, 320)
	for page := range 10 {
		want := "f16"
		if 288-(page+1)*PageTokens >= Residual {
			want = "int2"
		}
		require.Equal(t, want, s.Head(0, page, 0).Key.Name, "page %d", page)
	}
}

// Behind a window pages go, and their memory is used again.
func TestWindow(t *testing.T) {
	p := planOf(64, rule(t, "f16", 0, 0))
	var total atomic.Int64
	s := NewSequence(p, &total)
	for at := range 1000 {
		require.NoError(t, s.Store(0, at, make([]float32, 128), make([]float32, 64)))
		s.Advance(1)
		first, end := s.Pages(0)
		require.LessOrEqual(t, first*PageTokens, max(0, at-63))
		require.LessOrEqual(t, end-first, 4)
	}
	require.LessOrEqual(t, s.Bytes(), int64(4*32*2*(64+32)*2))
	require.Equal(t, s.Bytes(), total.Load())
	require.ErrorContains(t, s.Truncate(500), "sliding window")
	require.NoError(t, s.Truncate(999))
	require.NoError(t, s.Truncate(0))
	require.Zero(t, s.Len())
	s.Free()
	require.Zero(t, total.Load())
}

func TestTruncate(t *testing.T) {
	s, keys, _ := filled(t, planOf(0, rule(t, "q8_0", 0, 0)), 100, 100)
	require.NoError(t, s.Truncate(40))
	require.Equal(t, 40, s.Len())
	require.Error(t, s.Truncate(41))
	require.NoError(t, s.Store(0, 40, keys[:128], make([]float32, 64)))
	k, _ := decoded(s, 40, 0)
	require.Less(t, relative(k, keys[:64]), 0.02)
	require.ErrorContains(t, s.Store(0, 50, keys[:128], make([]float32, 64)), "comes before")

	s, _, _ = filled(t, planOf(0, rule(t, "int3", 0, 0)), 300, 300)
	require.ErrorContains(t, s.Truncate(150), "fewer bits")
	require.Equal(t, 300, s.Len())
	require.NoError(t, s.Truncate(299))
}

func TestSave(t *testing.T) {
	for _, p := range []*Plan{planOf(0, rule(t, "int3/q4_0", 0, 0)), planOf(64)} {
		s, _, _ := filled(t, p, 300, 300)
		state, err := s.Save()
		require.NoError(t, err)
		var total atomic.Int64
		other := NewSequence(p, &total)
		require.NoError(t, other.Load(state))
		require.Equal(t, 300, other.Len())
		require.Equal(t, other.Bytes(), total.Load())
		again, err := other.Save()
		require.NoError(t, err)
		require.Equal(t, state, again)
		for i := range len(state) {
			if i < 300 || i%97 == 0 || i > len(state)-300 {
				require.Error(t, other.Load(state[:i]), "cut at %d", i)
				require.Zero(t, other.Len())
			}
		}
		require.Error(t, NewSequence(planOf(0, rule(t, "q8_0", 0, 0)), nil).Load(state), "another plan")
		require.Zero(t, total.Load())
	}
}

func FuzzLoad(f *testing.F) {
	p := &Plan{Layers: []Layer{{Heads: 1, KeyWidth: 32, ValWidth: 32}}}
	s := NewSequence(p, nil)
	if err := s.Store(0, 0, make([]float32, 32), make([]float32, 32)); err != nil {
		f.Fatal(err)
	}
	s.Advance(1)
	state, _ := s.Save()
	f.Add(state)
	f.Add([]byte(stateMagic))
	f.Fuzz(func(t *testing.T, state []byte) {
		s := NewSequence(p, nil)
		if s.Load(state) != nil && s.Len() != 0 {
			t.Fatal("a sequence that was not loaded has tokens")
		}
	})
}

func TestStoreNotFinite(t *testing.T) {
	s := NewSequence(planOf(0), nil)
	k := make([]float32, 128)
	k[3] = float32(math.Inf(1))
	require.ErrorContains(t, s.Store(0, 0, k, make([]float32, 64)), "layer 0: the key of token 0")
}

func TestParse(t *testing.T) {
	r, err := ParseTypes("INT8/int4")
	require.NoError(t, err)
	require.Equal(t, "q8_0 q4_0", r.Key.Name+" "+r.Value.Name)
	_, err = ParseTypes("q4_k")
	require.ErrorContains(t, err, `"q4_k" is no type for keys and values; there are f32, f16`)

	table, err := ParseTable(`[[{"max_context":4096,"key":"f16","value":"q8_0"},{"min_age":128,"key":"e4m3","value":"q4_0"}],[]]`, 2)
	require.NoError(t, err)
	require.Equal(t, []Rule{rule(t, "f16/q8_0", 4096, 0), rule(t, "e4m3/q4_0", 0, 128)}, table[0])
	for text, want := range map[string]string{
		`[[]]`: "rules of 1 layers", `{`: "pj.kv", `[[{"key":"x","value":"f16"}],[]]`: `"x" is no type`,
		`[[{"max_context":-1,"key":"f16","value":"f16"}],[]]`: "negative",
	} {
		_, err := ParseTable(text, 2)
		require.ErrorContains(t, err, want, text)
	}
	require.ErrorContains(t, (&Plan{Layers: []Layer{{Heads: 1, KeyWidth: 80, ValWidth: 80, Rules: []Rule{rule(t, "q8_0", 0, 0)}}}}).Check(), "a head has 80")
	require.True(t, strings.Contains(strings.Join(Types(), " "), "int3"))
}
