package gguf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	// maxHeader bounds the memory that a header can ask for; real ones have up
	// to some 20 MB, nearly all of it the tokenizer.
	maxHeader = 256 << 20
	firstRead = 256 << 10
)

// reader keeps the start of a file in memory, as far as it was needed, and a
// place in it. The file is read in growing pieces: a header's length is known
// only at its end.
type reader struct {
	r    io.ReaderAt
	size int64 // of the file
	buf  []byte
	pos  int
}

// peek returns the next n bytes without moving on. They are valid until the
// next call.
func (r *reader) peek(n int64) ([]byte, error) {
	if n > int64(len(r.buf)-r.pos) {
		if err := r.fill(n); err != nil {
			return nil, err
		}
	}
	return r.buf[r.pos : r.pos+int(n)], nil
}

func (r *reader) fill(n int64) error {
	if left := r.size - int64(r.pos); n > left {
		return fmt.Errorf("the file ends within its header, at byte %d: %d bytes are missing here; copy or download the file again", r.size, n-left)
	}
	end := int64(r.pos) + n
	if end > maxHeader {
		return fmt.Errorf("the header is larger than %d bytes: the file is damaged", int64(maxHeader))
	}
	old := int64(len(r.buf))
	want := min(max(end, 2*old, firstRead), r.size, maxHeader)
	buf := make([]byte, want)
	copy(buf, r.buf)
	got, err := r.r.ReadAt(buf[old:], old)
	if old+int64(got) < end {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("read the header at byte %d: %w", old+int64(got), err)
	}
	r.buf = buf[:old+int64(got)] // less than was wanted where r has the header alone
	return nil
}

// take returns the next n bytes and moves past them.
func (r *reader) take(n int64) ([]byte, error) {
	b, err := r.peek(n)
	r.pos += len(b)
	return b, err
}

// u32 and u64 read numbers that a peek has made sure of.
func (r *reader) u32() uint32 {
	v := binary.LittleEndian.Uint32(r.buf[r.pos:])
	r.pos += 4
	return v
}

func (r *reader) u64() uint64 {
	v := binary.LittleEndian.Uint64(r.buf[r.pos:])
	r.pos += 8
	return v
}

// strBytes moves past a string and returns its bytes.
func (r *reader) strBytes() ([]byte, error) {
	if _, err := r.peek(8); err != nil {
		return nil, err
	}
	n := r.u64()
	if left := uint64(r.size - int64(r.pos)); n > left {
		return nil, fmt.Errorf("a string claims %d bytes, and the file has %d after it: the file is damaged or cut off", n, left)
	}
	return r.take(int64(n))
}

func (r *reader) str() (string, error) {
	b, err := r.strBytes()
	return string(b), err
}

// strings reads n strings. They share one allocation: a tokenizer has 300,000.
func (r *reader) strings(n int64) ([]string, error) {
	start := r.pos
	for range n {
		if _, err := r.strBytes(); err != nil {
			return nil, err
		}
	}
	all := string(r.buf[start:r.pos])
	out := make([]string, n)
	at := 0
	for i := range out {
		end := at + 8 + int(binary.LittleEndian.Uint64(r.buf[start+at:]))
		out[i] = all[at+8 : end]
		at = end
	}
	return out, nil
}
