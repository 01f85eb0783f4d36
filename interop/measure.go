package interop

import (
	"fmt"
	"math"
)

// Difference is how far one set of logits is from another.
type Difference struct {
	Positions int
	Max       float64 // of |a - b|
	Top1      float64 // share of the positions with the same likeliest token
	KLD       float64 // mean Kullback-Leibler divergence of got from want, in nats
}

// Compare measures got against want, rows of logits for the same positions.
func Compare(want, got [][]float32) (Difference, error) {
	if len(want) == 0 || len(want) != len(got) {
		return Difference{}, fmt.Errorf("interop: %d positions of logits, want %d", len(got), len(want))
	}
	d := Difference{Positions: len(want)}
	for i, a := range want {
		b := got[i]
		if len(a) != len(b) {
			return d, fmt.Errorf("interop: position %d has %d logits, want %d", i, len(b), len(a))
		}
		for j := range a {
			diff := math.Abs(float64(a[j]) - float64(b[j]))
			if math.IsNaN(diff) {
				return d, fmt.Errorf("interop: position %d, logit %d: %v, want %v", i, j, b[j], a[j])
			}
			d.Max = max(d.Max, diff)
		}
		if top(a) == top(b) {
			d.Top1++
		}
		za, zb := logSum(a), logSum(b)
		for j := range a {
			la, lb := float64(a[j])-za, float64(b[j])-zb
			d.KLD += math.Exp(la) * (la - lb)
		}
	}
	d.Top1 /= float64(len(want))
	d.KLD /= float64(len(want))
	return d, nil
}

// Join is the difference over the positions of both.
func (d Difference) Join(e Difference) Difference {
	if d.Positions+e.Positions == 0 {
		return d
	}
	n := float64(d.Positions + e.Positions)
	a, b := float64(d.Positions)/n, float64(e.Positions)/n
	return Difference{
		Positions: d.Positions + e.Positions, Max: max(d.Max, e.Max),
		Top1: a*d.Top1 + b*e.Top1, KLD: a*d.KLD + b*e.KLD,
	}
}

func (d Difference) String() string {
	return fmt.Sprintf("%d positions: max |dlogit| %.3g, top-1 %.1f %%, mean KLD %.3g", d.Positions, d.Max, 100*d.Top1, d.KLD)
}

// Perplexity cuts the ids into windows, the rest dropped, runs each alone and
// scores all its predictions: 511 of a window of 512.
func (c *Client) Perplexity(ids []int32, window int) (float64, error) {
	var sum float64
	n := 0
	for ; len(ids) >= window; ids = ids[window:] {
		rows, err := c.Logits(ids[:window], 0)
		if err != nil {
			return 0, err
		}
		for i, row := range rows[:window-1] {
			sum += logSum(row) - float64(row[ids[i+1]])
			n++
		}
	}
	if n == 0 {
		return 0, fmt.Errorf("interop: %d tokens are less than a window of %d", len(ids), window)
	}
	return math.Exp(sum / float64(n)), nil
}

// top is the index of the largest logit, the first of equals.
func top(row []float32) int {
	best := 0
	for i, v := range row {
		if v > row[best] {
			best = i
		}
	}
	return best
}

// logSum is log(sum(exp(row))).
func logSum(row []float32) float64 {
	high := float64(row[top(row)])
	var sum float64
	for _, v := range row {
		sum += math.Exp(float64(v) - high)
	}
	return high + math.Log(sum)
}
