package safetensors

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"slices"
)

const (
	lengthBytes = 8
	// maxHeader is the limit that the format sets.
	maxHeader   = 100_000_000
	metadataKey = "__metadata__"
	// maxRoom bounds what is allocated before tensors were seen.
	maxRoom = 1 << 16
)

// ParseHeader reads the header of a file of the given size; name stands for it
// in errors. The tensors' bytes are not read.
func ParseHeader(r io.ReaderAt, size int64, name string) (*Header, error) {
	text, err := readHeader(r, size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	h := &Header{DataStart: lengthBytes + int64(len(text))}
	s := &scanner{s: text}
	var unknown dtypeError
	if err := h.scan(s); errors.As(err, &unknown) {
		return nil, fmt.Errorf("%s: %w", name, err)
	} else if err != nil {
		return nil, fmt.Errorf("%s: %w: the header is damaged; download the file again", name, err)
	}
	if err := h.place(size - h.DataStart); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return h, nil
}

func readHeader(r io.ReaderAt, size int64) (string, error) {
	if size < lengthBytes {
		return "", fmt.Errorf("the file has %d bytes, too few for a safetensors file: download it again", size)
	}
	var length [lengthBytes]byte
	if err := readAt(r, length[:], 0); err != nil {
		return "", err
	}
	if string(length[:]) == "version " {
		return "", errors.New("this is a git-lfs pointer, not the weights: run git lfs pull")
	}
	n := binary.LittleEndian.Uint64(length[:])
	if n > maxHeader {
		return "", fmt.Errorf("the header claims %d bytes, and the format allows %d: this is not a safetensors file, or it is damaged", n, maxHeader)
	}
	if int64(n) > size-lengthBytes {
		return "", fmt.Errorf("the header has %d bytes, and the file ends after %d of them (%d are missing): download it again",
			n, size-lengthBytes, int64(n)-(size-lengthBytes))
	}
	text := make([]byte, n)
	if err := readAt(r, text, lengthBytes); err != nil {
		return "", err
	}
	return string(text), nil
}

func readAt(r io.ReaderAt, b []byte, off int64) error {
	n, err := r.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read the header: %w", err)
}

// scan reads the object. Offsets are left as they are there: from the start of
// the data.
func (h *Header) scan(s *scanner) error {
	if s.pos >= len(s.s) || s.s[s.pos] != '{' {
		return errors.New("the header is not a JSON object")
	}
	s.pos++
	// {"n":{"dtype":"U8","shape":[],"data_offsets":[0,0]}} is some 50 bytes.
	room := min(len(s.s)/50, maxRoom)
	h.Tensors = make([]Tensor, 0, room)
	seen := make(map[string]struct{}, room)
	shapes := make([]int64, 0, 2*room)
	for first := true; ; first = false {
		ok, err := s.more('}', first)
		if err != nil {
			return fmt.Errorf("the header is not JSON: %w", err)
		}
		if !ok {
			break
		}
		name, err := s.key()
		if err != nil {
			return fmt.Errorf("the header is not JSON: %w", err)
		}
		if _, dup := seen[name]; dup {
			return fmt.Errorf("%q is there twice", name)
		}
		seen[name] = struct{}{}
		if name == metadataKey {
			if h.Metadata, err = s.stringMap(); err != nil {
				return fmt.Errorf("%s: %w", metadataKey, err)
			}
			continue
		}
		t := Tensor{Name: name}
		if shapes, err = t.scan(s, shapes); err != nil {
			return fmt.Errorf("tensor %q: %w", name, err)
		}
		h.Tensors = append(h.Tensors, t)
	}
	if err := s.end(); err != nil {
		return fmt.Errorf("the header is not JSON: %w", err)
	}
	return nil
}

// scan reads a tensor's object. Shapes of all tensors are appended to one
// slice, which it returns.
func (t *Tensor) scan(s *scanner, shapes []int64) ([]int64, error) {
	if err := s.expect('{'); err != nil {
		return shapes, err
	}
	const dtype, shape, offsets = 1, 2, 4
	have := 0
	start, end := int64(0), int64(0)
	for first := true; ; first = false {
		ok, err := s.more('}', first)
		if err != nil {
			return shapes, err
		}
		if !ok {
			break
		}
		key, err := s.key()
		if err != nil {
			return shapes, err
		}
		field := 0
		switch key {
		case "dtype":
			field = dtype
			t.DType, err = s.str()
		case "shape":
			field = shape
			from := len(shapes)
			shapes, err = s.integers(shapes)
			t.Shape = shapes[from:len(shapes):len(shapes)]
		case "data_offsets":
			field = offsets
			start, end, err = s.pair()
		default:
			return shapes, fmt.Errorf("unknown field %q, where only dtype, shape and data_offsets can be", key)
		}
		if err != nil {
			return shapes, fmt.Errorf("%s: %w", key, err)
		}
		if have&field != 0 {
			return shapes, fmt.Errorf("%s is there twice", key)
		}
		have |= field
	}
	if have != dtype|shape|offsets {
		return shapes, errors.New("dtype, shape or data_offsets is missing")
	}
	return shapes, t.check(start, end)
}

// dtypeError says that a dtype is unknown, which is no damage.
type dtypeError string

func (e dtypeError) Error() string {
	return fmt.Sprintf("dtype %q is not known to this program: convert the model to BF16, F16 or F32 first", string(e))
}

// check compares the tensor's shape with its offsets and sets them.
func (t *Tensor) check(start, end int64) error {
	width, ok := DTypeSize(t.DType)
	if !ok {
		return dtypeError(t.DType)
	}
	if start > end {
		return fmt.Errorf("data_offsets [%d,%d] end before they start", start, end)
	}
	n := uint64(width)
	for _, d := range t.Shape {
		hi, lo := bits.Mul64(n, uint64(d))
		if hi != 0 || lo > math.MaxInt64 {
			return fmt.Errorf("shape %v of %s is too large", t.Shape, t.DType)
		}
		n = lo
	}
	if int64(n) != end-start {
		return fmt.Errorf("shape %v of %s takes %d bytes, but data_offsets [%d,%d] hold %d", t.Shape, t.DType, n, start, end, end-start)
	}
	t.Offset, t.Size = start, int64(n)
	return nil
}

// place sorts the tensors by offset, checks that they fill the data exactly,
// and makes the offsets absolute.
func (h *Header) place(data int64) error {
	byOffset := func(a, b Tensor) int {
		if a.Offset != b.Offset {
			return int(min(max(a.Offset-b.Offset, -1), 1))
		}
		// Empty tensors stand before the one that starts where they do.
		return int(min(max(a.Size-b.Size, -1), 1))
	}
	if !slices.IsSortedFunc(h.Tensors, byOffset) {
		slices.SortStableFunc(h.Tensors, byOffset)
	}
	next := int64(0)
	var cut *Tensor // the first whose data the file does not have whole
	for i := range h.Tensors {
		t := &h.Tensors[i]
		switch {
		case t.Offset < next:
			return fmt.Errorf("tensor %q: its data at offset %d overlaps that of tensor %q, which ends at %d: the header is damaged; download the file again",
				t.Name, t.Offset, h.Tensors[i-1].Name, next)
		case t.Offset > next:
			return fmt.Errorf("tensor %q: its data starts at offset %d, and nothing fills the %d bytes before it: the header is damaged; download the file again",
				t.Name, t.Offset, t.Offset-next)
		}
		next += t.Size
		t.Offset += h.DataStart
		if cut == nil && next > data {
			cut = t
		}
	}
	if cut != nil {
		return fmt.Errorf("the file is cut off: %d bytes are missing, from tensor %q on: download it again", next-data, cut.Name)
	}
	if next < data {
		return fmt.Errorf("%d bytes follow the last tensor's data: the file is not what its header describes; download it again", data-next)
	}
	return nil
}

// integers appends an array of integers to dst.
func (s *scanner) integers(dst []int64) ([]int64, error) {
	if err := s.expect('['); err != nil {
		return dst, err
	}
	for first := true; ; first = false {
		ok, err := s.more(']', first)
		if err != nil || !ok {
			return dst, err
		}
		n, err := s.integer()
		if err != nil {
			return dst, err
		}
		dst = append(dst, n)
	}
}

// pair reads an array of two integers.
func (s *scanner) pair() (a, b int64, err error) {
	var buf [2]int64
	v, err := s.integers(buf[:0])
	if err != nil {
		return 0, 0, err
	}
	if len(v) != 2 {
		return 0, 0, fmt.Errorf("%d numbers instead of 2", len(v))
	}
	return v[0], v[1], nil
}

// stringMap reads an object of strings.
func (s *scanner) stringMap() (map[string]string, error) {
	if err := s.expect('{'); err != nil {
		return nil, err
	}
	m := map[string]string{}
	for first := true; ; first = false {
		ok, err := s.more('}', first)
		if err != nil || !ok {
			return m, err
		}
		k, err := s.key()
		if err != nil {
			return nil, err
		}
		if _, dup := m[k]; dup {
			return nil, fmt.Errorf("%q is there twice", k)
		}
		v, err := s.str()
		if err != nil {
			return nil, fmt.Errorf("%q: %w", k, err)
		}
		m[k] = v
	}
}
