package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/llama-pajamas/pj/cache"
	"github.com/llama-pajamas/pj/internal/atomicfile"
	"github.com/llama-pajamas/pj/internal/filestat"
)

// written is the record of an artifact on this machine: what its files were
// when they were written.
type written struct {
	Manifest cache.OutputID `json:"manifest"`
	Files    []writtenFile  `json:"files"`
}

type writtenFile struct {
	Name   string      `json:"name"`
	Stat   filestat.ID `json:"stat"`
	SHA256 string      `json:"sha256"`
}

// assembleAll writes the artifacts whose manifests are known and whose files
// are not there yet.
func (e *execution) assembleAll(ctx context.Context) error {
	var errs []error
	for _, a := range e.plan.Artifacts {
		// One without an action waits for the next wave, one without an entry for
		// something that failed.
		if a.Action < 0 || e.known.entries[a.Action] == nil {
			continue
		}
		done, err := e.assemble(ctx, a)
		if err == nil {
			e.res.Artifacts = append(e.res.Artifacts, *done)
			continue
		}
		errs = append(errs, fmt.Errorf("%s: %w", a.Address, err))
		if !e.x.KeepGoing || ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

func (e *execution) assemble(ctx context.Context, a ArtifactPlan) (*ArtifactResult, error) {
	if err := CheckOutputLinks(e.plan.OutputDir, a.Path); err != nil {
		return nil, err
	}
	path := filepath.Join(e.plan.OutputDir, filepath.FromSlash(a.Path))
	tries := map[cache.OutputID]int{}
	for {
		id := outputID(e.known.entries[a.Action], ManifestOutput)
		if id.IsZero() {
			return nil, fmt.Errorf("its action left no manifest")
		}
		if done, ok := e.upToDate(ctx, a.Address, path, id); ok {
			if w, ok := e.written[a.Address]; ok {
				done.Written, done.Methods = w.Written, w.Methods
			}
			return done, nil
		}
		done, err := e.write(ctx, a.Address, path, id)
		lost := lostInputs(err)
		if len(lost) == 0 {
			return done, err
		}
		for _, l := range lost {
			if tries[l.id]++; tries[l.id] == attempts {
				return nil, err
			}
			if err := e.remake(ctx, l); err != nil {
				return nil, err
			}
		}
	}
}

// lostInputs are the blobs that have to be made again, by what write says.
func lostInputs(err error) []*lostInput {
	var lost *lostInput
	var several *lostPieces
	switch {
	case errors.As(err, &several):
		return several.lost
	case errors.As(err, &lost):
		return []*lostInput{lost}
	}
	return nil
}

// lostPieces are blobs of a file that proved corrupt or gone.
type lostPieces struct{ lost []*lostInput }

func (l *lostPieces) Unwrap() (errs []error) {
	for _, lost := range l.lost {
		errs = append(errs, lost)
	}
	return errs
}

func (l *lostPieces) Error() string {
	if len(l.lost) == 1 {
		return l.lost[0].Error()
	}
	return fmt.Sprintf("%v, and %d more", l.lost[0], len(l.lost)-1)
}

// upToDate reports whether the files are those that this manifest gave before.
func (e *execution) upToDate(ctx context.Context, address, path string, manifest cache.OutputID) (*ArtifactResult, bool) {
	if e.x.Records == nil {
		return nil, false
	}
	raw, err := e.x.Records.Records(ctx, artifactsBucket, []string{path})
	if err != nil || raw[0] == nil {
		return nil, false
	}
	var rec written
	if json.Unmarshal(raw[0], &rec) != nil || rec.Manifest != manifest {
		return nil, false
	}
	done := &ArtifactResult{Address: address}
	for _, f := range rec.Files {
		p := filePath(path, f.Name)
		if now, err := filestat.Of(p); err != nil || now != f.Stat {
			return nil, false
		}
		done.Files = append(done.Files, ArtifactFile{Path: p, Bytes: f.Stat.Size, SHA256: f.SHA256})
		done.Bytes += f.Stat.Size
	}
	return done, true
}

// write makes the artifact's files.
func (e *execution) write(ctx context.Context, address, path string, id cache.OutputID) (*ArtifactResult, error) {
	m, err := e.manifest(ctx, id)
	if err != nil {
		return nil, err
	}
	done := &ArtifactResult{Address: address, Written: true, Methods: map[string]int{}}
	rec := written{Manifest: id}
	settled := true
	for _, f := range m.Files {
		p := filePath(path, f.Name)
		e.x.tell(Event{Kind: EventAssemble, Text: p, Bytes: f.Size})
		if err := makeFolder(filepath.Dir(p)); err != nil {
			return nil, err
		}
		var sum []byte
		err := atomicfile.Write(p, func(w *os.File) (err error) {
			sum, err = e.fill(ctx, w, f, done.Methods)
			return err
		})
		if err != nil {
			return nil, err
		}
		stat, err := filestat.Of(p)
		if err != nil {
			return nil, err
		}
		settled = settled && stat.Size == f.Size
		file := ArtifactFile{Path: p, Bytes: f.Size, SHA256: hex.EncodeToString(sum)}
		done.Files = append(done.Files, file)
		done.Bytes += f.Size
		rec.Files = append(rec.Files, writtenFile{Name: f.Name, Stat: stat, SHA256: file.SHA256})
	}
	if e.x.Records == nil || !settled {
		return done, nil
	}
	raw, err := json.Marshal(rec)
	if err != nil {
		return nil, err
	}
	return done, e.x.putRecords(ctx, artifactsBucket, map[string][]byte{path: raw})
}

func (e *execution) manifest(ctx context.Context, id cache.OutputID) (*Manifest, error) {
	b, err := e.openMade(ctx, id)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	raw := make([]byte, b.Size())
	if _, err := io.ReadFull(b, raw); err != nil {
		return nil, e.lostBlob(id, err)
	}
	return DecodeManifest(raw)
}

func (e *execution) openMade(ctx context.Context, id cache.OutputID) (cache.Blob, error) {
	b, err := e.x.Store.Open(ctx, id)
	if err != nil {
		return nil, e.lostBlob(id, err)
	}
	return b, nil
}

// lostBlob makes the error of a blob that can be made again a *lostInput.
func (e *execution) lostBlob(id cache.OutputID, err error) error {
	var corrupt *cache.CorruptError
	isCorrupt := errors.As(err, &corrupt)
	if !isCorrupt && !errors.Is(err, cache.ErrNotFound) {
		return err
	}
	by, ok := e.maker(id)
	if !ok {
		return err
	}
	return &lostInput{id: id, by: by, corrupt: isCorrupt, err: err}
}

// fill puts the pieces into w and gives the SHA-256 of the whole. The kernel
// brings the bytes over; each blob is then read once, which checks it against
// its id and feeds the sum. Where one is bad the others are still looked at, so
// that all bad ones are known at once: a *lostPieces.
func (e *execution) fill(ctx context.Context, w *os.File, f ManifestFile, methods map[string]int) ([]byte, error) {
	if err := w.Truncate(f.Size); err != nil {
		return nil, err
	}
	sum := newAside(sha256.New())
	defer sum.stop()
	at := int64(0)
	var lost lostPieces
	for _, p := range f.Pieces {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		sum.zeros(p.Offset - at)
		at = p.Offset + p.Size
		method, err := e.fillPiece(ctx, w, p, sum)
		var l *lostInput
		if errors.As(err, &l) {
			if !slices.ContainsFunc(lost.lost, func(o *lostInput) bool { return o.id == l.id }) {
				lost.lost = append(lost.lost, l)
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		methods[method]++
	}
	if len(lost.lost) > 0 {
		return nil, &lost
	}
	sum.zeros(f.Size - at)
	return sum.sum(), nil
}

func (e *execution) fillPiece(ctx context.Context, w *os.File, p Piece, sum *aside) (method string, err error) {
	b, err := e.openMade(ctx, p.ID)
	if err != nil {
		return "", err
	}
	defer b.Close()
	if b.Size() != p.Size {
		return "", fmt.Errorf("blob %s has %d bytes, and the manifest says %d", p.ID, b.Size(), p.Size)
	}
	var to io.Writer = sum
	method = cache.MethodCopy
	if _, _, ok := b.Extent(); ok {
		if method, err = cache.CopyExtent(w, p.Offset, b); err != nil {
			return "", err
		}
	} else {
		to = io.MultiWriter(io.NewOffsetWriter(w, p.Offset), sum)
	}
	buf := make([]byte, min(1<<20, max(p.Size, 1)))
	if _, err := io.CopyBuffer(to, struct{ io.Reader }{b}, buf); err != nil {
		return "", e.lostBlob(p.ID, err)
	}
	return method, nil
}

// aside sums on a goroutine of its own, so that checking and summing overlap.
type aside struct {
	h     hash.Hash
	in    chan []byte
	free  chan []byte
	ended chan struct{}
	open  bool
}

func newAside(h hash.Hash) *aside {
	a := &aside{h: h, in: make(chan []byte, 4), free: make(chan []byte, 6), ended: make(chan struct{}), open: true}
	go func() {
		defer close(a.ended)
		for b := range a.in {
			h.Write(b)
			select {
			case a.free <- b:
			default:
			}
		}
	}()
	return a
}

func (a *aside) Write(p []byte) (int, error) {
	var b []byte
	select {
	case b = <-a.free:
	default:
	}
	a.in <- append(b[:0], p...)
	return len(p), nil
}

// zeros adds n zeros.
func (a *aside) zeros(n int64) {
	for ; n > 0; n -= int64(len(zeroBlock)) {
		a.Write(zeroBlock[:min(n, int64(len(zeroBlock)))])
	}
}

var zeroBlock [4096]byte

func (a *aside) stop() {
	if a.open {
		a.open = false
		close(a.in)
		<-a.ended
	}
}

func (a *aside) sum() []byte {
	a.stop()
	return a.h.Sum(nil)
}
