package quant

import "slices"

// Codebook gives a copy of the codebook of an IQ type, packed: an entry is 8
// codes of 2 bits, or of the iq3 types 4 codes of 3 bits, the first in the
// lowest. levels are what codes stand for; those of the iq1 types have a sign.
// It is nil for types without one.
func Codebook(name string) (entries []uint16, levels []int8) {
	switch name {
	case "iq1_s", "iq1_m":
		return slices.Clone(packedIQ1S[:]), []int8{-1, 0, 1}
	case "iq2_xxs":
		return slices.Clone(packedIQ2XXS[:]), []int8{8, 25, 43}
	case "iq2_xs":
		return slices.Clone(packedIQ2XS[:]), []int8{8, 25, 43}
	case "iq2_s":
		return slices.Clone(packedIQ2S[:]), []int8{8, 25, 43}
	case "iq3_xxs":
		return slices.Clone(packedIQ3XXS[:]), []int8{4, 12, 20, 28, 36, 44, 52, 62}
	case "iq3_s":
		return slices.Clone(packedIQ3S[:]), []int8{1, 3, 5, 7, 9, 11, 13, 15}
	}
	return nil, nil
}
