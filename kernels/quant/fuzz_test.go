package quant

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"
)

// FuzzDequantize decodes any bytes as any type: no panic, and every weight
// written.
func FuzzDequantize(f *testing.F) {
	for i, q := range All() {
		f.Add(uint8(i), bytes.Repeat([]byte{0xff}, 2*q.Bytes))
		f.Add(uint8(i), bytes.Repeat([]byte{0x00, 0x5a}, q.Bytes))
	}
	f.Fuzz(func(t *testing.T, kind uint8, src []byte) {
		q := All()[int(kind)%len(All())]
		n := min(len(src)/q.Bytes, 64) * q.Block
		a, b := make([]float32, n), make([]float32, n)
		for i := range b {
			b[i] = 12345
		}
		q.Dequantize(a, src)
		q.Dequantize(b, src)
		for i := range a {
			if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
				t.Fatalf("%s: weight %d was not written", q, i)
			}
		}
	})
}

// FuzzQuantize encodes any floats: a ValueError with the right weight, or
// finite weights that are no worse than zeros.
func FuzzQuantize(f *testing.F) {
	patterns := [][]float32{
		{0.1, -0.2, 0.3}, {0}, {1e38, -1e38}, {1e-40, 3e-40, -1e-39}, {1}, {65504, -3e-8},
		{nan}, {5, inf}, {0x1p-24, 0x1p-25, -0x1.8p-24}, {-1, -2, -3, -1000},
	}
	for i := range encoders() {
		for j, p := range patterns {
			var b []byte
			for _, v := range p {
				b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
			}
			f.Add(uint8(i), uint8(j), uint16(j), b)
		}
	}
	f.Fuzz(func(t *testing.T, kind, effort uint8, seed uint16, src []byte) {
		q := encoders()[int(kind)%len(encoders())]
		cols := max(q.Block, 32)
		opt := Options{Cols: cols, Effort: Effort(effort % 3)}
		if seed%2 != 0 {
			opt.Importance = randomImportance(uint64(seed), cols)
		}
		// The floats are repeated to fill a row, each time a bit smaller.
		p := floats(src)
		if len(p) == 0 {
			return
		}
		x := make([]float32, cols)
		for i := range x {
			x[i] = p[i%len(p)] / float32(1+i/len(p)*int(seed>>1)%7)
		}
		if i := notFinite(x); i >= 0 {
			err := q.Quantize(make([]byte, q.RowBytes(int64(cols))), x, opt)
			if v, ok := err.(*ValueError); !ok || v.Index > i {
				t.Fatalf("%s: weight %d is %v: error %v", q, i, x[i], err)
			}
			return
		}
		checkFinite(t, q, x, opt)
	})
}
