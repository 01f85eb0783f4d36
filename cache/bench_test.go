package cache_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/cache"
	"github.com/llama-pajamas/pj/cache/cachetest"
)

// openDurable opens a cache that syncs, as users have it.
func openDurable(b *testing.B) *cache.Local {
	l, err := cache.Open(b.TempDir(), cache.Options{})
	require.NoError(b, err)
	return l
}

// fill commits n actions like those of a big mixture of experts: packs of 128,
// keys of eight components.
func fill(b *testing.B, l *cache.Local, n int) []cache.ActionID {
	ids := make([]cache.ActionID, n)
	for at := 0; at < n; at += 128 {
		batch, err := l.Begin(b.Context())
		require.NoError(b, err)
		var commits []cache.Commit
		for i := at; i < min(at+128, n); i++ {
			ids[i] = cachetest.Action(i)
			e := cache.Entry{Outputs: []cache.Output{cachetest.Put(b, batch, "data", fmt.Appendf(nil, "blob %d", i))}}
			for c := range 8 {
				e.Key = append(e.Key, cache.Component{Name: fmt.Sprint("param ", c), Value: strings.Repeat("0123456789abcdef", c%5)})
			}
			e.Meta = []byte(`{"relative_mse":0.0012345678}`)
			commits = append(commits, cache.Commit{ID: ids[i], Entry: e})
		}
		require.NoError(b, batch.Commit(b.Context(), commits))
		batch.Discard()
	}
	return ids
}

// BenchmarkLookup asks for as many actions as Qwen3-30B-A3B has tensors and
// experts' projections, all present.
func BenchmarkLookup(b *testing.B) {
	l := openDurable(b)
	ids := fill(b, l, 18867)
	for b.Loop() {
		entries, err := l.Lookup(b.Context(), ids)
		require.NoError(b, err)
		if entries[len(ids)-1] == nil {
			b.Fatal("not found")
		}
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/lookup")
}

// BenchmarkCommit commits 128 blobs of 1 MB, written by four goroutines.
func BenchmarkCommit(b *testing.B) {
	const blobs, size = 128, 1 << 20
	l := openDurable(b)
	contents := make([][]byte, blobs)
	for i := range contents {
		contents[i] = cachetest.Bytes(uint64(i), size)
	}
	b.SetBytes(blobs * size)
	for n := 0; b.Loop(); n++ {
		batch, err := l.Begin(b.Context())
		require.NoError(b, err)
		commits := make([]cache.Commit, blobs)
		var group sync.WaitGroup
		for w := range 4 {
			group.Go(func() {
				for i := w; i < blobs; i += 4 {
					content := contents[i]
					content[0], content[1], content[2] = byte(n), byte(n>>8), byte(n>>16)
					wr, err := batch.Create(size)
					require.NoError(b, err)
					wr.Write(content)
					id, size, err := wr.Close()
					require.NoError(b, err)
					commits[i] = cache.Commit{ID: cachetest.Action(n*blobs + i), Entry: cache.Entry{
						Outputs: []cache.Output{{Name: "data", ID: id, Size: size}}}}
				}
			})
		}
		group.Wait()
		require.NoError(b, batch.Commit(b.Context(), commits))
		batch.Discard()
	}
}

// BenchmarkCommitSmall is what committing alone costs: one blob of 1 KB.
func BenchmarkCommitSmall(b *testing.B) {
	l := openDurable(b)
	for n := 0; b.Loop(); n++ {
		cachetest.Store(b, l, cachetest.Action(n), cachetest.Bytes(uint64(n), 1000))
	}
}

// BenchmarkOpen opens blobs whose places are known from a Lookup.
func BenchmarkOpen(b *testing.B) {
	l := openDurable(b)
	out := cachetest.Store(b, l, cachetest.Action(1), cachetest.Bytes(1, 1<<20))
	for b.Loop() {
		blob, err := l.Open(b.Context(), out.ID)
		require.NoError(b, err)
		blob.Close()
	}
}

// BenchmarkRead streams a blob of 64 MB with its check.
func BenchmarkRead(b *testing.B) {
	l := openDurable(b)
	out := cachetest.Store(b, l, cachetest.Action(1), cachetest.Bytes(1, 64<<20))
	buf := make([]byte, 1<<20)
	b.SetBytes(out.Size)
	for b.Loop() {
		blob, err := l.Open(b.Context(), out.ID)
		require.NoError(b, err)
		for err == nil {
			_, err = blob.Read(buf)
		}
		require.EqualError(b, err, "EOF")
		blob.Close()
	}
}

// BenchmarkVerify checks 256 MB in packs with a worker a processor.
func BenchmarkVerify(b *testing.B) {
	l := openDurable(b)
	for n := range 2 {
		batch, err := l.Begin(b.Context())
		require.NoError(b, err)
		for i := range 128 {
			cachetest.Put(b, batch, "", cachetest.Bytes(uint64(n*128+i), 1<<20))
		}
		require.NoError(b, batch.Commit(b.Context(), nil))
		batch.Discard()
	}
	b.SetBytes(256 << 20)
	for b.Loop() {
		report, err := l.Verify(b.Context(), cache.VerifyOptions{})
		require.NoError(b, err)
		require.True(b, report.Clean())
		require.Equal(b, 256, report.Blobs)
	}
}
