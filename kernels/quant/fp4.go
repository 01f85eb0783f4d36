package quant

import "math"

// fp4Values are the 16 codes of E2M1, doubled so that they are integers; the
// scales of mxfp4 and nvfp4 are halved in turn, as in ggml.
var fp4Values = [16]float32{0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12}

// fp4Levels are the distinct values in ascending order.
var fp4Levels = newLevels(2, []float32{-12, -8, -6, -4, -3, -2, -1, 0, 1, 2, 3, 4, 6, 8, 12})

// fp4ByLevel are E2M1 codes by level.
var fp4ByLevel = [15]uint8{15, 14, 13, 12, 11, 10, 9, 0, 1, 2, 3, 4, 5, 6, 7}

// fp4Codes are E2M1 codes by what rounds to a level.
var fp4Codes = func() []uint8 {
	codes := make([]uint8, len(fp4Levels.table.code))
	for i, l := range fp4Levels.table.code {
		codes[i] = fp4ByLevel[l]
	}
	return codes
}()

// encodeFP4 writes x times inv as E2M1 codes: byte j holds code j below code
// j + len(x)/2.
func encodeFP4(dst []byte, x []float32, inv float32) {
	t := fp4Levels.table
	lo, hi := magicBits+t.first, magicBits+t.first+int32(len(fp4Codes)-1)
	inv *= t.res
	n := len(x) / 2
	dst = dst[:n]
	low, high := x[:n], x[n:][:n]
	for j, v := range low {
		a := int32(math.Float32bits(float32(v*inv) - 0.5 + magic))
		b := int32(math.Float32bits(float32(high[j]*inv) - 0.5 + magic))
		dst[j] = fp4Codes[min(max(a, lo), hi)-lo] | fp4Codes[min(max(b, lo), hi)-lo]<<4
	}
}
