package cli

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/llama-pajamas/pj/internal/bytesize"
	"github.com/llama-pajamas/pj/runtime/infer"
)

// benchOptions are the flags of pj bench.
type benchOptions struct {
	runFlags
	prompts, generations, depths []int
	repetitions, batch           int
	format                       string
}

// benchResult is one line of pj bench.
type benchResult struct {
	Test            string    `json:"test"`
	TokensPerSecond float64   `json:"tokens_per_second"`
	StdDev          float64   `json:"stddev"`
	Depth           int       `json:"depth"`
	Threads         int       `json:"threads"`
	KVType          string    `json:"kv_type"`
	KVBytes         int64     `json:"kv_bytes"`
	Samples         []float64 `json:"samples"` // tokens per second
}

func (a *app) benchCommand() *cobra.Command {
	var o benchOptions
	c := &cobra.Command{
		Use:   "bench FILE",
		Short: "Measure how fast a model reads prompts and generates",
		Long: `Measures the speed of a model, as llama-bench does: ppN is a prompt of N tokens that
is read, tgN are N tokens that are generated one by one, behind @ dN tokens that are
there already. Tokens are random and nothing is sampled. Each test runs once to get
warm, then as often as -r says; what is shown is the mean and the standard deviation.

-p, -n and -d take several numbers ("-p 128,512"); 0 leaves that kind out.`,
		Example: "  pj bench model.gguf\n  pj bench model.gguf -p 512 -n 64 -d 0,4096 -t 2 -r 5 --kv-type q8_0",
		Args:    takes("FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.bench(c.Context(), args[0], o)
		},
	}
	o.add(c)
	c.Flags().IntSliceVarP(&o.prompts, "prompt", "p", []int{512}, "prompts of `N` tokens")
	c.Flags().IntSliceVarP(&o.generations, "gen", "n", []int{64}, "generations of `N` tokens")
	c.Flags().IntSliceVarP(&o.depths, "depth", "d", []int{0}, "behind `N` tokens")
	c.Flags().IntVarP(&o.repetitions, "repetitions", "r", 5, "measure `N` times")
	c.Flags().IntVarP(&o.batch, "batch", "b", 512, "read prompts `N` tokens at a time")
	c.Flags().StringVar(&o.format, "format", "md", "print \"md\" or \"csv\"")
	return c
}

// most is the largest of positive numbers.
func most(numbers []int) (int, error) {
	n := 0
	for _, v := range numbers {
		if v < 0 || v > 1<<20 {
			return 0, fmt.Errorf("%d tokens: give a number from 0 to %d", v, 1<<20)
		}
		n = max(n, v)
	}
	return n, nil
}

func (a *app) bench(ctx context.Context, path string, o benchOptions) error {
	p, err := most(o.prompts)
	n, err2 := most(o.generations)
	d, err3 := most(o.depths)
	switch err := errors.Join(err, err2, err3); {
	case err != nil:
		return badInput(err)
	case o.repetitions < 1:
		return badInput(errors.New("-r: give a number from 1 on"))
	case o.format != "md" && o.format != "csv":
		return badInput(fmt.Errorf("--format %q: give md or csv", o.format))
	case p+n == 0:
		return badInput(errors.New("-p 0 and -n 0 leave nothing to measure"))
	}
	m, err := a.openModel(ctx, path, o.runFlags)
	if err != nil {
		return err
	}
	defer m.Close()
	c, err := newContext(m, o.runFlags, infer.ContextOptions{Tokens: d + max(p, n), Batch: min(o.batch, max(p, d, 1))})
	if err != nil {
		return err
	}
	b := &bencher{m: m, c: c, s: c.NewSequence(), o: o, rng: rand.New(rand.NewPCG(1, 2))}
	defer b.s.Free()
	var results []benchResult
	for _, depth := range o.depths {
		for _, kind := range []struct {
			name   string
			counts []int
			at     int
		}{{"pp", o.prompts, max(p, 1)}, {"tg", o.generations, 1}} {
			for _, n := range kind.counts {
				if n == 0 {
					continue
				}
				r, err := b.measure(ctx, kind.name+strconv.Itoa(n), n, kind.at, depth)
				if err != nil {
					return err
				}
				results = append(results, r)
			}
		}
	}
	switch {
	case a.flags.json:
		return a.printJSON(results)
	case o.format == "csv":
		return a.print(benchCSV(results))
	}
	return a.print(benchMarkdown(m, results))
}

// bencher measures one model.
type bencher struct {
	m   *infer.Model
	c   *infer.Context
	s   *infer.Sequence
	o   benchOptions
	rng *rand.Rand
}

func (b *bencher) random(n int) []int32 {
	out := make([]int32, n)
	for i := range out {
		out[i] = int32(b.rng.IntN(b.m.Vocab))
	}
	return out
}

// feed decodes tokens, some at a time; the logits behind the last of each are
// computed.
func (b *bencher) feed(ctx context.Context, tokens []int32, at int, want infer.Want) error {
	parts := []infer.Part{{Seq: b.s, Want: want}}
	for len(tokens) > 0 {
		n := min(at, len(tokens))
		parts[0].Tokens = tokens[:n]
		if err := b.c.Decode(ctx, parts, func(int, int, []float32) error { return nil }); err != nil {
			return err
		}
		tokens = tokens[n:]
	}
	return nil
}

func (b *bencher) measure(ctx context.Context, name string, n, at, depth int) (benchResult, error) {
	r := benchResult{Test: name, Depth: depth, Threads: b.m.Threads(), KVType: b.o.kvType}
	if r.KVType == "" {
		r.KVType = "f16"
		if b.m.Cache != nil {
			r.KVType = "file"
		}
	}
	if depth > 0 {
		r.Test += fmt.Sprintf(" @ d%d", depth)
	}
	for i := range b.o.repetitions + 1 {
		if err := b.s.Truncate(0); err != nil {
			return r, err
		}
		if err := b.feed(ctx, b.random(depth), depth, infer.None); err != nil {
			return r, err
		}
		tokens := b.random(n)
		start := time.Now()
		if err := b.feed(ctx, tokens, at, infer.Last); err != nil {
			return r, err
		}
		if i > 0 { // the first gets the weights to memory
			r.Samples = append(r.Samples, float64(n)/time.Since(start).Seconds())
		}
	}
	r.KVBytes = b.s.Bytes()
	r.TokensPerSecond, r.StdDev = meanDeviation(r.Samples)
	return r, nil
}

func meanDeviation(x []float64) (mean, deviation float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	if len(x) < 2 {
		return mean, 0
	}
	for _, v := range x {
		deviation += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(deviation / float64(len(x)-1))
}

func benchMarkdown(m *infer.Model, results []benchResult) string {
	var b strings.Builder
	b.WriteString("| model | size | params | backend | threads | kv | test | t/s |\n| --- | ---: | ---: | --- | ---: | --- | ---: | ---: |\n")
	for _, r := range results {
		fmt.Fprintf(&b, "| %s | %s | %.2f B | CPU | %d | %s | %s | %.2f ± %.2f |\n",
			m.Architecture, bytesize.FormatBinary(m.Bytes), float64(m.Description().Parameters)/1e9, r.Threads, r.KVType, r.Test, r.TokensPerSecond, r.StdDev)
	}
	return b.String()
}

func benchCSV(results []benchResult) string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	_ = w.Write([]string{"test", "depth", "threads", "kv_type", "kv_bytes", "tokens_per_second", "stddev"}) // to memory
	for _, r := range results {
		_ = w.Write([]string{r.Test, strconv.Itoa(r.Depth), strconv.Itoa(r.Threads), r.KVType, strconv.FormatInt(r.KVBytes, 10),
			strconv.FormatFloat(r.TokensPerSecond, 'f', 4, 64), strconv.FormatFloat(r.StdDev, 'f', 4, 64)})
	}
	w.Flush()
	return b.String()
}
