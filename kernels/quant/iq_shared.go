package quant

import (
	"math"
	"math/bits"
)

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

// signed8 writes d*magnitude, negated where the sign bit is set.
func signed8(dst []float32, d float32, m *[8]int8, signs uint8) {
	y, s := (*[8]float32)(dst), uint32(signs)
	y[0] = flip(d*float32(m[0]), s<<31)
	y[1] = flip(d*float32(m[1]), s<<30)
	y[2] = flip(d*float32(m[2]), s<<29)
	y[3] = flip(d*float32(m[3]), s<<28)
	y[4] = flip(d*float32(m[4]), s<<27)
	y[5] = flip(d*float32(m[5]), s<<26)
	y[6] = flip(d*float32(m[6]), s<<25)
	y[7] = flip(d*float32(m[7]), s<<24)
}

func signed4(dst []float32, d float32, m *[4]int8, signs uint8) {
	y, s := (*[4]float32)(dst), uint32(signs)
	y[0] = flip(d*float32(m[0]), s<<31)
	y[1] = flip(d*float32(m[1]), s<<30)
	y[2] = flip(d*float32(m[2]), s<<29)
	y[3] = flip(d*float32(m[3]), s<<28)
}

// flip turns the sign of v where the top bit is set.
func flip(v float32, bit uint32) float32 {
	return math.Float32frombits(math.Float32bits(v) ^ bit&(1<<31))
}
