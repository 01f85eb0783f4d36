package engine

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"time"

	"github.com/zeebo/blake3"
	"golang.org/x/sync/errgroup"

	"github.com/llama-pajamas/pj/cache"
	"github.com/llama-pajamas/pj/internal/filestat"
)

// A record of the bucket "files" says what the ranges of a file held when it
// had an ID: the ID's five numbers, then offset, size and content of each range
// in the order of offsets.
const (
	fileHead  = 5 * 8
	fileRange = 8 + 8 + 32
)

// recall looks at the files of a plan and fills in the content of those ranges
// that were hashed before and whose file has not changed.
func (k *Known) recall(ctx context.Context, r *resolution) error {
	paths := make([]string, len(r.plan.Files))
	for i, f := range r.plan.Files {
		paths[i] = f.Path
		state, err := lookAt(f.Path)
		if errors.Is(err, fs.ErrNotExist) && f.Remote != "" {
			continue // not fetched yet
		}
		if err != nil {
			return fmt.Errorf("source file: %w", err)
		}
		if state.id.Size != f.Size {
			return &StaleError{fmt.Sprintf("source file %s has %d bytes, and had %d when the plan was made", f.Path, state.id.Size, f.Size)}
		}
		if f.Modified != 0 && state.id.Mtime != f.Modified {
			return &StaleError{fmt.Sprintf("source file %s was written after the plan was made", f.Path)}
		}
		r.files[i] = state
	}
	if k.Records == nil || len(paths) == 0 {
		return nil
	}
	records, err := k.Records.Records(ctx, filesBucket, paths)
	if err != nil {
		return fmt.Errorf("cache records: %w", err)
	}
	for i, raw := range records {
		id, ok := decodeFileID(raw)
		if f := &r.files[i]; !ok || id != f.id {
			f.stale = ok && f.present
			records[i] = nil
		}
	}
	byFile := sourcesByFile(r.plan)
	for i, raw := range records {
		if raw != nil {
			r.recallFile(byFile[i], raw[fileHead:])
		}
	}
	return nil
}

// StaleError says that a file is not what the plan was made from.
type StaleError struct{ what string }

func (e *StaleError) Error() string { return e.what + ": plan again" }

// lookAt is the state of a file before it is read. Of one that was written a
// moment ago it waits that moment: another write might not show, and then what
// is read could not be remembered.
func lookAt(path string) (fileState, error) {
	id, err := filestat.Of(path)
	if err != nil {
		return fileState{}, err
	}
	if !id.Settled(time.Now()) {
		time.Sleep(filestat.Settle)
		if id, err = filestat.Of(path); err != nil {
			return fileState{}, err
		}
	}
	return fileState{id: id, present: true, settled: id.Settled(time.Now())}, nil
}

// sourcesByFile lists the sources of each file in the order of their offsets.
func sourcesByFile(plan *Plan) [][]int {
	count := make([]int, len(plan.Files))
	for i := range plan.Sources {
		count[plan.Sources[i].File]++
	}
	out := make([][]int, len(plan.Files))
	for i, n := range count {
		out[i] = make([]int, 0, n)
	}
	for i := range plan.Sources {
		f := plan.Sources[i].File
		out[f] = append(out[f], i)
	}
	for _, list := range out {
		slices.SortFunc(list, func(a, b int) int {
			x, y := &plan.Sources[a], &plan.Sources[b]
			return cmp.Or(cmp.Compare(x.Offset, y.Offset), cmp.Compare(x.Size, y.Size))
		})
	}
	return out
}

// recallFile walks sources and recorded ranges of one file side by side.
func (r *resolution) recallFile(sources []int, ranges []byte) {
	for _, i := range sources {
		s := &r.plan.Sources[i]
		for len(ranges) >= fileRange {
			offset, size := rangeAt(ranges)
			if offset > s.Offset || offset == s.Offset && size >= s.Size {
				break
			}
			ranges = ranges[fileRange:]
		}
		if len(ranges) < fileRange {
			return
		}
		if offset, size := rangeAt(ranges); offset == s.Offset && size == s.Size {
			copy(r.sources[i][:], ranges[16:])
		}
	}
}

func rangeAt(b []byte) (offset, size int64) {
	return int64(binary.LittleEndian.Uint64(b)), int64(binary.LittleEndian.Uint64(b[8:]))
}

func decodeFileID(b []byte) (filestat.ID, bool) {
	if len(b) < fileHead || (len(b)-fileHead)%fileRange != 0 {
		return filestat.ID{}, false
	}
	n := func(i int) uint64 { return binary.LittleEndian.Uint64(b[8*i:]) }
	return filestat.ID{Size: int64(n(0)), Mtime: int64(n(1)), Ctime: int64(n(2)), Inode: n(3), Device: n(4)}, true
}

// remember keeps the content ids of the plan's sources for later runs. A file
// that was still being written when it was looked at is left out. A cache that
// can't be written costs only the next run's time.
func (k *Known) remember(ctx context.Context, r *resolution) error {
	if k.Records == nil || !r.learned {
		return nil
	}
	r.learned = false
	byFile := sourcesByFile(r.plan)
	var paths []string
	var at []int
	for i, f := range r.files {
		known := slices.ContainsFunc(byFile[i], func(s int) bool { return !r.sources[s].IsZero() })
		switch {
		case known && f.settled:
			paths, at = append(paths, r.plan.Files[i].Path), append(at, i)
		case known:
			r.learned = true // it may settle yet
		}
	}
	old, err := k.Records.Records(ctx, filesBucket, paths)
	if err != nil {
		return fmt.Errorf("cache records: %w", err)
	}
	pairs := map[string][]byte{}
	for n, i := range at {
		if raw := r.fileRecord(i, byFile[i], old[n]); raw != nil {
			pairs[paths[n]] = raw
		}
	}
	if len(pairs) == 0 {
		return nil
	}
	return k.putRecords(ctx, filesBucket, pairs)
}

// putRecords writes records, where that is possible.
func (k *Known) putRecords(ctx context.Context, bucket string, pairs map[string][]byte) error {
	err := k.Records.PutRecords(ctx, bucket, pairs)
	var readOnly *cache.ReadOnlyError
	if errors.As(err, &readOnly) {
		slog.Debug("records were not written", "error", err)
		return nil
	}
	return err
}

// fileRecord joins what a record says already with what is known now; nil
// where there is nothing to add.
func (r *resolution) fileRecord(file int, sources []int, old []byte) []byte {
	f := r.files[file].id
	if id, ok := decodeFileID(old); !ok || id != f {
		old = nil
	}
	// Ranges by offset and size: the record's, then those of now.
	ranges := make([]string, 0, len(sources)+len(old)/fileRange)
	for b := old[min(len(old), fileHead):]; len(b) >= fileRange; b = b[fileRange:] {
		ranges = append(ranges, string(b[:fileRange]))
	}
	for _, i := range sources {
		if !r.sources[i].IsZero() {
			ranges = append(ranges, string(appendRange(nil, &r.plan.Sources[i], r.sources[i])))
		}
	}
	slices.SortStableFunc(ranges, func(a, b string) int {
		x, xs := rangeAt([]byte(a))
		y, ys := rangeAt([]byte(b))
		return cmp.Or(cmp.Compare(x, y), cmp.Compare(xs, ys))
	})
	out := make([]byte, 0, fileHead+len(ranges)*fileRange)
	for _, v := range []uint64{uint64(f.Size), uint64(f.Mtime), uint64(f.Ctime), f.Inode, f.Device} {
		out = binary.LittleEndian.AppendUint64(out, v)
	}
	for i, b := range ranges {
		if i+1 == len(ranges) || ranges[i+1][:16] != b[:16] {
			out = append(out, b...)
		}
	}
	if bytes.Equal(out, old) {
		return nil
	}
	return out
}

func appendRange(b []byte, s *Source, id cache.OutputID) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(s.Offset))
	b = binary.LittleEndian.AppendUint64(b, uint64(s.Size))
	return append(b, id[:]...)
}

// hashUnknown reads sources whose content is not known, if all of them
// together are no more than limit bytes (< 0: always) and at hand.
func (k *Known) hashUnknown(ctx context.Context, r *resolution, limit int64, reading func(int64, string)) error {
	var todo []int
	var total int64
	for i, id := range r.sources {
		if !id.IsZero() {
			continue
		}
		if !r.files[r.plan.Sources[i].File].present {
			return nil
		}
		todo = append(todo, i)
		total += r.plan.Sources[i].Size
	}
	if len(todo) == 0 || limit >= 0 && total > limit {
		return nil
	}
	if reading != nil {
		reading(total, r.plan.Files[r.plan.Sources[todo[len(todo)-1]].File].Path)
	}
	return k.hash(ctx, r, todo, nil)
}

// hash reads sources and keeps their ids, also for later runs.
func (k *Known) hash(ctx context.Context, r *resolution, todo []int, progress func(int64)) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, i := range todo {
		g.Go(func() error {
			id, err := hashSource(gctx, r.plan, i, progress)
			if err != nil {
				return err
			}
			r.sources[i] = id
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	r.learned = true
	return k.remember(ctx, r)
}

// hashSource reads a source and names its content.
func hashSource(ctx context.Context, plan *Plan, source int, progress func(int64)) (cache.OutputID, error) {
	s := &plan.Sources[source]
	r, err := openSource(plan, source)
	if err != nil {
		return cache.OutputID{}, err
	}
	defer r.Close()
	h := blake3.New()
	buf := make([]byte, min(1<<20, max(s.Size, 1)))
	for {
		if err := ctx.Err(); err != nil {
			return cache.OutputID{}, err
		}
		n, err := r.Read(buf)
		h.Write(buf[:n])
		if progress != nil {
			progress(int64(n))
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return cache.OutputID{}, err
		}
	}
	var id cache.OutputID
	h.Sum(id[:0])
	return id, nil
}

// sourceReader reads a range of a file; a file that ends too soon is an error.
type sourceReader struct {
	f    *os.File
	name string
	at   int64
	left int64
}

func openSource(plan *Plan, source int) (*sourceReader, error) {
	s := &plan.Sources[source]
	f, err := os.Open(plan.Files[s.File].Path)
	if err != nil {
		return nil, fmt.Errorf("source %s: %w", s.Name, err)
	}
	return &sourceReader{f: f, name: s.Name, at: s.Offset, left: s.Size}, nil
}

func (r *sourceReader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n, err := r.f.ReadAt(p[:min(int64(len(p)), r.left)], r.at)
	r.at, r.left = r.at+int64(n), r.left-int64(n)
	if err == io.EOF && r.left > 0 && n == 0 {
		return 0, fmt.Errorf("source %s: %s ends %d bytes too soon: it was cut off while it was read", r.name, r.f.Name(), r.left)
	}
	if err == io.EOF {
		err = nil
	}
	if err != nil {
		err = fmt.Errorf("source %s: %w", r.name, err)
	}
	return n, err
}

func (r *sourceReader) Close() error { return r.f.Close() }
