package quant

import "math"

// streamQuantizer makes a Type's Quantize that leaves blocks of 32 weights to a
// kernel at the fast effort. A kernel stops before a block that needs care, and
// gives the number of blocks it wrote; rest encodes such blocks, and all at
// more effort.
func streamQuantizer(name string, bytes int, kernel func() func(dst []byte, x []float32) int, rest func([]byte, []float32, Options) error) func([]byte, []float32, Options) error {
	return func(dst []byte, src []float32, opt Options) error {
		if opt.Effort != Fast {
			return rest(dst, src, opt)
		}
		if err := checkEncode(name, 32, bytes, dst, src, opt); err != nil {
			return err
		}
		encode := kernel()
		for at := 0; at < len(src); {
			part := src[at:min(at+unpackPart, len(src))]
			n := encode(dst[at/32*bytes:], part)
			at += 32 * n
			if 32*n == len(part) {
				continue
			}
			one := Options{Cols: 32, Effort: Fast}
			if opt.Importance != nil {
				one.Importance = opt.Importance[at%opt.Cols:][:32]
			}
			if err := rest(dst[at/32*bytes:], src[at:at+32], one); err != nil {
				if v, ok := err.(*ValueError); ok {
					v.Index += at
				}
				return err
			}
			at += 32
		}
		return nil
	}
}

// streamQ8_0 writes blocks as long as their scales are normal halves.
func streamQ8_0(dst []byte, x []float32) int {
	n := len(x) / 32
	for i := range n {
		run := x[32*i:][:32]
		h := F32ToF16(math.Float32frombits(math.Float32bits(run[top(run)])&0x7fffffff) / 127)
		if isOdd(h) {
			return i
		}
		to, inv := dst[34*i:][:34], 1/F16ToF32(h)
		putHalf(to, h)
		for j, v := range run {
			to[2+j] = uint8(math.Float32bits(float32(v*inv) + magic))
		}
	}
	return n
}

// The exponents of blocks' largest weights for which streamMXFP4 works.
const mxfp4First, mxfp4Last = 8, 250

// streamMXFP4 writes blocks as long as their magnitudes are common ones.
func streamMXFP4(dst []byte, x []float32) int {
	n := len(x) / 32
	for i := range n {
		run := x[32*i:][:32]
		e := math.Float32bits(run[top(run)]) >> 23 & 0xff
		if e < mxfp4First || e > mxfp4Last {
			return i
		}
		to := dst[17*i:][:17]
		to[0] = uint8(e - 2)
		encodeFP4(to[1:], run, math.Float32frombits((257-e)<<23))
	}
	return n
}
