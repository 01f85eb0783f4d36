// Package cachetest is the conformance suite of cache.Store: every
// implementation runs it.
package cachetest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zeebo/blake3"

	"github.com/llama-pajamas/pj/cache"
)

// Run tests a store. open returns a fresh and empty one; where it also is a
// cache.Records or a cache.Claimer, that is tested too.
func Run(t *testing.T, open func(t *testing.T) cache.Store) {
	tests := []struct {
		name string
		run  func(t *testing.T, s cache.Store)
	}{
		{"Empty", testEmpty},
		{"Batch", testBatch},
		{"EntryComesBack", testEntry},
		{"Sizes", testSizes},
		{"LookupOrder", testLookupOrder},
		{"PartialCommits", testPartialCommits},
		{"OpenWriterAcrossCommit", testOpenWriter},
		{"InvisibleBeforeCommit", testInvisible},
		{"Discard", testDiscard},
		{"Abort", testAbort},
		{"DuplicateBlobs", testDuplicateBlobs},
		{"FirstEntryStays", testFirstEntry},
		{"OutputsOfTheStore", testStoreOutputs},
		{"RefusedEntries", testRefused},
		{"Concurrency", testConcurrency},
		{"Quarantine", testQuarantine},
		{"QuarantineThenRemade", testRemade},
		{"QuarantineThenRemadeForAll", testRemadeForAll},
		{"CorruptRead", testCorrupt},
		{"Extent", testExtent},
		{"Cancelled", testCancelled},
		{"Records", testRecords},
		{"Claims", testClaims},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, open(t)) })
	}
}

// Bytes are size bytes that depend on the seed alone.
func Bytes(seed uint64, size int) []byte {
	b := make([]byte, size)
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16), byte(seed >> 24), byte(seed >> 32)})
	r.Read(b)
	return b
}

// Action is the id of the n-th action of a test.
func Action(n int) cache.ActionID {
	return cache.ActionID(blake3.Sum256(fmt.Appendf(nil, "action %d", n)))
}

// Put writes a blob into a batch in pieces and returns it as an output.
func Put(t testing.TB, b cache.Batch, name string, content []byte) cache.Output {
	w, err := b.Create(int64(len(content)))
	require.NoError(t, err)
	for rest := content; len(rest) > 0; {
		n := min(len(rest), 1<<20+17)
		_, err := w.Write(rest[:n])
		require.NoError(t, err)
		rest = rest[n:]
	}
	id, size, err := w.Close()
	require.NoError(t, err)
	require.Equal(t, cache.OutputID(blake3.Sum256(content)), id)
	require.EqualValues(t, len(content), size)
	return cache.Output{Name: name, ID: id, Size: size}
}

// Store commits one action with one output.
func Store(t testing.TB, s cache.Store, id cache.ActionID, content []byte) cache.Output {
	b, err := s.Begin(t.Context())
	require.NoError(t, err)
	defer b.Discard()
	out := Put(t, b, "data", content)
	require.NoError(t, b.Commit(t.Context(), []cache.Commit{{ID: id, Entry: cache.Entry{Outputs: []cache.Output{out}}}}))
	return out
}

// Read opens a blob and reads all of it.
func Read(ctx context.Context, s cache.Store, id cache.OutputID) ([]byte, error) {
	b, err := s.Open(ctx, id)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	content, err := io.ReadAll(b)
	if err == nil && int64(len(content)) != b.Size() {
		err = fmt.Errorf("read %d bytes of a blob of %d", len(content), b.Size())
	}
	return content, err
}

func lookup(t testing.TB, s cache.Store, ids ...cache.ActionID) []*cache.Entry {
	entries, err := s.Lookup(t.Context(), ids)
	require.NoError(t, err)
	require.Len(t, entries, len(ids))
	return entries
}

func begin(t testing.TB, s cache.Store) cache.Batch {
	b, err := s.Begin(t.Context())
	require.NoError(t, err)
	t.Cleanup(b.Discard)
	return b
}

func requireContent(t testing.TB, s cache.Store, want []byte, id cache.OutputID) {
	have, err := Read(t.Context(), s, id)
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, have))
}

func testEmpty(t *testing.T, s cache.Store) {
	require.Equal(t, []*cache.Entry{nil, nil}, lookup(t, s, Action(1), Action(2)))
	require.Empty(t, lookup(t, s))
	_, err := s.Open(t.Context(), cache.OutputID{1})
	require.ErrorIs(t, err, cache.ErrNotFound)
	require.NoError(t, s.Quarantine(t.Context(), cache.OutputID{1}))
	b := begin(t, s)
	require.NoError(t, b.Commit(t.Context(), nil))
}

func testBatch(t *testing.T, s cache.Store) {
	b := begin(t, s)
	var commits []cache.Commit
	for i := range 40 {
		out := Put(t, b, "data", Bytes(uint64(i), i*300))
		commits = append(commits, cache.Commit{ID: Action(i), Entry: cache.Entry{Outputs: []cache.Output{out}}})
	}
	require.NoError(t, b.Commit(t.Context(), commits))
	for i, c := range commits {
		require.Equal(t, c.Entry.Outputs, lookup(t, s, c.ID)[0].Outputs)
		requireContent(t, s, Bytes(uint64(i), i*300), c.Entry.Outputs[0].ID)
	}
}

func testEntry(t *testing.T, s cache.Store) {
	b := begin(t, s)
	entry := cache.Entry{
		Outputs: []cache.Output{Put(t, b, "weights", Bytes(1, 5000)), Put(t, b, "", Bytes(2, 10))},
		Key:     []cache.Component{{Name: "stage", Value: "quantize v1"}, {Name: "param type", Value: "\"q4_k\""}, {Name: "", Value: ""}},
		Meta:    []byte(`{"relative_mse":0.0012}`),
		Elapsed: 1234567 * time.Nanosecond,
	}
	require.NoError(t, b.Commit(t.Context(), []cache.Commit{{ID: Action(1), Entry: entry}, {ID: Action(2)}}))
	have := lookup(t, s, Action(1), Action(2))
	require.Equal(t, &entry, have[0])
	require.Equal(t, &cache.Entry{}, have[1])

	// What was returned belongs to the caller.
	have[0].Outputs[0].Name, have[0].Key[0].Name, have[0].Meta[0] = "x", "x", 'x'
	require.Equal(t, &entry, lookup(t, s, Action(1))[0])
}

func testSizes(t *testing.T, s cache.Store) {
	sizes := []int{0, 1, 4095, 4096, 4097, 1 << 20, 4<<20 - 1, 4 << 20, 4<<20 + 1, 9<<20 + 5}
	b := begin(t, s)
	var commits []cache.Commit
	for i, size := range sizes {
		hint := []int64{0, int64(size), 1, 64 << 20}[i%4] // a hint may be wrong
		w, err := b.Create(hint)
		require.NoError(t, err)
		n, err := w.Write(Bytes(uint64(i), size))
		require.NoError(t, err)
		require.Equal(t, size, n)
		id, written, err := w.Close()
		require.NoError(t, err)
		require.EqualValues(t, size, written)
		commits = append(commits, cache.Commit{ID: Action(i), Entry: cache.Entry{Outputs: []cache.Output{{Name: "data", ID: id, Size: written}}}})
	}
	require.NoError(t, b.Commit(t.Context(), commits))
	for i, c := range commits {
		requireContent(t, s, Bytes(uint64(i), sizes[i]), c.Entry.Outputs[0].ID)
	}
}

func testLookupOrder(t *testing.T, s cache.Store) {
	for i := range 5 {
		Store(t, s, Action(i), Bytes(uint64(i), 100+i))
	}
	have := lookup(t, s, Action(3), Action(99), Action(0), Action(3), Action(4))
	for i, size := range []int64{103, -1, 100, 103, 104} {
		if size < 0 {
			require.Nil(t, have[i])
			continue
		}
		require.Equal(t, size, have[i].Outputs[0].Size)
	}
}

func testPartialCommits(t *testing.T, s cache.Store) {
	b := begin(t, s)
	for i := range 3 {
		out := Put(t, b, "data", Bytes(uint64(i), 5000))
		require.NoError(t, b.Commit(t.Context(), []cache.Commit{{ID: Action(i), Entry: cache.Entry{Outputs: []cache.Output{out}}}}))
		require.NotNil(t, lookup(t, s, Action(i))[0])
		require.Nil(t, lookup(t, s, Action(i+1))[0])
	}
	lost := Put(t, b, "data", Bytes(7, 5000))
	b.Discard()
	for i := range 3 {
		requireContent(t, s, Bytes(uint64(i), 5000), lookup(t, s, Action(i))[0].Outputs[0].ID)
	}
	_, err := s.Open(t.Context(), lost.ID)
	require.ErrorIs(t, err, cache.ErrNotFound)
}

func testOpenWriter(t *testing.T, s cache.Store) {
	b := begin(t, s)
	w, err := b.Create(0)
	require.NoError(t, err)
	_, err = w.Write([]byte("begun before, "))
	require.NoError(t, err)
	out := Put(t, b, "data", []byte("first"))
	require.NoError(t, b.Commit(t.Context(), []cache.Commit{{ID: Action(1), Entry: cache.Entry{Outputs: []cache.Output{out}}}}))
	_, err = w.Write([]byte("ended after"))
	require.NoError(t, err)
	id, size, err := w.Close()
	require.NoError(t, err)
	require.NoError(t, b.Commit(t.Context(), []cache.Commit{{ID: Action(2), Entry: cache.Entry{Outputs: []cache.Output{{Name: "data", ID: id, Size: size}}}}}))
	requireContent(t, s, []byte("begun before, ended after"), id)
}

func testInvisible(t *testing.T, s cache.Store) {
	b := begin(t, s)
	small, big := Put(t, b, "data", Bytes(1, 100)), Put(t, b, "data", Bytes(2, 5<<20))
	for _, out := range []cache.Output{small, big} {
		_, err := s.Open(t.Context(), out.ID)
		require.ErrorIs(t, err, cache.ErrNotFound)
	}
}

func testDiscard(t *testing.T, s cache.Store) {
	b := begin(t, s)
	out := Put(t, b, "data", Bytes(1, 100))
	open, err := b.Create(0)
	require.NoError(t, err)
	b.Discard()
	b.Discard()
	_, _, err = open.Close()
	require.ErrorContains(t, err, "discarded")
	_, err = b.Create(0)
	require.ErrorContains(t, err, "discarded")
	err = b.Commit(t.Context(), []cache.Commit{{ID: Action(1), Entry: cache.Entry{Outputs: []cache.Output{out}}}})
	require.ErrorContains(t, err, "discarded")
	require.Nil(t, lookup(t, s, Action(1))[0])
}

func testAbort(t *testing.T, s cache.Store) {
	b := begin(t, s)
	for _, size := range []int{10, 5 << 20} {
		w, err := b.Create(0)
		require.NoError(t, err)
		_, err = w.Write(Bytes(1, size))
		require.NoError(t, err)
		w.Abort()
		_, err = w.Write([]byte("x"))
		require.ErrorContains(t, err, "closed")
		_, _, err = w.Close()
		require.ErrorContains(t, err, "closed")
	}
	out := Put(t, b, "data", Bytes(2, 10))
	require.NoError(t, b.Commit(t.Context(), []cache.Commit{{ID: Action(1), Entry: cache.Entry{Outputs: []cache.Output{out}}}}))
	requireContent(t, s, Bytes(2, 10), out.ID)
	_, err := s.Open(t.Context(), cache.OutputID(blake3.Sum256(Bytes(1, 10))))
	require.ErrorIs(t, err, cache.ErrNotFound)
}

func testDuplicateBlobs(t *testing.T, s cache.Store) {
	for _, size := range []int{0, 7000, 5 << 20} {
		content := Bytes(uint64(size), size)
		Store(t, s, Action(size), content)
		b := begin(t, s)
		one, two := Put(t, b, "one", content), Put(t, b, "two", content)
		require.Equal(t, one.ID, two.ID)
		require.NoError(t, b.Commit(t.Context(), []cache.Commit{{ID: Action(size + 1), Entry: cache.Entry{Outputs: []cache.Output{one, two}}}}))
		requireContent(t, s, content, one.ID)
		require.Len(t, lookup(t, s, Action(size+1))[0].Outputs, 2)
	}
}

func testFirstEntry(t *testing.T, s cache.Store) {
	first := Store(t, s, Action(1), []byte("first"))
	second := Store(t, s, Action(1), []byte("second"))
	require.Equal(t, first, lookup(t, s, Action(1))[0].Outputs[0])
	requireContent(t, s, []byte("second"), second.ID)

	require.NoError(t, s.Quarantine(t.Context(), first.ID))
	third := Store(t, s, Action(1), []byte("third"))
	require.Equal(t, third, lookup(t, s, Action(1))[0].Outputs[0])

	b := begin(t, s)
	x, y := Put(t, b, "data", []byte("x")), Put(t, b, "data", []byte("y"))
	require.NoError(t, b.Commit(t.Context(), []cache.Commit{
		{ID: Action(2), Entry: cache.Entry{Outputs: []cache.Output{x}}},
		{ID: Action(2), Entry: cache.Entry{Outputs: []cache.Output{y}}},
	}))
	require.Equal(t, x, lookup(t, s, Action(2))[0].Outputs[0])
}

func testStoreOutputs(t *testing.T, s cache.Store) {
	out := Store(t, s, Action(1), Bytes(1, 100))
	b := begin(t, s)
	require.NoError(t, b.Commit(t.Context(), []cache.Commit{{ID: Action(2), Entry: cache.Entry{Outputs: []cache.Output{out}}}}))
	require.Equal(t, out, lookup(t, s, Action(2))[0].Outputs[0])
}

func testRefused(t *testing.T, s cache.Store) {
	out := Store(t, s, Action(1), Bytes(1, 100))
	other := out
	other.Name = "other"
	wrong := out
	wrong.Size = 99
	tests := []struct {
		name  string
		entry cache.Entry
		want  string
	}{
		{"unknown blob", cache.Entry{Outputs: []cache.Output{{Name: "data", ID: cache.OutputID{1}, Size: 1}}}, "neither the batch nor the cache has"},
		{"wrong size", cache.Entry{Outputs: []cache.Output{wrong}}, `"data" is said to have 99 bytes`},
		{"no id", cache.Entry{Outputs: []cache.Output{{Name: "data"}}}, `output "data" has no id`},
		{"same name", cache.Entry{Outputs: []cache.Output{out, other, out}}, `two of its outputs are named "data"`},
		{"negative", cache.Entry{Outputs: []cache.Output{{Name: "data", ID: out.ID, Size: -1}}}, "negative size"},
		{"meta", cache.Entry{Meta: make([]byte, 64<<10+1)}, "its meta has 65537 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := begin(t, s)
			fresh := Put(t, b, "data", []byte(tt.name))
			err := b.Commit(t.Context(), []cache.Commit{
				{ID: Action(2), Entry: cache.Entry{Outputs: []cache.Output{fresh}}}, {ID: Action(3), Entry: tt.entry}})
			require.ErrorContains(t, err, tt.want)
			require.ErrorContains(t, err, Action(3).String())
			require.Equal(t, []*cache.Entry{nil, nil}, lookup(t, s, Action(2), Action(3)), "all or nothing")
		})
	}
	b := begin(t, s)
	require.NoError(t, b.Commit(t.Context(), []cache.Commit{{ID: Action(4), Entry: cache.Entry{Meta: make([]byte, 64<<10)}}}))
}

func testConcurrency(t *testing.T, s cache.Store) {
	const batches, writers, each = 3, 4, 6
	var group sync.WaitGroup
	for n := range batches {
		b := begin(t, s)
		group.Go(func() {
			outs := make([][]cache.Output, writers)
			var inner sync.WaitGroup
			for w := range writers {
				inner.Go(func() {
					for i := range each {
						size := 1000 * (i + 1)
						if i == each-1 && w == 0 {
							size = 5 << 20
						}
						outs[w] = append(outs[w], Put(t, b, fmt.Sprint("out ", i), Bytes(uint64(n*1000+w*100+i), size)))
					}
				})
			}
			inner.Wait()
			var commits []cache.Commit
			for w := range writers {
				commits = append(commits, cache.Commit{ID: Action(n*writers + w), Entry: cache.Entry{Outputs: outs[w]}})
			}
			require.NoError(t, b.Commit(t.Context(), commits))
		})
		group.Go(func() { // readers meanwhile
			for range 20 {
				for _, e := range lookup(t, s, Action(n*writers), Action(n*writers+1)) {
					if e != nil {
						_, err := Read(t.Context(), s, e.Outputs[0].ID)
						require.NoError(t, err)
					}
				}
			}
		})
	}
	group.Wait()
	for n := range batches * writers {
		e := lookup(t, s, Action(n))[0]
		require.NotNil(t, e)
		require.Len(t, e.Outputs, each)
		for _, out := range e.Outputs {
			_, err := Read(t.Context(), s, out.ID)
			require.NoError(t, err)
		}
	}
}

func testQuarantine(t *testing.T, s cache.Store) {
	b := begin(t, s)
	bad, good, big := Put(t, b, "bad", Bytes(1, 6000)), Put(t, b, "good", Bytes(2, 6000)), Put(t, b, "big", Bytes(3, 5<<20))
	require.NoError(t, b.Commit(t.Context(), []cache.Commit{
		{ID: Action(1), Entry: cache.Entry{Outputs: []cache.Output{bad}}},
		{ID: Action(2), Entry: cache.Entry{Outputs: []cache.Output{good}}},
		{ID: Action(3), Entry: cache.Entry{Outputs: []cache.Output{good, bad}}},
		{ID: Action(4), Entry: cache.Entry{Outputs: []cache.Output{big}}},
	}))
	require.NoError(t, s.Quarantine(t.Context(), bad.ID))
	require.NoError(t, s.Quarantine(t.Context(), big.ID))
	require.NoError(t, s.Quarantine(t.Context(), big.ID))
	have := lookup(t, s, Action(1), Action(2), Action(3), Action(4))
	require.Nil(t, have[0])
	require.NotNil(t, have[1])
	require.Nil(t, have[2])
	require.Nil(t, have[3])
	for _, out := range []cache.Output{bad, big} {
		_, err := s.Open(t.Context(), out.ID)
		require.ErrorIs(t, err, cache.ErrNotFound)
	}
	requireContent(t, s, Bytes(2, 6000), good.ID)
}

func testRemade(t *testing.T, s cache.Store) {
	for i, size := range []int{6000, 5 << 20} {
		out := Store(t, s, Action(i), Bytes(1, size))
		require.NoError(t, s.Quarantine(t.Context(), out.ID))
		require.Nil(t, lookup(t, s, Action(i))[0])
		Store(t, s, Action(i), Bytes(1, size))
		require.NotNil(t, lookup(t, s, Action(i))[0])
		requireContent(t, s, Bytes(1, size), out.ID)
	}
}

// testRemadeForAll has a blob of several actions: one of them makes it again, and
// none of the others has to.
func testRemadeForAll(t *testing.T, s cache.Store) {
	shared := Store(t, s, Action(1), Bytes(1, 6000))
	b := begin(t, s)
	own := Put(t, b, "own", Bytes(2, 100))
	require.NoError(t, b.Commit(t.Context(), []cache.Commit{
		{ID: Action(2), Entry: cache.Entry{Outputs: []cache.Output{own, {Name: "same", ID: shared.ID, Size: shared.Size}}}},
	}))
	require.NoError(t, s.Quarantine(t.Context(), shared.ID))
	have := lookup(t, s, Action(1), Action(2))
	require.Nil(t, have[0])
	require.Nil(t, have[1])
	Store(t, s, Action(1), Bytes(1, 6000))
	have = lookup(t, s, Action(1), Action(2))
	require.NotNil(t, have[0])
	require.NotNil(t, have[1])
	requireContent(t, s, Bytes(1, 6000), shared.ID)
}

func testCorrupt(t *testing.T, s cache.Store) {
	for i, size := range []int{6000, 5 << 20} {
		content := Bytes(uint64(i), size)
		out := Store(t, s, Action(i), content)
		if !flipByte(t, s, out.ID, int64(size/2)) {
			return // this store has no files
		}
		_, err := Read(t.Context(), s, out.ID)
		var corrupt *cache.CorruptError
		require.ErrorAs(t, err, &corrupt)
		require.Equal(t, out.ID, corrupt.ID)
		require.NotEmpty(t, corrupt.Path)
		require.ErrorContains(t, err, corrupt.Path+" is corrupt")

		// Reading exactly Size bytes, without waiting for io.EOF, finds it too.
		blob, err := s.Open(t.Context(), out.ID)
		require.NoError(t, err)
		_, err = io.ReadFull(blob, make([]byte, blob.Size()))
		require.ErrorAs(t, err, &corrupt)
		require.NoError(t, blob.Close())

		require.NoError(t, s.Quarantine(t.Context(), out.ID))
		require.Nil(t, lookup(t, s, Action(i))[0])
		Store(t, s, Action(i), content)
		requireContent(t, s, content, out.ID)
	}
}

// flipByte changes one byte of a blob on disk; false where the store has no files.
func flipByte(t *testing.T, s cache.Store, id cache.OutputID, at int64) bool {
	blob, err := s.Open(t.Context(), id)
	require.NoError(t, err)
	defer blob.Close()
	f, offset, ok := blob.Extent()
	if !ok {
		return false
	}
	w, err := os.OpenFile(f.Name(), os.O_RDWR, 0)
	require.NoError(t, err)
	defer w.Close()
	var b [1]byte
	_, err = w.ReadAt(b[:], offset+at)
	require.NoError(t, err)
	b[0] ^= 1
	_, err = w.WriteAt(b[:], offset+at)
	require.NoError(t, err)
	return true
}

func testExtent(t *testing.T, s cache.Store) {
	b := begin(t, s)
	var outs []cache.Output
	contents := [][]byte{Bytes(1, 10), Bytes(2, 4096), Bytes(3, 3*4096), Bytes(4, 5000), Bytes(5, 100), Bytes(6, 5<<20)}
	for i, content := range contents {
		outs = append(outs, Put(t, b, fmt.Sprint(i), content))
	}
	require.NoError(t, b.Commit(t.Context(), []cache.Commit{{ID: Action(1), Entry: cache.Entry{Outputs: outs}}}))
	for i, out := range outs {
		blob, err := s.Open(t.Context(), out.ID)
		require.NoError(t, err)
		require.Equal(t, out.Size, blob.Size())
		if f, offset, ok := blob.Extent(); ok {
			have := make([]byte, out.Size)
			_, err := f.ReadAt(have, offset)
			require.NoError(t, err)
			require.True(t, bytes.Equal(contents[i], have))
			if out.Size >= 4096 {
				require.Zero(t, offset%4096, "a blob of whole blocks can be shared")
			}
		}
		require.NoError(t, blob.Close())
	}
}

func testCancelled(t *testing.T, s cache.Store) {
	out := Store(t, s, Action(1), []byte("kept"))
	b := begin(t, s)
	late := Put(t, b, "data", []byte("late"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	_, err := s.Lookup(ctx, []cache.ActionID{Action(1)})
	require.ErrorIs(t, err, context.Canceled)
	_, err = s.Begin(ctx)
	require.ErrorIs(t, err, context.Canceled)
	_, err = s.Open(ctx, out.ID)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, s.Quarantine(ctx, out.ID), context.Canceled)
	commits := []cache.Commit{{ID: Action(2), Entry: cache.Entry{Outputs: []cache.Output{late}}}}
	require.ErrorIs(t, b.Commit(ctx, commits), context.Canceled)

	require.NotNil(t, lookup(t, s, Action(1))[0])
	require.Nil(t, lookup(t, s, Action(2))[0])
	require.NoError(t, b.Commit(t.Context(), commits), "what waits may be committed later")
	requireContent(t, s, []byte("late"), late.ID)
}

func testRecords(t *testing.T, s cache.Store) {
	r, ok := s.(cache.Records)
	if !ok {
		return
	}
	ctx := t.Context()
	have, err := r.Records(ctx, "files", []string{"a"})
	require.NoError(t, err)
	require.Equal(t, [][]byte{nil}, have)

	require.NoError(t, r.PutRecords(ctx, "files", map[string][]byte{"a": []byte("1"), "b": {}, "c": []byte("3")}))
	require.NoError(t, r.PutRecords(ctx, "plans", map[string][]byte{"a": []byte("other")}))
	have, err = r.Records(ctx, "files", []string{"c", "x", "a", "b"})
	require.NoError(t, err)
	require.Equal(t, [][]byte{[]byte("3"), nil, []byte("1"), {}}, have)

	have[0][0] = 'x' // belongs to the caller
	require.NoError(t, r.PutRecords(ctx, "files", map[string][]byte{"a": nil, "b": []byte("2"), "gone": nil}))
	have, err = r.Records(ctx, "files", []string{"a", "b", "c"})
	require.NoError(t, err)
	require.Equal(t, [][]byte{nil, []byte("2"), []byte("3")}, have)
	have, err = r.Records(ctx, "plans", []string{"a"})
	require.NoError(t, err)
	require.Equal(t, [][]byte{[]byte("other")}, have)

	require.ErrorContains(t, r.PutRecords(ctx, "", nil), "no name")
	require.ErrorContains(t, r.PutRecords(ctx, "files", map[string][]byte{"": nil}), "a key has 0 bytes")
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	_, err = r.Records(cancelled, "files", []string{"a"})
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, r.PutRecords(cancelled, "files", map[string][]byte{"a": nil}), context.Canceled)
}

func testClaims(t *testing.T, s cache.Store) {
	c, ok := s.(cache.Claimer)
	if !ok {
		return
	}
	ctx := t.Context()
	release, ok, err := c.Claim(ctx, "work", false)
	require.NoError(t, err)
	require.True(t, ok)
	_, ok, err = c.Claim(ctx, "work", false)
	require.NoError(t, err)
	require.False(t, ok)
	other, ok, err := c.Claim(ctx, "other work", true)
	require.NoError(t, err)
	require.True(t, ok)
	other()

	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	_, ok, err = c.Claim(short, "work", true)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.False(t, ok)

	got := make(chan func())
	go func() {
		release, ok, err := c.Claim(ctx, "work", true)
		if err != nil || !ok {
			release = nil
		}
		got <- release
	}()
	time.Sleep(5 * time.Millisecond)
	release()
	release()
	waited := <-got
	require.NotNil(t, waited)
	waited()

	// Never two holders at once.
	var group sync.WaitGroup
	var holders, most int
	var mu sync.Mutex
	for range 8 {
		group.Go(func() {
			release, ok, err := c.Claim(ctx, "one at a time", true)
			if err != nil || !ok {
				t.Error("claim:", ok, err)
				return
			}
			mu.Lock()
			holders++
			most = max(most, holders)
			mu.Unlock()
			time.Sleep(time.Millisecond)
			mu.Lock()
			holders--
			mu.Unlock()
			release()
		})
	}
	group.Wait()
	require.Equal(t, 1, most)
}
