package model

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/llama-pajamas/pj/runtime/gguf"
	"github.com/stretchr/testify/require"
)

// converted is what llama.cpp's converter makes of a folder, see
// testdata/README.md.
type converted struct {
	KV      [][]any `json:"kv"`
	Tensors [][]any `json:"tensors"`
}

func readConverted(t *testing.T, name string) *converted {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "converter", name+".json"))
	require.NoError(t, err)
	c := &converted{}
	d := json.NewDecoder(strings.NewReader(string(b)))
	d.UseNumber()
	require.NoError(t, d.Decode(c))
	return c
}

// kvs are the keys as lines, without those that Metadata leaves out.
func (c *converted) kvs() []string {
	var out []string
	for _, kv := range c.KV {
		key := kv[0].(string)
		if key == "general.file_type" || key == "general.quantization_version" {
			continue
		}
		if list, ok := kv[2].([]any); ok && key == "tokenizer.chat_templates" {
			// The converter has them in an order of chance.
			slices.SortFunc(list, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
		}
		value := fmt.Sprint(kv[2])
		if kv[1] == "FLOAT32" {
			x, _ := kv[2].(json.Number).Float64()
			value = fmt.Sprint(float32(x))
		}
		out = append(out, fmt.Sprintf("%s %s %s", key, kv[1], value))
	}
	return out
}

func (c *converted) tensors() []string {
	var out []string
	for _, x := range c.Tensors {
		out = append(out, fmt.Sprint(x[0], " ", x[1]))
	}
	return out
}

// summary writes keys as converted.kvs does: long values by their number or
// length, and their hash.
func summary(kvs []gguf.KV) []string {
	var out []string
	for _, kv := range kvs {
		out = append(out, kv.Key+" "+summarized(kv.Value))
	}
	return out
}

func summarized(v any) string {
	hash := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return hex.EncodeToString(sum[:])[:16]
	}
	list := func(kind string, parts []string) string {
		if len(parts) > 8 {
			return fmt.Sprintf("[%s] %d %s", kind, len(parts), hash(strings.Join(parts, "\x00")))
		}
		return fmt.Sprintf("[%s] %v", kind, parts)
	}
	switch v := v.(type) {
	case string:
		if len([]rune(v)) >= 200 {
			return fmt.Sprintf("STRING %d %s", len(v), hash(v))
		}
		return "STRING " + v
	case uint32:
		return fmt.Sprint("UINT32 ", v)
	case int32:
		return fmt.Sprint("INT32 ", v)
	case float32:
		return fmt.Sprint("FLOAT32 ", v)
	case bool:
		return fmt.Sprint("BOOL ", v)
	case []string:
		return list("STRING", v)
	case []int32:
		parts := make([]string, len(v))
		for i, x := range v {
			parts[i] = strconv.Itoa(int(x))
		}
		return list("INT32", parts)
	case []float32:
		parts := make([]string, len(v))
		for i, x := range v {
			parts[i] = pythonFloat(x)
		}
		return list("FLOAT32", parts)
	}
	return fmt.Sprintf("%T %v", v, v)
}

// pythonFloat writes a number as Python does.
func pythonFloat(x float32) string {
	s := strconv.FormatFloat(float64(x), 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// sameAsConverter compares a folder with what llama.cpp's converter makes of
// it: the keys, their order, types and values; the tensors' order and shapes.
func sameAsConverter(t *testing.T, folder, name string) {
	t.Helper()
	ctx := context.Background()
	m, err := Open(ctx, folder, Options{ID: name})
	require.NoError(t, err)
	defer m.Close()
	want := readConverted(t, name)
	var tensors []string
	for _, x := range m.Tensors {
		tensors = append(tensors, fmt.Sprint(x.Name, " ", x.Dims))
	}
	require.Equal(t, want.tensors(), tensors)
	kvs, err := m.Metadata(ctx)
	require.NoError(t, err)
	require.Equal(t, want.kvs(), summary(kvs))
}

func TestAsLlamaCppConverts(t *testing.T) {
	for _, name := range []string{"nano-qwen3moe", "nano-gptoss"} {
		t.Run(name, func(t *testing.T) { sameAsConverter(t, example(name), name) })
	}
	for name, m := range tinies() {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if *writeTiny != "" {
				dir = filepath.Join(*writeTiny, name)
			}
			m.write(t, dir)
			if *writeTiny == "" {
				sameAsConverter(t, dir, name)
			}
		})
	}
}
