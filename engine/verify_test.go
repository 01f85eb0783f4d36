package engine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestVerify(t *testing.T) {
	onStores(t, func(t *testing.T, w *world) {
		plan := w.packed(6, 3000, "a.bin")
		plan.Actions[1].Group, plan.Actions[2].Group = "g", "g"
		verify := func(addresses ...string) *Verified {
			x := w.executor()
			x.Memory = 50 // less than any action's
			v, err := x.Verify(t.Context(), plan, addresses)
			require.NoError(t, err)
			return v
		}
		_, err := w.executor().Verify(t.Context(), plan, nil)
		var missing *NotBuiltError
		require.ErrorAs(t, err, &missing)
		require.Len(t, missing.Addresses, 8)
		require.EqualError(t, err, "double0 and 7 more actions are not in the cache: build first, then verify")

		w.must(plan)
		require.Equal(t, &Verified{Actions: 8, Files: 1, Differences: []Difference{}}, verify())
		require.Equal(t, &Verified{Actions: 1, Differences: []Difference{}}, verify("double1"))
		planned, done, _ := w.progressOf()
		require.Equal(t, planned, done)

		// A stage that does not always make the same.
		w.hook = func(_ context.Context, env *Env, tag string) error {
			if tag == "sum" {
				return env.Write("more", nil)
			}
			return nil
		}
		x := w.executor()
		x.Catalog.stages["stage double"].Run = func(ctx context.Context, env *Env) error {
			var p fakeParams
			if err := env.Params.Decode(&p); err != nil {
				return err
			}
			if p.Tag == "double2" {
				p.Factor = 3
			}
			return runDouble(ctx, env, p)
		}
		v, err := x.Verify(t.Context(), plan, nil)
		require.NoError(t, err)
		require.Equal(t, []Difference{
			{"double2", "out", "has 9000 bytes now, and had 6000"},
			{"sum", "more", "is made now, and was not before"},
		}, v.Differences)
		require.Equal(t, "sum: more: is made now, and was not before", v.Differences[1].String())
		w.hook = nil
		require.Empty(t, verify().Differences, "nothing of it was kept")

		// A file that was changed, cut, removed.
		path := filepath.Join(plan.OutputDir, "a.bin")
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, tt := range []struct {
			change func() error
			want   string
		}{
			{func() error { content[7000] ^= 1; return os.WriteFile(path, content, 0o644) }, "differs from byte 7000 on from what the cache holds"},
			{func() error { content[70] ^= 1; return os.WriteFile(path, content, 0o644) }, "differs from byte 70 on from what the cache holds"},
			{func() error { return os.Truncate(path, 5) }, "has 5 bytes, and should have 36144"},
			{func() error { return os.Remove(path) }, "is not there"},
		} {
			require.NoError(t, tt.change())
			require.Equal(t, []Difference{{"artifact.pack.a", path, tt.want}}, verify("artifact.pack.a").Differences)
		}

		// What fails is no difference.
		w.hook = func(context.Context, *Env, string) error { return errBroken }
		_, err = w.executor().Verify(t.Context(), plan, []string{"double1"})
		var failed *ActionError
		require.ErrorAs(t, err, &failed)
		require.ErrorIs(t, err, errBroken)
		ctx, cancel := context.WithCancel(t.Context())
		w.hook = func(context.Context, *Env, string) error { cancel(); return ctx.Err() }
		_, err = w.executor().Verify(ctx, plan, nil)
		require.True(t, errors.Is(err, context.Canceled))
	})
}
