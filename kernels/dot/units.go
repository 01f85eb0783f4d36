package dot

import (
	"encoding/binary"
	"math"
)

// Which vectors of a panel, an element for each row, are what: codes, four
// columns each; in superForm scales, pairs of what sums of activations are
// multiplied with, d and m; in smallForm d and m of each block.
const (
	unitScales = chunk / 4
	unitPairs  = unitScales + 16
	unitD      = unitPairs + 8
	unitM      = unitD + 1
)

// fillUnits fills a panel, of types that no kernel unpacks: a row at a time.
func (p *product) fillUnits(w []byte, k *panels, units int) {
	u, l := &p.unit, p.l
	for row := range k.height {
		put := func(i int, v uint32) { binary.LittleEndian.PutUint32(p.panel[4*(i*k.height+row):], v) }
		block := w[row*p.bytes:]
		if l.form == smallForm {
			for b := range units {
				l.unpack(u, block[b*p.t.Bytes:][:p.t.Bytes])
				p.putCodes(u.q[:32], 8*b, k.signed, put)
				put(unitScales+2*b, math.Float32bits(u.d))
				put(unitScales+2*b+1, math.Float32bits(u.m))
			}
			continue
		}
		l.unpack(u, block[:p.t.Bytes])
		p.putCodes(u.q[:], 0, k.signed, put)
		pair := func(a, b int32) uint32 { return uint32(uint16(a)) | uint32(b)<<16 }
		for g := range chunk / l.group {
			put(unitScales+g, uint32(u.sc[g]))
		}
		for g := range chunk / l.group / 2 {
			if l.mins {
				put(unitPairs+g, pair(u.mn[2*g], u.mn[2*g+1]))
			} else {
				put(unitPairs+g, pair(u.sc[2*g]*l.zero, u.sc[2*g+1]*l.zero))
			}
		}
		put(unitD, math.Float32bits(u.d))
		put(unitM, math.Float32bits(u.m))
	}
}

// putCodes writes a row's codes as quads from number at on.
func (p *product) putCodes(q []uint8, at int, signed bool, put func(i int, v uint32)) {
	if signed {
		for i := range q {
			q[i] -= uint8(p.l.zero)
		}
	}
	for i := range len(q) / 4 {
		put(at+i, binary.LittleEndian.Uint32(q[4*i:]))
	}
}
