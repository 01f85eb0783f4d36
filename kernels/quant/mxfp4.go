package quant

import "math"

var _ = register(&Type{
	Name: "mxfp4", GGML: 39, Block: 32, Bytes: 17,
	Dot: "q8_0", Error: 0.116,
	Doc:        "4-bit floats (E2M1) times a power of two per 32 weights; what gpt-oss is published in",
	Dequantize: decodeVectors(unpackMXFP4, 32, 17, decodeMXFP4),
	Quantize:   streamQuantizer("mxfp4", 17, func() func([]byte, []float32) int { return use.streamMXFP4 }, mxfp4Small.quantize),
	lattice:    &mxfp4Lattice,
})

var mxfp4Lattice = lattice{
	run: 32, levels: fp4CodeLevels, scales: ownByte{mxfp4Most, 1, halfE8M0},
	code:  nibbles(1, 32),
	read:  func(p *parts, b []byte) { p.sc[0] = int32(b[0]) },
	write: func(b []byte, p *parts) { b[0] = uint8(p.sc[0]) },
}

// fp4CodeLevels are those of E2M1, doubled.
var fp4CodeLevels = tableLevels(&fp4Levels, fp4ByLevel[:])

// halfE8M0 is half of 2^(e-127); the NaN 0xff is taken for 2^128 as ggml does.
func halfE8M0(e uint8) float32 {
	if e < 2 {
		return math.Float32frombits(0x00200000 << e)
	}
	return math.Float32frombits(uint32(e-1) << 23)
}

func decodeMXFP4(dst []float32, src []byte) {
	d := halfE8M0(src[0])
	lo, hi := dst[:16], dst[16:32]
	for j, q := range src[1:17] {
		lo[j] = fp4Values[q&15] * d
		hi[j] = fp4Values[q>>4] * d
	}
}

// The largest scale byte whose every code is finite as a float32.
const mxfp4Most = 252

// encodeMXFP4 puts the largest weight, of magnitude 4..8 after scaling, at or
// just beyond the largest code, 6. More effort tries the neighbouring scales
// where they may be better: the coarser one if the largest weight is cut off,
// finer ones if an importance may prefer to cut it off.
func encodeMXFP4(dst []byte, k *work) bool {
	var top uint32
	for _, v := range k.x {
		top = max(top, math.Float32bits(v)&0x7fffffff)
	}
	if top == 0 {
		clear(dst)
		return true
	}
	largest := math.Float32frombits(top) * k.up
	if largest > 12*halfE8M0(mxfp4Most) {
		return false
	}
	base := int(math.Float32bits(largest)>>23) - 2
	e := min(max(base, 0), mxfp4Most)
	first, last := base, base
	if k.effort > Fast {
		if k.weighed != 0 {
			first -= 1 + 3*int(k.effort-Normal)
		}
		if k.weighed != 0 || top&0x7fffff > 0x400000 {
			last++
		}
	}
	if first, last = max(first, 0), min(max(last, 0), mxfp4Most); first < last {
		b := &k.lanes
		b.n = 0
		for i := first; i <= last; i++ {
			b.b[b.n] = halfE8M0(uint8(i)) * k.down
			b.inv[b.n] = inverse(b.b[b.n])
			b.n++
		}
		if i := b.rateScale(&fp4Levels, k.x, k.w); b.gain[i] > 0 {
			e = first + i
		}
	}
	dst[0] = uint8(e)
	encodeFP4(dst[1:], k.x, inverse(halfE8M0(uint8(e))*k.down))
	return true
}

// mxfp4Small does what encodeMXFP4 does at more than the fast effort, eight
// blocks at a time.
var mxfp4Small = &smallCodec{
	name: "mxfp4", bytes: 17, kind: columnsTable32,
	alone: func(e Effort, _ bool) bool { return e == Fast },
	slow:  encodeMXFP4,
	batch: func(k *work) {
		cs := &k.columns
		first, last := 0, 1
		if k.weighed != 0 {
			first = -1 - 3*int(k.effort-Normal)
		}
		var best, scale [8]float32
		var step [8]int
		for i := first; i <= last; i++ {
			// A weight of magnitude 1 is level 8 of the scale that is 2 below it.
			b := math.Float32frombits(uint32(127-3+i) << 23)
			for j := range cs.b {
				cs.b[j] = b
			}
			use.rateScales[columnsTable32](cs, k.turned, &fp4Levels)
			for j, gain := range cs.gain[:8] {
				if gain > best[j] {
					best[j], scale[j], step[j] = gain, b, i
				}
			}
		}
		for j := range 8 {
			e := int(math.Float32bits(cs.up[j])>>23) - 2 + step[j]
			k.small.d[j] = uint16(e)
			k.small.odd[j] = best[j] == 0 || e+first < mxfp4First || e+last > mxfp4Last
			cs.inv[j] = inverse(scale[j])
		}
		use.tableCodes32(&k.super.codes, k.x, cs, fp4Levels.table)
	},
	put: func(dst, codes []uint8, d, _ uint16) {
		dst[0] = uint8(d)
		for j, c := range codes[:16] {
			dst[1+j] = fp4ByLevel[c] | fp4ByLevel[codes[16+j]]<<4
		}
	},
}
