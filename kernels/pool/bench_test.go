package pool

import (
	"context"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The ways to divide a short loop: what a fork and a join cost, for a loop of
// that much work on one core.

// way runs f(0) to f(n-1).
type way struct {
	name string
	make func(workers int) (run func(n int, f func(i int)), stop func())
}

var ways = []way{
	{"serial", func(int) (func(int, func(int)), func()) {
		return func(n int, f func(int)) {
			for i := range n {
				f(i)
			}
		}, func() {}
	}},
	{"pool", func(workers int) (func(int, func(int)), func()) {
		p := New(workers)
		var f func(int)
		body := func(_, lo, _ int) { f(lo) }
		return func(n int, g func(int)) {
			f = g
			if err := p.Run(context.Background(), n, 1, body); err != nil {
				panic(err)
			}
		}, p.Close
	}},
	{"waitgroup", func(workers int) (func(int, func(int)), func()) {
		return func(n int, f func(int)) {
			var next atomic.Int64
			work := func() {
				for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
					f(i)
				}
			}
			var wg sync.WaitGroup
			for range workers - 1 {
				wg.Go(work)
			}
			work()
			wg.Wait()
		}, func() {}
	}},
	{"channels", func(workers int) (func(int, func(int)), func()) {
		jobs, ends := make(chan func()), make(chan struct{}, workers)
		for range workers - 1 {
			go func() {
				for job := range jobs {
					job()
					ends <- struct{}{}
				}
			}()
		}
		return func(n int, f func(int)) {
			var next atomic.Int64
			work := func() {
				for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
					f(i)
				}
			}
			for range workers - 1 {
				jobs <- work
			}
			work()
			for range workers - 1 {
				<-ends
			}
		}, func() { close(jobs) }
	}},
}

// busy keeps a core for a time, whatever its clock and the machine's load.
func busy(turns int) {
	x := uint32(1)
	for range turns {
		x = x*1664525 + 1013904223
	}
	sink.Store(x)
}

var sink atomic.Uint32

// turnsFor is how many turns of busy take a microsecond.
var turnsFor = sync.OnceValue(func() int {
	best := time.Hour
	for range 20 {
		start := time.Now()
		busy(100_000)
		best = min(best, time.Since(start))
	}
	return int(100_000 * time.Microsecond / best)
})

func benchmarkWays(b *testing.B, workers int) {
	for _, us := range []int{0, 2, 20, 200} {
		for _, w := range ways {
			b.Run("work="+strconv.Itoa(us)+"us/"+w.name, func(b *testing.B) {
				run, stop := w.make(workers)
				defer stop()
				const chunks = 8
				turns := us * turnsFor() / chunks
				f := func(int) { busy(turns) }
				b.ReportAllocs()
				b.ResetTimer()
				for range b.N {
					run(chunks, f)
				}
			})
		}
	}
}

// BenchmarkForkJoin is a loop of 8 chunks, again and again.
func BenchmarkForkJoin(b *testing.B) { benchmarkWays(b, runtime.GOMAXPROCS(0)) }

// BenchmarkContended is the same while as many other goroutines want the
// processors as there are.
func BenchmarkContended(b *testing.B) {
	var end atomic.Bool
	var others sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		others.Go(func() {
			for !end.Load() {
				busy(10_000)
			}
		})
	}
	benchmarkWays(b, runtime.GOMAXPROCS(0))
	end.Store(true)
	others.Wait()
}
