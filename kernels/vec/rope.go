package vec

import (
	"fmt"
	"math"
)

// Scalings of rotary positions.
const (
	RopePlain  = ""
	RopeLinear = "linear" // all frequencies divided by Factor
	RopeYaRN   = "yarn"   // low frequencies divided by Factor (Peng et al. 2023)
	RopeLlama3 = "llama3" // the same by wavelengths, as Llama 3.1 does
)

// RopeConfig says how positions turn queries and keys.
type RopeConfig struct {
	Dim  int     // numbers of a head that are turned, even; those behind stay
	Base float64 // theta
	// Interleaved pairs are (2i, 2i+1), as GGUF files of llama have them; else
	// they are (i, i+Dim/2), as Qwen3's and gpt-oss's.
	Interleaved bool

	Scaling  string
	Factor   float64
	Original int // the context that the model was first trained for
	// YaRN: turns within Original that stay as they are from BetaFast on, and
	// are divided up to BetaSlow (0: 32 and 1). Truncate rounds the range between
	// to whole pairs, outwards; gpt-oss's config says not to.
	BetaFast, BetaSlow float64
	Truncate           bool
	// Attention multiplies cosines and sines; 0: what the scaling implies, which
	// for YaRN is 0.1 ln(Factor) + 1.
	Attention float64
	// Llama 3: Original over the longest wavelength that is divided by Factor,
	// and over the shortest from which on wavelengths are between.
	LowFactor, HighFactor float64

	// Factors divide the frequency of each pair, nil: none (rope_freqs.weight).
	Factors []float32
}

// Rope has the frequencies of a RopeConfig.
type Rope struct {
	dim         int
	interleaved bool
	inv         []float64
	attention   float64
}

// NewRope computes frequencies, in float64.
func NewRope(c RopeConfig) (*Rope, error) {
	switch {
	case c.Dim <= 0 || c.Dim%2 != 0 || c.Dim > 1<<16:
		return nil, fmt.Errorf("rope: %d dimensions; they come in pairs, up to 65536", c.Dim)
	case !(c.Base > 1) || math.IsInf(c.Base, 0):
		return nil, fmt.Errorf("rope: base %v is not above 1", c.Base)
	case c.Factors != nil && len(c.Factors) != c.Dim/2:
		return nil, fmt.Errorf("rope: %d factors for %d pairs", len(c.Factors), c.Dim/2)
	case c.Scaling != RopePlain && !(c.Factor >= 1 && c.Factor < 1e6):
		return nil, fmt.Errorf("rope: factor %v of %s scaling is not between 1 and a million", c.Factor, c.Scaling)
	case (c.Scaling == RopeYaRN || c.Scaling == RopeLlama3) && c.Original <= 0:
		return nil, fmt.Errorf("rope: %s scaling wants the original context, which is %d", c.Scaling, c.Original)
	case c.Scaling == RopeLlama3 && !(0 < c.LowFactor && c.LowFactor < c.HighFactor):
		return nil, fmt.Errorf("rope: llama3 scaling wants frequency factors of which the low one, %v, is below the high one, %v", c.LowFactor, c.HighFactor)
	}
	r := &Rope{dim: c.Dim, interleaved: c.Interleaved, inv: make([]float64, c.Dim/2), attention: 1}
	for i := range r.inv {
		r.inv[i] = math.Pow(c.Base, -2*float64(i)/float64(c.Dim))
	}
	switch c.Scaling {
	case RopePlain:
	case RopeLinear:
		for i := range r.inv {
			r.inv[i] /= c.Factor
		}
	case RopeYaRN:
		r.yarn(c)
	case RopeLlama3:
		r.llama3(c)
	default:
		return nil, fmt.Errorf("rope: scaling %q is none of linear, yarn and llama3", c.Scaling)
	}
	for i, f := range c.Factors {
		if !(f > 0) || math.IsInf(float64(f), 0) {
			return nil, fmt.Errorf("rope: factor %d is %v, not a positive number", i, f)
		}
		r.inv[i] /= float64(f)
	}
	if c.Attention != 0 {
		r.attention = c.Attention
	}
	return r, nil
}

func (r *Rope) yarn(c RopeConfig) {
	fast, slow := c.BetaFast, c.BetaSlow
	if fast == 0 {
		fast = 32
	}
	if slow == 0 {
		slow = 1
	}
	// pair is the one that makes that many turns within the original context.
	pair := func(turns float64) float64 {
		return float64(c.Dim) * math.Log(float64(c.Original)/(turns*2*math.Pi)) / (2 * math.Log(c.Base))
	}
	low, high := pair(fast), pair(slow)
	if c.Truncate {
		low, high = math.Floor(low), math.Ceil(high)
	}
	low, high = max(low, 0), min(high, float64(c.Dim-1))
	if low == high {
		high += 0.001
	}
	for i := range r.inv {
		divided := min(max((float64(i)-low)/(high-low), 0), 1)
		r.inv[i] = r.inv[i]/c.Factor*divided + r.inv[i]*(1-divided)
	}
	r.attention = 0.1*math.Log(c.Factor) + 1
}

func (r *Rope) llama3(c RopeConfig) {
	for i, inv := range r.inv {
		turns := float64(c.Original) * inv / (2 * math.Pi)
		kept := min(max((turns-c.LowFactor)/(c.HighFactor-c.LowFactor), 0), 1)
		r.inv[i] = inv/c.Factor*(1-kept) + inv*kept
	}
}

// Frequencies are the angles from a position to the next, one for each pair.
func (r *Rope) Frequencies() []float64 { return append([]float64(nil), r.inv...) }

// Attention is what cosines and sines are multiplied with.
func (r *Rope) Attention() float64 { return r.attention }

// TableLen is the length of a position's table.
func (r *Rope) TableLen() int {
	if r.interleaved {
		return 2 * r.dim
	}
	return r.dim
}

// Table writes the cosines and sines of a position, for all heads and layers;
// angles are float64.
func (r *Rope) Table(dst []float32, position int) {
	sameLength("Rope.Table", len(dst), r.TableLen())
	n := len(dst) / 2
	cos, sin := dst[:n], dst[n:]
	for i, inv := range r.inv {
		s, c := math.Sincos(float64(position) * inv)
		s, c = s*r.attention, c*r.attention
		if r.interleaved {
			cos[2*i], cos[2*i+1] = float32(c), float32(c)
			sin[2*i], sin[2*i+1] = float32(-s), float32(s)
		} else {
			cos[i], sin[i] = float32(c), float32(s)
		}
	}
}

// Apply turns heads of headDim numbers each, with the table of a position, in
// place: a pair (a, b) becomes (a cos - b sin, b cos + a sin).
func (r *Rope) Apply(x []float32, headDim int, table []float32) {
	sameLength("Rope.Apply", len(table), r.TableLen())
	if headDim < r.dim || len(x)%headDim != 0 {
		panic(fmt.Sprintf("vec: Rope.Apply of %d numbers in heads of %d, %d of them turned", len(x), headDim, r.dim))
	}
	n := len(table) / 2
	cos, sin := table[:n], table[n:]
	k := use
	if n%lanes != 0 {
		k = &scalar
	}
	for ; len(x) > 0; x = x[headDim:] {
		if r.interleaved {
			k.ropePairs(x[:n], cos, sin)
		} else {
			k.ropeHalves(x[:n], x[n:2*n], cos, sin)
		}
	}
}
