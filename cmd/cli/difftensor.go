package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/llama-pajamas/pj/kernels/quant"
	"github.com/llama-pajamas/pj/runtime/model"
)

// pairTensors puts the tensors of both together by name, in the order of A,
// then what only B has.
func pairTensors(wa, wb *weights) []tensorDiff {
	listA, listB := alike(wa, wb), alike(wb, wa)
	byName := make(map[string]*weight, len(listB))
	for _, t := range listB {
		byName[t.Name] = t
	}
	out := make([]tensorDiff, 0, len(listA))
	for _, t := range listA {
		d := tensorDiff{Name: t.Name, Status: onlyAStatus, A: sizesOf(t), a: t, b: byName[t.Name]}
		if d.b != nil {
			d.B = sizesOf(d.b)
			d.Status = sameStatus
			if d.A.Type != d.B.Type || !slices.Equal(trimShape(d.A.Shape), trimShape(d.B.Shape)) {
				d.Status = changedStatus
			}
			delete(byName, t.Name)
		}
		out = append(out, d)
	}
	for _, t := range listB {
		if byName[t.Name] != nil {
			out = append(out, tensorDiff{Name: t.Name, Status: onlyBStatus, B: sizesOf(t), b: t})
		}
	}
	return out
}

func sizesOf(t *weight) *diffTensor { return &diffTensor{t.Type.Name, t.Dims, t.Bytes} }

// trimShape leaves out dimensions of 1 at the end, which say nothing.
func trimShape(dims []int64) []int64 {
	for len(dims) > 1 && dims[len(dims)-1] == 1 {
		dims = dims[:len(dims)-1]
	}
	return dims
}

// alike lists w's tensors as other has them: stacks of experts are taken apart
// where other has each expert as a tensor of its own.
func alike(w, other *weights) []*weight {
	names := make(map[string]bool, len(other.tensors))
	for i := range other.tensors {
		names[other.tensors[i].Name] = true
	}
	var out []*weight
	for i := range w.tensors {
		t := &w.tensors[i]
		if len(t.Dims) == 3 && t.Role == "expert" && !names[t.Name] && names[expertName(t, 0)] {
			out = append(out, unstack(t)...)
			continue
		}
		out = append(out, t)
	}
	return out
}

// expertName is the name of one expert's tensor in a tiered file.
func expertName(t *weight, expert int64) string {
	return fmt.Sprintf("blk.%d.expert.%d.%s.weight", t.Layer, expert, t.Projection)
}

// unstack takes a stack of experts apart.
func unstack(t *weight) []*weight {
	n := t.Dims[2]
	out := make([]*weight, n)
	for e := range n {
		one := *t
		one.Name, one.Dims = expertName(t, e), t.Dims[:2]
		one.Elements, one.Bytes = t.Elements/n, t.Bytes/n
		if int64(len(t.slices)) == n {
			one.slices = t.slices[e : e+1]
		} else {
			s := t.slices[0]
			p := s.Parts[0]
			p.Size /= n
			p.Offset += e * p.Size
			s.Layout.Rows /= n
			s.Parts = []model.Part{p}
			one.slices = []model.Slice{s}
		}
		out[e] = &one
	}
	return out
}

// compareTensor finds whether the weights of both are the same, and the error
// between them.
func compareTensor(ctx context.Context, wa, wb *weights, t *tensorDiff) error {
	switch {
	case !slices.Equal(trimShape(t.a.Dims), trimShape(t.b.Dims)):
		t.note = "other shape"
		return nil
	case t.a.Elements == 0:
		return nil
	}
	for _, side := range []*weight{t.a, t.b} {
		if err := side.decodable(); err != nil {
			t.Status, t.note = changedStatus, "not decoded"
			return nil
		}
	}
	if t.a.Type == t.b.Type {
		same, err := sameBytes(ctx, wa.reader(t.a, 0), wb.reader(t.b, 0))
		if err != nil {
			return err
		}
		if same {
			t.RelativeRMSE, t.MaxError = finite(0), finite(0)
			return nil
		}
	}
	t.Status = changedStatus
	sum, err := errorBetween(ctx, wa.reader(t.a, 0), wb.reader(t.b, 0))
	if err != nil {
		return err
	}
	t.RelativeRMSE, t.MaxError = finite(sum.RelRMSE()), finite(sum.MaxAbs)
	if t.RelativeRMSE == nil {
		t.note = fmt.Sprint(sum.RelRMSE())
	}
	return nil
}

// compareBytes is about how much of a tensor is held at a time.
const compareBytes = 1 << 20

// sameBytes compares two tensors of one type and shape as they are stored.
func sameBytes(ctx context.Context, a, b *rowSource) (bool, error) {
	row := a.t.Type.RowBytes(a.t.cols())
	size := max(1, compareBytes/row) * row
	return sameRows(ctx, a, b, make([]byte, size), make([]byte, size), row)
}

func sameRows(ctx context.Context, a, b *rowSource, bufA, bufB []byte, row int64) (bool, error) {
	for {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		n, err := fill(a.Raw, bufA, row)
		if err != nil {
			return false, err
		}
		m, err := fill(b.Raw, bufB, row)
		if err != nil {
			return false, err
		}
		if n != m || !bytes.Equal(bufA[:n], bufB[:m]) {
			return false, nil
		}
		if n == 0 {
			return true, nil
		}
	}
}

// errorBetween decodes two tensors of one shape.
func errorBetween(ctx context.Context, a, b *rowSource) (sum quant.ErrorSum, err error) {
	cols := a.t.cols()
	size := max(1, compareBytes/4/cols) * cols
	bufA, bufB := make([]float32, size), make([]float32, size)
	for {
		if err := ctx.Err(); err != nil {
			return sum, err
		}
		n, err := fill(a.Read, bufA, cols)
		if err != nil {
			return sum, err
		}
		m, err := fill(b.Read, bufB, cols)
		if err != nil {
			return sum, err
		}
		if n != m {
			return sum, fmt.Errorf("%s: tensor %s ends early", b.w.path, b.t.Name)
		}
		if n == 0 {
			return sum, nil
		}
		sum.Add(bufA[:n], bufB[:n], nil, int(cols))
	}
}

// fill reads whole rows of width elements until buf is full or there are no
// more, and says how many elements it read.
func fill[T any](read func([]T) (int, error), buf []T, width int64) (int, error) {
	n := 0
	for n < len(buf) {
		rows, err := read(buf[n:])
		n += rows * int(width)
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}
