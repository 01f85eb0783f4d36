package quant

import "math/bits"

// Codebooks unpacked: each entry is the magnitudes (iq1: the values) of 8 or 4
// neighbouring weights.
var (
	gridIQ2XXS = unpack8(packedIQ2XXS[:], [4]int8{8, 25, 43})
	gridIQ2XS  = unpack8(packedIQ2XS[:], [4]int8{8, 25, 43})
	gridIQ2S   = unpack8(packedIQ2S[:], [4]int8{8, 25, 43})
	gridIQ1S   = unpack8(packedIQ1S[:], [4]int8{-1, 0, 1})
	gridIQ3XXS = unpack4(packedIQ3XXS[:], [8]int8{4, 12, 20, 28, 36, 44, 52, 62})
	gridIQ3S   = unpack4(packedIQ3S[:], [8]int8{1, 3, 5, 7, 9, 11, 13, 15})
)

func unpack8(packed []uint16, level [4]int8) [][8]int8 {
	grid := make([][8]int8, len(packed))
	for i, p := range packed {
		for j := range grid[i] {
			grid[i][j] = level[p>>(2*j)&3]
		}
	}
	return grid
}

func unpack4(packed []uint16, level [8]int8) [][4]int8 {
	grid := make([][4]int8, len(packed))
	for i, p := range packed {
		for j := range grid[i] {
			grid[i][j] = level[p>>(3*j)&7]
		}
	}
	return grid
}

// evenSigns completes 7 stored sign bits with the eighth, which makes the
// number of negative weights even.
func evenSigns(seven uint32) uint8 {
	s := uint8(seven & 127)
	return s | uint8(bits.OnesCount8(s)&1)<<7
}

// signed writes d*magnitude, negated where the sign bit is set.
func signed(dst []float32, d float32, magnitudes []int8, signs uint8) {
	dst = dst[:len(magnitudes)]
	for j, m := range magnitudes {
		v := d * float32(m)
		if signs>>j&1 != 0 {
			v = -v
		}
		dst[j] = v
	}
}
