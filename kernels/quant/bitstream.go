package quant

import "encoding/binary"

// A bit stream holds code i of b bits in bits i*b to (i+1)*b, lowest bit
// first. Eight codes fill b bytes.

// packBits writes codes, a multiple of 8 of them, as a bit stream.
func packBits(dst []byte, codes []uint8, bits int) {
	if bits == 8 {
		copy(dst, codes)
		return
	}
	var room [8]byte
	for ; len(codes) >= 8; codes, dst = codes[8:], dst[bits:] {
		var v uint64
		for j, c := range codes[:8] {
			v |= uint64(c) << (bits * j)
		}
		binary.LittleEndian.PutUint64(room[:], v)
		copy(dst[:bits], room[:])
	}
}

// nextEight reads the bits of the first eight codes of a bit stream; what is
// above them is anything.
func nextEight(src []byte, bits int) uint64 {
	if len(src) >= 8 {
		return binary.LittleEndian.Uint64(src)
	}
	var room [8]byte
	copy(room[:], src[:bits])
	return binary.LittleEndian.Uint64(room[:])
}
