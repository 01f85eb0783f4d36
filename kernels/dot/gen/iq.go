package main

import (
	"fmt"
	mathbits "math/bits"
	"os"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	. "github.com/mmcloughlin/avo/reg"
)

// The IQ types, in AVX-512: codebooks are looked up byte by byte, 64 codewords
// at once, in tables of 128 bytes a VPERMT2B. An entry is two bytes: of four
// 2-bit codes each, or, where it is four codes, of two nibbles each.

// book is a codebook in such tables.
type book struct {
	name   string
	bytes  [2][]uint8 // by codeword
	levels []uint8    // magnitudes by code
}

func newBook(name string, packed []uint16, four bool, levels ...uint8) *book {
	b := &book{name: name, levels: levels}
	for _, p := range packed {
		low, high := uint8(p), uint8(p>>8)
		if four {
			low, high = uint8(p&7|p>>3&7<<4), uint8(p>>6&7|p>>9&7<<4)
		}
		b.bytes[0], b.bytes[1] = append(b.bytes[0], low), append(b.bytes[1], high)
	}
	return b
}

// look gives byte part of the entries of codewords: the low 8 bits of their
// numbers are bytes of v, the others make the masks in upper, lowest first.
func (b *book) look(part int, v VecVirtual, upper ...VecVirtual) VecVirtual {
	table := func(i int) Mem {
		return constant(fmt.Sprintf("%s_%d_%d", b.name, part, i), b.bytes[part][64*i:][:64]...)
	}
	picks := []Op{K()}
	VPMOVB2M(v, picks[0])
	for _, u := range upper {
		k := K()
		VPTESTMB(everyByte(1), u, k)
		picks = append(picks, k)
	}
	// search gives what is found in 1<<level times 128 bytes from table i on.
	var search func(i, level int) VecVirtual
	search = func(i, level int) VecVirtual {
		if level < 0 {
			r := ZMM()
			VMOVDQU64(v, r)
			VPERMI2B(table(i+1), load(table(i)), r)
			return r
		}
		lower := search(i, level-1)
		VMOVDQU8(search(i+2<<level, level-1), picks[level], lower)
		return lower
	}
	return search(0, len(upper))
}

// lookUpper looks for both bytes of entries of which upper has three more bits.
func (b *book) lookUpper(v, upper VecVirtual) (low, high VecVirtual) {
	second, third := bits(upper, 1, 1, 0), bits(upper, 2, 1, 0)
	return b.look(0, v, upper, second, third), b.look(1, v, upper, second, third)
}

// shifted is a table of -8, 0 and 8 plus one, then less one, plus 64, over and
// over.
func (b *book) shifted() VecVirtual {
	var t []uint8
	for i := range 64 {
		t = append(t, uint8(64+8*(min(i%4, 2)-1)+1-i/4%2*2))
	}
	return load(constant(b.name+"Shifted", t...))
}

// values is a table of magnitudes, then of them with a minus, plus 64, over and
// over: what bits above the sign are does not matter.
func (b *book) values(codes int) VecVirtual {
	var t []uint8
	for i := range 64 {
		m := uint8(0)
		if c := i % codes; c < len(b.levels) {
			m = b.levels[c]
		}
		if i/codes%2 == 1 {
			m = -m
		}
		t = append(t, 64+m)
	}
	return load(constant(b.name+"Values", t...))
}

// signedCodes picks values by codes in the low bits of x, as mask says, and a
// sign in the bit above in s.
func signedCodes(x, s, mask, values VecVirtual) VecVirtual {
	VPTERNLOGD(Imm(0xe2), s, mask, x) // x where the mask is, else s
	VPERMB(values, x, x)
	return x
}

// bitsAt is bits of words, from bit first on, as bytes step bits apart; before
// the first bit there is anything.
func bitsAt(v VecVirtual, first, step int) VecVirtual { return eights(v, (first+64)%64, step) }

// eightCodes makes the eight quads of a run of 32 weights of codes of 2 bits,
// of four codewords' bytes and, in bit 2, the sign of quad i.
func eightCodes(at int, low, high, mask, values VecVirtual, sign func(i int) VecVirtual, quad func(int, VecVirtual)) {
	for i := range 8 {
		x := []VecVirtual{low, high}[i%2]
		quad(at+i, signedCodes(bitsAt(x, i/2*8, 2), sign(i), mask, values))
	}
}

// signBits are those of a run in words.
func signBits(signs VecVirtual) func(i int) VecVirtual {
	return func(i int) VecVirtual { return bitsAt(signs, 4*i-2, 1) }
}

// fourCodes makes four quads of codes in nibbles, of four codewords' bytes and
// sign bits from bit first on.
func (b *book) fourCodes(at int, low, high, signs VecVirtual, first int, mask, values VecVirtual, quad func(int, VecVirtual)) {
	a, c := ZMM(), ZMM()
	VPUNPCKLBW(high, low, a) // two rows' four entries in a lane
	VPUNPCKHBW(high, low, c)
	for i := 0; i < 4; i += 2 {
		var ctrl []uint8
		for j := range 16 {
			ctrl = append(ctrl, uint8(16*i+4*(j%8)))
		}
		order := load(spread(fmt.Sprintf("entries%d", i), ctrl))
		m, n := ZMM(), ZMM()
		VPMULTISHIFTQB(a, order, m)
		VPMULTISHIFTQB(c, order, n)
		for j, words := range []uint64{0x88, 0xdd} {
			x := ZMM()
			VSHUFPS(Imm(words), n, m, x)
			quad(at+i+j, signedCodes(x, bitsAt(signs, first+4*(i+j)-3, 1), mask, values))
		}
	}
}

// evenSigns completes bytes of 7 sign bits, whatever their top bits are.
func evenSigns(v VecVirtual) VecVirtual {
	var t []uint8
	for i := range 128 {
		t = append(t, uint8(i|mathbits.OnesCount8(uint8(i))%2<<7))
	}
	r := ZMM()
	VMOVDQU64(v, r)
	VPERMI2B(constant("evenSigns1", t[64:]...), load(constant("evenSigns0", t[:64]...)), r)
	return r
}

// odd is 2v+1 of bytes.
func odd(v VecVirtual) VecVirtual {
	VPADDB(v, v, v)
	VPADDB(everyByte(1), v, v)
	return v
}

// oddNibbles makes odd scales of the nibbles of words: eight of each.
func oddNibbles(words ...VecVirtual) (sc []VecVirtual) {
	nibble := everyByte(15)
	for _, w := range words {
		for i := range 2 {
			sc = append(sc, odd(and(nibble, eights(w, 16*i, 4))))
		}
	}
	return sc
}

// oddTops makes odd scales of the top nibbles of words, four in a word.
func oddTops(words ...VecVirtual) (sc []VecVirtual) {
	for i, w := range words {
		r := ZMM()
		VPSRLD(Imm(28), w, r)
		if i%4 > 0 {
			VPSLLD(Imm(uint64(8*(i%4))), r, r)
			r = or(r, sc[i/4])
			sc[i/4] = r
		} else {
			sc = append(sc, r)
		}
	}
	for i := range sc {
		sc[i] = odd(sc[i])
	}
	return sc
}

// iqHeads are those of a block that begins with d, of which factor is taken.
func iqHeads(p *panel, factor uint32, sc []VecVirtual) heads {
	return factorHeads(halfFloats(p.firstWord(0)), factor, sc)
}

func factorHeads(d VecVirtual, factor uint32, sc []VecVirtual) heads {
	VMULPS(everyWord(factor), d, d)
	return signedHeads(d, sc, 6)
}

const eighth, quarter, whole = 0x3e000000, 0x3e800000, 0x3f800000

func iqTypes(packed map[string][]uint16) []*superType {
	type read = func(p *panel) (func() heads, func(func(int, VecVirtual)))
	iq2 := []uint8{8, 25, 43}
	xxs2, xs2, s2 := newBook("iq2xxs", packed["IQ2XXS"], false, iq2...), newBook("iq2xs", packed["IQ2XS"], false, iq2...), newBook("iq2s", packed["IQ2S"], false, iq2...)
	xxs3 := newBook("iq3xxs", packed["IQ3XXS"], true, 4, 12, 20, 28, 36, 44, 52, 62)
	s3 := newBook("iq3s", packed["IQ3S"], true, 1, 3, 5, 7, 9, 11, 13, 15)
	s1 := newBook("iq1s", packed["IQ1S"], false)
	return []*superType{
		{name: "IQ1S", bytes: 50, group: 32, begin: read(func(p *panel) (func() heads, func(func(int, VecVirtual))) {
			mask, values := everyByte(3), s1.shifted()
			var words [4]VecVirtual // of two runs' 16 bits each
			return func() heads {
					words = p.words(34)
					two := everyWord(0x0707)
					var sc []VecVirtual
					for i := range 2 {
						low, high := and(two, eights(words[2*i], 12, 16)), and(two, eights(words[2*i+1], 12, 16))
						VPSLLD(Imm(16), high, high)
						sc = append(sc, odd(or(low, high)))
					}
					return iqHeads(p, eighth, sc)
				}, func(quad func(int, VecVirtual)) {
					for i := range 2 {
						for j, v := range p.words(2 + 16*i) {
							run := 4*i + j
							w, minus := words[run/2], ZMM()
							VPSLLD(Imm(uint64(16-run%2*16)), w, minus)
							VPSRAD(Imm(31), minus, minus)
							low, high := s1.lookUpper(v, eights(w, run%2*16, 3))
							eightCodes(8*run, low, high, mask, values, func(int) VecVirtual { return minus }, quad)
						}
					}
				}
		})},
		{name: "IQ1M", bytes: 56, group: 16, begin: read(func(p *panel) (func() heads, func(func(int, VecVirtual))) {
			mask, values := everyByte(3), s1.shifted()
			return func() heads {
					w := p.words(40)
					three := everyByte(7)
					var sc []VecVirtual
					for i := range 4 {
						sc = append(sc, odd(and(three, eights(w[2+i/2], i%2*16, 3))))
					}
					// d is in the top nibbles of four times 16 bits.
					var d VecVirtual
					for i, shift := range []uint64{12, 24, 4, 16} {
						nibble := ZMM()
						VPSRLD(Imm(shift), w[2+i/2], nibble)
						nibble = and(everyWord(15<<(4*i)), nibble)
						if d != nil {
							nibble = or(d, nibble)
						}
						d = nibble
					}
					return factorHeads(halfFloats(d), eighth, sc)
				}, func(quad func(int, VecVirtual)) {
					upper := p.words(32)
					for i := range 2 {
						for j, v := range p.words(16 * i) {
							run := 4*i + j
							nibbles := eights(upper[run/2], run%2*16, 4)
							low, high := s1.lookUpper(v, nibbles)
							eightCodes(8*run, low, high, mask, values, func(i int) VecVirtual { return bitsAt(nibbles, i/2*8+1, 0) }, quad)
						}
					}
				}
		})},
		{name: "IQ2XXS", bytes: 66, group: 32, begin: read(func(p *panel) (func() heads, func(func(int, VecVirtual))) {
			mask, values := everyByte(3), xxs2.values(4)
			var w []VecVirtual
			return func() heads {
					w = nil
					for i := range 4 {
						v := p.words(2 + 16*i)
						w = append(w, v[:]...)
					}
					return iqHeads(p, eighth, oddTops(w[1], w[3], w[5], w[7], w[9], w[11], w[13], w[15]))
				}, func(quad func(int, VecVirtual)) {
					for run := range 8 {
						v, signs := w[2*run], evenSigns(eights(w[2*run+1], 0, 7))
						eightCodes(8*run, xxs2.look(0, v), xxs2.look(1, v), mask, values, signBits(signs), quad)
					}
				}
		})},
		{name: "IQ2XS", bytes: 74, group: 16, begin: read(func(p *panel) (func() heads, func(func(int, VecVirtual))) {
			mask, values := everyByte(3), xs2.values(4)
			return func() heads {
					w := p.words(58)
					return iqHeads(p, eighth, oddNibbles(w[2], w[3]))
				}, func(quad func(int, VecVirtual)) {
					for i := range 4 {
						w := p.words(2 + 16*i)
						for j := range 2 {
							low, high := deal(w[2*j], w[2*j+1], 0), deal(w[2*j], w[2*j+1], 1)
							signs := evenSigns(bits(high, 1, 7, 0))
							eightCodes(16*i+8*j, xs2.look(0, low, high), xs2.look(1, low, high), mask, values, signBits(signs), quad)
						}
					}
				}
		})},
		{name: "IQ2S", bytes: 82, group: 16, begin: read(func(p *panel) (func() heads, func(func(int, VecVirtual))) {
			mask, values := everyByte(3), s2.values(4)
			var upper []Op
			return func() heads {
					w := p.words(66)
					upper = []Op{w[0], w[1]}
					return iqHeads(p, eighth, oddNibbles(w[2], w[3]))
				}, func(quad func(int, VecVirtual)) {
					for i := range 2 {
						signs := p.words(34 + 16*i)
						for j, v := range p.words(2 + 16*i) {
							ninth := eights(upper[i].(VecVirtual), 8*j, 2)
							tenth := bits(ninth, 1, 1, 0)
							eightCodes(32*i+8*j, s2.look(0, v, ninth, tenth), s2.look(1, v, ninth, tenth), mask, values, signBits(signs[j]), quad)
						}
					}
				}
		})},
		{name: "IQ3XXS", bytes: 98, group: 32, begin: read(func(p *panel) (func() heads, func(func(int, VecVirtual))) {
			mask, values := everyByte(7), xxs3.values(8)
			var words []VecVirtual
			return func() heads {
					a, b := p.words(66), p.words(82)
					words = append(a[:], b[:]...)
					return iqHeads(p, quarter, oddTops(words...))
				}, func(quad func(int, VecVirtual)) {
					for i := range 4 {
						w := p.words(2 + 16*i)
						for j := range 2 {
							signs := evenSigns(eights(words[2*i+j], 0, 7))
							for k, v := range w[2*j : 2*j+2] {
								xxs3.fourCodes(16*i+8*j+4*k, xxs3.look(0, v), xxs3.look(1, v), signs, 16*k, mask, values, quad)
							}
						}
					}
				}
		})},
		{name: "IQ3S", bytes: 110, group: 32, begin: read(func(p *panel) (func() heads, func(func(int, VecVirtual))) {
			mask, values := everyByte(7), s3.values(8)
			var upper, signs []VecVirtual
			return func() heads {
					a, b, c := p.words(66), p.words(82), p.words(94)
					upper = []VecVirtual{a[0], a[1]}
					signs = []VecVirtual{a[2], a[3], b[0], b[1], b[2], b[3], c[1], c[2]}
					return iqHeads(p, whole, oddNibbles(c[3]))
				}, func(quad func(int, VecVirtual)) {
					for i := range 4 {
						w := p.words(2 + 16*i)
						for j := range 2 {
							run := 2*i + j
							for k, v := range w[2*j : 2*j+2] {
								ninth := eights(upper[run/4], run%4*8+4*k, 1)
								s3.fourCodes(8*run+4*k, s3.look(0, v, ninth), s3.look(1, v, ninth), signs[run], 16*k, mask, values, quad)
							}
						}
					}
				}
		})},
	}
}

// deal takes byte part of each of the four 16-bit words in a and b.
func deal(a, b VecVirtual, part uint8) VecVirtual {
	r, u := ZMM(), ZMM()
	var low, high []uint8
	for i := range uint8(16) {
		from, none := i/4*4+i%2*2+part, uint8(0x80)
		if i%4 < 2 {
			low, high = append(low, from), append(high, none)
		} else {
			low, high = append(low, none), append(high, from)
		}
	}
	VPSHUFB(spread(fmt.Sprintf("dealLow%d", part), low), a, r)
	VPSHUFB(spread(fmt.Sprintf("dealHigh%d", part), high), b, u)
	return or(u, r)
}

// codebooks reads those of package quant, which are generated too.
func codebooks(file string) (map[string][]uint16, error) {
	source, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	books := map[string][]uint16{}
	for _, m := range regexp.MustCompile(`var packed(\w+) = \[\.\.\.\]uint16\{([^}]*)\}`).FindAllStringSubmatch(string(source), -1) {
		for _, field := range strings.FieldsFunc(m[2], func(r rune) bool { return r == ',' || unicode.IsSpace(r) }) {
			v, err := strconv.ParseUint(field, 0, 16)
			if err != nil {
				return nil, fmt.Errorf("%s: packed%s: %w", file, m[1], err)
			}
			books[m[1]] = append(books[m[1]], uint16(v))
		}
	}
	return books, nil
}
