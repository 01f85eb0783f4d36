package quant

// unpackKind numbers the types whose decoders are kernels.
type unpackKind int

const (
	unpackQ4_0 unpackKind = iota
	unpackQ4_1
	unpackQ5_0
	unpackQ5_1
	unpackQ8_0
	unpackIQ4NL
	unpackMXFP4
	unpackQ2K
	unpackQ3K
	unpackQ4K
	unpackQ5K
	unpackQ6K
	unpackBF16
	unpackF16

	unpackKinds
)

// unpackPart is the most weights that a kernel is given at once, so that a call
// is short enough for the scheduler.
const unpackPart = 1 << 15

// decodeVectors is decodeBlocks of a type that may have a kernel.
func decodeVectors(kind unpackKind, block, bytes int, fn func(dst []float32, src []byte)) func([]float32, []byte) {
	plain := decodeBlocks(block, bytes, fn)
	return func(dst []float32, src []byte) {
		checkDecode(len(dst), len(src), block, bytes)
		n := unpackRuns(kind, block, bytes, dst, src)
		plain(dst[n:], src[n/block*bytes:])
	}
}

// unpackRuns decodes with a kernel, if there is one, as many whole blocks as
// there are, and gives the number of weights; src is long enough.
func unpackRuns(kind unpackKind, block, bytes int, dst []float32, src []byte) int {
	kernel, done := use.unpack[kind], 0
	if kernel == nil {
		return 0
	}
	for {
		n := min(len(dst)-done, unpackPart) / block * block
		if n == 0 {
			return done
		}
		kernel(dst[done:][:n], src[done/block*bytes:])
		done += n
	}
}
