package quant

import (
	"errors"
	"math"
	"testing"
)

// TestFP8 compares every code with the definition, and rounding with the choice
// of the nearer neighbour.
func TestFP8(t *testing.T) {
	for _, f := range []struct {
		name           string
		mantissa, bias int
		most           uint8 // code of the largest number
		widen          func(uint8) float32
		round          func(float32) uint8
	}{
		{"e4m3", 3, 7, 0x7e, E4M3ToF32, F32ToE4M3},
		{"e5m2", 2, 15, 0x7b, E5M2ToF32, F32ToE5M2},
	} {
		value := func(code uint8) float64 {
			exp, man := int(code&0x7f)>>f.mantissa, float64(code&(1<<f.mantissa-1))
			one := float64(int(1) << f.mantissa)
			if exp == 0 {
				return math.Ldexp(man/one, 1-f.bias)
			}
			return math.Ldexp(1+man/one, exp-f.bias)
		}
		for code := range f.most + 1 {
			v := f.widen(code)
			if float64(v) != value(code) || f.widen(code|0x80) != -v {
				t.Fatalf("%s: %#02x is %v, not %v", f.name, code, v, value(code))
			}
			for _, sign := range []uint8{0, 0x80} {
				s := float32(1 - int(sign>>6))
				if got := f.round(v * s); got != code|sign {
					t.Fatalf("%s: %v becomes %#02x, not %#02x", f.name, v*s, got, code|sign)
				}
				if code == f.most {
					continue
				}
				mid := float32((value(code) + value(code+1)) / 2)
				for _, c := range []struct {
					v    float32
					want uint8
				}{
					{mid, code + code&1},
					{math.Nextafter32(mid, 0), code},
					{math.Nextafter32(mid, math.MaxFloat32), code + 1},
				} {
					if got := f.round(c.v * s); got != c.want|sign {
						t.Fatalf("%s: %v becomes %#02x, not %#02x", f.name, c.v*s, got, c.want|sign)
					}
				}
			}
		}
		top := f.widen(f.most)
		for _, v := range []float32{math.Nextafter32(top, inf), top * 1.1, top * 2, math.MaxFloat32, inf} {
			if f.round(v) != f.most || f.round(-v) != f.most|0x80 {
				t.Errorf("%s: %v becomes %#02x, %v %#02x", f.name, v, f.round(v), -v, f.round(-v))
			}
		}
		for _, v := range []float32{nan, -nan, math.Float32frombits(0x7f800001)} {
			if w := f.widen(f.round(v)); w == w {
				t.Errorf("%s: NaN becomes %v", f.name, w)
			}
		}
		if f.round(math.SmallestNonzeroFloat32) != 0 || f.round(-math.SmallestNonzeroFloat32) != 0x80 {
			t.Errorf("%s: the smallest number does not become zero with its sign", f.name)
		}
		for code := int(f.most) + 1; code < 0x80; code++ {
			if v := f.widen(uint8(code)); v == v && !(f.name == "e5m2" && code == 0x7c && v == inf) {
				t.Errorf("%s: %#02x is %v", f.name, code, v)
			}
		}
	}
}

// TestChannels wants keys by channel to be what each channel is by itself.
func TestChannels(t *testing.T) {
	const channels = 5
	x := randomRows(98, 32, channels)
	w := randomImportance(99, 32)
	for _, name := range []string{"int3", "int2", "q8_0"} {
		q, _ := Lookup(name)
		opt := Options{Importance: w, Effort: Normal}
		blocks := make([]byte, channels*q.Bytes)
		if err := QuantizeChannels(q, blocks, x, channels, opt); err != nil {
			t.Fatal(err)
		}
		y := make([]float32, len(x))
		DequantizeChannels(q, y, blocks)
		for c := range channels {
			alone := make([]float32, 32)
			for i := range alone {
				alone[i] = x[i*channels+c]
			}
			want := decode(q, encode(t, q, alone, Options{Cols: 32, Importance: w, Effort: Normal}), 32)
			for i, v := range want {
				if y[i*channels+c] != v {
					t.Fatalf("%s: token %d of channel %d is %v, not %v", q, i, c, y[i*channels+c], v)
				}
			}
		}
		bad := append([]float32(nil), x...)
		bad[7*channels+3] = nan
		var v *ValueError
		if err := QuantizeChannels(q, blocks, bad, channels, opt); !errors.As(err, &v) || v.Index != 7*channels+3 {
			t.Errorf("%s: NaN: error %v", q, err)
		}
		if QuantizeChannels(q, blocks, x[1:], channels, opt) == nil || QuantizeChannels(q, blocks, nil, 0, opt) == nil {
			t.Errorf("%s: no error for a wrong length", q)
		}
	}
}

// TestKVTypes lists the types of the KV cache.
func TestKVTypes(t *testing.T) {
	want := map[string]bool{}
	for _, n := range []string{"f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "int3", "int2", "e4m3", "e5m2"} {
		want[n] = true
	}
	for _, q := range All() {
		if q.KV != want[q.Name] {
			t.Errorf("%s: KV is %t", q, q.KV)
		}
		if q.KV && (q.Quantize == nil || q.NeedsImportance || q.Block > 32) {
			t.Errorf("%s can't hold a head of 64, or be written as tokens come", q)
		}
	}
}
