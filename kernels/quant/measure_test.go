package quant

import (
	"math"
	"testing"
)

func TestMeasure(t *testing.T) {
	x := []float32{1, -2, 3, 0}
	y := []float32{1.5, -2, 2, 0.25}
	w := []float32{2, 4}
	got := Measure(x, y, w, 2)
	want := ErrorSum{
		Weights: 4,
		Sq:      0.25 + 0 + 1 + 0.0625,
		Ref:     1 + 4 + 9 + 0,
		WSq:     2*0.25 + 4*0 + 2*1 + 4*0.0625,
		WRef:    2*1 + 4*4 + 2*9 + 4*0,
		MaxAbs:  1,
	}
	if got != want {
		t.Errorf("%+v, not %+v", got, want)
	}
	for name, v := range map[string][2]float64{
		"RelMSE":         {got.RelMSE(), want.Sq / want.Ref},
		"RelRMSE":        {got.RelRMSE(), math.Sqrt(want.Sq / want.Ref)},
		"WeightedRelMSE": {got.WeightedRelMSE(), want.WSq / want.WRef},
		"RMSE":           {got.RMSE(), math.Sqrt(want.Sq / 4)},
	} {
		if v[0] != v[1] {
			t.Errorf("%s is %v, not %v", name, v[0], v[1])
		}
	}
	got = Measure(x, y, nil, 2)
	if got.WSq != want.Sq || got.WRef != want.Ref || got.Sq != want.Sq {
		t.Errorf("without importance %+v", got)
	}
}

func TestMeasureNothing(t *testing.T) {
	for name, s := range map[string]ErrorSum{"none": {}, "zeros": Measure(make([]float32, 4), make([]float32, 4), nil, 4)} {
		if s.RelMSE() != 0 || s.RelRMSE() != 0 || s.WeightedRelMSE() != 0 || s.RMSE() != 0 {
			t.Errorf("%s: %+v", name, s)
		}
	}
	// An error where there was nothing is no small error.
	if s := Measure([]float32{0}, []float32{1}, nil, 1); !math.IsInf(s.RelMSE(), 1) {
		t.Errorf("RelMSE is %v", s.RelMSE())
	}
}

// TestMeasureNaN wants a decoded NaN to show in every sum, also after Merge.
func TestMeasureNaN(t *testing.T) {
	a := Measure([]float32{1, 2}, []float32{nan, 2}, nil, 2)
	b := Measure([]float32{1, 2}, []float32{0, 2}, nil, 2)
	m := b
	m.Merge(a)
	a.Add([]float32{1, 2}, []float32{0, 2}, nil, 2)
	for name, s := range map[string]ErrorSum{"Add": a, "Merge": m} {
		if !math.IsNaN(s.MaxAbs) || !math.IsNaN(s.Sq) || !math.IsNaN(s.RelRMSE()) {
			t.Errorf("%s: %+v", name, s)
		}
	}
}

// TestMeasureCuts wants the same bits however the rows are cut into calls.
func TestMeasureCuts(t *testing.T) {
	const rows, cols = 12, 64
	x, y, w := randomRows(30, rows, cols), randomRows(31, rows, cols), randomImportance(32, cols)
	for _, importance := range [][]float32{nil, w} {
		whole := Measure(x, y, importance, cols)
		for _, cut := range []int{1, 5, 11} {
			var s ErrorSum
			for first := 0; first < rows; first += cut {
				last := min(first+cut, rows)
				s.Add(x[first*cols:last*cols], y[first*cols:last*cols], importance, cols)
			}
			if s != whole {
				t.Errorf("in calls of %d rows %+v, not %+v", cut, s, whole)
			}
		}
		// One row each, merged in order, is the same sum again.
		var s ErrorSum
		for at := 0; at < len(x); at += cols {
			s.Merge(Measure(x[at:][:cols], y[at:][:cols], importance, cols))
		}
		if s != whole {
			t.Errorf("merged %+v, not %+v", s, whole)
		}
	}
}

func TestMeasurePanics(t *testing.T) {
	f := make([]float32, 8)
	for name, fn := range map[string]func(){
		"cols":       func() { Measure(f, f, nil, 3) },
		"no cols":    func() { Measure(f, f, nil, 0) },
		"lengths":    func() { Measure(f, f[:4], nil, 4) },
		"importance": func() { Measure(f, f, f[:3], 4) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			fn()
		})
	}
}
