package imatrix

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"github.com/llama-pajamas/pj/kernels/quant"
	"github.com/llama-pajamas/pj/runtime/gguf"
)

// Sums is what Write takes of one tensor.
type Sums struct {
	Name string
	// Counts are the tokens that each expert saw; of a tensor that is no stack,
	// one number.
	Counts []float64
	// Squares are the sums of the columns' squared inputs, expert after expert.
	Squares []float32
}

// Head is what Write says of the whole.
type Head struct {
	Datasets  []string
	Chunks    int
	ChunkSize int
}

// Write writes the GGUF form, tensors in the order that they are given in.
func Write(w io.Writer, head Head, tensors []Sums) error {
	kvs := []gguf.KV{
		{Key: generalType, Value: imatrixType},
		{Key: keyDatasets, Value: append([]string{}, head.Datasets...)},
		{Key: keyChunks, Value: uint32(head.Chunks)},
		{Key: keyChunkSize, Value: uint32(head.ChunkSize)},
	}
	f32, _ := quant.Lookup("f32")
	var infos []gguf.TensorInfo
	for _, t := range tensors {
		experts := int64(len(t.Counts))
		if experts == 0 || len(t.Squares) == 0 || int64(len(t.Squares))%experts != 0 {
			return fmt.Errorf("imatrix: %s has %d sums for %d experts", t.Name, len(t.Squares), experts)
		}
		infos = append(infos,
			gguf.TensorInfo{Name: t.Name + sumsSuffix, Dims: []int64{int64(len(t.Squares)) / experts, experts}, Type: f32},
			gguf.TensorInfo{Name: t.Name + countsSuffix, Dims: []int64{1, experts}, Type: f32})
	}
	header, err := gguf.EncodeHeader(kvs, infos, 0)
	if err != nil {
		return fmt.Errorf("imatrix: %w", err)
	}
	if _, err := w.Write(header.Bytes); err != nil {
		return err
	}
	at := int64(len(header.Bytes))
	data := func(n int, values []float32) error {
		raw := make([]byte, header.Offsets[n]-at, header.Offsets[n]-at+4*int64(len(values)))
		for _, v := range values {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
		}
		at += int64(len(raw))
		_, err := w.Write(raw)
		return err
	}
	for n, t := range tensors {
		counts := make([]float32, len(t.Counts))
		for i, c := range t.Counts {
			counts[i] = float32(c)
		}
		if err := data(2*n, t.Squares); err != nil {
			return err
		}
		if err := data(2*n+1, counts); err != nil {
			return err
		}
	}
	_, err = w.Write(make([]byte, header.FileSize-at))
	return err
}
