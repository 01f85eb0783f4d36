package stages

import (
	"encoding/json"
	"fmt"
	"math"
	"sort"

	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/kernels/quant"
)

// measurement is the error of one or several tensors: sums over all weights.
type measurement struct {
	quant.ErrorSum
	// weighted says that some of it was measured with an importance.
	weighted bool
	worst    []sliceRow // the rows of the largest error, that first
}

// sliceRow is a row of a tensor, which lies in one of its slices.
type sliceRow struct {
	slice int
	worstRow
}

// measured adds up what the actions of a tensor measured, slice after slice.
func measured(c *engine.Conclusion, t *engine.TensorPlan) (measurement, error) {
	var m measurement
	for slice, action := range t.Actions {
		entry := c.Entry(action)
		if entry == nil {
			return m, fmt.Errorf("tensor %s: %s has no result", t.Name, c.Plan.Actions[action].Address)
		}
		var s sliceMeta
		if err := json.Unmarshal(entry.Meta, &s); err != nil {
			return m, fmt.Errorf("tensor %s: measurements of %s: %w", t.Name, c.Plan.Actions[action].Address, err)
		}
		m.add(&s, slice)
	}
	sort.SliceStable(m.worst, func(a, b int) bool { return m.worst[a].RelRMSE > m.worst[b].RelRMSE })
	m.worst = m.worst[:min(len(m.worst), worstRows)]
	return m, nil
}

func (m *measurement) add(s *sliceMeta, slice int) {
	sum := quant.ErrorSum{Weights: s.Weights, Sq: s.Sq, Ref: s.Ref, WSq: s.WSq, WRef: s.WRef, MaxAbs: s.MaxAbs}
	m.weighted = m.weighted || s.WRef > 0
	m.Merge(sum)
	for _, r := range s.WorstRows {
		m.worst = append(m.worst, sliceRow{slice, r})
	}
}

// merge adds another tensor's sums.
func (m *measurement) merge(o *measurement) {
	m.Merge(o.ErrorSum)
	m.weighted = m.weighted || o.weighted
}

// relative is the relative RMSE, sqrt(sum (x-y)^2 / sum x^2); 1, as if all was
// lost, where weights that are all zero became something else.
func (m *measurement) relative() float64 { return rootRatio(m.Sq, m.Ref) }

// relativeWeighted is the same with each column's error weighed by its
// importance.
func (m *measurement) relativeWeighted() float64 { return rootRatio(m.WSq, m.WRef) }

func rootRatio(sq, ref float64) float64 {
	switch {
	case sq == 0:
		return 0
	case ref == 0:
		return 1
	}
	return math.Sqrt(sq / ref)
}
