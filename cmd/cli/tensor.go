package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/llama-pajamas/pj/internal/atomicfile"
	"github.com/llama-pajamas/pj/internal/bytesize"
	"github.com/llama-pajamas/pj/internal/npy"
)

func (a *app) tensorCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "tensor",
		Short: "Take a single tensor out, or quantize a single matrix",
	}
	c.AddCommand(a.tensorDumpCommand(), a.tensorQuantizeCommand())
	return c
}

// dumpOptions are the flags of pj tensor dump.
type dumpOptions struct {
	output, rows string
	raw          bool
}

// dumpResult is the JSON object of pj tensor dump.
type dumpResult struct {
	Name  string   `json:"name"`
	Type  string   `json:"type"`
	Shape []int64  `json:"shape"` // of what was written, slowest dimension first
	Rows  [2]int64 `json:"rows"`
	Bytes int64    `json:"bytes"` // of the weights as they are stored
	Path  string   `json:"path"`
}

func (a *app) tensorDumpCommand() *cobra.Command {
	var o dumpOptions
	c := &cobra.Command{
		Use:   "dump FILE NAME",
		Short: "Write a tensor's weights to a .npy file",
		Long: `Writes one tensor of a GGUF file (of a split one any shard), a folder in the hub's
layout, hf://OWNER/NAME or a safetensors file as float32 in NumPy's format, slowest
dimension first; with --raw its bytes as they are stored, row after row. Tensors of a
hub folder have the names that they get in a GGUF file. Names: pj info --tensors.

--rows A:B takes the rows from A up to, not including, B; rows of all matrices of a
stack are counted through. Either may be left out.`,
		Example: "  pj tensor dump model.gguf blk.0.attn_q.weight -o q.npy\n  pj tensor dump model.gguf token_embd.weight --rows 0:16 -o first.npy",
		Args:    takes("FILE", "NAME"),
		ValidArgsFunction: func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) != 1 || strings.HasPrefix(args[0], "hf://") {
				return nil, cobra.ShellCompDirectiveDefault
			}
			return a.completeTensors(c.Context(), args[0]), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			if err := checkOutput(o.output); err != nil {
				return badInput(err)
			}
			w, err := a.openWeights(c.Context(), args[0])
			if err != nil {
				return openError(c.Context(), err)
			}
			defer w.Close()
			return a.dump(c.Context(), w, args[1], o)
		},
	}
	c.Flags().StringVarP(&o.output, "output", "o", "", "the `FILE` to write")
	c.Flags().BoolVar(&o.raw, "raw", false, "the bytes as they are stored")
	c.Flags().StringVar(&o.rows, "rows", "", "only the rows `A:B`, from A up to B")
	return c
}

// checkOutput wants the name of a file, since what is written is no text.
func checkOutput(path string) error {
	if path == "" || path == "-" {
		return errors.New("name the file to write with -o")
	}
	return nil
}

// completeTensors lists the tensors of a file.
func (a *app) completeTensors(ctx context.Context, path string) []string {
	w, err := a.openWeights(ctx, path)
	if err != nil {
		return nil
	}
	defer w.Close()
	names := make([]string, len(w.tensors))
	for i := range w.tensors {
		names[i] = w.tensors[i].Name
	}
	return names
}

func (a *app) dump(ctx context.Context, w *weights, name string, o dumpOptions) error {
	t, err := w.tensor(name)
	if err != nil {
		return badInput(err)
	}
	first, end, err := rowRange(o.rows, t.rows())
	if err != nil {
		return badInput(fmt.Errorf("--rows %s: %w: tensor %s has %s", o.rows, err, name, plural(int(t.rows()), "row")))
	}
	if err := t.decodable(); err != nil {
		return badInput(fmt.Errorf("%s: %w", w.path, err))
	}
	r := dumpResult{Name: name, Type: t.Type.Name, Rows: [2]int64{first, end}, Path: o.output}
	r.Bytes = t.Type.RowBytes(t.cols()) * (end - first)
	r.Shape = dumpShape(t, end-first)
	err = atomicfile.Write(o.output, func(f *os.File) error {
		if o.raw {
			return dumpRaw(ctx, f, w.reader(t, first), end-first)
		}
		return dumpFloats(ctx, f, w.reader(t, first), end-first, r.Shape)
	})
	if err != nil {
		return outputError(ctx, err)
	}
	if a.flags.json {
		return a.printJSON(r)
	}
	if a.flags.quiet {
		return nil
	}
	return a.print(fmt.Sprintf("Wrote %s: %s, %s, %s as it is stored.\n", o.output, shapeText(r.Shape), t.Type, bytesize.Format(r.Bytes)))
}

// outputError is an error of making one file of another: the fault of the input,
// but where writing failed.
func outputError(ctx context.Context, err error) error {
	var path *os.PathError
	if errors.As(err, &path) && path.Op == "write" {
		return err
	}
	return openError(ctx, err)
}

// dumpShape is the shape of the array: the tensor's, or rows of it.
func dumpShape(t *weight, rows int64) []int64 {
	if rows != t.rows() {
		return []int64{rows, t.cols()}
	}
	shape := make([]int64, len(t.Dims))
	for i, d := range t.Dims {
		shape[len(shape)-1-i] = d
	}
	return shape
}

// rowRange reads "A:B".
func rowRange(text string, rows int64) (first, end int64, err error) {
	end = rows
	if text == "" {
		return 0, rows, nil
	}
	from, to, ok := strings.Cut(text, ":")
	if !ok {
		return 0, 0, errors.New("write A:B")
	}
	if from != "" {
		if first, err = strconv.ParseInt(from, 10, 64); err != nil {
			return 0, 0, errors.New("write A:B, two numbers")
		}
	}
	if to != "" {
		if end, err = strconv.ParseInt(to, 10, 64); err != nil {
			return 0, 0, errors.New("write A:B, two numbers")
		}
	}
	if first < 0 || first >= end || end > rows {
		return 0, 0, errors.New("there are no such rows")
	}
	return first, end, nil
}

// dumpRaw copies rows as they are stored.
func dumpRaw(ctx context.Context, f io.Writer, r *rowSource, rows int64) error {
	row := r.t.Type.RowBytes(r.t.cols())
	buf := make([]byte, max(1, compareBytes/row)*row)
	return eachRows(ctx, r.Raw, buf, row, rows, func(b []byte) error {
		_, err := f.Write(b)
		return err
	})
}

// dumpFloats writes rows as an array.
func dumpFloats(ctx context.Context, f io.Writer, r *rowSource, rows int64, shape []int64) error {
	out, err := npy.NewWriter(f, shape)
	if err != nil {
		return err
	}
	cols := r.t.cols()
	buf := make([]float32, max(1, compareBytes/4/max(cols, 1))*max(cols, 1))
	if err := eachRows(ctx, r.Read, buf, cols, rows, out.Write); err != nil {
		return err
	}
	return out.Close()
}

// eachRows reads rows of width elements, as many as buf holds at a time.
func eachRows[T any](ctx context.Context, read func([]T) (int, error), buf []T, width, rows int64, use func([]T) error) error {
	for rows > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := fill(read, buf[:min(int64(len(buf)), rows*width)], width)
		if err != nil {
			return err
		}
		if n == 0 {
			return io.ErrUnexpectedEOF
		}
		if err := use(buf[:n]); err != nil {
			return err
		}
		rows -= int64(n) / width
	}
	return nil
}
