// Package npy reads and writes matrices of floats in NumPy's format .npy, row
// by row: versions 1 to 3, C order.
package npy

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

const magic = "\x93NUMPY"

// maxHeader bounds what is read as a header; those of floats have some 100
// bytes.
const maxHeader = 1 << 16

// maxElements bounds what a header can claim.
const maxElements = 1 << 40

// chunk is how many elements are converted at a time.
const chunk = 16 << 10

// Reader streams an array of one or two dimensions as float32. Rows of an array
// of one dimension are the whole array.
type Reader struct {
	Shape      []int64
	Rows, Cols int64

	r    io.Reader
	kind string // "f2", "f4", "f8"
	big  bool   // big-endian
	left int64  // elements
	buf  []byte
}

// NewReader reads the header.
func NewReader(r io.Reader) (*Reader, error) {
	text, err := readHeader(r)
	if err != nil {
		return nil, err
	}
	h, err := parseHeader(text)
	if err != nil {
		return nil, err
	}
	a := &Reader{Shape: h.shape, r: r}
	if err := a.setType(h.descr); err != nil {
		return nil, err
	}
	if h.fortran {
		return nil, fmt.Errorf("the array is in Fortran order: save it with numpy.ascontiguousarray")
	}
	switch len(h.shape) {
	case 1:
		a.Rows, a.Cols = 1, h.shape[0]
	case 2:
		a.Rows, a.Cols = h.shape[0], h.shape[1]
	default:
		return nil, fmt.Errorf("the array has %d dimensions: reshape it to one or two", len(h.shape))
	}
	if a.Rows <= 0 || a.Cols <= 0 {
		return nil, fmt.Errorf("the array has the shape %v and no elements", h.shape)
	}
	if a.Cols > maxElements || a.Rows > maxElements/a.Cols {
		return nil, fmt.Errorf("the array claims to have %d x %d elements", a.Rows, a.Cols)
	}
	a.left = a.Rows * a.Cols
	return a, nil
}

// setType understands "<f4" and its like.
func (a *Reader) setType(descr string) error {
	if len(descr) == 3 && strings.ContainsRune("<>=|", rune(descr[0])) {
		switch kind := descr[1:]; kind {
		case "f2", "f4", "f8":
			a.kind, a.big = kind, descr[0] == '>'
			return nil
		}
	}
	return fmt.Errorf("the array's elements are of type %q: save float16, float32 or float64, for example with .astype(numpy.float32)", descr)
}

// Read fills dst with the next elements and says how many; io.EOF after the
// last.
func (a *Reader) Read(dst []float32) (int, error) {
	if a.left == 0 {
		return 0, io.EOF
	}
	width := int(a.kind[1] - '0')
	n := int(min(int64(len(dst)), a.left))
	if a.buf == nil {
		a.buf = make([]byte, chunk*width)
	}
	for done := 0; done < n; {
		part := min(n-done, chunk)
		raw := a.buf[:part*width]
		if _, err := io.ReadFull(a.r, raw); err != nil {
			if isEnd(err) {
				err = fmt.Errorf("the file ends before the array does: %d of %d elements are missing", a.left, a.Rows*a.Cols)
			}
			return done, err
		}
		a.decode(dst[done:done+part], raw)
		a.left -= int64(part)
		done += part
	}
	return n, nil
}

func (a *Reader) decode(dst []float32, raw []byte) {
	var order binary.ByteOrder = binary.LittleEndian
	if a.big {
		order = binary.BigEndian
	}
	for i := range dst {
		switch a.kind {
		case "f2":
			dst[i] = half(order.Uint16(raw[2*i:]))
		case "f4":
			dst[i] = math.Float32frombits(order.Uint32(raw[4*i:]))
		default:
			dst[i] = float32(math.Float64frombits(order.Uint64(raw[8*i:])))
		}
	}
}

// half is the value of an IEEE half.
func half(h uint16) float32 {
	sign, exp, frac := uint32(h>>15)<<31, uint32(h>>10&31), uint32(h&1023)
	switch exp {
	case 0:
		return float32(math.Copysign(math.Ldexp(float64(frac), -24), float64(int32(sign|1))))
	case 31:
		return math.Float32frombits(sign | 0xff<<23 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}

// AtEnd makes sure that nothing follows the array.
func (a *Reader) AtEnd() error {
	if a.left > 0 {
		return fmt.Errorf("%d elements were not read", a.left)
	}
	var one [1]byte
	if n, _ := io.ReadFull(a.r, one[:]); n > 0 {
		return fmt.Errorf("more bytes follow the %d x %d elements: the file is damaged", a.Rows, a.Cols)
	}
	return nil
}

// Writer streams an array of float32.
type Writer struct {
	w    io.Writer
	left int64
	buf  []byte
}

// NewWriter writes the header of an array of the shape.
func NewWriter(w io.Writer, shape []int64) (*Writer, error) {
	n := int64(1)
	parts := make([]string, len(shape))
	for i, d := range shape {
		if d < 0 || d > 0 && n > maxElements/d {
			return nil, fmt.Errorf("an array of the shape %v is not possible", shape)
		}
		n *= d
		parts[i] = strconv.FormatInt(d, 10)
	}
	dims := strings.Join(parts, ", ")
	if len(shape) == 1 {
		dims += ","
	}
	header := "{'descr': '<f4', 'fortran_order': False, 'shape': (" + dims + "), }"
	// The data begins at a multiple of 64.
	head := len(magic) + 2 + 2
	pad := (64 - (head+len(header)+1)%64) % 64
	header += strings.Repeat(" ", pad) + "\n"
	out := append([]byte(magic), 1, 0)
	out = binary.LittleEndian.AppendUint16(out, uint16(len(header)))
	if _, err := w.Write(append(out, header...)); err != nil {
		return nil, err
	}
	return &Writer{w: w, left: n}, nil
}

// Write appends elements.
func (w *Writer) Write(src []float32) error {
	if int64(len(src)) > w.left {
		return fmt.Errorf("%d elements where the array has room for %d", len(src), w.left)
	}
	w.left -= int64(len(src))
	for len(src) > 0 {
		part := src[:min(len(src), chunk)]
		src = src[len(part):]
		w.buf = w.buf[:0]
		for _, x := range part {
			w.buf = binary.LittleEndian.AppendUint32(w.buf, math.Float32bits(x))
		}
		if _, err := w.w.Write(w.buf); err != nil {
			return err
		}
	}
	return nil
}

// Close makes sure that the array is whole. It does not close what is below.
func (w *Writer) Close() error {
	if w.left > 0 {
		return fmt.Errorf("%d elements of the array are missing", w.left)
	}
	return nil
}
