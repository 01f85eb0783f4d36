package quant

import (
	"fmt"
	"math"
	"sync"
)

// SecondMoments is the matrix H = mean of x x^T over the inputs x of a linear
// layer, prepared for quantizing its rows: the error of a row w that became y
// is (y-w)^T H (y-w). One serves all rows and any number of goroutines.
//
// It takes 4 bytes for each of cols*cols elements, and half as much again for
// the factors: 25 MB at 2048 columns, 1.2 GB at 14336.
type SecondMoments struct {
	cols int
	h    []float32 // cols x cols, damped, with a mean diagonal of 1
	diag []float32

	// H = L^T D L with a lower triangle L of ones on its diagonal, of which row
	// j has its j elements left of that from j*(j-1)/2 on. As
	// e^T H e = sum of D_j (e_j + sum over k<j of L_jk e_k)^2, columns that are
	// rounded one after the other see in L what the errors of those before
	// them ask of them: the error feedback of GPTQ without its inverse
	// (Frantar et al., 2022; the form is LDLQ of Chee et al., 2023).
	l []float32
	d []float32

	mu   sync.Mutex
	runs map[int]*runFactors
}

// symmetric is how far two elements that should be equal may be apart, in units
// of the geometric mean of their diagonal elements.
const symmetric = 1e-3

// NewSecondMoments prepares h, which has cols rows of cols elements and belongs
// to the moments from then on. damping is added to the diagonal, in units of
// its mean; 0.01 is usual, and what makes a matrix of few inputs usable.
// parallel calls do for 0 to n-1, in any order and at the same time, and gives
// the first error; nil stands for a loop. The result is the same bits either
// way. Time grows with the third power of cols: on AVX-512 0.2 seconds of one core
// at 2048, 50 at 14336.
func NewSecondMoments(h []float32, cols int, damping float64, parallel func(n int, do func(i int) error) error) (*SecondMoments, error) {
	if cols <= 0 || cols > 1<<20 || len(h) != cols*cols {
		return nil, fmt.Errorf("second moments: %d elements are no matrix of %d columns", len(h), cols)
	}
	if !(damping >= 0 && damping <= 1e6) {
		return nil, fmt.Errorf("second moments: damping is %v; it must be finite and not negative, 0.01 is usual", damping)
	}
	if parallel == nil {
		parallel = func(n int, do func(int) error) error {
			for i := range n {
				if err := do(i); err != nil {
					return err
				}
			}
			return nil
		}
	}
	m := &SecondMoments{cols: cols, h: h, runs: map[int]*runFactors{}}
	if err := m.check(parallel); err != nil {
		return nil, err
	}
	if err := m.normalize(damping, parallel); err != nil {
		return nil, err
	}
	if err := m.factor(parallel); err != nil {
		return nil, err
	}
	return m, nil
}

// Cols is the number of columns.
func (m *SecondMoments) Cols() int { return m.cols }

// Diagonal is what weighs each column's squared error where no other weight has
// one: an importance. It must not be changed.
func (m *SecondMoments) Diagonal() []float32 { return m.diag }

// Error is the sum of (y-w)^T H (y-w) over rows of weights w that became y; nil
// stands for zeros. H is the damped matrix with a mean diagonal of 1.
func (m *SecondMoments) Error(w, y []float32) float64 {
	if len(w)%m.cols != 0 || y != nil && len(y) != len(w) {
		panic(fmt.Sprintf("quant: %d and %d weights in rows of %d", len(w), len(y), m.cols))
	}
	sum, e := 0.0, make([]float64, m.cols)
	for at := 0; at < len(w); at += m.cols {
		for i, v := range w[at:][:m.cols] {
			e[i] = -float64(v)
			if y != nil {
				e[i] += float64(y[at+i])
			}
		}
		for i, ei := range e {
			left := 0.0
			for k, h := range m.h[i*m.cols:][:i] {
				left += float64(float64(h) * e[k])
			}
			sum += float64(ei * (float64(ei*float64(m.diag[i])) + float64(2*left)))
		}
	}
	return sum
}

// check refuses what is no matrix of second moments, and makes equal what is
// nearly so.
func (m *SecondMoments) check(parallel func(int, func(int) error) error) error {
	n := m.cols
	for i := range n {
		if v := m.h[i*n+i]; !(v >= 0 && v <= maxFloat) {
			return fmt.Errorf("second moments: element [%d, %d] is %v; a mean of squares is finite and not negative", i, i, v)
		}
	}
	return parallel(n, func(i int) error {
		for k := range i {
			a, b := m.h[i*n+k], m.h[k*n+i]
			if !(abs(a) <= maxFloat) {
				return fmt.Errorf("second moments: element [%d, %d] is %v, not finite", i, k, a)
			}
			room := symmetric * math.Sqrt(float64(float64(m.h[i*n+i])*float64(m.h[k*n+k])))
			if !(math.Abs(float64(a)-float64(b)) <= room) {
				return fmt.Errorf("second moments: elements [%d, %d] and [%d, %d] are %v and %v; the matrix must be symmetric", i, k, k, i, a, b)
			}
		}
		return nil
	})
}

// normalize brings the mean of the diagonal to 1 and damps it.
func (m *SecondMoments) normalize(damping float64, parallel func(int, func(int) error) error) error {
	n, sum := m.cols, 0.0
	for i := range n {
		sum += float64(m.h[i*n+i])
	}
	if sum == 0 {
		return fmt.Errorf("second moments: all are zero; no input was measured, quantize without them")
	}
	by := float64(n) / sum / (1 + damping)
	damp := damping / (1 + damping)
	m.diag = make([]float32, n)
	return parallel(n, func(i int) error {
		for k := range i {
			v := float32(float64(m.h[i*n+k]) * by)
			m.h[i*n+k], m.h[k*n+i] = v, v
		}
		v := float32(float64(float64(m.h[i*n+i])*by) + damp)
		m.h[i*n+i], m.diag[i] = v, v
		return nil
	})
}

// factorRows is how many rows of the factor are made together, factorCols how
// many of their columns at a time.
const factorRows, factorCols = 32, 256

// lRow is row j of L left of its diagonal.
func (m *SecondMoments) lRow(j int) []float32 { return m.l[j*(j-1)/2:][:j:j] }

// factor finds L and D, from the last row up: what is left of H when the rows
// below are taken off is D_j times row j. Sums are made in float64, in the same
// order whatever the number of goroutines.
func (m *SecondMoments) factor(parallel func(int, func(int) error) error) error {
	n := m.cols
	m.l, m.d = make([]float32, n*(n-1)/2), make([]float32, n)
	rows := make([]float64, factorRows*n) // of what is left of H
	for last := n; last > 0; {
		first := (last - 1) / factorRows * factorRows
		err := parallel((last+factorCols-1)/factorCols, func(tile int) error {
			m.takeOff(rows, first, last, tile*factorCols, min((tile+1)*factorCols, last))
			return nil
		})
		if err != nil {
			return err
		}
		for j := last - 1; j >= first; j-- {
			if !(rows[(j-first)*n+j] > 1e-9) {
				return fmt.Errorf("second moments: the matrix is not positive definite (column %d); raise the damping, 0.01 is usual", j)
			}
			m.d[j] = takeOffRow(m.lRow(j), rows, n, first, j)
		}
		last = first
	}
	return nil
}

// takeOff sets rows first to last-1, columns from to to-1, to what the rows
// from last on leave of H.
func (m *SecondMoments) takeOff(rows []float64, first, last, from, to int) {
	n := m.cols
	for j := first; j < last; j++ {
		row, h := rows[(j-first)*n:][from:to], m.h[j*n+from:][:to-from]
		for k, v := range h {
			row[k] = float64(v)
		}
	}
	i := last
	for ; i+4 <= n; i += 4 {
		var lines, cut [4][]float32
		for k := range lines {
			lines[k] = m.lRow(i + k)
			cut[k] = lines[k][from:to]
		}
		for j := first; j < last; j++ {
			// What is right of the diagonal is never looked at.
			size := min(to, j+1) - from
			if size <= 0 {
				continue
			}
			var by [4]float64
			for k := range by {
				by[k] = float64(float64(m.d[i+k]) * float64(lines[k][j]))
			}
			kernelTakeOff(rows[(j-first)*n+from:][:size], &cut, &by)
		}
	}
	for ; i < n; i++ {
		a, d := m.lRow(i), float64(m.d[i])
		for j := first; j < last; j++ {
			c := float64(d * float64(a[j]))
			row := rows[(j-first)*n:][from:to]
			for k := range row {
				row[k] -= float64(c * float64(a[from+k]))
			}
		}
	}
}

// runFactors are the factors of the blocks on the matrix's diagonal, each of run
// columns.
type runFactors struct {
	run int
	l   []float32
	d   []float32
}

func (f *runFactors) of(first int) triangle {
	return triangle{f.run, f.l[first*f.run:][:f.run*f.run], f.d[first:][:f.run]}
}

// triangle is L and D of n columns. L is a full square, mirrored at its
// diagonal, which is not used: what comes before and what comes after a column
// are both neighbours in memory.
type triangle struct {
	n int
	l []float32
	d []float32
}

func (t triangle) before(j int) []float32 { return t.l[j*t.n:][:j] }
func (t triangle) after(j int) []float32  { return t.l[j*t.n:][j+1 : t.n] }

// mirror fills what is above the diagonal.
func (t triangle) mirror() {
	for j := range t.n {
		for k, v := range t.before(j) {
			t.l[k*t.n+j] = v
		}
	}
}

// factorsOf makes the factors of blocks of run columns when first asked; run
// divides the columns.
func (m *SecondMoments) factorsOf(run int) *runFactors {
	m.mu.Lock()
	defer m.mu.Unlock()
	if f := m.runs[run]; f != nil {
		return f
	}
	f := &runFactors{run, make([]float32, m.cols*run), make([]float32, m.cols)}
	left := make([]float64, run*run)
	for first := 0; first < m.cols; first += run {
		t := f.of(first)
		for j := range run {
			for k, v := range m.h[(first+j)*m.cols+first:][:j+1] {
				left[j*run+k] = float64(v)
			}
		}
		for j := run - 1; j >= 0; j-- {
			t.d[j] = takeOffRow(t.before(j), left, run, 0, j)
		}
		t.mirror()
	}
	m.runs[run] = f
	return f
}

// takeOffRow makes row j of L, and gives D_j, of what is left of the matrix in
// rows first to j, each of stride elements, and takes them off the rows above.
func takeOffRow(row []float32, left []float64, stride, first, j int) float32 {
	last := left[(j-first)*stride:][:j+1]
	d := last[j]
	for k := range row {
		row[k] = float32(last[k] / d)
	}
	for i := first; i < j; i++ {
		c := float64(d * float64(row[i]))
		to := left[(i-first)*stride:][:i+1]
		for k := range to {
			to[k] -= float64(c * float64(row[k]))
		}
	}
	return float32(d)
}
