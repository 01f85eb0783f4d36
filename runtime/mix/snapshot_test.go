package mix

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/llama-pajamas/pj/kernels/quant"
	"github.com/stretchr/testify/require"
)

// snapshot is a file of llama.cpp's: for each mix the types by tensor.
type snapshot struct {
	header   map[string]int // n_embd, n_layer, …
	sections []section
}

type section struct {
	mix, base string
	types     map[string]string // of the tensors that get another type than base
}

// TestSnapshots holds every choice against the ones that llama.cpp's own tests
// expect. The files name only the tensors that differ from a section's base;
// rows says how the model's tensors are shaped.
func TestSnapshots(t *testing.T) {
	cases := []struct {
		file, architecture string
		rows               map[string]int64 // ne0 by the end of the name, others have n_embd
		perLayer           int              // matrices that may be quantized
	}{
		{
			file: "qwen3-0.6b", architecture: "qwen3",
			rows:     map[string]int64{"attn_output": 2048, "ffn_down": 3072},
			perLayer: 7,
		}, {
			file: "gpt-oss-120b", architecture: "gpt-oss",
			rows:     map[string]int64{"attn_output": 4096},
			perLayer: 7,
		}, {
			file: "qwen3-coder-next", architecture: "qwen3next",
			rows:     map[string]int64{"attn_output": 4096, "ssm_out": 4096, "ffn_down_exps": 512, "ffn_down_shexp": 512},
			perLayer: 10, // four of attention, plain or linear; three stacks, three of the shared expert
		},
	}
	for _, c := range cases {
		t.Run(c.file, func(t *testing.T) {
			s := readSnapshot(t, "testdata/"+c.file+".schema.gz")
			h := s.header
			var names []string
			for _, sec := range s.sections {
				names = slices.AppendSeq(names, maps.Keys(sec.types))
			}
			if h["n_expert"] > 0 { // no section names all stacks
				for l := range h["n_layer"] {
					for _, p := range []string{"gate", "up", "down"} {
						names = append(names, fmt.Sprintf("blk.%d.ffn_%s_exps.weight", l, p))
					}
				}
			}
			slices.Sort(names)
			names = slices.Compact(names)
			tensors := snapshotTensors(names, int64(h["n_embd"]), h["n_expert"], c.rows)

			count := make([]int, h["n_layer"])
			for _, name := range names {
				if l := layerOf(name); l >= 0 {
					count[l]++
				}
			}
			for l, n := range count {
				require.Equal(t, c.perLayer, n, "matrices of layer %d", l)
			}
			require.Len(t, s.sections, 33)

			model := Model{
				Architecture: c.architecture, Layers: h["n_layer"], Experts: h["n_expert"],
				Heads: h["n_head"], HeadsKV: h["n_head_kv"],
			}
			for _, sec := range s.sections {
				checkSection(t, sec, model, tensors)
			}
		})
	}
}

// snapshotTensors are the tensors of a model: the ones named, in an order that
// is not llama-quantize's, and some that are kept.
func snapshotTensors(names []string, embd int64, experts int, rows map[string]int64) []Tensor {
	var tensors []Tensor
	for _, name := range names {
		words := strings.Split(strings.TrimSuffix(name, ".weight"), ".")
		dims := []int64{embd, 64}
		if n := rows[words[len(words)-1]]; n != 0 {
			dims[0] = n
		}
		if strings.HasSuffix(name, "_exps.weight") {
			dims = append(dims, int64(experts))
		}
		tensors = append(tensors,
			Tensor{name, dims, "f32"},
			Tensor{strings.TrimSuffix(name, "weight") + "bias", []int64{64, 2}, "f32"})
		if strings.HasSuffix(name, "attn_output.weight") {
			tensors = append(tensors,
				Tensor{strings.Replace(name, "attn_output", "attn_norm", 1), dims[:1], "f32"},
				Tensor{strings.Replace(name, "attn_output", "ffn_gate_inp", 1), dims, "f32"})
		}
	}
	return tensors
}

func checkSection(t *testing.T, sec section, model Model, tensors []Tensor) {
	m, ok := Lookup(sec.mix)
	require.True(t, ok, sec.mix)
	require.Equal(t, strings.ToLower(sec.base), m.Type.Name, sec.mix)
	choices, err := m.Assign(model, tensors)
	require.NoError(t, err)
	named := 0
	for i, tensor := range tensors {
		c := choices[i]
		if !strings.HasSuffix(tensor.Name, "weight") || len(tensor.Dims) == 1 || strings.Contains(tensor.Name, "gate_inp") {
			require.True(t, c.Kept, tensor.Name)
			continue
		}
		want := sec.base
		if other, ok := sec.types[tensor.Name]; ok {
			want = other
			named++
		}
		require.False(t, c.Kept, tensor.Name)
		require.Equal(t, strings.ToLower(want), c.Type.Name, "[%s] %s", sec.mix, tensor.Name)
		require.Zero(t, tensor.Dims[0]%int64(c.Type.Block), tensor.Name)
		if c.Wanted != nil {
			require.NotZero(t, tensor.Dims[0]%int64(c.Wanted.Block), tensor.Name)
		}
	}
	require.Equal(t, len(sec.types), named, "[%s] names tensors that the model lacks", sec.mix)
}

func readSnapshot(t *testing.T, path string) snapshot {
	s := snapshot{header: map[string]int{}}
	scan := bufio.NewScanner(strings.NewReader(gunzip(t, path)))
	for scan.Scan() {
		line := scan.Text()
		switch {
		case strings.HasPrefix(line, "# n_"):
			for _, f := range strings.Split(line[2:], ", ") {
				var value int
				key, text, _ := strings.Cut(f, "=")
				_, err := fmt.Sscan(text, &value)
				require.NoError(t, err, line)
				s.header[key] = value
			}
		case line == "", line[0] == '#':
		case line[0] == '[':
			name, base, ok := strings.Cut(line[1:], "] ")
			require.True(t, ok, line)
			s.sections = append(s.sections, section{name, base, map[string]string{}})
		default:
			name, typ, ok := strings.Cut(line, " ")
			require.True(t, ok, line)
			s.sections[len(s.sections)-1].types[name] = typ
		}
	}
	require.NoError(t, scan.Err())
	require.NotZero(t, s.header["n_layer"])
	return s
}

func gunzip(t *testing.T, path string) string {
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	b, err := io.ReadAll(z)
	require.NoError(t, err)
	return string(b)
}

// Every type that a rule can name is registered, so that must never panics.
func TestTableNamesTypes(t *testing.T) {
	for _, m := range table {
		for p := part(0); p < parts; p++ {
			for _, arch := range []string{"falcon", "llama"} {
				for _, experts := range []int{0, 2, 4, 8, 16} {
					for _, importance := range []bool{false, true} {
						for nth := range 64 {
							for _, heads := range []int{1, 4} {
								model := Model{Architecture: arch, Experts: experts, Heads: heads, HeadsKV: 1, HasImportance: importance}
								if name := m.rules[p].of(place{Model: &model, nth: nth, layer: nth, of: 64}); name != "" {
									_, ok := quant.Lookup(name)
									require.True(t, ok, name)
								}
							}
						}
					}
				}
			}
		}
		for _, name := range []string{m.output, m.single} {
			if name != "" {
				must(name)
			}
		}
	}
}
