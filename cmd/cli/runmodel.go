package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/llama-pajamas/pj/runtime/infer"
	"github.com/llama-pajamas/pj/runtime/infer/kv"
	"github.com/llama-pajamas/pj/runtime/tokenizer"
)

// runFlags are those of commands that run a model.
type runFlags struct {
	threads    int
	context    int
	kvType     string
	ropeCompat string
	exact      bool
}

func (f *runFlags) add(c *cobra.Command) {
	c.Flags().IntVarP(&f.threads, "threads", "t", 0, "compute with `N` threads (default: -j, else one for each processor)")
	c.Flags().StringVar(&f.kvType, "kv-type", "", "store keys and values as `TYPE`, or KEYTYPE/VALUETYPE (default: the file's rules, else f16)")
	c.Flags().StringVar(&f.ropeCompat, "rope-compat", "", "\"llama.cpp\" rounds YaRN's ramp as that does")
	c.Flags().BoolVar(&f.exact, "exact", false, "compute in float32 throughout, slower")
}

func (f *runFlags) addContext(c *cobra.Command) {
	c.Flags().IntVar(&f.context, "ctx", 0, "room for `N` tokens (default: as many as the model was trained for)")
}

// openModel opens a model that is to run.
func (a *app) openModel(ctx context.Context, path string, f runFlags) (*infer.Model, error) {
	o := infer.Options{Threads: f.threads, Exact: f.exact}
	if o.Threads == 0 {
		o.Threads = a.flags.jobs
	}
	switch f.ropeCompat {
	case "":
	case "llama.cpp":
		o.LlamaRope = true
	default:
		return nil, badInput(fmt.Errorf("--rope-compat %q: known is llama.cpp", f.ropeCompat))
	}
	if o.Threads < 0 || o.Threads > 1024 {
		return nil, badInput(fmt.Errorf("--threads %d: give a number from 1 to 1024", o.Threads))
	}
	m, err := infer.Open(ctx, path, o)
	if err != nil {
		return nil, openError(ctx, err)
	}
	for _, text := range m.Description().Warnings {
		a.warn("%s", text)
	}
	if text := memoryNote(m.Bytes, availableMemory()); text != "" {
		a.note("%s", text)
	}
	return m, nil
}

// memoryNote says what to expect of a model that does not fit into memory; ""
// where it does, or where that is not known.
func memoryNote(weights, available int64) string {
	if available <= 0 || weights <= available {
		return ""
	}
	return fmt.Sprintf("The weights take %s, and %s of memory are free: parts are read from disk again and again, so that each token takes as long as that needs.",
		bytesOf(weights), bytesOf(available))
}

// newContext makes room for a model's passes.
func newContext(m *infer.Model, f runFlags, o infer.ContextOptions) (*infer.Context, error) {
	if f.kvType != "" {
		r, err := kv.ParseTypes(f.kvType)
		if err != nil {
			return nil, badInput(fmt.Errorf("--kv-type: %w", err))
		}
		o.Cache = m.UniformCache(r)
	}
	if f.context < 0 {
		return nil, badInput(errors.New("--ctx: give a number from 1 on"))
	}
	if o.Tokens == 0 {
		o.Tokens = f.context
	}
	c, err := m.NewContext(o)
	if err != nil {
		return nil, badInput(err)
	}
	return c, nil
}

// openTokenizer is the model's own.
func openTokenizer(m *infer.Model) (*tokenizer.Tokenizer, error) {
	v, err := tokenizer.FromKVs(m.Keys)
	if err != nil {
		return nil, badInput(fmt.Errorf("%s: %w", m.Path(), err))
	}
	t, err := tokenizer.New(v)
	if err != nil {
		return nil, badInput(fmt.Errorf("%s: %w", m.Path(), err))
	}
	return t, nil
}
