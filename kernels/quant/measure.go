package quant

import (
	"fmt"
	"math"
)

// ErrorSum adds up squared errors of decoded weights. Rows are added one after
// the other, each summed in float64 on its own (as eight sums, of every eighth
// weight), so that the total has the same bits however a tensor is cut into
// calls of Add, as long as cuts are between rows and calls are in order.
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
	var r rowSums
	if n := len(x) &^ 7; n > 0 {
		if importance == nil {
			use.measure(&r, x[:n], y[:n])
		} else {
			use.measureWeighted(&r, x[:n], y[:n], importance[:n])
		}
	}
	if n := len(x) &^ 7; n < len(x) { // the rest
		var t rowSums
		if importance == nil {
			measure(&t, x[n:], y[n:])
		} else {
			measureWeighted(&t, x[n:], y[n:], importance[n:])
		}
		r.add(&t)
	}
	sq, ref := sumOf8(&r.sq), sumOf8(&r.ref)
	wsq, wref := sq, ref
	if importance != nil {
		wsq, wref = sumOf8(&r.wsq), sumOf8(&r.wref)
	}
	s.Weights += int64(len(x))
	s.Sq += sq
	s.Ref += ref
	s.WSq += wsq
	s.WRef += wref
	for _, a := range r.most {
		s.MaxAbs = max(s.MaxAbs, a)
	}
	if sq != sq {
		s.MaxAbs = sq // kernels lose NaN among the largest
	}
}

// rowSums are the sums of the weights 0, 8, 16, ... of a row, those of the
// weights 1, 9, 17, ... and so on: as many as a vector has elements.
type rowSums struct {
	sq, ref, wsq, wref [8]float64
	most               [8]float64 // largest |x-y|, where that is not NaN
}

func (r *rowSums) add(t *rowSums) {
	for i := range r.sq {
		r.sq[i] += t.sq[i]
		r.ref[i] += t.ref[i]
		r.wsq[i] += t.wsq[i]
		r.wref[i] += t.wref[i]
		r.most[i] = max(r.most[i], t.most[i])
	}
}

func measure(r *rowSums, x, y []float32) {
	y = y[:len(x)]
	for j := range min(8, len(x)) {
		var sq, ref, most float64
		for i := j; i < len(x); i += 8 {
			v := float64(x[i])
			e := v - float64(y[i])
			if a := math.Abs(e); a > most {
				most = a
			}
			sq += float64(e * e)
			ref += float64(v * v)
		}
		r.sq[j], r.ref[j], r.most[j] = sq, ref, most
	}
}

func measureWeighted(r *rowSums, x, y, importance []float32) {
	y, importance = y[:len(x)], importance[:len(x)]
	for j := range min(8, len(x)) {
		var sq, ref, wsq, wref, most float64
		for i := j; i < len(x); i += 8 {
			v, w := float64(x[i]), float64(importance[i])
			e := v - float64(y[i])
			if a := math.Abs(e); a > most {
				most = a
			}
			e, v = float64(e*e), float64(v*v)
			sq += e
			ref += v
			wsq += float64(w * e)
			wref += float64(w * v)
		}
		r.sq[j], r.ref[j], r.wsq[j], r.wref[j], r.most[j] = sq, ref, wsq, wref, most
	}
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
