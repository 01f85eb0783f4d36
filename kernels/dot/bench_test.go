package dot

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/kernels/quant"
)

// benchBytes is beyond any cache.
const benchBytes = 160 << 20

// benchMatrix repeats some random rows of 2048 weights up to so many bytes.
func benchMatrix(b *testing.B, q *quant.Type, size int) (w []byte, rows int) {
	r := rand.New(rand.NewPCG(11, 12))
	some := matrix(b, r, q, RowStep, 2048)
	rows = size / len(some) * RowStep
	w = make([]byte, 0, rows/RowStep*len(some))
	for range rows / RowStep {
		w = append(w, some...)
	}
	return w, rows
}

// BenchmarkOne multiplies a matrix that no cache holds with one vector, a
// megabyte at a time, and reads as much of it plainly in turn. It
// reports the speed of the faster quarter of these, which a busy machine
// disturbs least, and the share of that of reading.
func BenchmarkOne(b *testing.B) {
	for _, q := range weightTypes() {
		b.Run(q.Name, func(b *testing.B) {
			w, rows := benchMatrix(b, q, benchBytes)
			in := newInput(b, q, randomFloats(rand.New(rand.NewPCG(13, 14)), 2048), 2048, false)
			dst := make([]float32, rows)
			bytes := len(w) / rows
			part := max(1, 1<<20/bytes/RowStep) * RowStep
			now := clock(b)
			var product, read []time.Duration
			for b.Loop() {
				for at := 0; at+2*part <= rows; at += 2 * part {
					start := now()
					require.NoError(b, MulRows(q, dst[at:], 0, w[at*bytes:], part, in))
					mid := now()
					sink = plainRead(w[(at+part)*bytes:][:part*bytes])
					product, read = append(product, mid-start), append(read, now()-mid)
				}
			}
			size := float64(part * bytes)
			p, r := size/quarter(product), size/quarter(read)
			b.ReportMetric(p, "GB/s")
			b.ReportMetric(r, "read-GB/s")
			b.ReportMetric(100*p/r, "%read")
		})
	}
}

// quarter is what a quarter of the times, in nanoseconds, are not above.
func quarter(d []time.Duration) float64 {
	slices.Sort(d)
	return float64(d[len(d)/4].Nanoseconds())
}

var sink uint64

// plainRead reads all of w.
func plainRead(w []byte) (sum uint64) {
	v := unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(w))), len(w)/8)
	var a, b, c, d uint64
	for ; len(v) >= 8; v = v[8:] {
		a += v[0] + v[4]
		b += v[1] + v[5]
		c += v[2] + v[6]
		d += v[3] + v[7]
	}
	return a + b + c + d
}

// BenchmarkMany multiplies a matrix of 1024 rows of 2048 with several vectors.
func BenchmarkMany(b *testing.B) {
	for _, q := range weightTypes() {
		for _, n := range []int{1, 2, 3, 4, 8, 32, 64, 512} {
			b.Run(fmt.Sprintf("%s/%d", q.Name, n), func(b *testing.B) {
				const rows, cols = 1024, 2048
				w, _ := benchMatrix(b, q, int(q.RowBytes(rows*cols)))
				in := newInput(b, q, randomFloats(rand.New(rand.NewPCG(13, 14)), n*cols), cols, false)
				dst := make([]float32, n*rows)
				now := clock(b)
				var times []time.Duration
				for b.Loop() {
					start := now()
					require.NoError(b, MulRows(q, dst, rows, w, rows, in))
					times = append(times, now()-start)
				}
				b.ReportMetric(2*rows*cols*float64(n)/quarter(times), "GFLOP/s")
			})
		}
	}
}

// BenchmarkCold multiplies with each 512 of rows that no cache holds: experts,
// or a prompt's few vectors.
func BenchmarkCold(b *testing.B) {
	for _, name := range []string{"q4_k", "q8_0", "mxfp4", "bf16"} {
		for _, n := range []int{4, 16, 64} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				const part, cols = 512, 2048
				q := typeNamed(b, name)
				w, rows := benchMatrix(b, q, benchBytes)
				in := newInput(b, q, randomFloats(rand.New(rand.NewPCG(13, 14)), n*cols), cols, false)
				dst := make([]float32, n*part)
				bytes := len(w) / rows
				now := clock(b)
				var times []time.Duration
				for b.Loop() {
					for at := 0; at+part <= rows; at += part {
						start := now()
						require.NoError(b, MulRows(q, dst, part, w[at*bytes:], part, in))
						times = append(times, now()-start)
					}
				}
				t := quarter(times)
				b.ReportMetric(2*part*cols*float64(n)/t, "GFLOP/s")
				b.ReportMetric(float64(part*bytes)/t, "GB/s")
			})
		}
	}
}

// BenchmarkPrepare rounds 64 vectors of 2048.
func BenchmarkPrepare(b *testing.B) {
	for _, name := range []string{"q4_k", "q8_0"} {
		b.Run(name, func(b *testing.B) {
			const n, cols = 64, 2048
			x := randomFloats(rand.New(rand.NewPCG(13, 14)), n*cols)
			in := NewInput(cols)
			b.SetBytes(4 * n * cols)
			for b.Loop() {
				require.NoError(b, in.Set(x, n))
				require.NoError(b, in.Prepare(typeNamed(b, name)))
			}
		})
	}
}
