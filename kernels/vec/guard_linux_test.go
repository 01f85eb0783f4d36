package vec

import (
	"os"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// guarded gives n bytes behind which is no memory.
func guarded(t *testing.T, n int) []byte {
	page := os.Getpagesize()
	size := (n + page - 1) / page * page
	mem, err := syscall.Mmap(-1, 0, size+page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, syscall.Munmap(mem)) })
	require.NoError(t, syscall.Mprotect(mem[size:], syscall.PROT_NONE))
	return mem[size-n : size : size]
}

// TestReadsNothingBeyond: a read beyond keys or values would end the test.
func TestReadsNothingBeyond(t *testing.T) {
	eachKernels(t, func(t *testing.T, k *kernels) {
		for _, q := range kvTypes(t) {
			for _, dim := range []int{32, 64, 96, 128} {
				for _, tokens := range []int{1, 3, 4, 33} {
					size := int(q.RowBytes(int64(dim)))
					for _, stride := range []int{0, size + 7} {
						rows := Rows{Type: q, Dim: dim, Stride: stride}
						rows.Data = guarded(t, (tokens-1)*max(stride, size)+size)
						floats := guarded(t, 4*(4*dim+4*tokens))
						x := unsafe.Slice((*float32)(unsafe.Pointer(&floats[0])), len(floats)/4)
						scores, query := x[:4*tokens], x[4*tokens:]
						var w Workspace
						w.Dots(scores, tokens, query, 4, rows, tokens)
						w.Dots(scores, tokens, query[3*dim:], 1, rows, tokens)
						w.WeightedSum(query, scores, tokens, 4, rows, tokens)
					}
				}
			}
		}
	})
}
