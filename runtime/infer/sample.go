package infer

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/llama-pajamas/pj/kernels/vec"
)

// SampleOptions say how the next token is chosen. They apply in this order:
// bias, repetition, the top k, p of the mass, the least share of the largest
// probability, and temperature. The zero value takes the most likely token.
type SampleOptions struct {
	Temperature float32 // 0: the most likely token
	TopK        int     // the most likely ones that are kept; 0: all
	TopP        float32 // the probability that those kept have together; 0: 1
	MinP        float32 // the least probability, as a share of the largest
	// Repeat divides the logits of tokens among the last RepeatLast that are
	// positive, and multiplies those that are negative (Keskar et al., arXiv
	// 1909.05858); 0 and 1: none.
	Repeat     float32
	RepeatLast int // 0: 64
	Seed       uint64
	// Bias is added to the logits of some tokens; minus infinity excludes one.
	Bias map[int32]float32
}

// Sampler chooses tokens. The same seed and logits give the same tokens. It is
// not for concurrent use.
type Sampler struct {
	o       SampleOptions
	rng     *rand.Rand
	logits  []float32 // a copy, changed
	last    []int32   // the newest RepeatLast tokens, a ring
	at      int
	choices []choice
	best    []int
}

type choice struct {
	token int32
	p     float64 // the logit, later the probability
}

// NewSampler makes a sampler.
func NewSampler(o SampleOptions) (*Sampler, error) {
	switch {
	case !(o.Temperature >= 0) || math.IsInf(float64(o.Temperature), 0):
		return nil, fmt.Errorf("temperature %v: it is a number from 0 on", o.Temperature)
	case o.TopK < 0:
		return nil, fmt.Errorf("top-k %d: it is a number from 0 on, 0 for all", o.TopK)
	case !(o.TopP >= 0 && o.TopP <= 1):
		return nil, fmt.Errorf("top-p %v: it is a share, from 0 to 1", o.TopP)
	case !(o.MinP >= 0 && o.MinP <= 1):
		return nil, fmt.Errorf("min-p %v: it is a share, from 0 to 1", o.MinP)
	case !(o.Repeat >= 0) || math.IsInf(float64(o.Repeat), 0):
		return nil, fmt.Errorf("repetition penalty %v: it is a positive number, 1 for none", o.Repeat)
	case o.RepeatLast < 0 || o.RepeatLast > maxSize:
		return nil, fmt.Errorf("repetition of the last %d tokens: it is a number from 0 on", o.RepeatLast)
	}
	if o.RepeatLast == 0 {
		o.RepeatLast = 64
	}
	return &Sampler{o: o, rng: rand.New(rand.NewPCG(o.Seed, 0x9e3779b97f4a7c15))}, nil
}

// Accept tells the sampler of tokens of the text, so that it knows repetitions.
func (s *Sampler) Accept(tokens ...int32) {
	if s.o.Repeat == 0 || s.o.Repeat == 1 {
		return
	}
	for _, t := range tokens {
		if len(s.last) < s.o.RepeatLast {
			s.last = append(s.last, t)
			continue
		}
		s.last[s.at] = t
		s.at = (s.at + 1) % len(s.last)
	}
}

var errNoToken = errors.New("no token can be chosen: all logits are minus infinity or no numbers; the model is damaged, or the bias excludes everything")

// Sample chooses a token by its logits, which are not changed.
func (s *Sampler) Sample(logits []float32) (int32, error) {
	x := s.adjusted(logits)
	best := vec.ArgMax(x)
	if best < 0 || math.IsInf(float64(x[best]), 0) {
		return 0, errNoToken
	}
	if s.o.Temperature == 0 {
		return int32(best), nil
	}
	s.candidates(x)
	s.cut()
	return s.draw(), nil
}

// adjusted are the logits after bias and repetition.
func (s *Sampler) adjusted(logits []float32) []float32 {
	if len(s.o.Bias) == 0 && len(s.last) == 0 {
		return logits
	}
	s.logits = append(s.logits[:0], logits...)
	for t, b := range s.o.Bias {
		if t >= 0 && int(t) < len(s.logits) {
			s.logits[t] += b
		}
	}
	for i, t := range s.last {
		if int(t) >= len(s.logits) || slices.Contains(s.last[:i], t) {
			continue
		}
		if v := s.logits[t]; v > 0 {
			s.logits[t] = v / s.o.Repeat
		} else {
			s.logits[t] = v * s.o.Repeat
		}
	}
	return s.logits
}

// candidates are the tokens to choose from, the most likely first, with their
// probabilities.
func (s *Sampler) candidates(x []float32) {
	k := s.o.TopK
	if k == 0 || k > len(x) {
		k = len(x)
	}
	if cap(s.best) < k {
		s.best = make([]int, k)
	}
	s.choices = s.choices[:0]
	for _, i := range vec.TopK(s.best[:k], x) {
		if v := float64(x[i]); v > math.Inf(-1) {
			s.choices = append(s.choices, choice{int32(i), v})
		}
	}
}

// cut leaves out what is too unlikely.
func (s *Sampler) cut() {
	if s.o.MinP == 0 && (s.o.TopP == 0 || s.o.TopP == 1) {
		return
	}
	top, sum := s.choices[0].p, 0.0
	for _, c := range s.choices {
		sum += math.Exp(c.p - top)
	}
	mass, n := 0.0, 0
	for n < len(s.choices) {
		share := math.Exp(s.choices[n].p - top) // of the largest
		if n > 0 && (share < float64(s.o.MinP) || s.o.TopP > 0 && mass >= float64(s.o.TopP)*sum) {
			break
		}
		mass += share
		n++
	}
	s.choices = s.choices[:n]
}

func (s *Sampler) draw() int32 {
	top, sum := s.choices[0].p, 0.0
	for i := range s.choices {
		c := &s.choices[i]
		c.p = math.Exp((c.p - top) / float64(s.o.Temperature))
		sum += c.p
	}
	at := s.rng.Float64() * sum
	for _, c := range s.choices {
		if at -= c.p; at < 0 {
			return c.token
		}
	}
	return s.choices[len(s.choices)-1].token
}
