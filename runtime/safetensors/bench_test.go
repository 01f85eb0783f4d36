package safetensors

import (
	"io"
	"testing"

	"github.com/llama-pajamas/pj/internal/sharedtest"
	"github.com/stretchr/testify/require"
)

// All 16 headers of Qwen3-30B-A3B, 18,867 tensors.
func BenchmarkParseHeader(b *testing.B) {
	files := realFiles(b, "Qwen3-30B-A3B")
	bytes := int64(0)
	for _, f := range files {
		bytes += int64(len(f.start))
	}
	b.SetBytes(bytes)
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for _, f := range files {
			h, err := ParseHeader(f, f.Size, f.File)
			if err != nil {
				b.Fatal(err)
			}
			n += len(h.Tensors)
		}
		if n != 18867 {
			b.Fatal(n)
		}
	}
}

func BenchmarkParseIndex(b *testing.B) {
	data, err := io.ReadAll(unzip(b, sharedtest.Path(b, "shapes/Qwen3-30B-A3B/model.safetensors.index.json.gz")))
	require.NoError(b, err)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		idx, err := ParseIndex(data, "x")
		if err != nil || len(idx.WeightMap) != 18867 {
			b.Fatal(err)
		}
	}
}
