package cli

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/llama-pajamas/pj/internal/bytesize"
)

// diffResult is the JSON object of pj diff.
type diffResult struct {
	A         diffSide     `json:"a"`
	B         diffSide     `json:"b"`
	Equal     bool         `json:"equal"`
	Identical int          `json:"identical"` // tensors
	Changed   int          `json:"changed"`
	OnlyA     int          `json:"only_a"`
	OnlyB     int          `json:"only_b"`
	Tensors   []tensorDiff `json:"tensors"`
	Keys      []keyDiff    `json:"keys"` // those that differ
}

type diffSide struct {
	Path          string  `json:"path"`
	Format        string  `json:"format"`
	Bytes         int64   `json:"bytes"`
	BitsPerWeight float64 `json:"bits_per_weight"`
}

// How a tensor or key differs.
const (
	sameStatus    = "identical"
	changedStatus = "changed"
	onlyAStatus   = "only_a"
	onlyBStatus   = "only_b"
)

// tensorDiff compares a tensor.
type tensorDiff struct {
	Name   string      `json:"name"`
	Status string      `json:"status"`
	A      *diffTensor `json:"a"` // null where it has none
	B      *diffTensor `json:"b"`
	// RelativeRMSE is the root of the squared differences' sum over that of A's
	// squares; null where it is not known or no number.
	RelativeRMSE *float64 `json:"relative_rmse"`
	MaxError     *float64 `json:"max_error"`

	a, b *weight
	note string
}

type diffTensor struct {
	Type  string  `json:"type"`
	Shape []int64 `json:"shape"`
	Bytes int64   `json:"bytes"`
}

func (a *app) diffCommand() *cobra.Command {
	var typesOnly, exitCode bool
	c := &cobra.Command{
		Use:   "diff A B",
		Short: "Compare two models tensor by tensor",
		Long: `Compares two models, each a GGUF file (of a split one any shard), a folder in the
hub's layout, hf://OWNER/NAME or a safetensors file: the type, shape and bytes of every
tensor, the error between the weights, and the metadata's keys.

The error is the relative RMSE, sqrt(sum (a-b)^2 / sum a^2) over the decoded weights:
0 where they are equal. Tensors are read row by row and need little memory. A stack of
experts is compared with experts that are tensors of their own one by one.

Exit code 0 also where they differ, 1 with --exit-code; 2 where one cannot be read.`,
		Example: "  pj diff model-q4.gguf model-q5.gguf\n  pj diff Qwen3-30B-A3B/ qwen3.gguf --types-only",
		Args:    takes("A", "B"),
		RunE: func(c *cobra.Command, args []string) error {
			ctx := c.Context()
			wa, err := a.openWeights(ctx, args[0])
			if err != nil {
				return openError(ctx, err)
			}
			defer wa.Close()
			wb, err := a.openWeights(ctx, args[1])
			if err != nil {
				return openError(ctx, err)
			}
			defer wb.Close()
			r, err := a.diffWeights(ctx, wa, wb, typesOnly)
			if err != nil {
				return openError(ctx, err)
			}
			if a.flags.json {
				err = a.printJSON(r)
			} else {
				err = a.print(diffText(r, typesOnly))
			}
			if err == nil && exitCode && !r.Equal {
				return &exitError{exitFailed, nil}
			}
			return err
		},
	}
	c.Flags().BoolVar(&typesOnly, "types-only", false, "compare types, shapes and keys, and read no weights")
	c.Flags().BoolVar(&exitCode, "exit-code", false, "exit 1 where the models differ")
	return c
}

func (a *app) diffWeights(ctx context.Context, wa, wb *weights, typesOnly bool) (*diffResult, error) {
	r := &diffResult{A: sideOf(wa), B: sideOf(wb)}
	r.Tensors = pairTensors(wa, wb)
	if !typesOnly {
		if err := a.compareAll(ctx, wa, wb, r.Tensors); err != nil {
			return nil, err
		}
	}
	for i := range r.Tensors {
		switch r.Tensors[i].Status {
		case sameStatus:
			r.Identical++
		case changedStatus:
			r.Changed++
		case onlyAStatus:
			r.OnlyA++
		case onlyBStatus:
			r.OnlyB++
		}
	}
	var err error
	if r.Keys, err = a.diffKeys(ctx, wa, wb); err != nil {
		return nil, err
	}
	r.Equal = r.Changed+r.OnlyA+r.OnlyB+len(r.Keys) == 0
	return r, nil
}

func sideOf(w *weights) diffSide {
	return diffSide{w.path, w.format, w.bytes(), bitsPerWeight(w.bytes(), w.parameters())}
}

// compareAll reads the weights of the tensors that both have.
func (a *app) compareAll(ctx context.Context, wa, wb *weights, tensors []tensorDiff) error {
	total := int64(0)
	for i := range tensors {
		if t := &tensors[i]; t.a != nil && t.b != nil {
			total += t.a.Bytes + t.b.Bytes
		}
	}
	p := a.newProgress()
	defer p.stop()
	p.begin("comparing", total)
	g, ctx := errgroup.WithContext(ctx)
	workers := a.flags.jobs
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	g.SetLimit(workers)
	for i := range tensors {
		t := &tensors[i]
		if t.a == nil || t.b == nil {
			continue
		}
		g.Go(func() error {
			err := compareTensor(ctx, wa, wb, t)
			p.add(t.a.Bytes + t.b.Bytes)
			return err
		})
	}
	return g.Wait()
}

// diffText words the result for people.
func diffText(r *diffResult, typesOnly bool) string {
	var b strings.Builder
	sides := table{header: []string{"", "path", "format", ">bytes", ">bits per weight"}}
	for i, s := range []diffSide{r.A, r.B} {
		sides.add("AB"[i:i+1], s.Path, s.Format, bytesize.Format(s.Bytes), fmt.Sprintf("%.3f", s.BitsPerWeight))
	}
	b.WriteString(sides.String())
	changed := table{header: []string{"tensor", "type", "shape", ">bytes", ">error"}}
	if typesOnly {
		changed.header = changed.header[:4]
	}
	for i := range r.Tensors {
		if t := &r.Tensors[i]; t.Status == changedStatus {
			cells := []string{t.Name, arrow(t.A.Type, t.B.Type), arrow(shapeText(t.A.Shape), shapeText(t.B.Shape)),
				arrow(bytesize.Format(t.A.Bytes), bytesize.Format(t.B.Bytes)), t.errorText()}
			changed.add(cells[:len(changed.header)]...)
		}
	}
	alone := table{header: []string{"tensor", "only in", "type", "shape", ">bytes"}}
	for i := range r.Tensors {
		switch t := &r.Tensors[i]; t.Status {
		case onlyAStatus:
			alone.add(t.Name, "A", t.A.Type, shapeText(t.A.Shape), bytesize.Format(t.A.Bytes))
		case onlyBStatus:
			alone.add(t.Name, "B", t.B.Type, shapeText(t.B.Shape), bytesize.Format(t.B.Bytes))
		}
	}
	keys := table{header: []string{"key", "A", "B"}}
	for _, k := range r.Keys {
		keys.add(k.Key, k.textA, k.textB)
	}
	for _, t := range []*table{&changed, &alone, &keys} {
		if len(t.rows) > 0 {
			b.WriteString("\n" + t.String())
		}
	}
	what := "identical"
	if typesOnly {
		what = "of the same type and shape"
	}
	fmt.Fprintf(&b, "\n%s %s, %d changed, %d only in A, %d only in B; %s.\n",
		plural(r.Identical, "tensor"), what, r.Changed, r.OnlyA, r.OnlyB, differ(len(r.Keys)))
	return b.String()
}

func differ(keys int) string {
	if keys == 1 {
		return "1 key differs"
	}
	return fmt.Sprintf("%d keys differ", keys)
}

// arrow is "a" where both are, else "a -> b".
func arrow(a, b string) string {
	if a == b {
		return a
	}
	return a + " -> " + b
}

// errorText is the error for people.
func (t *tensorDiff) errorText() string {
	switch {
	case t.RelativeRMSE != nil:
		return fmt.Sprintf("%.4g", *t.RelativeRMSE)
	case t.note != "":
		return t.note
	}
	return "-"
}

// finite is a pointer to a finite number, nil for others, which JSON does not
// have.
func finite(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}
