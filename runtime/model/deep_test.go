package model

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/llama-pajamas/pj/internal/sharedtest"
	"github.com/stretchr/testify/require"
)

// trueFolder lays out a released model's folder: true headers, configuration
// and tokenizer, and holes for the weights.
func trueFolder(t testing.TB, name, tokenizer string) string {
	t.Helper()
	shapes := sharedtest.Path(t, "shapes/"+name)
	dir := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.Mkdir(dir, 0o755))
	write := func(file string, b []byte) { require.NoError(t, os.WriteFile(filepath.Join(dir, file), b, 0o644)) }
	for _, f := range []string{"config.json", "generation_config.json", "tokenizer_config.json", "chat_template.jinja", "special_tokens_map.json", "model.safetensors.index.json"} {
		if b, err := os.ReadFile(filepath.Join(shapes, f)); err == nil {
			write(f, b)
		} else if _, err := os.Stat(filepath.Join(shapes, f+".gz")); err == nil {
			write(f, unzipped(t, filepath.Join(shapes, f+".gz")))
		}
	}
	write("tokenizer.json", unzipped(t, sharedtest.Path(t, "tokenizers/"+tokenizer+"/tokenizer.json.gz")))
	d := json.NewDecoder(bytes.NewReader(unzipped(t, filepath.Join(shapes, "headers.jsonl.gz"))))
	for d.More() {
		var h struct {
			File, Header string
			HeaderLen    int   `json:"header_len"`
			Size         int64 `json:"file_size"`
		}
		require.NoError(t, d.Decode(&h))
		b := binary.LittleEndian.AppendUint64(nil, uint64(h.HeaderLen))
		b = append(append(b, h.Header...), bytes.Repeat([]byte(" "), h.HeaderLen-len(h.Header))...)
		write(h.File, b)
		require.NoError(t, os.Truncate(filepath.Join(dir, h.File), h.Size))
	}
	return dir
}

func unzipped(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	z, err := gzip.NewReader(bytes.NewReader(b))
	require.NoError(t, err)
	out, err := io.ReadAll(z)
	require.NoError(t, err)
	return out
}

// The flagship models: as llama.cpp's converter makes them, and with the
// tensors and keys of the published GGUF files.
func TestTrueModels(t *testing.T) {
	for _, c := range []struct {
		name, tokenizer, gguf string
		parameters            int64
		slices                int
	}{
		{"Qwen3-30B-A3B", "qwen3", "Qwen3-30B-A3B-Q4_K_M", 30532122624, 48*3*128 + 435},
		{"gpt-oss-20b", "gpt-oss", "gpt-oss-20b-mxfp4", 20914757184, 24*3*32 + 387},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := trueFolder(t, c.name, c.tokenizer)
			sameAsConverter(t, dir, c.name)
			m, err := Open(context.Background(), dir, Options{})
			require.NoError(t, err)
			defer m.Close()
			require.Equal(t, c.parameters, m.Parameters)
			n := 0
			for _, x := range m.Tensors {
				n += len(x.Slices)
			}
			require.Equal(t, c.slices, n)
			samePublished(t, m, c.gguf)
		})
	}
}

// samePublished compares a model with a published file: its tensors in any
// order, since that file was read by a program that has its own, and the keys
// that both have.
func samePublished(t *testing.T, m *Model, name string) {
	t.Helper()
	var tensors struct {
		Tensors []struct {
			Name string
			Dims []int64
		}
	}
	read := func(file string, to any) {
		b, err := os.ReadFile(sharedtest.Path(t, "shapes/gguf/"+file))
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(b, to))
	}
	read(name+".tensors.json", &tensors)
	var want, got []string
	for _, x := range tensors.Tensors {
		want = append(want, fmt.Sprint(x.Name, x.Dims))
	}
	for _, x := range m.Tensors {
		got = append(got, fmt.Sprint(x.Name, x.Dims))
	}
	slices.Sort(want)
	slices.Sort(got)
	require.Equal(t, want, got)

	var keys struct {
		KV []struct {
			Key, Type string
			Value     any
		}
	}
	read(name+".kv.json", &keys)
	kvs, err := m.Metadata(context.Background())
	require.NoError(t, err)
	have := map[string]string{}
	for i, line := range summary(kvs) {
		have[kvs[i].Key] = line
	}
	compared := 0
	for _, k := range keys.KV {
		line, ok := have[k.Key]
		switch {
		case strings.HasPrefix(k.Key, "general.") || strings.HasPrefix(k.Key, "quantize."):
			continue // its publisher's
		case k.Key == "tokenizer.ggml.padding_token_id" && m.Architecture == "qwen3moe":
			continue // its publisher changed it
		}
		require.True(t, ok, k.Key)
		compared++
		kind, value, _ := strings.Cut(strings.TrimPrefix(line, k.Key+" "), " ")
		switch v := k.Value.(type) {
		case float64:
			require.Equal(t, fmt.Sprint(float32(v)), floatText(value), k.Key)
		case bool:
			require.Equal(t, fmt.Sprint(v), value, k.Key)
		default:
			if kind == "STRING" && !strings.Contains(fmt.Sprint(v), "truncated") {
				require.Equal(t, v, value, k.Key)
			}
		}
		if n, ok := strings.CutPrefix(k.Type, "arr["); ok {
			_, n, _ = strings.Cut(strings.TrimSuffix(n, "]"), ",")
			require.Equal(t, n, strings.Fields(value)[0], "elements of %s", k.Key)
		}
	}
	require.Greater(t, compared, 20)
}

// floatText writes a number as a float32 is written.
func floatText(s string) string {
	var x float32
	if _, err := fmt.Sscan(s, &x); err != nil {
		return s
	}
	return fmt.Sprint(x)
}

// Opening the model with 18,867 tensors: index, 16 headers, mapping.
func BenchmarkOpen(b *testing.B) {
	dir := trueFolder(b, "Qwen3-30B-A3B", "qwen3")
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		m, err := Open(ctx, dir, Options{})
		if err != nil || len(m.Tensors) != 579 {
			b.Fatal(err)
		}
		m.Close()
	}
}

// Making all keys, which reads the tokenizer's 11 MB.
func BenchmarkMetadata(b *testing.B) {
	for _, c := range [][2]string{{"Qwen3-30B-A3B", "qwen3"}, {"gpt-oss-20b", "gpt-oss"}} {
		b.Run(c[0], func(b *testing.B) {
			ctx := context.Background()
			m, err := Open(ctx, trueFolder(b, c[0], c[1]), Options{})
			require.NoError(b, err)
			defer m.Close()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := m.Metadata(ctx); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// The rows of one expert's projection, of each kind of source.
func BenchmarkRows(b *testing.B) {
	for _, name := range []string{"plain", "hub stride", "transposed"} {
		l := layouts()[name]
		b.Run(name, func(b *testing.B) {
			sizes, err := l.PartSizes()
			require.NoError(b, err)
			var parts [][]byte
			for _, n := range sizes {
				parts = append(parts, make([]byte, n))
			}
			b.SetBytes(l.Rows * l.Cols * 4)
			dst := make([]float32, 16*l.Cols)
			for b.Loop() {
				var readers []io.Reader
				for _, p := range parts {
					readers = append(readers, bytes.NewReader(p))
				}
				r, err := NewRowReader(l, readers)
				for err == nil {
					_, err = r.Read(dst)
				}
				if err != io.EOF {
					b.Fatal(err)
				}
			}
		})
	}
}
