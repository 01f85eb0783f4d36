package dot

import (
	"encoding/binary"
	"math"
)

// Which vectors of a panel of superForm are what, see the generator.
const (
	unitScales = 64
	unitPairs  = unitScales + 16
	unitD      = unitPairs + 8
	unitM      = unitD + 1
)

// fillUnits fills a panel, of types that no kernel unpacks: a row at a time. AVX2
// wants codes with their sign, where there are no minima.
func (p *product) fillUnits(w []byte, rows int) {
	u, l := &p.unit, p.l
	signed := rows < RowStep && !l.mins
	for row := range rows {
		l.unpack(u, w[row*p.bytes:][:p.t.Bytes])
		put := func(i int, v uint32) { binary.LittleEndian.PutUint32(p.panel[4*(i*rows+row):], v) }
		pair := func(a, b int32) uint32 { return uint32(uint16(a)) | uint32(b)<<16 }
		if signed {
			for i := range u.q {
				u.q[i] -= uint8(l.zero)
			}
		}
		for q := range chunk / 4 {
			put(q, binary.LittleEndian.Uint32(u.q[4*q:]))
		}
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
