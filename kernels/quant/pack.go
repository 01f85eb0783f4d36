package quant

import "encoding/binary"

// Codes are packed eight at a time, a byte of a word each.

func word(b []uint8) uint64 { return binary.LittleEndian.Uint64(b) }

func putWord(b []uint8, w uint64) { binary.LittleEndian.PutUint64(b, w) }

// everyByte repeats a byte.
const everyByte = 0x0101010101010101

// packNibbles writes codes below 16: byte j holds code j below code
// j + len(codes)/2; len(codes) is a multiple of 16.
func packNibbles(dst, codes []uint8) {
	n := len(codes) / 2
	for j := 0; j < n; j += 8 {
		putWord(dst[j:], word(codes[j:])|word(codes[n+j:])<<4)
	}
}

// packLowNibbles is packNibbles of the low four bits of codes.
func packLowNibbles(dst, codes []uint8) {
	n := len(codes) / 2
	for j := 0; j < n; j += 8 {
		putWord(dst[j:], word(codes[j:])&(15*everyByte)|word(codes[n+j:])&(15*everyByte)<<4)
	}
}

// packPairs writes the low two bits of 256 codes: the 8 runs of 32 are bit
// pairs 0..3 of the first, then of the second 32 bytes.
func packPairs(dst []uint8, codes *[superBlock]uint8) {
	for part := range 2 {
		for j := 0; j < 32; j += 8 {
			c := codes[128*part+j:]
			const pair = 3 * everyByte
			putWord(dst[32*part+j:], word(c)&pair|word(c[32:])&pair<<2|word(c[64:])&pair<<4|word(c[96:])&pair<<6)
		}
	}
}

// packBit writes a bit of 256 codes: run j of 32 is bit j of 32 bytes.
func packBit(dst []uint8, codes *[superBlock]uint8, bit int) {
	for j := 0; j < 32; j += 8 {
		var w uint64
		for run := range 8 {
			w |= word(codes[32*run+j:]) >> bit & everyByte << run
		}
		putWord(dst[j:], w)
	}
}

// packFifthBits writes bit 4 of 32 codes, code j at bit j.
func packFifthBits(dst, codes []uint8) {
	var high uint32
	for j := 0; j < 32; j += 8 {
		// The product moves bit 0 of byte i to bit i of the highest byte.
		high |= uint32(word(codes[j:])>>4&everyByte*0x0102040810204080>>56) << j
	}
	binary.LittleEndian.PutUint32(dst, high)
}
