package safetensors

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// Write writes a whole file: metadata by key, then the tensors in the given
// order. The header is padded with spaces to a multiple of 8 bytes, so that
// the data is aligned. It is for tests and tools: all data is in memory.
func Write(w io.Writer, tensors []WriteTensor, metadata map[string]string) error {
	header, err := encodeHeader(tensors, metadata)
	if err != nil {
		return err
	}
	if _, err := w.Write(header); err != nil {
		return fmt.Errorf("write the header: %w", err)
	}
	for _, t := range tensors {
		if _, err := w.Write(t.Data); err != nil {
			return fmt.Errorf("write tensor %q: %w", t.Name, err)
		}
	}
	return nil
}

func encodeHeader(tensors []WriteTensor, metadata map[string]string) ([]byte, error) {
	b := make([]byte, lengthBytes, lengthBytes+100*len(tensors))
	b = append(b, '{')
	if metadata != nil {
		b = append(b, `"`+metadataKey+`":{`...)
		keys := make([]string, 0, len(metadata))
		for k := range metadata {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for i, k := range keys {
			if i > 0 {
				b = append(b, ',')
			}
			var err error
			if b, err = appendQuoted(b, k, ':'); err != nil {
				return nil, fmt.Errorf("metadata %q: %w", k, err)
			}
			if b, err = appendQuoted(b, metadata[k]); err != nil {
				return nil, fmt.Errorf("metadata %q: %w", k, err)
			}
		}
		b = append(b, "},"...)
	}
	seen := make(map[string]bool, len(tensors))
	offset := int64(0)
	for _, t := range tensors {
		if t.Name == metadataKey || seen[t.Name] {
			return nil, fmt.Errorf("tensor %q: the name is taken", t.Name)
		}
		seen[t.Name] = true
		if slices.ContainsFunc(t.Shape, func(d int64) bool { return d < 0 }) {
			return nil, fmt.Errorf("tensor %q: shape %v is negative", t.Name, t.Shape)
		}
		check := Tensor{Name: t.Name, DType: t.DType, Shape: t.Shape}
		end := offset + int64(len(t.Data))
		if err := check.check(offset, end); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		var err error
		if b, err = appendQuoted(b, t.Name); err != nil {
			return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		b = append(b, `:{"dtype":"`+t.DType+`","shape":[`...)
		b = appendInts(b, t.Shape)
		b = append(b, `],"data_offsets":[`...)
		b = appendInts(b, []int64{offset, end})
		b = append(b, "]},"...)
		offset = end
	}
	if b[len(b)-1] == ',' {
		b = b[:len(b)-1]
	}
	b = append(b, '}')
	for len(b)%lengthBytes != 0 {
		b = append(b, ' ')
	}
	if len(b)-lengthBytes > maxHeader {
		return nil, errors.New("the header would be larger than the format allows")
	}
	binary.LittleEndian.PutUint64(b, uint64(len(b)-lengthBytes))
	return b, nil
}

// appendQuoted appends a JSON string and what follows it.
func appendQuoted(b []byte, s string, then ...byte) ([]byte, error) {
	b, err := jsontext.AppendQuote(b, s)
	return append(b, then...), err
}

func appendInts(b []byte, v []int64) []byte {
	for i, n := range v {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, n, 10)
	}
	return b
}
