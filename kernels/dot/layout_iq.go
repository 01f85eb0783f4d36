package dot

import (
	"encoding/binary"
	"math/bits"

	"github.com/llama-pajamas/pj/kernels/quant"
)

// The IQ types as integers: magnitudes of a codebook with signs, times odd
// scales; d takes the power of two that makes them odd integers. Codes are
// values plus iqZero.
const iqZero = 64

// gridOf unpacks a type's codebook: entries of width values.
func gridOf(name string, width int) (grid [][]int8) {
	packed, levels := quant.Codebook(name)
	for _, p := range packed {
		entry := make([]int8, width)
		for j := range entry {
			if width == 8 {
				entry[j] = levels[p>>(2*j)&3]
			} else {
				entry[j] = levels[p>>(3*j)&7]
			}
		}
		grid = append(grid, entry)
	}
	return grid
}

var (
	gridIQ1S   = gridOf("iq1_s", 8)
	gridIQ2XXS = gridOf("iq2_xxs", 8)
	gridIQ2XS  = gridOf("iq2_xs", 8)
	gridIQ2S   = gridOf("iq2_s", 8)
	gridIQ3XXS = gridOf("iq3_xxs", 4)
	gridIQ3S   = gridOf("iq3_s", 4)
)

// putSigned writes magnitudes, negated where the sign bit is set.
func putSigned(q []uint8, magnitudes []int8, signs uint8) {
	for j, m := range magnitudes {
		if signs>>j&1 != 0 {
			m = -m
		}
		q[j] = uint8(iqZero + int(m))
	}
}

// evenSigns completes 7 sign bits with one that makes their number even.
func evenSigns(seven uint32) uint8 {
	s := uint8(seven & 127)
	return s | uint8(bits.OnesCount8(s)&1)<<7
}

func unpackIQ2XXS(u *unit, b []byte) {
	u.d = half(b) * 0.125
	for run := range 8 {
		at := b[2+8*run:][:8]
		word := binary.LittleEndian.Uint32(at[4:])
		u.sc[run] = int32(word>>28)*2 + 1
		for l := range 4 {
			putSigned(u.q[32*run+8*l:], gridIQ2XXS[at[l]], evenSigns(word>>(7*l)))
		}
	}
}

func unpackIQ2XS(u *unit, b []byte) {
	u.d = half(b) * 0.125
	for i := range 32 {
		word := uint32(binary.LittleEndian.Uint16(b[2+2*i:]))
		u.sc[i/2] = int32(b[66+i/4]>>(i/2%2*4)&15)*2 + 1
		putSigned(u.q[8*i:], gridIQ2XS[word&511], evenSigns(word>>9))
	}
}

func unpackIQ2S(u *unit, b []byte) {
	u.d = half(b) * 0.125
	low, signs, high, scales := b[2:34], b[34:66], b[66:74], b[74:82]
	for i := range 32 {
		word := int(low[i]) | int(high[i/4]>>(i%4*2)&3)<<8
		u.sc[i/2] = int32(scales[i/4]>>(i/2%2*4)&15)*2 + 1
		putSigned(u.q[8*i:], gridIQ2S[word], signs[i])
	}
}

func unpackIQ3XXS(u *unit, b []byte) {
	u.d = half(b) * 0.25
	for run := range 8 {
		codewords := b[2+8*run:][:8]
		word := binary.LittleEndian.Uint32(b[66+4*run:])
		u.sc[run] = int32(word>>28)*2 + 1
		for l := range 4 {
			signs, q := evenSigns(word>>(7*l)), u.q[32*run+8*l:]
			putSigned(q, gridIQ3XXS[codewords[2*l]], signs)
			putSigned(q[4:], gridIQ3XXS[codewords[2*l+1]], signs>>4)
		}
	}
}

func unpackIQ3S(u *unit, b []byte) {
	u.d = half(b)
	low, high, signs, scales := b[2:66], b[66:74], b[74:106], b[106:110]
	for i := range 64 {
		word := int(low[i]) | int(high[i/8]>>(i%8)&1)<<8
		u.sc[i/8] = int32(scales[i/16]>>(i/8%2*4)&15)*2 + 1
		putSigned(u.q[4*i:], gridIQ3S[word], signs[i/2]>>(i%2*4))
	}
}

func unpackIQ1S(u *unit, b []byte) {
	u.d = half(b) * 0.125
	for run := range 8 {
		word := binary.LittleEndian.Uint16(b[34+2*run:])
		u.sc[run] = int32(word>>12&7)*2 + 1
		for l := range 4 {
			putShifted(u.q[32*run+8*l:], int(b[2+4*run+l])|int(word>>(3*l)&7)<<8, word>>15 != 0)
		}
	}
}

// putShifted writes eight times the values of a codeword, plus or minus 1.
func putShifted(q []uint8, codeword int, minus bool) {
	shift := 1
	if minus {
		shift = -1
	}
	for j, v := range gridIQ1S[codeword] {
		q[j] = uint8(iqZero + 8*int(v) + shift)
	}
}

func unpackIQ1M(u *unit, b []byte) {
	var scales [4]uint16
	var h uint16
	for i := range scales {
		scales[i] = binary.LittleEndian.Uint16(b[48+2*i:])
		h |= scales[i] >> 12 << (4 * i)
	}
	u.d = quant.F16ToF32(h) * 0.125
	for i := range 32 {
		nibble := b[32+i/2] >> (i % 2 * 4)
		u.sc[i/2] = int32(scales[i/8]>>(i/2%4*3)&7)*2 + 1
		putShifted(u.q[8*i:], int(b[i])|int(nibble&7)<<8, nibble&8 != 0)
	}
}

// The ternary types are -1, 0 and 1 with one scale.
func unpackTQ2(u *unit, b []byte) {
	u.d = half(b[64:])
	unpackPairs(u, b)
	u.sc = allOnes
}

var allOnes = [16]int32{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}

// unpackTQ1 has ternary digits as codes.
func unpackTQ1(u *unit, b []byte) {
	u.d = half(b[52:])
	u.sc = allOnes
	quant.TQ1Codes(&u.q, b)
}
