package model

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// portrait writes down a whole model: its settings, keys, tensors and where
// their bytes lie.
func portrait(t *testing.T, m *Model) string {
	t.Helper()
	kvs, err := m.Metadata(context.Background())
	require.NoError(t, err)
	var b strings.Builder
	fmt.Fprintf(&b, "architecture %s, %d layers, %d experts of which %d are used, %d heads, %d of keys\n", m.Architecture, m.Layers, m.Experts, m.ExpertsUsed, m.Heads, m.HeadsKV)
	fmt.Fprintf(&b, "attention %v, known %v, %d parameters, %d tensors quantized\n", m.Attention, m.Known, m.Parameters, m.Quantized)
	for _, f := range m.Files {
		fmt.Fprintf(&b, "file %s %d\n", f.Name, f.Size)
	}
	fmt.Fprintf(&b, "metadata from %v\nwarnings %q\n\n", m.MetaFiles, m.Warnings)
	for _, line := range summary(kvs) {
		b.WriteString(strings.ReplaceAll(line, "\n", `\n`) + "\n")
	}
	for _, x := range m.Tensors {
		fmt.Fprintf(&b, "\n%s %v %s role=%s layer=%d attention=%s projection=%s\n", x.Name, x.Dims, x.Type, x.Role, x.Layer, x.Attention, x.Projection)
		for i, s := range x.Slices {
			if i == 2 && len(x.Slices) > 4 {
				fmt.Fprintf(&b, "  … %d more\n", len(x.Slices)-3)
			}
			if i < 2 || i == len(x.Slices)-1 {
				fmt.Fprintf(&b, "  %s %+v\n", s.Name, s.Layout)
				for _, p := range s.Parts {
					fmt.Fprintf(&b, "    %d: %d +%d %s\n", p.File, p.Offset, p.Size, p.Name)
				}
			}
		}
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	for _, name := range []string{"nano-qwen3moe", "nano-gptoss"} {
		t.Run(name, func(t *testing.T) {
			m, err := Open(context.Background(), example(name), Options{})
			require.NoError(t, err)
			got := portrait(t, m)
			require.NoError(t, m.Close())
			require.NoError(t, m.Close(), "a second time")
			path := filepath.Join("testdata", name+".golden")
			if *update {
				require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err, "make it with -update")
			require.Equal(t, string(want), got)
		})
	}
}
