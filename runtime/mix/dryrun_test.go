package mix

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/llama-pajamas/pj/kernels/quant"
	"github.com/llama-pajamas/pj/runtime/gguf"
	"github.com/stretchr/testify/require"
)

var (
	update  = flag.Bool("update", false, "write testdata/dryrun.txt.gz anew; needs -llama-quantize")
	program = flag.String("llama-quantize", "", "path of the program that testdata/dryrun.txt.gz is compared with")
)

const dryRunGolden = "testdata/dryrun.txt.gz"

// made is a model that exists only for its tensors' names and shapes.
type made struct {
	name string
	Model
	tensors []Tensor
	keys    []gguf.KV // besides those that every model has
}

// TestDryRun holds every choice against the ones that llama-quantize printed
// for made-up models, with and without an importance matrix.
func TestDryRun(t *testing.T) {
	models := madeModels()
	if *program != "" {
		printed := dryRuns(t, models)
		if *update {
			var b bytes.Buffer
			z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
			require.NoError(t, err)
			_, err = z.Write([]byte(printed))
			require.NoError(t, err)
			require.NoError(t, z.Close())
			require.NoError(t, os.WriteFile(dryRunGolden, b.Bytes(), 0o644))
		}
		require.Equal(t, printed, gunzip(t, dryRunGolden))
	}
	want := strings.Split(gunzip(t, dryRunGolden), "\n")
	var got []string
	for _, m := range models {
		for _, name := range Names() {
			for _, importance := range []bool{false, true} {
				got = append(got, m.line(t, name, importance, ours(t, m, name, importance)))
			}
		}
	}
	got = append(got, "")
	for i := range want {
		require.Equal(t, want[i], got[min(i, len(got)-1)])
	}
	require.Len(t, got, len(want))
}

// outcome is what becomes of a model: types, or a refusal.
type outcome struct {
	types   []string // in the order of made.tensors
	needs   bool     // an importance, for at least one tensor
	refused bool
}

// line writes an outcome down, with runs of the same type counted.
func (m made) line(t *testing.T, mixName string, importance bool, o outcome) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s importance=%t needs=%t:", m.name, mixName, importance, o.needs)
	if o.refused {
		return b.String() + " refused"
	}
	require.Len(t, o.types, len(m.tensors))
	for i := 0; i < len(o.types); {
		n := i + 1
		for n < len(o.types) && o.types[n] == o.types[i] {
			n++
		}
		fmt.Fprintf(&b, " %d*%s", n-i, o.types[i])
		i = n
	}
	return b.String()
}

func ours(t *testing.T, m made, name string, importance bool) outcome {
	x, ok := Lookup(name)
	require.True(t, ok)
	m.HasImportance = importance
	choices, err := x.Assign(m.Model, m.tensors)
	if err != nil {
		return outcome{refused: true}
	}
	var o outcome
	for _, c := range choices {
		o.types = append(o.types, c.Type.Name)
		o.needs = o.needs || c.NeedsImportance && !importance
	}
	return o
}

// dryRuns runs the program for all models and mixes.
func dryRuns(t *testing.T, models []made) string {
	dir := t.TempDir()
	importance := filepath.Join(dir, "importance.dat")
	require.NoError(t, os.WriteFile(importance, oneImportance(), 0o644))
	var b strings.Builder
	for _, m := range models {
		path := filepath.Join(dir, m.name+".gguf")
		m.write(t, path)
		for _, name := range Names() {
			for _, with := range []bool{false, true} {
				args := []string{"--dry-run", "--allow-requantize", path, name, "1"}
				if with {
					args = append([]string{"--imatrix", importance}, args...)
				}
				b.WriteString(m.line(t, name, with, m.run(t, args)) + "\n")
			}
		}
	}
	return b.String()
}

var printedTensor = regexp.MustCompile(`(?m)^\[ *\d+/ *\d+\] (\S+) .*type = +(\S+), size = .*?(?:\((\S+)\))?$`)

func (m made) run(t *testing.T, args []string) outcome {
	out, err := exec.Command(*program, args...).CombinedOutput()
	text := string(out)
	if err != nil {
		require.Contains(t, text, "no tensor type fallback is defined", "%v", args)
		return outcome{refused: true}
	}
	printed := map[string]string{}
	for _, p := range printedTensor.FindAllStringSubmatch(text, -1) {
		printed[p[1]] = p[2]
		if p[3] != "" {
			printed[p[1]] = p[3]
		}
	}
	o := outcome{needs: strings.Contains(text, "will require an imatrix")}
	for _, tensor := range m.tensors {
		require.Contains(t, printed, tensor.Name, text)
		o.types = append(o.types, strings.ToLower(printed[tensor.Name]))
	}
	return o
}

// oneImportance is an importance matrix of one entry, in the old format; a dry
// run only asks whether there is one.
func oneImportance() []byte {
	name := "blk.0.attn_q.weight"
	var b []byte
	b = binary.LittleEndian.AppendUint32(b, 1)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(name)))
	b = append(b, name...)
	for _, v := range []uint32{1, 1, 0x3f800000} { // calls, values, 1.0
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}

// write makes a file of the model, all weights 0.
func (m made) write(t *testing.T, path string) {
	key := func(name string) string { return m.Architecture + "." + name }
	kvs := []gguf.KV{
		{Key: "general.architecture", Value: m.Architecture},
		{Key: key("context_length"), Value: uint32(512)},
		{Key: key("embedding_length"), Value: uint32(256)},
		{Key: key("feed_forward_length"), Value: uint32(256)},
		{Key: key("block_count"), Value: uint32(m.Layers)},
		{Key: key("attention.head_count"), Value: uint32(m.Heads)},
		{Key: key("attention.head_count_kv"), Value: uint32(m.HeadsKV)},
		{Key: key("attention.layer_norm_epsilon"), Value: float32(1e-5)},
		{Key: key("attention.layer_norm_rms_epsilon"), Value: float32(1e-5)},
		{Key: key("attention.key_length"), Value: uint32(32)},
		{Key: key("attention.value_length"), Value: uint32(32)},
		{Key: key("vocab_size"), Value: uint32(64)},
	}
	if m.Experts > 0 {
		kvs = append(kvs, gguf.KV{Key: key("expert_count"), Value: uint32(m.Experts)},
			gguf.KV{Key: key("expert_used_count"), Value: uint32(2)},
			gguf.KV{Key: key("expert_feed_forward_length"), Value: uint32(256)})
	}
	for _, kv := range m.keys {
		kvs = append(kvs, gguf.KV{Key: key(kv.Key), Value: kv.Value})
	}
	infos := make([]gguf.TensorInfo, len(m.tensors))
	for i, tensor := range m.tensors {
		typ, ok := quant.Lookup(tensor.Source)
		require.True(t, ok)
		infos[i] = gguf.TensorInfo{Name: tensor.Name, Dims: tensor.Dims, Type: typ}
	}
	h, err := gguf.EncodeHeader(kvs, infos, 0)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, h.Bytes, 0o644))
	require.NoError(t, os.Truncate(path, h.FileSize))
}

// madeModels cover each condition of each rule: the tensors are in file order,
// which is never that of llama-quantize's walk.
func madeModels() []made {
	moe := func(name, architecture string, layers, experts, heads, headsKV int) made {
		m := made{name: name, Model: Model{Architecture: architecture, Layers: layers, Experts: experts, Heads: heads, HeadsKV: headsKV}}
		return m.ends(256, true).attention(256).norms().stacks(256)
	}
	dense := func(name, architecture string, layers, heads, headsKV int) made {
		m := made{name: name, Model: Model{Architecture: architecture, Layers: layers, Heads: heads, HeadsKV: headsKV}}
		return m.ends(256, true).attention(256).norms().each([]string{"ffn_gate", "ffn_down", "ffn_up"}, 256, 8)
	}
	bare := func(name, architecture string, layers, heads, headsKV int) made {
		return made{name: name, Model: Model{Architecture: architecture, Layers: layers, Heads: heads, HeadsKV: headsKV}}
	}

	odd := moe("odd-rows", "gpt-oss", 16, 32, 8, 2)
	odd.tensors = nil
	odd = odd.ends(288, true).attention(288).each([]string{"attn_sinks"}, 8).stacks(288)
	for l := range odd.Layers {
		odd.find(l, "attn_output").Dims[0] = 512
		odd.find(l, "attn_k").Dims[0] = 48 // not even a multiple of 32
		odd.find(l, "attn_q").Dims[0] = 64
		odd.find(l, "ffn_down_exps").Source = "mxfp4"
	}
	odd.keys = []gguf.KV{{Key: "attention.sliding_window", Value: uint32(32)}}

	falcon := bare("falcon", "falcon", 32, 8, 1).ends(256, true).
		each([]string{"attn_qkv", "attn_output", "ffn_up", "ffn_down"}, 256, 8)

	shared := moe("shared-expert", "qwen3moe", 24, 64, 8, 2).
		each([]string{"ffn_gate_shexp", "ffn_up_shexp", "ffn_down_shexp", "attn_qkv", "attn_kv_b"}, 256, 8)

	tied := dense("tied", "qwen3", 20, 8, 4)
	tied.tensors = tied.tensors[1:]
	tied.HasOutput = false
	tied.tensors = append(tied.tensors, Tensor{"per_layer_token_embd.weight", []int64{256, 8}, "bf16"})

	tiedOdd := bare("tied-odd", "qwen3", 4, 8, 4).ends(96, false).attention(96).each([]string{"ffn_down"}, 40, 8)

	kept := bare("kept", "qwen3", 2, 8, 4).ends(256, true)
	for _, name := range slices.Concat(keptNames, keptStored,
		[]string{"position_embd.weight", "token_types.weight", "blk.0.ffn_gate_inp_shexp.weight", "blk.0.ffn_up.scale"}) {
		if !strings.HasSuffix(name, "weight") && name != "blk.0.ffn_up.scale" {
			name += ".x.weight"
		}
		kept.tensors = append(kept.tensors,
			Tensor{"a." + name, []int64{256, 8}, "f32"}, Tensor{name, []int64{256, 8}, "f32"})
	}
	kept.tensors = append(kept.tensors,
		Tensor{"blk.0.row.weight", []int64{256, 1}, "f32"},
		Tensor{"blk.0.stack.weight", []int64{256, 1, 4}, "f32"},
		Tensor{"blk.0.deep.weight", []int64{256, 1, 1, 2}, "f32"},
		Tensor{"blk.1.ffn_down.weights", []int64{256, 8}, "f32"})

	bailing := moe("compressed", "bailingmoe3", 8, 16, 8, 0).
		each([]string{"attn_k_b", "attn_v_b"}, 256, 8, 4)
	bailing.keys = []gguf.KV{
		{Key: "attention.key_length_mla", Value: uint32(32)}, {Key: "attention.value_length_mla", Value: uint32(32)},
		{Key: "attention.kv_lora_rank", Value: uint32(32)}, {Key: "ssm.conv_kernel", Value: uint32(4)},
		{Key: "kda.head_dim", Value: uint32(32)}, {Key: "kda.safe_gate", Value: true}, {Key: "kda.gate_lower_bound", Value: float32(-5)},
		{Key: "expert_shared_count", Value: uint32(1)}, {Key: "leading_dense_block_count", Value: uint32(1)},
		{Key: "expert_gating_func", Value: uint32(2)},
	}

	return []made{
		moe("eight-experts", "qwen3moe", 24, 8, 8, 2),
		moe("eight-unshared", "llama", 32, 8, 8, 8),
		moe("four-experts", "qwen3moe", 16, 4, 8, 4),
		moe("three-experts", "qwen3moe", 11, 3, 8, 4),
		moe("two-experts", "qwen3moe", 9, 2, 8, 4),
		moe("many-experts", "qwen3moe", 48, 128, 32, 4),
		shared, odd,
		dense("small", "llama", 2, 8, 8),
		dense("dense", "llama", 33, 8, 4),
		dense("seventy", "llama", 80, 8, 1),
		dense("sixty-five", "llama", 80, 8, 8),
		dense("seventy-qwen", "qwen2", 80, 8, 8),
		tied, tiedOdd, falcon, kept, bailing,
	}
}

// ends adds what lies outside the layers.
func (m made) ends(cols int64, hasOutput bool) made {
	if hasOutput {
		m.tensors = append(m.tensors, Tensor{"output.weight", []int64{cols, 64}, "bf16"})
		m.HasOutput = true
	}
	m.tensors = append(m.tensors,
		Tensor{"token_embd.weight", []int64{cols, 64}, "bf16"},
		Tensor{"output_norm.weight", []int64{cols}, "f32"})
	return m
}

func (m made) attention(cols int64) made {
	return m.each([]string{"attn_v", "attn_k", "attn_q", "attn_output"}, cols, 8)
}

func (m made) norms() made { return m.each([]string{"attn_norm", "ffn_norm"}, 256) }

// stacks adds the experts and their router.
func (m made) stacks(cols int64) made {
	return m.each([]string{"ffn_up_exps", "ffn_gate_exps", "ffn_down_exps"}, cols, 2, int64(m.Experts)).
		each([]string{"ffn_gate_inp"}, cols, int64(m.Experts))
}

// each adds tensors to each layer; the last layer comes first.
func (m made) each(names []string, dims ...int64) made {
	source := "bf16"
	if len(dims) == 1 || names[0] == "ffn_gate_inp" {
		source = "f32"
	}
	for l := m.Layers - 1; l >= 0; l-- {
		for _, name := range names {
			m.tensors = append(m.tensors, Tensor{fmt.Sprintf("blk.%d.%s.weight", l, name), slices.Clone(dims), source})
		}
	}
	return m
}

func (m made) find(layer int, name string) *Tensor {
	name = fmt.Sprintf("blk.%d.%s.weight", layer, name)
	i := slices.IndexFunc(m.tensors, func(t Tensor) bool { return t.Name == name })
	return &m.tensors[i]
}
