package quant

import "encoding/binary"

var _ = register(&Type{
	Name: "iq4_xs", GGML: 23, Block: 256, Bytes: 136, Fallback: "iq4_nl",
	Dot: "q8_k", Error: 0.074,
	Doc:        "4-bit codes of 16 uneven levels, 6-bit scales per 32 weights under one scale per 256",
	Dequantize: decodeBlocks(256, 136, decodeIQ4XS),
	Quantize:   encodeColumns("iq4_xs", 256, 136, columnsTable32, encodeIQ4XS),
	lattice:    &iq4XSLattice,
})

var iq4XSLattice = lattice{
	run: 32, levels: tableLevels(&iq4Levels, nil), scales: sharedScale{-32, 31},
	code: nibbles(8, 32),
	read: func(p *parts, b []byte) {
		p.d = getHalf(b)
		high := binary.LittleEndian.Uint16(b[2:])
		for run := range 8 {
			p.sc[run] = int32(b[4+run/2]>>(run%2*4)&15) | int32(high>>(2*run)&3)<<4 - 32
		}
	},
	write: func(b []byte, p *parts) {
		putHalf(b, p.d)
		var high uint16
		for run := range 8 {
			sc := uint16(p.sc[run] + 32)
			high |= sc >> 4 << (2 * run)
			b[4+run/2] |= uint8(sc&15) << (run % 2 * 4)
		}
		binary.LittleEndian.PutUint16(b[2:], high)
	},
}

// A block: d, a word of the 8 scales' upper bit pairs, 4 bytes of their
// nibbles, and 128 bytes of nibbles: each 16 hold a run of 32 weights as
// iq4_nl has them.
func decodeIQ4XS(dst []float32, src []byte) {
	d := half(src)
	high := binary.LittleEndian.Uint16(src[2:])
	for run := range 8 {
		sc := int(src[4+run/2]>>(run%2*4)&15) | int(high>>(2*run)&3)<<4
		s := d * float32(sc-32)
		lo, hi := dst[32*run:][:16], dst[32*run+16:][:16]
		for j, q := range src[8+16*run:][:16] {
			lo[j] = s * iq4Levels.table.value[q&15]
			hi[j] = s * iq4Levels.table.value[q>>4]
		}
	}
}

var iq4XSCodec = superScaleCodec{
	levels: iq4Levels,
	scales: levels{lo: -32, hi: 31},
	sub:    32,
	plan:   iq4NLCodec.plans[Best],
	super:  superScalePlan{plan: scalePlan{tops: bySign(32, 0.7, 1.05, 50), rounds: 2}, reach: 4, turns: 5, spread: []float32{0.9, 1.1}},
	columns: [2]superColumnPlan{
		Fast:   {runs: [2]columnScalePlan{withTops(iq4Tops(0.85, 1.1, 4), 0, 0, 1), withTops(iq4Tops(0.85, 1.1, 4), 0, 0, 1)}, super: scalePlan{tops: bySign(32, 0.9, 1.02, 6), rounds: 1}, reach: 1, turns: 1},
		Normal: {runs: [2]columnScalePlan{withTops(iq4Tops(0.8, 1.2, 12), 0, 0, 2), withTops(iq4Tops(0.8, 1.2, 12), 0, 0, 2)}, super: scalePlan{tops: bySign(32, 0.8, 1.04, 16), rounds: 2}, reach: 2, turns: 3},
	},
}

func encodeIQ4XS(dst []byte, k *work) bool {
	ok := iq4XSCodec.encode(k)
	s := &k.super
	putHalf(dst, s.d)
	clear(dst[4:8])
	var high uint16
	for run := range 8 {
		sc := uint16(s.sc[run] + 32)
		high |= sc >> 4 << (2 * run)
		dst[4+run/2] |= uint8(sc&15) << (run % 2 * 4)
		packNibbles(dst[8+16*run:], s.codes[32*run:][:32])
	}
	binary.LittleEndian.PutUint16(dst[2:], high)
	return ok
}
