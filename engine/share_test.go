package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Tests that need another process start this program again; it then builds the
// plan of a file.
const childVar = "PJ_ENGINE_TEST_BUILD"

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	if dir := os.Getenv(childVar); dir != "" {
		if err := buildAsChild(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// buildAsChild builds dir/plan.json and says how many actions it ran.
func buildAsChild(dir string) error {
	w := &world{t: childTB{}, dir: dir}
	w.store = openLocal(w.t, filepath.Join(dir, "cache"))
	w.known = Known{Store: w.store, Records: openLocal(w.t, filepath.Join(dir, "cache"))}
	w.hook = slowly
	plan, err := ReadPlan(filepath.Join(dir, "plan.json"))
	if err != nil {
		return err
	}
	x := &Executor{Known: w.known, Catalog: w.catalog(), Jobs: 2}
	res, err := x.Build(context.Background(), func(context.Context, *Known) (*Plan, error) { return plan, nil })
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(res.Executed)
}

// childTB stands in for the test in a process of its own.
type childTB struct{ testing.TB }

func (childTB) Helper()                           {}
func (childTB) Errorf(format string, args ...any) { fmt.Fprintf(os.Stderr, format, args...) }
func (childTB) FailNow()                          { os.Exit(1) }

// slowly makes actions last long enough to meet another build's.
func slowly(context.Context, *Env, string) error {
	time.Sleep(3 * time.Millisecond)
	return nil
}

// sharedPlan is a plan of single actions and groups, and an artifact.
func sharedPlan(w *world) *Plan {
	p := w.packed(24, 500, "a.bin")
	for i, a := range p.Actions[:12] {
		a.Group = fmt.Sprint("group", i/4)
	}
	return p
}

// Builds side by side share the work: every action runs once.
func TestTwoBuildsAtOnce(t *testing.T) {
	for _, known := range []bool{true, false} {
		t.Run(fmt.Sprint("sources known ", known), func(t *testing.T) {
			w := newLocalWorld(t)
			p := sharedPlan(w)
			if known {
				w.resolve(p)
			}
			worlds := []*world{
				newWorldOn(t, w.dir, openLocal(t, filepath.Join(w.dir, "cache"))),
				newWorldOn(t, w.dir, openLocal(t, filepath.Join(w.dir, "cache"))),
			}
			results := make([]*Result, len(worlds))
			errs := make([]error, len(worlds))
			var wg sync.WaitGroup
			for i, w := range worlds {
				w.hook = slowly
				x, own := w.executor(), *p
				own.OutputDir = filepath.Join(w.dir, fmt.Sprint("out", i))
				wg.Go(func() { results[i], errs[i] = w.build(x, &own) })
			}
			wg.Wait()
			require.NoError(t, errs[0])
			require.NoError(t, errs[1])
			require.Equal(t, len(p.Actions), results[0].Executed+results[1].Executed)
			want := w.packedBytes(24, 500, "a.bin")
			for i, r := range results {
				w.requireFile(want, r.Artifacts[0].Files[0])
				for n, s := range r.States {
					require.Equal(t, results[0].States[n].Entry.Outputs, s.Entry.Outputs)
					_, ran := r.Ran[n]
					_, other := results[1-i].Ran[n]
					require.NotEqual(t, ran, other)
				}
			}
		})
	}
}

func TestTwoProcessesAtOnce(t *testing.T) {
	w := newLocalWorld(t)
	p := sharedPlan(w)
	f, err := os.Create(filepath.Join(w.dir, "plan.json"))
	require.NoError(t, err)
	require.NoError(t, p.Encode(f))
	require.NoError(t, f.Close())
	executed := make([]int, 2)
	errs := make([]error, 2)
	var wg sync.WaitGroup
	for i := range executed {
		wg.Go(func() {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), childVar+"="+w.dir)
			cmd.Stderr = os.Stderr
			var out []byte
			if out, errs[i] = cmd.Output(); errs[i] == nil {
				errs[i] = json.Unmarshal(out, &executed[i])
			}
		})
	}
	wg.Wait()
	require.NoError(t, errs[0])
	require.NoError(t, errs[1])
	require.Equal(t, len(p.Actions), executed[0]+executed[1])
	content, err := os.ReadFile(filepath.Join(p.OutputDir, "a.bin"))
	require.NoError(t, err)
	require.Equal(t, w.packedBytes(24, 500, "a.bin"), content)
	require.Equal(t, 0, w.must(p).Executed)
}

// A build waits for work that another is at, and takes its result.
func TestWaitingForAnotherBuild(t *testing.T) {
	onStores(t, func(t *testing.T, w *world) {
		p := w.tensors(2, 100)
		other := newWorldOn(t, w.dir, w.store)
		entered, leave := make(chan struct{}), make(chan struct{})
		other.hook = func(_ context.Context, _ *Env, tag string) error {
			if tag == "double0" {
				close(entered)
				<-leave
			}
			return nil
		}
		ended := make(chan error)
		xo := other.executor()
		xo.Jobs = 1
		go func() {
			_, err := other.build(xo, p)
			ended <- err
		}()
		<-entered
		x := w.executor()
		x.Jobs = 1
		var once sync.Once
		x.Observe = func(e Event) {
			w.observe(e)
			if e.Kind == EventWaiting {
				once.Do(func() { close(leave) })
			}
		}
		res, err := w.build(x, p)
		require.NoError(t, err)
		require.NoError(t, <-ended)
		require.Equal(t, []string{"double0"}, w.of(EventWaiting)[:1])
		require.Contains(t, w.ran(), "double1", "there was something else to do meanwhile")
		require.NotContains(t, w.ran(), "double0")
		require.Equal(t, Cached, res.States[0].Status)
	})
}

// Who stops waiting stops at once.
func TestCancelledWhileWaiting(t *testing.T) {
	w := newLocalWorld(t)
	p := w.tensors(1, 100)
	e := &execution{plan: p}
	local := openLocal(t, filepath.Join(w.dir, "cache"))
	release, ok, err := local.Claim(t.Context(), e.workName(&unit{actions: []int{0}}), false)
	require.NoError(t, err)
	require.True(t, ok)
	defer release()
	ctx, cancel := context.WithCancel(t.Context())
	x := w.executor()
	x.Observe = func(e Event) {
		if e.Kind == EventWaiting {
			cancel()
		}
	}
	_, err = x.Build(ctx, func(context.Context, *Known) (*Plan, error) { return p, nil })
	require.ErrorIs(t, err, context.Canceled)
}

// The name of a piece of work is the same in every process, and another for
// other work.
func TestWorkName(t *testing.T) {
	w := newWorld(t)
	name := func(change func(p *Plan)) string {
		p := w.tensors(2, 100)
		change(p)
		return (&execution{plan: p}).workName(&unit{actions: []int{0}})
	}
	same := name(func(*Plan) {})
	require.Equal(t, same, name(func(p *Plan) { p.Actions[0].Address = "other" }))
	for _, change := range []func(p *Plan){
		func(p *Plan) { p.Actions[0].Version++ },
		func(p *Plan) { p.Actions[0].Stage = "stage x" },
		func(p *Plan) { p.Actions[0].Params = nil },
		func(p *Plan) { p.Sources[0].Offset++ },
		func(p *Plan) { p.Sources[0].Size++ },
		func(p *Plan) { p.Files[0].Path = "other" },
		func(p *Plan) { p.Actions[0].Inputs = nil },
	} {
		require.NotEqual(t, same, name(change))
	}
}
