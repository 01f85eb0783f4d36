package model

import (
	"bytes"
	"context"
	"encoding/binary"
	"testing"

	"github.com/llama-pajamas/pj/runtime/gguf"
	"github.com/stretchr/testify/require"
)

// consistent makes sure that what was accepted can be read: every slice's parts
// lie in their files and are what its layout takes.
func consistent(t *testing.T, m *Model) {
	t.Helper()
	require.Len(t, m.Attention, m.Layers)
	for i := range m.Tensors {
		x := &m.Tensors[i]
		n := int64(0)
		for _, s := range x.Slices {
			sizes, err := s.Layout.PartSizes()
			require.NoError(t, err, x.Name)
			require.Len(t, s.Parts, len(sizes))
			for j, p := range s.Parts {
				f := m.Files[p.File]
				if p.Size != sizes[j] || p.Offset < 0 || p.Offset+p.Size > f.Size {
					t.Fatalf("%s: %+v is not %d bytes of the %d in %s", x.Name, p, sizes[j], f.Size, f.Name)
				}
			}
			n += s.Layout.Rows * s.Layout.Cols
		}
		require.Equal(t, x.Elements(), n, x.Name)
	}
}

// FuzzHubFolder opens anything as config.json, the weights' header and the
// index. The weights' size is what the header asks for, or less.
func FuzzHubFolder(f *testing.F) {
	for _, m := range tinies() {
		folder := m.folder(f)
		weights := folder.files["model.safetensors"]
		n := binary.LittleEndian.Uint64(weights)
		f.Add(m.config, string(weights[8:8+n]), int64(len(weights)), "")
	}
	f.Add("{}", "{}", int64(10), `{"weight_map":{"a":"model.safetensors"}}`)
	f.Fuzz(func(t *testing.T, config, header string, size int64, index string) {
		if size < 0 || size > 1<<40 {
			return
		}
		m := newMemory()
		m.files["config.json"] = []byte(config)
		m.files["model.safetensors"] = append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...)
		m.sizes["model.safetensors"] = size
		if index != "" {
			m.files["model.safetensors.index.json"] = []byte(index)
		}
		if opened, err := OpenFiles(context.Background(), m, Options{}); err == nil {
			consistent(t, opened)
		}
	})
}

// FuzzConfig opens the tiny models' weights with anything as config.json.
func FuzzConfig(f *testing.F) {
	var folders []*memory
	for _, name := range []string{"Tiny-Qwen3-10K-Instruct-v2", "tiny-llama-1.5b-chat", "tiny-gptoss-bf16", "tiny-gptoss-mxfp4", "tiny-qwen3moe"} {
		m := tinies()[name]
		folders = append(folders, m.folder(f))
		f.Add(m.config)
	}
	f.Fuzz(func(t *testing.T, config string) {
		for _, folder := range folders {
			folder.files["config.json"] = []byte(config)
			m, err := OpenFiles(context.Background(), folder, Options{})
			if err != nil {
				continue
			}
			consistent(t, m)
			_, _ = m.Metadata(context.Background())
		}
	})
}

// FuzzSmallFiles reads anything as the page and the recommended settings.
func FuzzSmallFiles(f *testing.F) {
	m := tinyQwen3()
	f.Add(m.files["README.md"], m.files["generation_config.json"], "some/Name-7B-v1")
	f.Add("---\nbase_model:\n- name: x\n  version: 1.0\ndatasets: [a/b, https://huggingface.co/c/d]\n---", `{"top_k":1e3}`, "-7b-")
	folder := m.folder(f)
	f.Fuzz(func(t *testing.T, card, generation, id string) {
		folder.files["README.md"], folder.files["generation_config.json"] = []byte(card), []byte(generation)
		m, err := OpenFiles(context.Background(), folder, Options{ID: id})
		require.NoError(t, err)
		if kvs, err := m.Metadata(context.Background()); err == nil {
			_, err := gguf.EncodeKVs(kvs)
			require.NoError(t, err)
		}
	})
}

// FuzzGGUF describes anything that parses as a GGUF file.
func FuzzGGUF(f *testing.F) {
	for _, typ := range []string{"mxfp4", "q4_0"} {
		h, err := gguf.EncodeHeader(gptossKVs(), gptossInfos(f, typ), 0)
		require.NoError(f, err)
		f.Add(h.Bytes, h.FileSize)
	}
	f.Fuzz(func(t *testing.T, header []byte, size int64) {
		if size < int64(len(header)) || size > 1<<40 {
			return
		}
		file, err := gguf.Parse(sized{header, size}, size, "x.gguf")
		if err != nil {
			return
		}
		if m, err := fromGGUF(file, Options{Name: "x.gguf", Requantize: true}); err == nil {
			consistent(t, m)
			_, err := m.Metadata(context.Background())
			require.NoError(t, err)
		}
	})
}

// sized is a file whose bytes after the first are zeros.
type sized struct {
	b    []byte
	size int64
}

func (s sized) ReadAt(p []byte, off int64) (int, error) {
	clear(p)
	if off < int64(len(s.b)) {
		copy(p, s.b[off:])
	}
	if off+int64(len(p)) > s.size {
		return bytes.NewReader(nil).ReadAt(p, 0)
	}
	return len(p), nil
}
