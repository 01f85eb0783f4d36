package cli

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/llama-pajamas/pj/kernels/quant"
	"github.com/llama-pajamas/pj/runtime/arch"
	"github.com/llama-pajamas/pj/runtime/model"
	"github.com/llama-pajamas/pj/runtime/safetensors"
)

// openSafetensors opens one safetensors file, whatever its tensors are.
func openSafetensors(path string) (*weights, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	w, err := readSafetensors(file, path)
	if err != nil {
		file.Close()
		return nil, err
	}
	w.close = append(w.close, file.Close)
	return w, nil
}

func readSafetensors(file *os.File, path string) (*weights, error) {
	st, err := file.Stat()
	if err != nil {
		return nil, err
	}
	h, err := safetensors.ParseHeader(file, st.Size(), path)
	if err != nil {
		return nil, err
	}
	w := &weights{
		path: path, format: "safetensors",
		files: []weightFile{{name: path, size: st.Size(), header: h.DataStart, data: file}},
	}
	for i := range h.Tensors {
		s := &h.Tensors[i]
		dims := slices.Clone(s.Shape)
		slices.Reverse(dims)
		t := weight{Name: s.Name, Dims: atLeastOne(dims), Role: arch.Other, Layer: -1, Bytes: s.Size}
		t.Elements = product(t.Dims)
		if t.Type, err = typeOfDType(s.DType); err != nil {
			return nil, fmt.Errorf("%s: tensor %q: %w", path, s.Name, err)
		}
		if t.Elements > 0 {
			t.slices = []model.Slice{{
				Name:   s.Name,
				Parts:  []model.Part{{Offset: s.Offset, Size: s.Size, Name: s.Name}},
				Layout: model.Layout{Encoding: t.Type.Name, Rows: t.rows(), Cols: t.cols()},
			}}
		}
		w.tensors = append(w.tensors, t)
	}
	return w, nil
}

// typeOfDType is the type of a dtype; one that only describes where there is
// none.
func typeOfDType(dtype string) (*quant.Type, error) {
	name := strings.ToLower(dtype)
	if t, ok := quant.Lookup(name); ok && t.Block == 1 {
		return t, nil
	}
	size, ok := safetensors.DTypeSize(dtype)
	if !ok {
		return nil, fmt.Errorf("dtype %s is not known", dtype)
	}
	return &quant.Type{Name: name, GGML: -1, Block: 1, Bytes: size}, nil
}

// decodable says that a tensor's rows can be read.
func (t *weight) decodable() error {
	if t.Type.Dequantize == nil {
		return fmt.Errorf("tensor %s is stored as %s, which is not decoded here", t.Name, t.Type)
	}
	return nil
}
