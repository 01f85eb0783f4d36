package quant

import (
	"encoding/binary"
	"math"
)

// decodePlain makes a Type's Dequantize of a function that reads one number.
func decodePlain(bytes int, get func([]byte) float32) func([]float32, []byte) {
	return func(dst []float32, src []byte) {
		checkDecode(len(dst), len(src), 1, bytes)
		for i := range dst {
			dst[i] = get(src[i*bytes:][:bytes])
		}
	}
}

// encodePlain makes a Type's Quantize of a function that writes plain numbers.
// Magnitudes whose bits reach limit can't be represented.
func encodePlain(name string, bytes int, limit uint32, put func([]byte, []float32)) func([]byte, []float32, Options) error {
	return func(dst []byte, src []float32, opt Options) error {
		if err := checkEncode(name, 1, bytes, dst, src, opt); err != nil {
			return err
		}
		for at := 0; at < len(src); {
			n := min(len(src)-at, unpackPart)
			if n > vectorRun {
				n = n / vectorRun * vectorRun
			}
			part := src[at:][:n]
			if math.Float32bits(part[kernelTop(part)])&0x7fffffff >= limit {
				for i, v := range part {
					if math.Float32bits(v)&0x7fffffff >= limit {
						return &ValueError{name, at + i, v}
					}
				}
			}
			at += n
		}
		put(dst, src)
		return nil
	}
}

func decodeF32(dst []float32, src []byte) {
	checkDecode(len(dst), len(src), 1, 4)
	for len(dst) >= 2 && len(src) >= 8 {
		v := binary.LittleEndian.Uint64(src)
		dst[0] = math.Float32frombits(uint32(v))
		dst[1] = math.Float32frombits(uint32(v >> 32))
		dst, src = dst[2:], src[8:]
	}
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
	}
}

func encodeF32(dst []byte, src []float32) {
	for i, v := range src {
		binary.LittleEndian.PutUint32(dst[4*i:], math.Float32bits(v))
	}
}
