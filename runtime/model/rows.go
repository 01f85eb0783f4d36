package model

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/llama-pajamas/pj/kernels/quant"
)

// RowReader streams a slice's rows in order. It is not for concurrent use.
type RowReader struct {
	l        Layout
	typ      *quant.Type
	parts    []io.Reader
	rowBytes int64

	buf  []byte // rows as the source stores them, from the current one on
	room []byte // buf's memory
	raw  []byte // what was read for them, where that is not the same
	left int64  // result rows not yet in buf
	at   int64  // rows given out, for errors
	err  error
}

// NewRowReader makes a reader of a slice from sequential readers of its parts,
// which it reads to their end and not beyond.
func NewRowReader(l Layout, parts []io.Reader) (*RowReader, error) {
	t, err := l.check()
	if err != nil {
		return nil, err
	}
	if len(parts) != l.parts() {
		return nil, fmt.Errorf("layout: encoding %q is read from %d parts, not %d", l.Encoding, l.parts(), len(parts))
	}
	return &RowReader{l: l, typ: t, parts: parts, rowBytes: t.RowBytes(l.Cols), left: l.Rows}, nil
}

// Read decodes whole rows into dst, whose length is a multiple of the columns,
// and says how many; io.EOF, with 0 rows, after the last.
func (r *RowReader) Read(dst []float32) (rows int, err error) {
	want, err := r.wanted(int64(len(dst)), r.l.Cols)
	if err != nil {
		return 0, err
	}
	for int64(rows) < want {
		n, err := r.available(want - int64(rows))
		if err != nil {
			return rows, eofOnlyAlone(rows, err)
		}
		r.typ.Dequantize(dst[int64(rows)*r.l.Cols:][:n*r.l.Cols], r.buf[:n*r.rowBytes])
		r.advance(n)
		rows += int(n)
	}
	return rows, nil
}

// Raw copies whole rows into dst as typ stores them, where the source has the
// same bits for it, and says how many; ok is false, and nothing is read, where
// it has not. len(dst) is a multiple of a row's bytes. After the last row comes
// io.EOF. Read and Raw may be mixed.
func (r *RowReader) Raw(dst []byte, typ *quant.Type) (rows int, ok bool, err error) {
	if typ != r.typ {
		return 0, false, nil
	}
	want, err := r.wanted(int64(len(dst)), r.rowBytes)
	if err != nil {
		return 0, true, err
	}
	for int64(rows) < want {
		n, err := r.available(want - int64(rows))
		if err != nil {
			return rows, true, eofOnlyAlone(rows, err)
		}
		copy(dst[int64(rows)*r.rowBytes:], r.buf[:n*r.rowBytes])
		r.advance(n)
		rows += int(n)
	}
	return rows, true, nil
}

func (r *RowReader) wanted(length, row int64) (int64, error) {
	if length == 0 || length%row != 0 {
		return 0, fmt.Errorf("room for %d where a row takes %d: not whole rows", length, row)
	}
	return length / row, nil
}

func eofOnlyAlone(rows int, err error) error {
	if rows > 0 && errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// available makes sure that buf holds a row and returns how many of the wanted
// ones it has.
func (r *RowReader) available(want int64) (int64, error) {
	if len(r.buf) == 0 {
		if r.err == nil {
			r.err = r.fill()
		}
		if r.err != nil {
			return 0, r.err
		}
	}
	return min(want, int64(len(r.buf))/r.rowBytes), nil
}

func (r *RowReader) advance(rows int64) {
	r.buf = r.buf[rows*r.rowBytes:]
	r.at += rows
}

// fill makes the next chunk of rows.
func (r *RowReader) fill() error {
	if r.left == 0 {
		return io.EOF
	}
	rows := min(r.left, r.l.chunkRows(r.typ))
	if r.room == nil {
		r.room = make([]byte, rows*r.rowBytes)
	}
	out := r.room[:rows*r.rowBytes]
	var err error
	switch {
	case r.l.Values != nil:
		first := (r.l.Rows - r.left) * r.l.Cols
		for i := range rows * r.l.Cols {
			binary.LittleEndian.PutUint32(out[4*i:], math.Float32bits(r.l.Values[first+i]))
		}
	case r.l.Transpose:
		err = r.transposed(out)
	case r.l.Encoding == hubMXFP4:
		err = r.repacked(out, rows)
	case r.l.Columns:
		width := int64(r.typ.Bytes)
		if err = r.strided(out, rows*r.l.Cols, width); err == nil {
			r.permute(out, width)
		}
	default:
		if err = r.strided(out, rows, r.rowBytes); err == nil {
			r.permute(out, r.rowBytes)
		}
	}
	if err != nil {
		return err
	}
	r.buf = out
	r.left -= rows
	return nil
}

// read fills b from a part. The parts' sizes are known, so that an end is
// always too early.
func (r *RowReader) read(part int, b []byte) error {
	if _, err := io.ReadFull(r.parts[part], b); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("row %d: %w", r.at, err)
	}
	return nil
}

// scratch is raw with room for n bytes.
func (r *RowReader) scratch(n int64) []byte {
	if int64(cap(r.raw)) < n {
		r.raw = make([]byte, n)
	}
	return r.raw[:n]
}

// strided reads units of width bytes and keeps First and every Stride-th after.
func (r *RowReader) strided(out []byte, units, width int64) error {
	stride := max(r.l.Stride, 1)
	if stride == 1 {
		return r.read(0, out)
	}
	step := max(1, chunkBytes/(stride*width))
	for done := int64(0); done < units; done += step {
		n := min(step, units-done)
		raw := r.scratch(n * stride * width)
		if err := r.read(0, raw); err != nil {
			return err
		}
		pick(out[done*width:][:n*width], raw, r.l.First, stride, width)
	}
	return nil
}

// pick copies units First + i*stride of raw to out.
func pick(out, raw []byte, first, stride, width int64) {
	from := first * width
	for to := int64(0); to < int64(len(out)); to += width {
		copy(out[to:to+width], raw[from:])
		from += stride * width
	}
}

// repacked reads hub MXFP4 blocks and scales and writes them as GGUF has them.
func (r *RowReader) repacked(out []byte, rows int64) error {
	stride := max(r.l.Stride, 1)
	perRow := r.l.Cols / 32
	blockRow, all := 16*perRow, rows*stride
	raw := r.scratch(all * (blockRow + perRow))
	blocks, scales := raw[:all*blockRow], raw[all*blockRow:]
	if err := r.read(0, blocks); err != nil {
		return err
	}
	if err := r.read(1, scales); err != nil {
		return err
	}
	if stride > 1 { // in place: a row moves to the front, never back
		pick(blocks[:rows*blockRow], blocks, r.l.First, stride, blockRow)
		pick(scales[:rows*perRow], scales, r.l.First, stride, perRow)
	}
	err := quant.RepackMXFP4FromHub(out, blocks[:rows*blockRow], scales[:rows*perRow])
	var scale *quant.HubScaleError
	if errors.As(err, &scale) {
		b := int64(scale.Block)
		return fmt.Errorf("row %d, block %d: the scale 0xff is not a number: the file is damaged; download it again", r.at+b/perRow, b%perRow)
	}
	return err
}

// transposed reads a part that is stored [cols, rows] and writes rows.
func (r *RowReader) transposed(out []byte) error {
	width, stride := int64(r.typ.Bytes), max(r.l.Stride, 1)
	line := r.l.Rows * stride * width // a stored row: one column of all rows
	step := max(1, chunkBytes/line)
	for col := int64(0); col < r.l.Cols; col += step {
		n := min(step, r.l.Cols-col)
		raw := r.scratch(n * line)
		if err := r.read(0, raw); err != nil {
			return err
		}
		for c := range n {
			scatter(out[(col+c)*width:], raw[c*line+r.l.First*width:(c+1)*line], r.rowBytes, stride*width, width)
		}
	}
	return nil
}

// scatter writes every from-th unit of src to every to-th place of dst.
func scatter(dst, src []byte, to, from, width int64) {
	d := int64(0)
	switch width {
	case 2:
		for s := int64(0); s < int64(len(src)); s += from {
			dst[d], dst[d+1] = src[s], src[s+1]
			d += to
		}
	default:
		for s := int64(0); s < int64(len(src)); s += from {
			copy(dst[d:d+width], src[s:s+width])
			d += to
		}
	}
}

// permute puts the units of each head in out into llama's order: the first of
// the lower half, the first of the upper, the second of the lower …
func (r *RowReader) permute(out []byte, width int64) {
	if r.l.PermuteHeads == 0 {
		return
	}
	units := r.l.Rows
	if r.l.Columns {
		units *= r.l.Cols
	}
	head := units / int64(r.l.PermuteHeads) * width
	raw := r.scratch(head)
	for at := int64(0); at < int64(len(out)); at += head {
		copy(raw, out[at:at+head])
		for i := int64(0); i < head/2; i += width {
			copy(out[at+2*i:], raw[i:i+width])
			copy(out[at+2*i+width:], raw[head/2+i:][:width])
		}
	}
}
