package quant

import (
	"fmt"
	"math"
)

// work is what an encoder of a block sees: the block's weights brought to a
// magnitude of about 1 by a power of two (exact), so that sums of squares
// neither overflow nor vanish, and scratch.
type work struct {
	x       []float32 // the block, times down
	w       []float32 // weights of the squared errors, same length; mean near 1
	up      float32   // power of two: original = x * up
	down    float32   // 1/up
	effort  Effort
	weighed int // 1 with an importance; 0 without, w being all ones
	buf     [superBlock]float32
	lanes   lanes
	super   superState
	affine  affineState
	grid    gridState
	batch   gridBatch
	columns columns
	small   smallState
	turned  *[superBlock]float32 // w as columns, for codecs that search these
}

// superBlock is the number of weights in a block of the K types.
const superBlock = 256

// half rounds a scale in units of x to what the file stores. It gives the
// stored bits, their value in units of x, and false where it overflows.
func (k *work) half(d float32) (h uint16, v float32, ok bool) {
	h = F32ToF16(d * k.up)
	return h, F16ToF32(h) * k.down, h&0x7c00 != 0x7c00
}

// scale is half for scales that codes are multiplied with: among the smallest
// halves, where rounding may be by half the value, it rounds away from zero, so
// that nothing is cut off or lost.
func (k *work) scale(d float32) (h uint16, v float32, ok bool) {
	h, v, ok = k.half(d)
	if h&0x7fff < 64 && abs(v) < abs(d) {
		h++
		if d < 0 {
			h |= 0x8000
		}
		v = F16ToF32(h) * k.down
	}
	return h, v, ok
}

// blockEncoder writes k.x into dst, one block. It gives false where a scale
// overflows.
type blockEncoder func(dst []byte, k *work) bool

// decodeBlocks makes a Type's Dequantize of a function that decodes one block.
func decodeBlocks(block, bytes int, fn func(dst []float32, src []byte)) func([]float32, []byte) {
	return func(dst []float32, src []byte) {
		checkDecode(len(dst), len(src), block, bytes)
		for ; len(dst) > 0; dst, src = dst[block:], src[bytes:] {
			fn(dst[:block:block], src[:bytes:bytes])
		}
	}
}

// checkDecode panics where a caller's slices do not fit, which is a bug.
func checkDecode(weights, have, block, bytes int) {
	if weights%block != 0 {
		panic(fmt.Sprintf("quant: %d weights are no multiple of the block of %d", weights, block))
	}
	if need := weights / block * bytes; have < need {
		panic(fmt.Sprintf("quant: %d bytes where %d weights take %d", have, weights, need))
	}
}

// checkEncode checks the arguments of a Quantize.
func checkEncode(name string, block, bytes int, dst []byte, src []float32, opt Options) error {
	switch {
	case opt.Cols <= 0:
		return fmt.Errorf("quantize to %s: rows of %d weights; set Options.Cols", name, opt.Cols)
	case opt.Cols%block != 0:
		return fmt.Errorf("quantize to %s: rows of %d weights are no multiple of the block of %d; choose another type or pad the rows", name, opt.Cols, block)
	case len(src)%opt.Cols != 0:
		return fmt.Errorf("quantize to %s: %d weights are no whole rows of %d", name, len(src), opt.Cols)
	case opt.Importance != nil && len(opt.Importance) != opt.Cols:
		return fmt.Errorf("quantize to %s: %d importances for rows of %d weights", name, len(opt.Importance), opt.Cols)
	case opt.Effort < Fast || opt.Effort > Best:
		return fmt.Errorf("quantize to %s: unknown effort %d", name, opt.Effort)
	}
	if need := len(src) / block * bytes; len(dst) < need {
		return fmt.Errorf("quantize to %s: %d bytes of room where %d weights take %d", name, len(dst), len(src), need)
	}
	for i, v := range opt.Importance {
		if !(v >= 0) || v > math.MaxFloat32 {
			return fmt.Errorf("quantize to %s: importance %d is %v; it must be finite and not negative", name, i, v)
		}
	}
	return nil
}

// errorWeights turns a row's importance into weights with mean 1. A small
// floor keeps columns that calibration never touched sensible and the least
// squares solvable; nil where there is nothing to weigh.
func errorWeights(importance []float32) []float32 {
	var sum float64
	for _, v := range importance {
		sum += float64(v)
	}
	if sum == 0 {
		return nil
	}
	mean := sum / float64(len(importance))
	w := make([]float32, len(importance))
	for i, v := range importance {
		w[i] = float32(float64(v)/mean) + 0x1p-20
	}
	return w
}

// encodeBlocks makes a Type's Quantize of a function that encodes one block.
func encodeBlocks(name string, block, bytes int, fn blockEncoder) func([]byte, []float32, Options) error {
	return encodeColumns(name, block, bytes, noColumns, fn)
}

// encodeColumns is encodeBlocks for blocks that are searched by columns.
func encodeColumns(name string, block, bytes int, kind columnKind, fn blockEncoder) func([]byte, []float32, Options) error {
	return func(dst []byte, src []float32, opt Options) error {
		if err := checkEncode(name, block, bytes, dst, src, opt); err != nil {
			return err
		}
		k := &work{effort: opt.Effort, weighed: 1}
		weights := errorWeights(opt.Importance)
		if weights == nil {
			k.weighed = 0
			k.w = make([]float32, block)
			for i := range k.w {
				k.w[i] = 1
			}
		}
		turned := kind.turnAll(weights)
		for at := 0; at < len(src); at += block {
			col := at % opt.Cols
			if weights != nil {
				k.w = weights[col : col+block]
			}
			if kind != noColumns {
				k.turned = &turned[col/superBlock%len(turned)]
			}
			x := src[at : at+block]
			if i := k.load(x); i >= 0 {
				return &ValueError{name, at + i, x[i]}
			}
			if !fn(dst[:bytes:bytes], k) {
				i := largest(x)
				return &ValueError{name, at + i, x[i]}
			}
			dst = dst[bytes:]
		}
		return nil
	}
}

// load brings a block to a magnitude of about 1. It gives the index of the
// first weight that is NaN or infinite, -1 if there is none.
func (k *work) load(x []float32) int {
	top := math.Float32bits(x[kernelTop(x)]) & 0x7fffffff
	if top >= 0x7f800000 {
		return notFinite(x)
	}
	k.up, k.down = powers(top)
	k.x = k.buf[:len(x)]
	if len(x)%vectorRun == 0 {
		use.times(k.x, x, k.down)
	} else {
		times(k.x, x, k.down)
	}
	return -1
}

// powers are the power of two next below a magnitude, given by its bits, and
// its inverse; both are normal numbers.
func powers(top uint32) (up, down float32) {
	e := min(max(top>>23, 1), 253)
	return math.Float32frombits(e << 23), math.Float32frombits((254 - e) << 23)
}

// notFinite is the index of the first NaN or infinity, -1 if there is none.
func notFinite(x []float32) int {
	for i, v := range x {
		if math.Float32bits(v)&0x7f800000 == 0x7f800000 {
			return i
		}
	}
	return -1
}

// largest is the index of the first weight of the largest magnitude.
func largest(x []float32) int {
	best := 0
	for i, v := range x {
		if abs(v) > abs(x[best]) {
			best = i
		}
	}
	return best
}

func abs(f float32) float32 { return math.Float32frombits(math.Float32bits(f) & 0x7fffffff) }
