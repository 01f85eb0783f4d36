package quant

import (
	"encoding/binary"
	"fmt"
	"math"
)

// F16ToF32 widens an IEEE half; exact, NaN stays NaN.
func F16ToF32(h uint16) float32 {
	// As a float32 the shifted bits are the value times 2^-112, denormals too.
	u := math.Float32bits(math.Float32frombits(uint32(h&0x7fff)<<13) * 0x1p112)
	if h&0x7c00 == 0x7c00 {
		u = 0x7f800000 | uint32(h&0x3ff)<<13
	}
	return math.Float32frombits(u | uint32(h&0x8000)<<16)
}

// F32ToF16 rounds to the nearest IEEE half, ties to even. Magnitudes of 65520
// and more become infinite.
func F32ToF16(f float32) uint16 {
	u := math.Float32bits(f)
	sign := uint16(u >> 16 & 0x8000)
	u &= 0x7fffffff
	switch {
	case u > 0x7f800000:
		return sign | 0x7e00 | uint16(u>>13&0x1ff)
	case u >= 0x47800000:
		return sign | 0x7c00
	case u < 0x38800000:
		// Denormal: adding 0.5 leaves the wanted bits, rounded, at the bottom.
		return sign | uint16(math.Float32bits(math.Float32frombits(u)+0.5)-0x3f000000)
	}
	return sign | uint16((u-0x38000000+0xfff+(u>>13&1))>>13)
}

// BF16ToF32 widens a bfloat16; exact.
func BF16ToF32(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }

// F32ToBF16 rounds to the nearest bfloat16, ties to even; NaN stays NaN.
func F32ToBF16(f float32) uint16 {
	u := math.Float32bits(f)
	if u&0x7fffffff > 0x7f800000 {
		return uint16(u>>16) | 0x40
	}
	return uint16((u + 0x7fff + (u >> 16 & 1)) >> 16)
}

// DecodeF16 widens len(dst) little-endian halves.
func DecodeF16(dst []float32, src []byte) {
	src = sized(src, 2*len(dst))
	n := unpackRuns(unpackF16, vectorRun, 2*vectorRun, dst, src)
	dst, src = dst[n:], src[2*n:]
	for len(dst) >= 4 && len(src) >= 8 {
		h := binary.LittleEndian.Uint64(src)
		if (h&0x7c007c007c007c00+0x0400040004000400)&0x8000800080008000 != 0 {
			// There is an infinity or a NaN, to be told from other numbers.
			for i := range dst[:4] {
				dst[i] = F16ToF32(uint16(h >> (16 * i)))
			}
		} else {
			dst[0] = finiteHalf(uint16(h))
			dst[1] = finiteHalf(uint16(h >> 16))
			dst[2] = finiteHalf(uint16(h >> 32))
			dst[3] = finiteHalf(uint16(h >> 48))
		}
		dst, src = dst[4:], src[8:]
	}
	for i := range dst {
		dst[i] = F16ToF32(binary.LittleEndian.Uint16(src[2*i:]))
	}
}

// finiteHalf is F16ToF32 of a number that is finite: as float32 the shifted
// bits are the value times 2^-112, denormals too.
func finiteHalf(h uint16) float32 {
	return math.Float32frombits(uint32(int32(int16(h))<<13)&0x8fffffff) * 0x1p112
}

// EncodeF16 rounds every weight as F32ToF16 does; dst takes 2 bytes a weight.
func EncodeF16(dst []byte, src []float32) {
	packRuns(use.packF16, packF16, sized(dst, 2*len(src)), src)
}

func packF16(dst []byte, src []float32) {
	for i, v := range src {
		binary.LittleEndian.PutUint16(dst[2*i:], F32ToF16(v))
	}
}

// packRuns leaves runs of 16 weights to a kernel, the rest to rest.
func packRuns(kernel, rest func(dst []byte, src []float32), dst []byte, src []float32) {
	for len(src) >= vectorRun {
		n := min(len(src), unpackPart) / vectorRun * vectorRun
		kernel(dst, src[:n])
		dst, src = dst[2*n:], src[n:]
	}
	rest(dst, src)
}

// DecodeBF16 widens len(dst) little-endian bfloat16s.
func DecodeBF16(dst []float32, src []byte) {
	src = sized(src, 2*len(dst))
	n := unpackRuns(unpackBF16, vectorRun, 2*vectorRun, dst, src)
	dst, src = dst[n:], src[2*n:]
	for len(dst) >= 4 && len(src) >= 8 {
		h := binary.LittleEndian.Uint64(src)
		dst[0] = math.Float32frombits(uint32(h) << 16)
		dst[1] = math.Float32frombits(uint32(h) & 0xffff0000)
		dst[2] = math.Float32frombits(uint32(h>>32) << 16)
		dst[3] = math.Float32frombits(uint32(h>>32) & 0xffff0000)
		dst, src = dst[4:], src[8:]
	}
	for i := range dst {
		dst[i] = BF16ToF32(binary.LittleEndian.Uint16(src[2*i:]))
	}
}

// EncodeBF16 rounds every weight as F32ToBF16 does; dst takes 2 bytes a weight.
func EncodeBF16(dst []byte, src []float32) {
	packRuns(use.packBF16, packBF16, sized(dst, 2*len(src)), src)
}

func packBF16(dst []byte, src []float32) {
	for i, v := range src {
		binary.LittleEndian.PutUint16(dst[2*i:], F32ToBF16(v))
	}
}

// sized is b[:n] with a clear message where b is too short, which is a bug of
// the caller.
func sized(b []byte, n int) []byte {
	if len(b) < n {
		panic(fmt.Sprintf("quant: %d bytes where %d are needed", len(b), n))
	}
	return b[:n]
}

// half reads a little-endian IEEE half.
func half(b []byte) float32 { return F16ToF32(binary.LittleEndian.Uint16(b)) }

func getHalf(b []byte) uint16 { return binary.LittleEndian.Uint16(b) }

func putHalf(b []byte, h uint16) { binary.LittleEndian.PutUint16(b, h) }
