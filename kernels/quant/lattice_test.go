package quant

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// latticeBlocks are random blocks with sane scales, as the encoder makes them.
func latticeBlocks(t testing.TB, q *Type) []byte {
	return encode(t, q, randomRows(70, 6, 512), Options{Cols: 512, Effort: Fast})
}

// TestLatticeTakes wants a block that is taken apart to have the values that
// decoding gives, and to be the same bytes when put together again.
func TestLatticeTakes(t *testing.T) {
	for _, q := range encoders() {
		l := q.lattice
		if l == nil {
			continue
		}
		blocks := latticeBlocks(t, q)
		y := decode(q, blocks, len(blocks)/q.Bytes*q.Block)
		fields := l.fields(q.Block)
		for at := 0; len(blocks) > 0; blocks, at = blocks[q.Bytes:], at+q.Block {
			var p parts
			block := blocks[:q.Bytes]
			l.take(&p, block, fields)
			var values [superBlock]float32
			for i := range q.Block {
				run := i / l.run
				b, a := l.scales.value(&p, pair{p.sc[run], p.mn[run]})
				if l.codec != nil {
					l.codec.values(values[i/8*8:][:8], p.point[i/8:], b)
				} else {
					values[i] = float32(b*l.levels.level[p.code[i]]) + a
				}
				got := values[i]
				if got != y[at+i] {
					t.Fatalf("%s: weight %d is %v, not %v", q, at+i, got, y[at+i])
				}
			}
			again := make([]byte, q.Bytes)
			again[0] = 0xff
			l.give(again, &p, fields)
			require.Equal(t, block, again, q.Name)
		}
	}
}

// TestLatticeNearest wants the nearest level for values on, between and beyond
// levels.
func TestLatticeNearest(t *testing.T) {
	for _, q := range encoders() {
		l := q.lattice
		if l == nil || l.codec != nil {
			continue
		}
		var p parts
		blocks := latticeBlocks(t, q)
		used := map[uint8]bool{}
		for fields := l.fields(q.Block); len(blocks) > 0; blocks = blocks[q.Bytes:] {
			l.take(&p, blocks[:q.Bytes], fields)
			for _, c := range p.code[:q.Block] {
				used[c] = true
			}
		}
		r := random(71)
		for range 2000 {
			v := r.weight(r.below(12))
			got := l.levels.level[l.levels.nearest(v)]
			for c := range used {
				if d := math.Abs(float64(l.levels.level[c]) - float64(v)); d < math.Abs(float64(got)-float64(v))*(1-1e-6) {
					t.Fatalf("%s: %v is rounded to %v, and %v is nearer", q, v, got, l.levels.level[c])
				}
			}
		}
		for _, v := range []float32{1e30, -1e30, -0x1p24, -3 << 22, 3 << 22, 0x1p31, -0x1p31} {
			got := l.levels.level[l.levels.nearest(v)]
			require.Equal(t, map[bool]float32{true: l.levels.hi, false: l.levels.lo}[v > 0], got, "%s %v", q, v)
		}
	}
}
