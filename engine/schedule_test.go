package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/cache"
	"github.com/llama-pajamas/pj/cache/cachetest"
)

var errBroken = errors.New("broken on purpose")

// failing makes the actions of these addresses fail.
func failing(tags ...string) func(context.Context, *Env, string) error {
	return func(_ context.Context, _ *Env, tag string) error {
		if slices.Contains(tags, tag) {
			return fmt.Errorf("%s is %w", tag, errBroken)
		}
		return nil
	}
}

// meter measures what runs at once.
type meter struct {
	mu                sync.Mutex
	running, peak     int
	memory, memoryTop int64
	alone             map[string]bool
}

func (m *meter) hook(plan *Plan) func(context.Context, *Env, string) error {
	m.alone = map[string]bool{}
	return func(_ context.Context, _ *Env, tag string) error {
		i := slices.IndexFunc(plan.Actions, func(a *Action) bool { return a.Address == tag })
		m.mu.Lock()
		m.running++
		m.memory += plan.Actions[i].Memory
		m.peak, m.memoryTop = max(m.peak, m.running), max(m.memoryTop, m.memory)
		m.alone[tag] = m.running == 1
		m.mu.Unlock()
		time.Sleep(2 * time.Millisecond)
		m.mu.Lock()
		defer m.mu.Unlock()
		m.running--
		m.memory -= plan.Actions[i].Memory
		return nil
	}
}

func TestWorkersAndMemory(t *testing.T) {
	tests := []struct {
		name         string
		jobs         int
		budget       int64
		memory       []int64
		peak         int // actions at once
		memoryTop    int64
		alone        string
		wantPeakOver int
	}{
		{name: "one worker", jobs: 1, memory: []int64{1, 1, 1, 1}, peak: 1, memoryTop: 1},
		{name: "four workers", jobs: 4, memory: []int64{1, 1, 1, 1, 1, 1, 1, 1}, peak: 4, memoryTop: 4, wantPeakOver: 2},
		{name: "budget for two", jobs: 4, budget: 200, memory: []int64{100, 100, 100, 100, 100, 100}, peak: 2, memoryTop: 200, wantPeakOver: 2},
		{name: "budget of mixed sizes", jobs: 8, budget: 100, memory: []int64{60, 60, 40, 30, 30, 10, 90, 10, 0, 100}, peak: 8, memoryTop: 100},
		{name: "larger than the budget", jobs: 4, budget: 100, memory: []int64{30, 500, 30, 30, 30}, peak: 3, memoryTop: 500, alone: "double1"},
		{name: "sums beyond 64 bits", jobs: 4, budget: 100, memory: []int64{1<<63 - 1, 1<<63 - 1, 1<<63 - 1}, peak: 1, memoryTop: 1<<63 - 1, alone: "double1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			p := w.tensors(len(tt.memory), 10)
			for i, m := range tt.memory {
				p.Actions[i].Memory = m
			}
			p.Actions[len(tt.memory)].Memory = 0
			var m meter
			w.hook = m.hook(p)
			x := w.executor()
			x.Jobs, x.Memory = tt.jobs, tt.budget
			res, err := w.build(x, p)
			require.NoError(t, err)
			require.Equal(t, len(p.Actions), res.Executed)
			require.LessOrEqual(t, m.peak, tt.peak)
			require.GreaterOrEqual(t, m.peak, tt.wantPeakOver)
			require.LessOrEqual(t, m.memoryTop, tt.memoryTop)
			if tt.alone != "" {
				require.True(t, m.alone[tt.alone])
			}
		})
	}
}

// What a queue gives is the plan's order, within memory, and what another build
// is at comes last.
func TestQueue(t *testing.T) {
	units := make([]*unit, 6)
	for i := range units {
		units[i] = &unit{index: i, memory: int64(i)}
	}
	units[5].waits, units[0].next = 1, []int{5}
	q := newQueue(units, 6)
	first := q.next()
	require.Same(t, units[0], first)
	require.Same(t, units[1], q.next())
	require.Same(t, units[2], q.next())
	require.Same(t, units[3], q.next())
	require.Nil(t, q.next(), "4 does not fit")
	q.ended(units[2])
	require.Nil(t, q.next())
	q.ended(first)
	q.release(first)
	require.Nil(t, q.next())
	units[2].busy = true
	q.add(units[2])
	q.ended(units[3])
	require.Same(t, units[4], q.next())
	q.ended(units[1])
	require.Nil(t, q.next(), "5 does not fit, and 2 is not ours")
	q.ended(units[4])
	require.Same(t, units[5], q.next())
	q.ended(units[5])
	require.Same(t, units[2], q.next())
	require.Nil(t, q.next())
}

// What only names the sources comes after what reads them.
func TestQueueOfLateUnits(t *testing.T) {
	units := []*unit{{index: 0, late: true}, {index: 1}, {index: 2, busy: true}, {index: 3}}
	q := newQueue(units, 0)
	var order []int
	for u := q.next(); u != nil; u = q.next() {
		order = append(order, u.index)
		q.ended(u)
	}
	require.Equal(t, []int{1, 3, 0, 2}, order)
}

// Units that are all larger than the budget run one by one.
func TestQueueOfTooLargeUnits(t *testing.T) {
	units := []*unit{{index: 0, memory: 50}, {index: 1, memory: 40}}
	q := newQueue(units, 10)
	for _, u := range units {
		require.Same(t, u, q.next())
		require.Nil(t, q.next())
		q.ended(u)
	}
	require.Nil(t, q.next())
}

func TestFailFast(t *testing.T) {
	onStores(t, func(t *testing.T, w *world) {
		p := w.packed(6, 100, "a.bin")
		fail := failing("double3")
		w.hook = fail
		x := w.executor()
		x.Jobs = 1
		res, err := w.build(x, p)
		require.ErrorIs(t, err, errBroken)
		var failed *ActionError
		require.ErrorAs(t, err, &failed)
		require.Equal(t, "double3", failed.Address)
		require.Equal(t, "double3: double3 is broken on purpose", err.Error())
		require.Equal(t, []string{"double0", "double1", "double2", "double3"}, w.ran())
		require.Equal(t, 3, res.Executed)
		require.Empty(t, res.Artifacts)
		require.NoFileExists(t, p.OutputDir+"/a.bin")

		w.hook = nil
		res = w.must(p)
		require.Equal(t, 5, res.Executed, "what was finished before the failure was kept")
	})
}

// A failure cancels what runs beside it; that what was cancelled is no failure.
func TestFailureCancelsTheOthers(t *testing.T) {
	w := newWorld(t)
	p := w.tensors(4, 100)
	var cancelled atomic.Int64
	var ready sync.WaitGroup
	ready.Add(4)
	w.hook = func(ctx context.Context, env *Env, tag string) error {
		ready.Done()
		ready.Wait()
		switch tag {
		case "double2":
			return errBroken
		case "double1":
			return nil // it finishes although the build is about to end
		}
		<-ctx.Done()
		cancelled.Add(1)
		return ctx.Err()
	}
	x := w.executor()
	x.Jobs = 4
	_, err := w.build(x, p)
	require.EqualError(t, err, "double2: broken on purpose")
	require.EqualValues(t, 2, cancelled.Load())
	w.hook = nil
	require.Equal(t, []Status{New, Cached, New, New, New}, statuses(w.resolve(p)))
}

func TestKeepGoing(t *testing.T) {
	for _, jobs := range []int{1, 4} {
		for _, group := range []string{"", "together"} {
			t.Run(fmt.Sprint(jobs, group), func(t *testing.T) {
				w := newWorld(t)
				p := w.tensors(5, 100)
				for _, a := range p.Actions[:5] {
					a.Group = group
				}
				p.add("quarter0", "stage double", nil, output("in", 0))
				p.add("quarter1", "stage double", nil, output("in", 1))
				p.add("eighth1", "stage double", nil, output("in", 7))
				pack := p.add("pack", "artifact pack", values{"align": 1}, output("part", 6))
				lost := p.add("packLost", "artifact pack", values{"align": 1}, output("part", 8))
				p.Artifacts = []ArtifactPlan{{Address: "artifact.lost", Path: "lost.bin", Action: lost}, {Address: "artifact.good", Path: "good.bin", Action: pack}}
				w.hook = failing("double1", "double3")
				x := w.executor()
				x.Jobs, x.KeepGoing = jobs, true
				res, err := w.build(x, p)
				require.ErrorIs(t, err, errBroken)
				require.ErrorContains(t, err, "double1: double1 is broken on purpose")
				require.ErrorContains(t, err, "double3: double3 is broken on purpose")
				require.Equal(t, 1, strings.Count(err.Error(), "\n"), "what could not run is no failure of its own")
				require.Equal(t, []string{"double0", "double1", "double2", "double3", "double4", "pack", "quarter0"}, w.ran())
				require.Equal(t, 5, res.Executed)
				require.Len(t, res.Artifacts, 1)
				require.Equal(t, "artifact.good", res.Artifacts[0].Address)
				require.FileExists(t, res.Artifacts[0].Files[0].Path)

				w.hook = nil
				require.Equal(t, 6, w.must(p).Executed)
			})
		}
	}
}

func TestCancel(t *testing.T) {
	onStores(t, func(t *testing.T, w *world) {
		p := w.tensors(4, 100)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		w.hook = func(ctx context.Context, env *Env, tag string) error {
			if tag == "double1" {
				cancel() // and it is done all the same
			}
			return nil
		}
		x := w.executor()
		x.Jobs = 1
		res, err := x.Build(ctx, func(context.Context, *Known) (*Plan, error) { return p, nil })
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, 2, res.Executed)
		w.hook = nil
		r, err := w.known.Resolve(t.Context(), p, 0, nil)
		require.NoError(t, err)
		require.Equal(t, []Status{Cached, Cached, New, New, New}, statuses(r.States))
		require.EqualValues(t, 200, w.must(p).HashedBytes, "also what was hashed stays")
	})
}

func TestCancelBeforeAnything(t *testing.T) {
	w := newWorld(t)
	p := w.tensors(2, 10)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := w.executor().Build(ctx, func(context.Context, *Known) (*Plan, error) { return p, nil })
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, w.ran())
	_, err = w.executor().Build(ctx, func(ctx context.Context, _ *Known) (*Plan, error) { return nil, ctx.Err() })
	require.ErrorIs(t, err, context.Canceled)
}

// counting counts the commits of a store.
type counting struct {
	cache.Store
	commits, actions atomic.Int64
}

func (c *counting) Begin(ctx context.Context) (cache.Batch, error) {
	b, err := c.Store.Begin(ctx)
	return &countingBatch{b, c}, err
}

type countingBatch struct {
	cache.Batch
	c *counting
}

func (b *countingBatch) Commit(ctx context.Context, commits []cache.Commit) error {
	b.c.commits.Add(1)
	b.c.actions.Add(int64(len(commits)))
	return b.Batch.Commit(ctx, commits)
}

func TestGroupsCommitTogether(t *testing.T) {
	w := newWorld(t)
	p := w.tensors(9, 100)
	for i, a := range p.Actions[:9] {
		a.Group = []string{"x", "y", ""}[i%3]
	}
	c := &counting{Store: w.store}
	w.store, w.known.Store = c, c
	w.must(p)
	require.EqualValues(t, 2+3+1, c.commits.Load())
	require.EqualValues(t, 10, c.actions.Load())

	// What a group finished before one of it failed is committed.
	c.commits.Store(0)
	c.actions.Store(0)
	w.write("model.bin", cachetest.Bytes(2, 900))
	for _, a := range p.Actions[:9] {
		a.Group = "all"
	}
	w.hook = failing("double4")
	_, err := w.build(w.executor(), p)
	require.ErrorIs(t, err, errBroken)
	require.EqualValues(t, 1, c.commits.Load())
	require.EqualValues(t, 4, c.actions.Load())
}

// A group whose actions need each other, or groups that need each other both
// ways, run all the same.
func TestGroupsOfDependentActions(t *testing.T) {
	onStores(t, func(t *testing.T, w *world) {
		p := w.empty()
		s := p.addSource("t", p.addFile(t, w.write("t.bin", []byte("abc"))), 0, 3)
		p.add("a0", "stage double", nil, source("in", s))
		p.add("b1", "stage double", nil, output("in", 0))
		p.add("a2", "stage double", nil, output("in", 1))
		p.add("a3", "stage double", nil, output("in", 2))
		p.add("b0", "stage double", nil, source("in", s))
		p.add("sum", "stage sum", nil, output("in", 3), output("in", 4))
		for i, g := range []string{"a", "b", "a", "a", "b", "b"} {
			p.Actions[i].Group = g
		}
		res := w.must(p)
		require.Equal(t, 6, res.Executed)
		sum := ('a' + 'b' + 'c') * (16 + 2)
		require.Equal(t, fmt.Sprintf(`{"sum":%d}`, sum), string(res.States[5].Entry.Meta))
		require.Equal(t, 0, w.must(p).Executed)
	})
}

// Two addresses of one key are one piece of work.
func TestSameWorkTwice(t *testing.T) {
	onStores(t, func(t *testing.T, w *world) {
		p := w.tensors(2, 100)
		p.Actions[1].Params, p.Actions[1].Inputs = p.Actions[0].Params, p.Actions[0].Inputs
		x := w.executor()
		x.Jobs = 4
		w.hook = slowly
		res, err := w.build(x, p)
		require.NoError(t, err)
		require.Equal(t, 2, res.Executed)
		for _, e := range w.events {
			require.NotEqual(t, EventWaiting, e.Kind, "no other build is there to wait for")
		}
		require.Equal(t, res.States[0].ID, res.States[1].ID)
		require.Equal(t, res.States[0].Entry.Outputs, res.States[1].Entry.Outputs)
	})
}

func TestPlanThatDoesNotFitTheProgram(t *testing.T) {
	for want, change := range map[string]func(p *Plan){
		`this program has no stage that runs "stage other"`:                         func(p *Plan) { p.Actions[0].Stage = "stage other" },
		"the plan wants stage double v2, and this program has v1: plan again":       func(p *Plan) { p.Actions[0].Version = 2 },
		`its input part is output "other" of double0, which made none of that name`: func(p *Plan) { p.Actions[2].Inputs[0].Output = "other" },
		"artifact.pack.a: its action left no manifest":                              func(p *Plan) { p.Artifacts[0].Action = 0 },
	} {
		w := newWorld(t)
		p := w.packed(2, 10, "a.bin")
		change(p)
		_, err := w.build(w.executor(), p)
		require.ErrorContains(t, err, want)
	}
}
