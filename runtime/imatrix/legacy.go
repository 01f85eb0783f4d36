package imatrix

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"
)

// maxName bounds the length of names; those of tensors have at most 64 bytes,
// a path has at most 4096.
const maxName = 4096

// legacyReader reads the little numbers and names of a .dat file, one after the
// other.
type legacyReader struct {
	r    io.ReaderAt
	at   int64
	size int64
}

func (l *legacyReader) take(n int64) ([]byte, error) {
	if n < 0 || n > l.size-l.at {
		return nil, io.ErrUnexpectedEOF
	}
	b := make([]byte, n)
	if _, err := l.r.ReadAt(b, l.at); err != nil {
		return nil, err
	}
	l.at += n
	return b, nil
}

func (l *legacyReader) int32() (int64, error) {
	b, err := l.take(4)
	if err != nil {
		return 0, err
	}
	return int64(int32(binary.LittleEndian.Uint32(b))), nil
}

func (l *legacyReader) name() (string, error) {
	n, err := l.int32()
	if err != nil {
		return "", err
	}
	if n < 0 || n > maxName {
		return "", fmt.Errorf("a name of %d bytes", n)
	}
	b, err := l.take(n)
	return string(b), err
}

// readLegacy reads a .dat file: a number of entries, the entries, and in newer
// ones the number of chunks and the text's name.
func readLegacy(r io.ReaderAt, size int64, name string) (*File, error) {
	l := &legacyReader{r: r, size: size}
	fail := func(err error) (*File, error) {
		return nil, fmt.Errorf("%s: %s: at byte %d: %w", name, notIt, l.at, err)
	}
	n, err := l.int32()
	if err != nil {
		return fail(err)
	}
	const least = 4 + 1 + 4 + 4 + 4 // bytes of an entry
	if n < 1 || n > size/least {
		return fail(fmt.Errorf("%d entries in %d bytes", n, size))
	}
	f := &File{Legacy: true}
	for range n {
		t, err := l.entry()
		if err != nil {
			return fail(err)
		}
		f.Tensors = append(f.Tensors, t)
	}
	if l.at < size {
		chunks, err := l.int32()
		if err != nil {
			return fail(err)
		}
		text, err := l.name()
		if err != nil {
			return fail(err)
		}
		f.Chunks = int(max(chunks, 0))
		if text != "" {
			f.Datasets = []string{text}
		}
	}
	if l.at != size {
		return fail(fmt.Errorf("%d bytes too many", size-l.at))
	}
	f.splitStacks()
	return f, nil
}

func (l *legacyReader) entry() (t Tensor, err error) {
	if t.Name, err = l.name(); err != nil {
		return t, err
	}
	if t.Name == "" {
		return t, fmt.Errorf("an entry without a name")
	}
	calls, err := l.int32()
	if err != nil {
		return t, err
	}
	if t.Columns, err = l.int32(); err != nil {
		return t, err
	}
	if t.Columns < 1 || t.Columns > (l.size-l.at)/4 {
		return t, fmt.Errorf("%s: %d values in the %d bytes that are left", t.Name, t.Columns, l.size-l.at)
	}
	t.r, t.offset, t.Experts, t.calls = l.r, l.at, 1, float32(calls)
	l.at += 4 * t.Columns
	return t, nil
}

// splitStacks finds how many experts the values of a stack are of, which the
// form does not tell: the router of the layer, and the queries, have as many
// columns as one expert's gate and up.
func (f *File) splitStacks() {
	columns := map[string]int64{}
	for i := range f.Tensors {
		columns[f.Tensors[i].Name] = f.Tensors[i].Columns
	}
	for i := range f.Tensors {
		t := &f.Tensors[i]
		layer, ok := strings.CutSuffix(t.Name, "_exps.weight")
		if !ok {
			continue
		}
		layer = layer[:strings.LastIndexByte(layer, '.')+1]
		width := columns[layer+"ffn_gate_inp.weight"]
		if width == 0 {
			width = columns[layer+"attn_q.weight"]
		}
		for _, stack := range []string{"ffn_gate_exps.weight", "ffn_up_exps.weight", "ffn_gate_up_exps.weight"} {
			all := columns[layer+stack]
			if width == 0 || all == 0 || all%width != 0 || t.Columns%(all/width) != 0 {
				continue
			}
			t.Experts = int(all / width)
			t.Columns /= all / width
			break
		}
	}
}
