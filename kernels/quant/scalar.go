package quant

import (
	"math"

	"github.com/llama-pajamas/pj/kernels/tier"
)

// scalar are the kernels in plain Go: the truth that others are tested
// against.
var scalar = kernels{
	Tier: tier.Scalar,
	top:  top, times: times, costs: costs, ends: ends, moments: moments, codes: codes,
	fitAffine: fitAffine, rateAffine: rateAffine, rateIntegers: rateIntegers,
	fitScale: fitScale, rateScale: rateScale,
	fitTable: fitTable, rateTable: rateTable,
	packBF16: packBF16, packF16: packF16,
	nearWords8: nearWords8, nearWords4: nearWords4,
	streamQ8_0: streamQ8_0, streamMXFP4: streamMXFP4,
	measure: measure, measureWeighted: measureWeighted,
	dotLanes: dotLanes, addScaled: addScaled, takeOff: takeOff,
	chooseScales: chooseScales, chooseMinima: chooseMinima,
	turn16: turn16, turn32: turn32, tableCodes32: tableCodes32, level32: level32,
	searchScales:  [columnKinds]func(*columns, *[superBlock]float32, *levels, *columnScalePlan){searchScales16, searchScales32, searchTable32},
	integerScales: [columnKinds]func(*columns, *[superBlock]float32, *levels, float32, float32, float32, int){integerScales16, integerScales32, integerTable32},
	rateScales:    [columnKinds]func(*columns, *[superBlock]float32, *levels){columns32: rateScales32, columnsTable32: rateTable32},
	searchAffine:  [columnsTable32]func(*columns, *[superBlock]float32, float32, *columnAffinePlan){searchAffine16, searchAffine32},
	integerGrids:  [columnsTable32]func(*columns, *[superBlock]float32, float32, float32, float32, float32){integerGrids16, integerGrids32},
	columnCodes:   [columnsTable32]func(*[superBlock]uint8, []float32, *columns, float32, float32){columnCodes16, columnCodes32},
}

func fitAffine(l *lanes, z, w []float32, f *affineFacts) int {
	sumAffine(l, z, w, f)
	for i := range l.n {
		l.gain[i] = noGain
		q, qq, qz := l.q[i], l.qq[i], l.qx[i]
		det := float32(f.sw*qq) - float32(q*q)
		if !(det > float32(1e-6*f.sw)*qq) {
			continue // all codes are equal
		}
		b := (float32(f.sw*qz) - float32(f.swz*q)) / det
		a := (float32(f.swz*qq) - float32(q*qz)) / det
		if a > f.ceiling {
			a = f.ceiling
			b = (qz - float32(a*q)) / qq
		}
		if b > 0 {
			l.b[i], l.a[i], l.gain[i] = b, a, f.gainOf(b, a, q, qq, qz)
		}
	}
	return max(l.best(noGain), 0)
}

func rateAffine(l *lanes, z, w []float32, f *affineFacts) int {
	sumAffine(l, z, w, f)
	for i := range l.n {
		l.gain[i] = f.gainOf(l.b[i], l.a[i], l.q[i], l.qq[i], l.qx[i])
	}
	return max(l.best(noGain), 0)
}

func rateIntegers(l *lanes, z, w []float32, f *affineFacts) int {
	for i := range l.n {
		l.b[i] = f.d * l.note1[i]
		l.a[i] = -float32(f.dmin*l.note2[i]) - f.base
		l.inv[i] = inverse(l.b[i])
		l.off[i] = float32(-l.a[i] * l.inv[i])
	}
	return rateAffine(l, z, w, f)
}

func sumAffine(l *lanes, z, w []float32, f *affineFacts) {
	hi := int32(magicBits) + int32(f.n)
	for i := range l.n {
		inv, off := l.inv[i], l.off[i]
		// Rounding keeps order and inv is never negative, so what holds for the
		// ends holds in between.
		first := int32(math.Float32bits(off + magic))
		last := int32(math.Float32bits(float32(f.top*inv) + off + magic))
		if first >= magicBits && last <= hi {
			l.q[i], l.qq[i], l.qx[i] = affineSumsInside(z, w, inv, off)
		} else {
			l.q[i], l.qq[i], l.qx[i] = affineSums(z, w, inv, off, f.n)
		}
	}
}

func affineSums(z, w []float32, inv, off, n float32) (sq, sqq, szq float32) {
	lo, hi := int32(magicBits), int32(magicBits)+int32(n)
	w = w[:len(z)]
	for i, v := range z {
		q := int32(math.Float32bits(float32(v*inv) + off + magic))
		r := math.Float32frombits(uint32(min(max(q, lo), hi))) - magic
		wr := float32(w[i] * r)
		sq += wr
		sqq += float32(wr * r)
		szq += float32(wr * v)
	}
	return sq, sqq, szq
}

// affineSumsInside is affineSums where no code is outside of 0..n.
func affineSumsInside(z, w []float32, inv, off float32) (sq, sqq, szq float32) {
	w = w[:len(z)]
	for i, v := range z {
		r := float32(v*inv) + off + magic - magic
		wr := float32(w[i] * r)
		sq += wr
		sqq += float32(wr * r)
		szq += float32(wr * v)
	}
	return sq, sqq, szq
}

func fitScale(l *lanes, x, w []float32, v *levels) int {
	for i := range l.n {
		l.qx[i], l.qq[i] = v.sums(x, w, l.inv[i])
		l.fitGain(i)
	}
	return max(l.best(noGain), 0)
}

func rateScale(l *lanes, x, w []float32, v *levels) int {
	for i := range l.n {
		l.qx[i], l.qq[i] = v.sums(x, w, l.inv[i])
		l.rateGain(i)
	}
	return max(l.best(noGain), 0)
}

func fitTable(l *lanes, x, w []float32, t *levelTable) int {
	for i := range l.n {
		l.qx[i], l.qq[i] = t.sums(x, w, l.inv[i])
		l.fitGain(i)
	}
	return max(l.best(noGain), 0)
}

func rateTable(l *lanes, x, w []float32, t *levelTable) int {
	for i := range l.n {
		l.qx[i], l.qq[i] = t.sums(x, w, l.inv[i])
		l.rateGain(i)
	}
	return max(l.best(noGain), 0)
}

func (l *lanes) fitGain(i int) {
	l.gain[i] = noGain
	if qx, qq := l.qx[i], l.qq[i]; qq > 0 {
		l.b[i] = qx / qq
		l.gain[i] = l.b[i] * qx
	}
}

func (l *lanes) rateGain(i int) {
	b := l.b[i]
	l.gain[i] = b * (2*l.qx[i] - float32(b*l.qq[i]))
}

func (l *levels) sums(x, w []float32, inv float32) (qx, qq float32) {
	lo, hi := int32(magicBits)+int32(l.lo), int32(magicBits)+int32(l.hi)
	w = w[:len(x)]
	for i, v := range x {
		q := int32(math.Float32bits(float32(v*inv) + magic))
		r := math.Float32frombits(uint32(min(max(q, lo), hi))) - magic
		wr := float32(w[i] * r)
		qx += float32(wr * v)
		qq += float32(wr * r)
	}
	return qx, qq
}

func (t *levelTable) sums(x, w []float32, inv float32) (qx, qq float32) {
	lo, hi := magicBits+t.first, magicBits+t.last
	near := t.near
	inv *= t.res
	w = w[:len(x)]
	for i, v := range x {
		q := int32(math.Float32bits(float32(v*inv) - 0.5 + magic))
		r := near[min(max(q, lo), hi)-lo]
		wr := float32(w[i] * r)
		qx += float32(wr * v)
		qq += float32(wr * r)
	}
	return qx, qq
}
