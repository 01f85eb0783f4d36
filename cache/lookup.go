package cache

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"math/bits"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"

	"go.etcd.io/bbolt"
)

// Lookup returns the entries of the ids whose blobs are all present, and marks
// the files they lie in as used. Keys are visited in the index's order, which
// makes asking for all tensors of a model many times faster than one by one.
func (l *Local) Lookup(ctx context.Context, ids []ActionID) ([]*Entry, error) {
	var entries []*Entry
	var found []placedBlob
	view := l.index.view
	if len(ids) >= 1000 {
		view = l.index.scan
	}
	err := view(ctx, func(t *tx) (err error) {
		if entries, err = t.entries(ctx, ids); err != nil {
			return err
		}
		found, err = l.checkPresence(ctx, t, entries)
		return err
	})
	if err != nil {
		return nil, err
	}
	l.remember(found...)
	return entries, nil
}

// entries reads the entries of ids.
func (t *tx) entries(ctx context.Context, ids []ActionID) ([]*Entry, error) {
	out := make([]*Entry, len(ids))
	order := sortKeys(len(ids), func(i int) []byte { return ids[i][:] })
	w := newWalker(t.actions)
	values := make([][]byte, len(order))
	for n, o := range order {
		if n%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		values[n] = w.get(ids[o.index][:])
	}
	parallel(len(order), func(from, to int) {
		var s slab
		for n := from; n < to; n++ {
			if values[n] == nil {
				continue
			}
			i := order[n].index
			if e, ok := s.decodeEntry(ids[i][:], values[n], false); ok {
				out[i] = e
			}
		}
	})
	return out, nil
}

// parallel runs f over [0, n) in one piece per processor. Where f panics, as it
// does where it reads a damaged index, so does parallel.
func parallel(n int, f func(from, to int)) {
	workers := runtime.GOMAXPROCS(0)
	if n < 1024 || workers == 1 {
		f(0, n)
		return
	}
	panics := make([]any, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			defer func() { panics[w] = recover() }()
			debug.SetPanicOnFault(true)
			f(n*w/workers, n*(w+1)/workers)
		})
	}
	wg.Wait()
	for _, p := range panics {
		if p != nil {
			panic(p)
		}
	}
}

// checkPresence sets to nil the entries of which a blob is missing, and returns
// where the blobs of the others lie.
func (l *Local) checkPresence(ctx context.Context, t *tx, entries []*Entry) ([]placedBlob, error) {
	type output struct{ entry, output int }
	var outputs []output
	for i, e := range entries {
		if e != nil {
			for j := range e.Outputs {
				outputs = append(outputs, output{i, j})
			}
		}
	}
	id := func(o output) *OutputID { return &entries[o.entry].Outputs[o.output].ID }
	order := sortKeys(len(outputs), func(i int) []byte { return id(outputs[i])[:] })
	found := make([]placedBlob, 0, len(outputs))
	missing := make([]bool, len(entries))
	w, p := newWalker(t.blobs), l.presence()
	for n, o := range order {
		if n%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		out := outputs[o.index]
		id := id(out)
		at, ok := location{}, false
		if value := w.get(id[:]); value != nil {
			at, ok = decodeLocation(id[:], value)
		}
		if !ok || at.size != entries[out.entry].Outputs[out.output].Size || !p.has(at) {
			missing[out.entry] = true
			continue
		}
		found = append(found, placedBlob{*id, at})
	}
	for i := range entries {
		if missing[i] {
			entries[i] = nil
		}
	}
	return found, nil
}

// sortedKey is a key's first eight bytes, and which one it is.
type sortedKey struct {
	prefix uint64
	index  int
}

// sortKeys orders n keys of at least eight bytes. They are hashes, so that
// their first bits divide them about evenly; what falls together is sorted then.
func sortKeys(n int, key func(i int) []byte) []sortedKey {
	shift := 64 - bits.Len(uint(n))
	ends := make([]int32, 1<<(64-shift)+1)
	keys := make([]sortedKey, n)
	for i := range keys {
		keys[i] = sortedKey{binary.BigEndian.Uint64(key(i)), i}
		ends[keys[i].prefix>>shift+1]++
	}
	for b := 1; b < len(ends); b++ {
		ends[b] += ends[b-1]
	}
	order := make([]sortedKey, n)
	for _, k := range keys {
		b := k.prefix >> shift
		order[ends[b]] = k
		ends[b]++
	}
	from := int32(0)
	for _, to := range ends {
		if to > from+1 {
			slices.SortFunc(order[from:to], func(a, b sortedKey) int {
				return cmp.Or(cmp.Compare(a.prefix, b.prefix), bytes.Compare(key(a.index), key(b.index)), cmp.Compare(a.index, b.index))
			})
		}
		from = to
	}
	return order
}

// walker reads the values of ascending keys. Where the next key is near it
// steps, else it searches from the root.
type walker struct {
	cursor     *bbolt.Cursor
	key, value []byte
	began      bool
}

func newWalker(b *bbolt.Bucket) *walker {
	if b == nil {
		return &walker{began: true} // as if at the end
	}
	return &walker{cursor: b.Cursor()}
}

// get returns the value of a key that is not below the last one asked for.
func (w *walker) get(key []byte) []byte {
	const steps = 8 // about what a search from the root costs
	if !w.began {
		w.began = true
		w.key, w.value = w.cursor.Seek(key)
	}
	for n := 0; w.key != nil; n++ {
		switch c := bytes.Compare(w.key, key); {
		case c == 0:
			return w.value
		case c > 0:
			return nil
		}
		if n == steps {
			w.key, w.value = w.cursor.Seek(key)
		} else {
			w.key, w.value = w.cursor.Next()
		}
	}
	return nil
}

// slab hands out parts of larger allocations. What it gave stays valid; it
// cannot grow into its neighbour.
type slab struct {
	entries    []Entry
	outputs    []Output
	components []Component
}

const slabSize = 256

func (s *slab) entry() *Entry { return &carve(&s.entries, 1)[0] }

// carve takes n elements off the front of a slab, nil for none.
func carve[T any](rest *[]T, n int) []T {
	if n == 0 {
		return nil
	}
	if n > len(*rest) {
		if n >= slabSize/4 {
			return make([]T, n)
		}
		*rest = make([]T, slabSize)
	}
	out := (*rest)[:n:n]
	*rest = (*rest)[n:]
	return out
}
