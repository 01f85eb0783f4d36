package quant

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"math/bits"
	"strings"
	"testing"
)

// plainCases are blocks, as hexadecimal, of the types that ggml's quantizer
// does not write, with what they stand for.
var plainCases = map[string][]struct {
	blocks string
	values []float32
}{
	"f32":  {{"0000803f 0000c0bf ffff7f7f 01000000", []float32{1, -1.5, math.MaxFloat32, math.SmallestNonzeroFloat32}}},
	"f64":  {{"000000000000f03f 9a9999999999b9bf 000000000000e0c7", []float32{1, -0.1, -0x1p127}}},
	"i8":   {{"00 01 7f 80 ff", []float32{0, 1, 127, -128, -1}}},
	"i16":  {{"0100 ff7f 0080 ffff", []float32{1, 32767, -32768, -1}}},
	"i32":  {{"01000000 ffffff7f 00000080 01000001", []float32{1, 1 << 31, -1 << 31, 1 << 24}}},
	"i64":  {{"0100000000000000 ffffffffffffffff 0000000000000080", []float32{1, -1, -1 << 63}}},
	"e4m3": {{"00 01 08 38 b8 7e fe", []float32{0, 0x1p-9, 0x1p-6, 1, -1, 448, -448}}},
	"e5m2": {{"00 01 04 3c bc 7b fc", []float32{0, 0x1p-16, 0x1p-14, 1, -1, 57344, -inf}}},
	"int3": {{"003c 00c0" + strings.Repeat("88c6fa", 4), repeated(4, -2, -1, 0, 1, 2, 3, 4, 5)}},
	"int2": {{"0038 003c" + strings.Repeat("e4", 8), repeated(8, 1, 1.5, 2, 2.5)}},
	"q8_1": {{"0038 0000" + strings.Repeat("01fe7f80", 8), repeated(8, 0.5, -1, 63.5, -64)}},
	"q8_k": {{"0000003f" + strings.Repeat("01fe7f80", 64) + strings.Repeat("0000", 16), repeated(64, 0.5, -1, 63.5, -64)}},
}

func repeated(n int, v ...float32) []float32 {
	var s []float32
	for range n {
		s = append(s, v...)
	}
	return s
}

func TestDequantizePlain(t *testing.T) {
	for name, cases := range plainCases {
		q, ok := Lookup(name)
		if !ok {
			t.Errorf("no type %s", name)
			continue
		}
		for _, c := range cases {
			blocks, err := hex.DecodeString(strings.ReplaceAll(c.blocks, " ", ""))
			if err != nil {
				t.Fatal(err)
			}
			if q.RowBytes(int64(len(c.values))) != int64(len(blocks)) {
				t.Errorf("%s: %d bytes for %d weights", name, len(blocks), len(c.values))
				continue
			}
			for i, v := range decode(q, blocks, len(c.values)) {
				if v != c.values[i] {
					t.Errorf("%s: weight %d is %v, not %v", name, i, v, c.values[i])
				}
			}
		}
	}
}

// TestHalves compares every half with its definition, and rounding with the
// choice of the nearer neighbour.
func TestHalves(t *testing.T) {
	value := func(h uint16) float64 {
		exp, man := int(h>>10&31), float64(h&0x3ff)
		v := math.Ldexp(1024+man, exp-25)
		if exp == 0 {
			v = math.Ldexp(man, -24)
		}
		if h>>15 != 0 {
			v = -v
		}
		return v
	}
	for i := range 1 << 16 {
		h := uint16(i)
		got := F16ToF32(h)
		if back := F32ToF16(got); h&0x7c00 != 0x7c00 || h&0x3ff == 0 {
			if back != h {
				t.Fatalf("%#04x becomes %#04x", h, back)
			}
		} else if got == got || F16ToF32(back) == F16ToF32(back) {
			t.Fatalf("%#04x is NaN, not %v", h, got)
		}
		if h&0x7c00 == 0x7c00 {
			continue
		}
		if float64(got) != value(h) {
			t.Fatalf("%#04x is %v, not %v", h, got, value(h))
		}
		// The middle to the next half goes to the even one, its neighbours to
		// the nearer one.
		next := h&0x7fff + 1
		mid := (value(h&0x7fff) + value(next)) / 2
		sign := math.Copysign(1, value(h))
		even := h&0x7fff + h&1
		for _, c := range []struct {
			v    float32
			want uint16
		}{
			{float32(mid), even},
			{math.Nextafter32(float32(mid), 0), h & 0x7fff},
			{math.Nextafter32(float32(mid), math.MaxFloat32), next},
		} {
			if got := F32ToF16(c.v * float32(sign)); got != c.want|h&0x8000 {
				t.Fatalf("%v becomes %#04x, not %#04x", c.v*float32(sign), got, c.want|h&0x8000)
			}
		}
	}
}

// TestDecodeHalves wants slices, of any length and with infinities anywhere,
// to decode as single numbers do.
func TestDecodeHalves(t *testing.T) {
	src := make([]byte, 2<<16)
	for i := range 1 << 16 {
		// An odd factor visits every half, in an order that mixes exponents.
		binary.LittleEndian.PutUint16(src[2*i:], uint16(i*40503))
	}
	for skip := range 4 {
		part := src[2*skip:]
		f16, bf16 := make([]float32, len(part)/2), make([]float32, len(part)/2)
		DecodeF16(f16, part)
		DecodeBF16(bf16, part)
		for i := range f16 {
			h := binary.LittleEndian.Uint16(part[2*i:])
			if math.Float32bits(f16[i]) != math.Float32bits(F16ToF32(h)) {
				t.Fatalf("f16 %#04x is %v", h, f16[i])
			}
			if math.Float32bits(bf16[i]) != uint32(h)<<16 {
				t.Fatalf("bf16 %#04x is %v", h, bf16[i])
			}
		}
	}
}

func TestBF16(t *testing.T) {
	for i := range 1 << 16 {
		h := uint16(i)
		f := BF16ToF32(h)
		if math.Float32bits(f) != uint32(h)<<16 {
			t.Fatalf("%#04x is %v", h, f)
		}
		if f != f {
			if back := BF16ToF32(F32ToBF16(f)); back == back {
				t.Fatalf("NaN %#04x becomes %v", h, back)
			}
			continue
		}
		if back := F32ToBF16(f); back != h {
			t.Fatalf("%#04x becomes %#04x", h, back)
		}
		if h&0x7f80 == 0x7f80 {
			continue
		}
		u := uint32(h) << 16
		for _, c := range []struct {
			low  uint32
			want uint16
		}{{0x7fff, h}, {0x8000, h + h&1}, {0x8001, h + 1}, {0xffff, h + 1}} {
			if got := F32ToBF16(math.Float32frombits(u | c.low)); got != c.want {
				t.Fatalf("%#08x becomes %#04x, not %#04x", u|c.low, got, c.want)
			}
		}
	}
}

// TestPlainRounding wants f16 and bf16 blocks to hold the rounded weights.
func TestPlainRounding(t *testing.T) {
	x := []float32{1, -2.7182817, 65519, 6.1e-5, 5.9e-8, 0, float32(math.Copysign(0, -1))}
	f16, bf16 := make([]byte, 2*len(x)), make([]byte, 2*len(x))
	EncodeF16(f16, x)
	EncodeBF16(bf16, x)
	for i, v := range x {
		if got := binary.LittleEndian.Uint16(f16[2*i:]); got != F32ToF16(v) {
			t.Errorf("f16 of %v is %#04x", v, got)
		}
		if got := binary.LittleEndian.Uint16(bf16[2*i:]); got != F32ToBF16(v) {
			t.Errorf("bf16 of %v is %#04x", v, got)
		}
	}
}

// TestF32 wants singles to come back as they were, an odd number of them too.
func TestF32(t *testing.T) {
	x := append(randomRows(60, 1, 60), 0, float32(math.Copysign(0, -1)), math.MaxFloat32, math.SmallestNonzeroFloat32, -1)
	q, _ := Lookup("f32")
	y := decode(q, encode(t, q, x, Options{Cols: len(x), Effort: Normal}), len(x))
	for i := range x {
		if math.Float32bits(x[i]) != math.Float32bits(y[i]) {
			t.Errorf("weight %d was %v, became %v", i, x[i], y[i])
		}
	}
}

// TestE8M0 compares mxfp4's scales with their definition, half of 2^(e-127).
func TestE8M0(t *testing.T) {
	for e := range 255 {
		if got, want := float64(halfE8M0(uint8(e))), math.Ldexp(1, e-128); got != want {
			t.Errorf("scale %d is %v, not %v", e, got, want)
		}
	}
}

// TestEvenSigns wants the eighth sign to make the number of minuses even.
func TestEvenSigns(t *testing.T) {
	for seven := range uint32(128) {
		if s := evenSigns(seven); uint32(s)&127 != seven || bits.OnesCount8(s)%2 != 0 {
			t.Errorf("signs %07b become %08b", seven, s)
		}
	}
}
