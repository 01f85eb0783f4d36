package quant

import (
	"fmt"
	"math"
)

// ErrorSum adds up squared errors of decoded weights. Rows are added one after
// the other, each summed in float64 on its own, so that the total has the same
// bits however a tensor is cut into calls of Add, as long as cuts are between
// rows and calls are in order.
type ErrorSum struct {
	Weights int64
	Sq      float64 // sum of (x-y)^2
	Ref     float64 // sum of x^2
	WSq     float64 // sum of w (x-y)^2; w = 1 without importance
	WRef    float64 // sum of w x^2
	MaxAbs  float64 // largest |x-y|
}

// Measure compares decoded weights y with the originals x: rows of cols
// weights, importance one row shared by all (nil: none).
func Measure(x, y, importance []float32, cols int) ErrorSum {
	var s ErrorSum
	s.Add(x, y, importance, cols)
	return s
}

// Add appends rows to the sums; the arguments are those of Measure.
func (s *ErrorSum) Add(x, y, importance []float32, cols int) {
	if cols <= 0 || len(x)%cols != 0 || len(y) != len(x) || (importance != nil && len(importance) != cols) {
		panic(fmt.Sprintf("quant: Measure of %d and %d weights, %d importances, in rows of %d", len(x), len(y), len(importance), cols))
	}
	for ; len(x) > 0; x, y = x[cols:], y[cols:] {
		s.addRow(x[:cols], y[:cols], importance)
	}
}

func (s *ErrorSum) addRow(x, y, importance []float32) {
	var sq, ref, wsq, wref float64
	for i, v := range x {
		e := float64(v) - float64(y[i])
		if a := math.Abs(e); a > s.MaxAbs || a != a {
			s.MaxAbs = a
		}
		e, r := float64(e*e), float64(float64(v)*float64(v))
		sq += e
		ref += r
		if importance != nil {
			w := float64(importance[i])
			wsq += float64(w * e)
			wref += float64(w * r)
		}
	}
	if importance == nil {
		wsq, wref = sq, ref
	}
	s.Weights += int64(len(x))
	s.Sq += sq
	s.Ref += ref
	s.WSq += wsq
	s.WRef += wref
}

// Merge adds the sums of other rows. Totals depend on the order of merging in
// the last bits; merge in row order.
func (s *ErrorSum) Merge(o ErrorSum) {
	s.Weights += o.Weights
	s.Sq += o.Sq
	s.Ref += o.Ref
	s.WSq += o.WSq
	s.WRef += o.WRef
	if o.MaxAbs > s.MaxAbs || o.MaxAbs != o.MaxAbs {
		s.MaxAbs = o.MaxAbs
	}
}

// RelRMSE is sqrt(sum (x-y)^2 / sum x^2); 0 for all-zero weights without error.
func (s ErrorSum) RelRMSE() float64 { return math.Sqrt(s.RelMSE()) }

// RelMSE is sum (x-y)^2 / sum x^2.
func (s ErrorSum) RelMSE() float64 { return ratio(s.Sq, s.Ref) }

// WeightedRelMSE is sum w (x-y)^2 / sum w x^2.
func (s ErrorSum) WeightedRelMSE() float64 { return ratio(s.WSq, s.WRef) }

// RMSE is the root of the mean squared error.
func (s ErrorSum) RMSE() float64 { return math.Sqrt(ratio(s.Sq, float64(s.Weights))) }

// ratio is a/b, and 0 for 0/0.
func ratio(a, b float64) float64 {
	if a == 0 {
		return 0
	}
	return a / b
}
