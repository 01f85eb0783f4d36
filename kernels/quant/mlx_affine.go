package quant

import "fmt"

// MLX's affine types: weight = scale*q + bias in groups of 32, 64 or 128, q of
// 2 to 8 bits. A block is scale, bias, then the codes as a bit stream. MLX
// stores scales and biases in the type that the model was published in, mostly
// bf16; the types with other scales have the name with "_f16" or "_f32".
var _ = func() any {
	for _, bits := range []int{2, 3, 4, 5, 6, 8} {
		for _, group := range []int{32, 64, 128} {
			register(newAffine(bits, group, &bf16Scales))
			registerUnlisted(newAffine(bits, group, &f16Scales))
			registerUnlisted(newAffine(bits, group, &f32Scales))
		}
	}
	return nil
}()

func newAffine(bits, group int, scales *scaleKind) *Type {
	c := &mlxAffine{bits: bits, n: float32(int(1)<<bits - 1), scales: scales}
	c.effort = mlxEfforts(bits)
	m := &MLXMode{Mode: "affine", Bits: bits, Group: group, Scales: scales.name, scaleBytes: scales.bytes, biasBytes: scales.bytes}
	t := mlxType(affineName(bits, group, scales.name), m, c.decode, c.encode)
	t.lattice = c.lattice(group)
	t.Error = mlxAffineErrors[bits][group]
	if group > 32 {
		t.Fallback = affineName(bits, group/2, scales.name)
	}
	t.Doc = fmt.Sprintf("MLX: %d-bit integers times a scale plus a bias, both %s, per %d weights", bits, scales.name, group)
	return &t
}

// mlxAffineErrors are Type.Error by bits and group.
var mlxAffineErrors = map[int]map[int]float64{
	2: {32: 0.3, 64: 0.32, 128: 0.34},
	3: {32: 0.144, 64: 0.164, 128: 0.18},
	4: {32: 0.069, 64: 0.081, 128: 0.089},
	5: {32: 0.033, 64: 0.04, 128: 0.044},
	6: {32: 0.0162, 64: 0.0193, 128: 0.022},
	8: {32: 0.0042, 64: 0.0049, 128: 0.0055},
}

func affineName(bits, group int, scales string) string {
	name := fmt.Sprintf("mlx_affine%d_g%d", bits, group)
	if scales != "bf16" {
		name += "_" + scales
	}
	return name
}

// WithScales is the type of this mode with scales and biases of another type,
// "bf16", "f16" or "f32"; false where MLX has none.
func (m *MLXMode) WithScales(scales string) (*Type, bool) {
	if m.Mode != "affine" {
		return nil, false
	}
	return Lookup(affineName(m.Bits, m.Group, scales))
}

// mlxAffine is the codec of one of these types.
type mlxAffine struct {
	bits   int
	n      float32 // codes are 0..n
	scales *scaleKind
	effort [3]mlxEffort
}

func (c *mlxAffine) decode(dst []float32, src []byte) {
	scale, bias := c.scales.get(src), c.scales.get(src[c.scales.bytes:])
	src = src[2*c.scales.bytes:]
	bits, mask := c.bits, uint64(1)<<c.bits-1
	for ; len(dst) >= 8; dst, src = dst[8:], src[bits:] {
		v := nextEight(src, bits)
		y := dst[:8:8]
		for j := range y {
			y[j] = float32(scale*float32(int32(v&mask))) + bias
			v >>= bits
		}
	}
}

// DequantizeRounded decodes as MLX itself does where it computes in the type
// of the scales: product and sum are rounded to it. The other modes' values
// are the same as Dequantize's.
func (m *MLXMode) DequantizeRounded(dst []float32, blocks []byte) {
	if m.Mode != "affine" {
		t, _ := Lookup("mlx_" + m.Mode)
		t.Dequantize(dst, blocks)
		return
	}
	checkDecode(len(dst), len(blocks), m.Group, m.blockBytes())
	kind := scaleKinds[m.Scales]
	mask := uint64(1)<<m.Bits - 1
	for ; len(dst) > 0; dst, blocks = dst[m.Group:], blocks[m.blockBytes():] {
		scale, bias := kind.get(blocks), kind.get(blocks[kind.bytes:])
		src := blocks[2*kind.bytes:]
		for i := range m.Group {
			q := float32(nextEight(src[i/8*m.Bits:], m.Bits) >> (i % 8 * m.Bits) & mask)
			dst[i] = kind.round(kind.round(scale*q) + bias)
		}
	}
}

func (c *mlxAffine) lattice(group int) *lattice {
	size := c.scales.bytes
	return &lattice{
		run: group, levels: integerLevels(0, int32(c.n), 0),
		scales: ownFloats{kind: c.scales, affine: true, mid: c.n / 2, half: c.n / 2},
		code:   bitStream(2*size, c.bits),
		read: func(p *parts, b []byte) {
			p.sc[0], p.mn[0] = int32(c.scales.code(c.scales.get(b))), int32(c.scales.code(c.scales.get(b[size:])))
		},
		write: func(b []byte, p *parts) {
			c.scales.put(b, c.scales.value(uint32(p.sc[0])))
			c.scales.put(b[size:], c.scales.value(uint32(p.mn[0])))
		},
	}
}

// put writes a block.
func (c *mlxAffine) put(dst []byte, scale, bias float32, codes []uint8) {
	c.scales.put(dst, scale)
	c.scales.put(dst[c.scales.bytes:], bias)
	packBits(dst[2*c.scales.bytes:], codes, c.bits)
}

// fits says whether all that a scale and a bias stand for is finite.
func (c *mlxAffine) fits(scale, bias float32) bool {
	top := float32(scale * c.n)
	for _, v := range [3]float32{bias, top, top + bias} {
		if abs(v) > maxFloat {
			return false
		}
	}
	return scale == scale && bias == bias
}
