package quant

import "math"

// lattice says which values a block of a type can hold: a weight is b*level + a,
// the level being that of its code, b and a being what the block stores for the
// weight's run. It is what rounding under second moments has to know of a type.
type lattice struct {
	run    int // weights that share b and a
	levels *codeLevels
	// codec has the codebook of types whose weights share codes; they have no
	// levels, and b is that of the codebook's values.
	codec  *gridCodec
	scales scaleRule
	// code tells which bits of a block are those of weight i's code. Where codes
	// are no bits of their own, get and put read and write all of a block's; types
	// with a codebook have neither.
	code     func(i int) []codeField
	get, put func(p *parts, block []byte)
	// read and write are for what a block stores besides codes; write need not
	// keep codes.
	read  func(p *parts, block []byte)
	write func(block []byte, p *parts)
}

// parts are a block taken apart.
type parts struct {
	d, dmin uint16    // halves that all runs share
	sc, mn  [16]int32 // what is stored for each run: integers, or the bits of floats
	code    [superBlock]uint8
	point   [superBlock / 8]gridPoint // of types with a codebook, of 8 weights each
}

// codeField is a part of a code: its bits from low on, width of them, are those
// of byte at from shift on.
type codeField struct{ at, shift, width, low int }

// pair is what is stored for a run.
type pair struct{ sc, mn int32 }

// scaleRule says what runs can store and what it stands for.
type scaleRule interface {
	value(p *parts, s pair) (b, a float32)
	// near lists what else could be stored for a run that now has s; fine grows
	// from 0 as the search goes on.
	near(p *parts, s pair, fine int, to []pair) []pair
}

// take reads a block, whose codes are at the fields.
func (l *lattice) take(p *parts, block []byte, fields [][]codeField) {
	l.read(p, block)
	if l.get != nil {
		l.get(p, block)
		return
	}
	for i, list := range fields {
		var c uint8
		for _, f := range list {
			c |= block[f.at] >> f.shift & (1<<f.width - 1) << f.low
		}
		p.code[i] = c
	}
}

// give writes a block.
func (l *lattice) give(block []byte, p *parts, fields [][]codeField) {
	clear(block)
	l.write(block, p)
	if l.put != nil {
		l.put(p, block)
		return
	}
	for i, list := range fields {
		for _, f := range list {
			block[f.at] |= p.code[i] >> f.low & (1<<f.width - 1) << f.shift
		}
	}
}

// fields are those of a block of n weights.
func (l *lattice) fields(n int) [][]codeField {
	if l.code == nil {
		return nil
	}
	all := make([][]codeField, n)
	for i := range all {
		all[i] = l.code(i)
	}
	return all
}

// nibbles are codes of 4 bits in bytes from at on, of which each half of n
// holds those of n/2 weights below those of the next n/2.
func nibbles(at, n int) func(int) []codeField {
	return func(i int) []codeField {
		return []codeField{{at + i/n*(n/2) + i%(n/2), i % n / (n / 2) * 4, 4, 0}}
	}
}

// bitStream are codes one after the other, lowest bit first.
func bitStream(at, width int) func(int) []codeField {
	return func(i int) []codeField {
		bit := i * width
		first := min(width, 8-bit%8)
		f := []codeField{{at + bit/8, bit % 8, first, 0}}
		if first < width {
			f = append(f, codeField{at + bit/8 + 1, 0, width - first, first})
		}
		return f
	}
}

// codeLevels are what codes stand for, by code, and the way back: the code whose
// level is nearest.
type codeLevels struct {
	level   [256]float32
	lo, hi  float32
	nearest func(v float32) uint8
}

// integerLevels are the integers lo..hi, lo having the code first.
func integerLevels(lo, hi, first int32) *codeLevels {
	c := &codeLevels{lo: float32(lo), hi: float32(hi)}
	for q := lo; q <= hi; q++ {
		c.level[uint8(q-lo+first)] = float32(q)
	}
	c.nearest = func(v float32) uint8 {
		q := int32(math.Float32bits(v + magic))
		return uint8(min(max(q, magicBits+lo), magicBits+hi) - magicBits - lo + first)
	}
	return c
}

// tableLevels are those of a table; codes, unless nil, has the code of each.
func tableLevels(l *levels, codes []uint8) *codeLevels {
	t := l.table
	c := &codeLevels{lo: l.lo, hi: l.hi}
	code := make([]uint8, len(t.code))
	for i, n := range t.code {
		code[i] = n
		if codes != nil {
			code[i] = codes[n]
		}
		c.level[code[i]] = t.near[i]
	}
	first, last := magicBits+t.first, magicBits+t.first+int32(len(code)-1)
	c.nearest = func(v float32) uint8 {
		q := int32(math.Float32bits(float32(v*t.res) - 0.5 + magic))
		return code[min(max(q, first), last)-first]
	}
	return c
}

// sharedAffine is the rule of runs with integers 0..most under d and dmin.
type sharedAffine struct{ most int32 }

func (r sharedAffine) value(p *parts, s pair) (b, a float32) {
	return F16ToF32(p.d) * float32(s.sc), -float32(F16ToF32(p.dmin) * float32(s.mn))
}

func (r sharedAffine) near(_ *parts, s pair, _ int, to []pair) []pair {
	for sc := max(s.sc-2, 0); sc <= min(s.sc+2, r.most); sc++ {
		for mn := max(s.mn-2, 0); mn <= min(s.mn+2, r.most); mn++ {
			if sc != s.sc || mn != s.mn {
				to = append(to, pair{sc, mn})
			}
		}
	}
	return to
}

// sharedScale is the rule of runs with an integer lo..hi under d.
type sharedScale struct{ lo, hi int32 }

func (r sharedScale) value(p *parts, s pair) (b, a float32) {
	return F16ToF32(p.d) * float32(s.sc), 0
}

func (r sharedScale) near(_ *parts, s pair, _ int, to []pair) []pair {
	return integersAround(s, 3, r.lo, r.hi, to)
}

// integersAround lists the scales lo..hi up to reach from that of s.
func integersAround(s pair, reach, lo, hi int32, to []pair) []pair {
	for sc := max(s.sc-reach, lo); sc <= min(s.sc+reach, hi); sc++ {
		if sc != s.sc {
			to = append(to, pair{sc, 0})
		}
	}
	return to
}

// ownFloats is the rule of runs with floats of their own: a scale and, if
// affine, a minimum. half is the distance of the outer levels from their middle.
type ownFloats struct {
	kind   *scaleKind
	affine bool
	mid    float32
	half   float32
}

func (r ownFloats) value(_ *parts, s pair) (b, a float32) {
	b = r.kind.value(uint32(s.sc))
	if r.affine {
		a = r.kind.value(uint32(s.mn))
	}
	return b, a
}

// near moves the outer levels and, if affine, all of them by parts of a step.
func (r ownFloats) near(p *parts, s pair, fine int, to []pair) []pair {
	b, a := r.value(p, s)
	unit := math.Float32frombits(uint32(127-fine) << 23)
	moves := [...]float32{0, 0.25, -0.25, 0.5, -0.5}
	shifts := moves[:]
	if !r.affine {
		shifts = shifts[:1]
	}
	for _, f := range moves {
		nb := b + float32(b*(f*unit))/r.half
		for _, g := range shifts {
			q := pair{sc: int32(r.kind.code(nb))}
			if r.affine {
				// The middle stays where it was, but for the shift.
				q.mn = int32(r.kind.code(a + float32((b-nb)*r.mid) + float32(b*(g*unit))))
			}
			vb, va := r.value(p, q)
			if q != s && float32(abs(vb)*(abs(r.mid)+r.half))+abs(va) <= maxFloat {
				to = append(to, q)
			}
		}
	}
	return to
}

// ownByte is the rule of runs with a byte, up to most, that stands for a scale.
type ownByte struct {
	most  int32
	reach int32
	scale func(uint8) float32
}

func (r ownByte) value(_ *parts, s pair) (b, a float32) { return r.scale(uint8(s.sc)), 0 }

func (r ownByte) near(_ *parts, s pair, _ int, to []pair) []pair {
	return integersAround(s, r.reach, 0, r.most, to)
}
