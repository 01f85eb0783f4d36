package engine

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"sort"
	"sync"

	"github.com/zeebo/blake3"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/llama-pajamas/pj/cache"
)

// Difference is something that came out otherwise than it did before.
type Difference struct {
	Address string `json:"address"` // of an action or artifact
	// Output names the action's output, or is the artifact's file.
	Output string `json:"output"`
	Detail string `json:"detail"`
}

func (d Difference) String() string { return d.Address + ": " + d.Output + ": " + d.Detail }

// Verified is what Verify looked at.
type Verified struct {
	Actions     int          `json:"actions"`
	Files       int          `json:"files"` // of artifacts
	Differences []Difference `json:"differences"`
}

// NotBuiltError says that something can't be compared since it was not built.
type NotBuiltError struct{ Addresses []string }

func (e *NotBuiltError) Error() string {
	s := fmt.Sprintf("%s is not in the cache", e.Addresses[0])
	if n := len(e.Addresses) - 1; n > 0 {
		s = fmt.Sprintf("%s and %d more actions are not in the cache", e.Addresses[0], n)
	}
	return s + ": build first, then verify"
}

// Verify runs the actions of a plan again, though the cache has them, and
// compares what comes out with what it has; nothing is kept. Then it compares
// the files of artifacts with what the cache would put there. With addresses
// only actions and artifacts that these cover are looked at.
func (x *Executor) Verify(ctx context.Context, plan *Plan, addresses []string) (*Verified, error) {
	wanted := func(address string) bool {
		for _, w := range addresses {
			if AddressCovers(w, address) {
				return true
			}
		}
		return len(addresses) == 0
	}
	known, err := x.resolve(ctx, plan, -1, nil)
	if err != nil {
		return nil, err
	}
	v := &verification{e: x.executionOf(plan, known), out: &Verified{Differences: []Difference{}}}
	var missing []string
	var units []*unit
	groups := map[string]*unit{}
	for i, a := range plan.Actions {
		if !wanted(a.Address) {
			continue
		}
		if known.entries[i] == nil {
			missing = append(missing, a.Address)
		}
		u := groups[a.Group]
		if u == nil || a.Group == "" {
			u = &unit{index: len(units)}
			units = append(units, u)
			groups[a.Group] = u
		}
		u.actions = append(u.actions, i)
		u.work += a.Work
		u.memory = max(u.memory, a.Memory)
	}
	missing = append(missing, plan.Pending...)
	if len(missing) > 0 {
		return nil, &NotBuiltError{missing}
	}
	if err := v.actions(ctx, units); err != nil {
		return v.out, err
	}
	for _, a := range plan.Artifacts {
		if !wanted(a.Address) {
			continue
		}
		if err := v.artifact(ctx, a); err != nil {
			return v.out, fmt.Errorf("%s: %w", a.Address, err)
		}
	}
	sort.SliceStable(v.out.Differences, func(i, j int) bool { return v.out.Differences[i].Address < v.out.Differences[j].Address })
	return v.out, nil
}

// verification is one Verify at work.
type verification struct {
	e   *execution
	mu  sync.Mutex // guards out
	out *Verified
}

func (v *verification) differs(address, output, detail string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.out.Differences = append(v.out.Differences, Difference{address, output, fmt.Sprintf(detail, args...)})
}

// actions runs units side by side, as the workers and the budget allow.
func (v *verification) actions(ctx context.Context, units []*unit) error {
	var work int64
	count := 0
	for _, u := range units {
		work += u.work
		count += len(u.actions)
	}
	v.e.x.tell(Event{Kind: EventPlanned, Bytes: work, Count: count})
	budget := v.e.x.Memory
	if budget <= 0 {
		budget = 1 << 62
	}
	memory := semaphore.NewWeighted(budget)
	g, gctx := errgroup.WithContext(ctx)
	for _, u := range units {
		need := min(u.memory, budget)
		if memory.Acquire(gctx, need) != nil {
			break
		}
		if v.e.workers.Acquire(gctx, 1) != nil {
			break
		}
		g.Go(func() error {
			defer memory.Release(need)
			defer v.e.workers.Release(1)
			for _, i := range u.actions {
				if err := v.action(gctx, i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

// action runs one again and compares its outputs.
func (v *verification) action(ctx context.Context, i int) error {
	e, a := v.e, v.e.plan.Actions[i]
	held, err := e.learn(ctx, a)
	if err != nil {
		return e.failed(a, err)
	}
	e.mu.Lock()
	id, before := e.known.states[i].ID, e.known.entries[i]
	e.mu.Unlock()
	commit, err := e.execute(ctx, i, hashBatch{}, held, id, nil)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return e.failed(a, err)
	}
	e.advance(i, a.Work)
	v.mu.Lock()
	v.out.Actions++
	v.mu.Unlock()
	was := map[string]cache.Output{}
	for _, o := range before.Outputs {
		was[o.Name] = o
	}
	for _, o := range commit.Entry.Outputs {
		old, ok := was[o.Name]
		delete(was, o.Name)
		switch {
		case !ok:
			v.differs(a.Address, o.Name, "is made now, and was not before")
		case o.ID != old.ID && o.Size != old.Size:
			v.differs(a.Address, o.Name, "has %d bytes now, and had %d", o.Size, old.Size)
		case o.ID != old.ID:
			v.differs(a.Address, o.Name, "has other bytes: %s now, and %s before", o.ID.String()[:16], old.ID.String()[:16])
		}
	}
	for name := range was {
		v.differs(a.Address, name, "is not made any more")
	}
	return nil
}

// artifact compares an artifact's files with what its manifest says.
func (v *verification) artifact(ctx context.Context, a ArtifactPlan) error {
	path := filepath.Join(v.e.plan.OutputDir, filepath.FromSlash(a.Path))
	m, err := v.e.manifest(ctx, outputID(v.e.known.entries[a.Action], ManifestOutput))
	if err != nil {
		return err
	}
	for _, f := range m.Files {
		p := filePath(path, f.Name)
		v.e.x.tell(Event{Kind: EventAssemble, Text: p, Bytes: f.Size})
		v.out.Files++
		file, err := os.Open(p)
		if errors.Is(err, os.ErrNotExist) {
			v.differs(a.Address, p, "is not there")
			continue
		}
		if err != nil {
			return err
		}
		err = v.file(ctx, a.Address, file, f)
		file.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// file compares a file with its pieces.
func (v *verification) file(ctx context.Context, address string, file *os.File, f ManifestFile) error {
	if st, err := file.Stat(); err != nil {
		return err
	} else if st.Size() != f.Size {
		v.differs(address, file.Name(), "has %d bytes, and should have %d", st.Size(), f.Size)
		return nil
	}
	have := bufio.NewReaderSize(file, 1<<20)
	at := int64(0)
	same := func(want io.Reader, n int64) (bool, error) {
		diff, err := firstDifference(ctx, have, want, n)
		if err == nil && diff >= 0 {
			v.differs(address, file.Name(), "differs from byte %d on from what the cache holds", at+diff)
		}
		at += n
		return err == nil && diff < 0, err
	}
	for _, p := range f.Pieces {
		if ok, err := same(zeros{}, p.Offset-at); !ok {
			return err
		}
		b, err := v.e.openMade(ctx, p.ID)
		if err != nil {
			return err
		}
		ok, err := same(b, p.Size)
		b.Close()
		if !ok {
			return err
		}
	}
	_, err := same(zeros{}, f.Size-at)
	return err
}

// firstDifference reads n bytes of both and gives the first offset at which they
// differ, -1 if they don't.
func firstDifference(ctx context.Context, a, b io.Reader, n int64) (int64, error) {
	const step = 256 << 10
	x, y := make([]byte, min(n, step)), make([]byte, min(n, step))
	for at := int64(0); at < n; at += step {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		size := min(step, n-at)
		if _, err := io.ReadFull(a, x[:size]); err != nil {
			return 0, err
		}
		if _, err := io.ReadFull(b, y[:size]); err != nil {
			return 0, err
		}
		if bytes.Equal(x[:size], y[:size]) {
			continue
		}
		for i := range size {
			if x[i] != y[i] {
				return at + i, nil
			}
		}
	}
	return -1, nil
}

// zeros reads as zeros without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// hashBatch names what is written and keeps none of it.
type hashBatch struct{}

func (hashBatch) Create(int64) (cache.BlobWriter, error) { return &hashWriter{h: blake3.New()}, nil }

func (hashBatch) Commit(context.Context, []cache.Commit) error {
	return errors.New("what is verified is not kept")
}

func (hashBatch) Discard() {}

type hashWriter struct {
	h hash.Hash
	n int64
}

func (w *hashWriter) Write(p []byte) (int, error) {
	w.n += int64(len(p))
	return w.h.Write(p)
}

func (w *hashWriter) Close() (id cache.OutputID, n int64, err error) {
	w.h.Sum(id[:0])
	return id, w.n, nil
}

func (w *hashWriter) Abort() {}
