package quant

import (
	"bytes"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// compareColumns wants the same lanes, as far as kind has runs. Those of b and
// the sums count only where the gain says that there is something.
func compareColumns(t *testing.T, got, want *columns, kind columnKind, what string) {
	t.Helper()
	for j := range kind.runs() {
		for name, v := range map[string][2]float32{
			"b": {got.b[j], want.b[j]}, "a": {got.a[j], want.a[j]}, "q": {got.q[j], want.q[j]}, "qq": {got.qq[j], want.qq[j]},
			"qx": {got.qx[j], want.qx[j]}, "sw": {got.sw[j], want.sw[j]}, "swz": {got.swz[j], want.swz[j]}, "szz": {got.szz[j], want.szz[j]},
			"gain": {got.gain[j], want.gain[j]}, "base": {got.base[j], want.base[j]}, "sc": {got.sc[j], want.sc[j]}, "mn": {got.mn[j], want.mn[j]},
			"up": {got.up[j], want.up[j]}, "down": {got.down[j], want.down[j]},
		} {
			require.True(t, equal32(v[0], v[1]), "%s of kind %d: %s of run %d is %v, want %v", what, kind, name, j, v[0], v[1])
		}
	}
	require.Equal(t, want.x, got.x, what)
}

// TestKernelColumns compares the kernels of columns with scalar code, on
// weights, weights of few values, and rows with odd ones.
func TestKernelColumns(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels) {
		r := random(80)
		for try := range 400 {
			x, w := runOf(&r, superBlock, false), runOf(&r, superBlock, false)
			for i := range x {
				w[i] = w[i]*w[i] + 0x1p-20
				switch try % 4 {
				case 1:
					x[i] = float32(r.below(5)-2) * 0.25
				case 2:
					if i/32%2 == 0 {
						x[i] = 0
					}
				case 3:
					x[i] = oddFloats[r.below(11)] * x[i]
				}
			}
			var before columns
			for _, lanes := range []*[16]float32{&before.b, &before.q, &before.sw, &before.swz, &before.base} {
				for j := range lanes {
					lanes[j] = r.weight(-2)
				}
			}
			for j := range before.sw {
				before.sw[j], before.base[j], before.b[j] = abs(before.sw[j])+1, -abs(before.base[j]), abs(before.b[j])
			}
			// Both columns of a pair hold what is known of it.
			pair := func(c columns) columns {
				for _, lanes := range []*[16]float32{&c.b, &c.q, &c.sw, &c.swz, &c.base} {
					copy(lanes[8:], lanes[:8])
				}
				return c
			}
			for kind := range columnKinds {
				from := before
				var wt, wt1 [superBlock]float32
				turn, turn1 := scalar.turn16, k.turn16
				if kind.paired() {
					from = pair(before)
					turn, turn1 = scalar.turn32, k.turn32
				}
				turn(&wt, w)
				turn1(&wt1, w)
				require.Equal(t, wt, wt1, "turn")
				turn(&from.x, x)
				v := []*levels{&q6KCodec.levels, &q4_0Codec.levels, &iq4Levels}[kind]
				plan := withTops(bySign(v.hi, 0.8, 1.1, 1+r.below(4)), r.below(4), 0.7*v.hi, r.below(3))
				run := func(what string, fn func(k *kernels, c *columns)) {
					t.Helper()
					got, want := from, from
					fn(k, &got)
					fn(&scalar, &want)
					compareColumns(t, &got, &want, kind, what)
				}
				run("searchScales", func(k *kernels, c *columns) { k.searchScales[kind](c, &wt, v, &plan) })
				d, reach := abs(r.weight(-4))+0x1p-20, 1+r.below(4)
				run("integerScales", func(k *kernels, c *columns) { k.integerScales[kind](c, &wt, v, d, -32, 31, reach) })
				if kind.paired() {
					run("rateScales", func(k *kernels, c *columns) { k.rateScales[kind](c, &wt, v) })
				}
				if kind == columnsTable32 {
					continue
				}
				n := []float32{3, 15, 31}[r.below(3)]
				grid := affineTries(clips(n, span(-0.2, 0.7, 1+r.below(4)), span(-0.2, 0.7, 2)), r.below(3))
				run("searchAffine", func(k *kernels, c *columns) { k.searchAffine[kind](c, &wt, n, &grid) })
				dmin := abs(r.weight(-4))
				run("integerGrids", func(k *kernels, c *columns) { k.integerGrids[kind](c, &wt, n, d, dmin, 63) })
			}
		}
	})
}

// TestKernelColumnCodes does so for codes, and wants nothing else written.
func TestKernelColumnCodes(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels) {
		r := random(81)
		for try := range 300 {
			x := runOf(&r, superBlock, try%2 == 0)
			var c columns
			for j := range c.inv {
				c.base[j], c.inv[j], c.off[j] = r.weight(0), r.weight(3), r.weight(2)
			}
			check := func(what string, fn func(k *kernels, dst *[superBlock]uint8)) {
				t.Helper()
				room := bytes.Repeat([]byte{0xa5}, superBlock+64)
				var want [superBlock]uint8
				fn(k, (*[superBlock]uint8)(room[:superBlock]))
				fn(&scalar, &want)
				require.Equal(t, want[:], room[:superBlock], what)
				require.Equal(t, bytes.Repeat([]byte{0xa5}, 64), room[superBlock:], what)
			}
			check("columnCodes16", func(k *kernels, dst *[superBlock]uint8) { k.columnCodes[columns16](dst, x, &c, -32, 31) })
			check("columnCodes32", func(k *kernels, dst *[superBlock]uint8) { k.columnCodes[columns32](dst, x, &c, 0, 15) })
			check("tableCodes32", func(k *kernels, dst *[superBlock]uint8) { k.tableCodes32(dst, x, &c, iq4Levels.table) })
			got, want := c, c
			var y, y1 [superBlock]float32
			require.Equal(t, scalar.level32(&y, x, &want), k.level32(&y1, x, &got), "level32")
			require.Equal(t, y, y1, "level32")
			compareColumns(t, &got, &want, columns32, "level32")
		}
	})
}

// TestKernelStreams compares what writes blocks at once with scalar code: the
// blocks, and where it stops.
func TestKernelStreams(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels) {
		r := random(82)
		for try := range 600 {
			n := r.below(9)
			x := runOf(&r, 32*n, try%4 == 0)
			if n > 0 && try%3 == 0 { // no scale at all, a tiny one, or a large one
				at := 32 * r.below(n)
				for i := range 32 {
					x[at+i] *= []float32{0, 0x1p-18, 0x1p-120, 0x1p17, 0x1p125}[try/3%5]
				}
			}
			if try%50 == 0 && n > 0 {
				x[r.below(32*n)] = []float32{nan, float32(math.Inf(-1))}[try/50%2]
			}
			check := func(what string, size int, got, want func([]byte, []float32) int) {
				t.Helper()
				a, b := bytes.Repeat([]byte{0xa5}, size*n+64), bytes.Repeat([]byte{0xa5}, size*n+64)
				done := want(b, x)
				require.Equal(t, done, got(a, x), what)
				require.Equal(t, b[:size*done], a[:size*done], what)
				require.Equal(t, b[size*n:], a[size*n:], what)
			}
			check("streamQ8_0", 34, k.streamQ8_0, scalar.streamQ8_0)
			check("streamMXFP4", 17, k.streamMXFP4, scalar.streamMXFP4)
		}
	})
}

// TestKernelPacks compares roundings with scalar code, on numbers of any bits.
func TestKernelPacks(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels) {
		r := random(83)
		for try := range 400 {
			n := 16 * r.below(9)
			x := runOf(&r, n, true)
			for i := range x {
				if try%2 == 0 {
					x[i] = math.Float32frombits(uint32(r.next()))
				}
			}
			for what, fn := range map[string][2]func([]byte, []float32){"bf16": {k.packBF16, packBF16}, "f16": {k.packF16, packF16}} {
				got, want := bytes.Repeat([]byte{0xa5}, 2*n+64), bytes.Repeat([]byte{0xa5}, 2*n+64)
				fn[0](got, x)
				fn[1](want, x)
				require.Equal(t, want, got, what)
			}
		}
	})
}
