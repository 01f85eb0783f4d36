package quant

import "math"

// stock encodes a block as mx.quantize does on a CPU, to the bit: the extreme
// of larger magnitude is met by the bias, the other end by the scale, which is
// then moved so that zero is met too. Codes are those for the scale and bias
// before they are rounded.
func (c *mlxAffine) stock(dst []byte, k *work) bool {
	lo, hi := ends(k.x)
	scale, bias := c.stockScale(float32(lo*k.up), float32(hi*k.up))
	if !c.fits(c.scales.round(scale), c.scales.round(bias)) || !c.fits(scale, bias) {
		return false
	}
	var codes [128]uint8
	for i, v := range k.x {
		codes[i] = uint8(roundTo((float32(v*k.up)-bias)/scale, 0, int32(c.n)))
	}
	c.put(dst, scale, bias, codes[:len(k.x)])
	return true
}

// stockScale is mx.quantize's choice for weights from lo to hi.
func (c *mlxAffine) stockScale(lo, hi float32) (scale, bias float32) {
	scale, edge := max((hi-lo)/c.n, 1e-7), lo
	if !(abs(lo) > abs(hi)) {
		scale, edge = -scale, hi
	}
	q := float32(math.RoundToEven(float64(edge / scale)))
	if q == 0 {
		return scale, 0
	}
	return edge / q, edge
}
