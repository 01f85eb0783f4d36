package quant

import (
	"math"
	"testing"
)

// TestNearestLevel wants codes to stand for the nearest level, whatever the
// magnitude.
func TestNearestLevel(t *testing.T) {
	r := random(50)
	for name, l := range map[string]*levels{
		"iq4": &iq4Levels, "fp4": &fp4Levels, "q4_0": &q4_0Codec.levels, "q6_k": &q6KCodec.levels, "q2_0": &q2Codec.levels,
	} {
		x := []float32{0, 1e30, -1e30, 0x1p24, -0x1p24, math.MaxFloat32, math.SmallestNonzeroFloat32}
		for range 4000 {
			x = append(x, r.weight(0)*l.hi)
		}
		codes := make([]uint8, len(x))
		l.codes(codes, x, 1)
		for i, v := range x {
			got := math.Abs(float64(v) - float64(l.at(int(codes[i]))))
			for j := range l.count() {
				if math.Abs(float64(v)-float64(l.at(j))) < got {
					t.Errorf("%s: %v becomes %v, though %v is nearer", name, v, l.at(int(codes[i])), l.at(j))
					break
				}
			}
		}
	}
}

// TestScaleSums compares the sums of a batch with their definition.
func TestScaleSums(t *testing.T) {
	x, w := randomRows(51, 1, 32), randomImportance(52, 32)
	for name, l := range map[string]*levels{"table": &iq4Levels, "integers": &q4_0Codec.levels} {
		var b lanes
		for i := range laneCount {
			b.inv[i] = float32(i-7) * 40
		}
		b.n = laneCount
		b.rateScale(l, x, w)
		codes := make([]uint8, len(x))
		for i := range laneCount {
			l.codes(codes, x, b.inv[i])
			var qx, qq float32
			for j, c := range codes {
				wq := float32(w[j] * l.at(int(c)))
				qx += float32(wq * x[j])
				qq += float32(wq * l.at(int(c)))
			}
			if qx != b.qx[i] || qq != b.qq[i] {
				t.Errorf("%s: lane %d has %v, %v, not %v, %v", name, i, b.qx[i], b.qq[i], qx, qq)
			}
		}
	}
}

// TestAffineSums does the same with an offset; some lanes stay inside of the
// levels, others are cut off below, above, or at both ends.
func TestAffineSums(t *testing.T) {
	k := work{weighed: 1}
	x, w := randomRows(53, 1, 32), randomImportance(54, 32)
	if i := k.load(x); i >= 0 {
		t.Fatal("not finite")
	}
	var f affineBlock
	f.set(&k, k.x, w, make([]float32, 32), 15, false)
	b := f.lanes
	for i := range laneCount {
		b.inv[i] = (5 + float32(i/4)*6) / f.top
		b.off[i] = -2 + float32(i%4)*1.5
	}
	b.n = laneCount
	b.fitAffine(&f)
	codes := make([]uint8, 32)
	kinds := map[[2]bool]bool{}
	for i := range laneCount {
		kernelCodes(codes, f.z, b.inv[i], b.off[i], 0, 15)
		var q, qq, qz float32
		for j, c := range codes {
			wq := float32(w[j] * float32(c))
			q += wq
			qq += float32(wq * float32(c))
			qz += float32(wq * f.z[j])
		}
		if q != b.q[i] || qq != b.qq[i] || qz != b.qx[i] {
			t.Errorf("lane %d has %v, %v, %v, not %v, %v, %v", i, b.q[i], b.qq[i], b.qx[i], q, qq, qz)
		}
		kinds[[2]bool{b.off[i] < -0.5, float32(f.top*b.inv[i])+b.off[i] > 15.5}] = true
	}
	if len(kinds) != 4 {
		t.Errorf("only %d of 4 kinds of lanes", len(kinds))
	}
}
