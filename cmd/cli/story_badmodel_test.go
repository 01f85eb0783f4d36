package cli

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// jsonMap is a JSON object that a test changes.
type jsonMap = map[string]any

// header changes the header of the model's weights; the data stays.
func (s *story) header(change func(h map[string]jsonMap)) {
	s.t.Helper()
	const name = "m/model.safetensors"
	file := s.read(name)
	n := binary.LittleEndian.Uint64(file)
	var h map[string]jsonMap
	require.NoError(s.t, json.Unmarshal(file[8:8+n], &h))
	change(h)
	raw, err := json.Marshal(h)
	require.NoError(s.t, err)
	out := append(binary.LittleEndian.AppendUint64(nil, uint64(len(raw))), raw...)
	require.NoError(s.t, os.WriteFile(s.path(name), append(out, file[8+n:]...), 0o644))
}

// edit changes a JSON file of the model.
func (s *story) edit(name string, change func(c jsonMap)) {
	s.t.Helper()
	var c jsonMap
	require.NoError(s.t, json.Unmarshal(s.read("m/"+name), &c))
	change(c)
	raw, err := json.Marshal(c)
	require.NoError(s.t, err)
	s.write("m/"+name, string(raw))
}

const someTensor = "model.layers.0.self_attn.q_proj.weight"

// TestStoryBadModels has folders that are no model, or damaged. Each is an error
// that names the file, the place in it and what to do, before anything is
// written.
func TestStoryBadModels(t *testing.T) {
	t.Parallel()
	weights := func(change func(b []byte) []byte) func(s *story) {
		return func(s *story) {
			require.NoError(s.t, os.WriteFile(s.path("m/model.safetensors"), change(s.read("m/model.safetensors")), 0o644))
		}
	}
	tensor := func(change func(h map[string]jsonMap, t jsonMap)) func(s *story) {
		return func(s *story) { s.header(func(h map[string]jsonMap) { change(h, h[someTensor]) }) }
	}
	config := func(key string, value any) func(s *story) {
		return func(s *story) {
			s.edit("config.json", func(c jsonMap) {
				c[key] = value
			})
		}
	}
	for _, c := range []struct {
		name string
		harm func(s *story)
		says []string
	}{
		{"weights are cut off", weights(func(b []byte) []byte { return b[:len(b)-1000] }), []string{"model.safetensors"}},
		{"weights are cut off in the header", weights(func(b []byte) []byte { return b[:1000] }), []string{"model.safetensors"}},
		{"weights are empty", weights(func([]byte) []byte { return nil }), []string{"model.safetensors"}},
		{"weights are longer than they say", weights(func(b []byte) []byte { return append(b, 1, 2, 3) }), []string{"model.safetensors"}},
		{"the header is longer than the file", weights(func(b []byte) []byte {
			binary.LittleEndian.PutUint64(b, uint64(len(b)))
			return b
		}), []string{"model.safetensors"}},
		{"the header is absurdly long", weights(func(b []byte) []byte {
			binary.LittleEndian.PutUint64(b, 1<<62)
			return b
		}), []string{"model.safetensors"}},
		{"the header is no JSON", weights(func(b []byte) []byte { b[8] = 'x'; return b }), []string{"model.safetensors"}},
		{"weights are a web page", weights(func([]byte) []byte { return []byte("<!doctype html><title>Log in</title>\n") }), []string{"model.safetensors"}},
		{"weights are a pointer of git LFS", weights(func([]byte) []byte {
			return []byte("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n")
		}), []string{"model.safetensors"}},
		{"tensors overlap", tensor(func(h map[string]jsonMap, t jsonMap) {
			t["data_offsets"] = h["model.layers.0.self_attn.o_proj.weight"]["data_offsets"]
		}), []string{"model.safetensors", "self_attn"}},
		{"a tensor ends before it begins", tensor(func(_ map[string]jsonMap, t jsonMap) { t["data_offsets"] = []int{100, 10} }), []string{someTensor}},
		{"a tensor's place is negative", tensor(func(_ map[string]jsonMap, t jsonMap) { t["data_offsets"] = []int{-8, 131064} }), []string{"model.safetensors"}},
		{"a tensor lies behind the file", tensor(func(_ map[string]jsonMap, t jsonMap) {
			t["data_offsets"] = []int64{1 << 40, 1<<40 + 131072}
		}), []string{"model.safetensors", "nothing fills the 131072 bytes before it"}},
		{"shape and size differ", tensor(func(_ map[string]jsonMap, t jsonMap) { t["shape"] = []int{256, 255} }), []string{someTensor}},
		{"a shape overflows", tensor(func(_ map[string]jsonMap, t jsonMap) { t["shape"] = []int64{1 << 40, 1 << 40} }), []string{someTensor}},
		{"a shape is negative", tensor(func(_ map[string]jsonMap, t jsonMap) { t["shape"] = []int{-256, -256} }), []string{"model.safetensors"}},
		{"type and size differ", tensor(func(_ map[string]jsonMap, t jsonMap) { t["dtype"] = "F32" }), []string{someTensor}},
		{"an unknown type", tensor(func(_ map[string]jsonMap, t jsonMap) { t["dtype"] = "F7" }), []string{someTensor, "F7"}},
		{"an integer type", tensor(func(_ map[string]jsonMap, t jsonMap) { t["dtype"] = "I16" }), []string{someTensor, "I16"}},
		{"rows and columns are turned", tensor(func(h map[string]jsonMap, _ jsonMap) {
			h["model.layers.0.self_attn.k_proj.weight"]["shape"] = []int{256, 64}
		}), []string{"model.layers.0.self_attn.k_proj.weight"}},
		{"a tensor has another name", tensor(func(h map[string]jsonMap, _ jsonMap) {
			h["model.layers.0.self_attn.other.weight"] = h[someTensor]
			delete(h, someTensor)
		}), []string{"model.layers.0.self_attn.other.weight", "the nearest is"}},
		{"a tensor is missing", func(s *story) {
			s.header(func(h map[string]jsonMap) { delete(h, "model.norm.weight") })
			whole := s.read("m/model.safetensors")
			require.NoError(s.t, os.Truncate(s.path("m/model.safetensors"), int64(len(whole))-512))
		}, []string{"model.norm.weight"}},
		{"a tensor too many", tensor(func(h map[string]jsonMap, t jsonMap) {
			end := h["model.norm.weight"]["data_offsets"].([]any)[1]
			h["model.layers.7.surprise"] = jsonMap{"dtype": "BF16", "shape": []int{0}, "data_offsets": []any{end, end}}
		}), []string{"model.layers.7.surprise"}},
		{"config.json is missing", func(s *story) { require.NoError(s.t, os.Remove(s.path("m/config.json"))) }, []string{"config.json"}},
		{"config.json is no JSON", func(s *story) { s.write("m/config.json", "{") }, []string{"config.json"}},
		{"config.json is a list", func(s *story) { s.write("m/config.json", "[]") }, []string{"config.json"}},
		{"config.json nests too deep", func(s *story) {
			s.write("m/config.json", strings.Repeat(`{"a":`, 20000)+"1"+strings.Repeat("}", 20000))
		}, []string{"config.json"}},
		{"no architecture", func(s *story) {
			s.edit("config.json", func(c jsonMap) { delete(c, "architectures"); delete(c, "model_type") })
		}, []string{"config.json", "architectures"}},
		{"an unknown architecture", config("architectures", []string{"UnheardOfForCausalLM"}), []string{"config.json", "UnheardOfForCausalLM"}},
		{"no layers", config("num_hidden_layers", 0), []string{"config.json", "num_hidden_layers"}},
		{"more layers than there are", config("num_hidden_layers", 3), []string{"model.layers.2."}},
		{"fewer layers than there are", config("num_hidden_layers", 1), []string{"model.layers.1."}},
		{"absurdly many layers", config("num_hidden_layers", 1e15), []string{"config.json", "num_hidden_layers"}},
		{"negative experts", config("num_experts", -8), []string{"config.json", "num_experts"}},
		{"absurdly many experts", config("num_experts", 1e12), []string{"config.json", "num_experts"}},
		{"more experts a token than there are", config("num_experts_per_tok", 9), []string{"config.json", "num_experts_per_tok"}},
		{"a fraction of a head", config("num_attention_heads", 3.5), []string{"config.json", "num_attention_heads"}},
		{"a width that is a text", config("hidden_size", "wide"), []string{"config.json", "hidden_size"}},
		{"another width than the tensors'", config("hidden_size", 512), []string{"512"}},
		{"vocabularies differ", config("vocab_size", 1000), []string{"lm_head.weight", "[1000 256]", "config.json"}},
		{"tokenizer.json is missing", func(s *story) { require.NoError(s.t, os.Remove(s.path("m/tokenizer.json"))) }, []string{"tokenizer"}},
		{"tokenizer.json is no JSON", func(s *story) { s.write("m/tokenizer.json", "{") }, []string{"tokenizer.json"}},
		{"tokenizer.json has more tokens than the model", func(s *story) {
			s.edit("tokenizer.json", func(c jsonMap) {
				c["model"].(jsonMap)["vocab"].(jsonMap)["one too many"] = 99999
			})
		}, []string{"tokenizer.json", "99999"}},
		{"a shard is missing", func(s *story) {
			s.write("m/model.safetensors.index.json", `{"weight_map":{"lm_head.weight":"model-00001-of-00002.safetensors","model.norm.weight":"model-00002-of-00002.safetensors"}}`)
			require.NoError(s.t, os.Rename(s.path("m/model.safetensors"), s.path("m/model-00001-of-00002.safetensors")))
		}, []string{"model-00002-of-00002.safetensors"}},
		{"a shard lies elsewhere", func(s *story) {
			s.write("m/model.safetensors.index.json", `{"weight_map":{"lm_head.weight":"../outside.safetensors"}}`)
			require.NoError(s.t, os.Rename(s.path("m/model.safetensors"), s.path("outside.safetensors")))
		}, []string{"../outside.safetensors"}},
		{"the folder is empty", func(s *story) {
			require.NoError(s.t, os.RemoveAll(s.path("m")))
			require.NoError(s.t, os.Mkdir(s.path("m"), 0o755))
		}, []string{"m: the folder is empty"}},
		{"the folder is missing", func(s *story) { require.NoError(s.t, os.RemoveAll(s.path("m"))) }, []string{"m: there is no such file or folder"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newStory(t)
			s.model("nano-qwen3moe", "m")
			s.write("recipe.hcl", storyRecipe("m", "Q8_0", ""))
			c.harm(s)
			s.pj(2, "build").says(c.says...).says("recipe.hcl:2:")
			s.nothingWritten()
			r := s.pj(2, "plan", "--json")
			require.NotEmpty(t, r.json().Diagnostics)
			require.Equal(t, 2, r.json().Diagnostics[0].Line)
		})
	}
}

// TestStoryBadWeights has weights that are no numbers: only reading them tells.
func TestStoryBadWeights(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		tensor, mix string
		index       int64
		bits        uint16
		says        string
	}{
		"quantized":              {someTensor, "Q8_0", 5*256 + 17, 0x7fc1, someTensor + ": weight [5, 17] is NaN, which q8_0 cannot hold"},
		"k-quants":               {someTensor, "Q4_K_M", 255*256 + 255, 0x7f80, someTensor + ": weight [255, 255] is +Inf, which q4_k cannot hold"},
		"an expert's":            {"model.layers.1.mlp.experts.6.up_proj.weight", "Q8_0", 0, 0xff80, "model.layers.1.mlp.experts.6.up_proj.weight: weight [0, 0] is -Inf"},
		"copied":                 {someTensor, "BF16", 3*256 + 1, 0xffc0, someTensor + ": weight [3, 1] is NaN, which bf16 cannot hold"},
		"a norm":                 {"model.norm.weight", "Q8_0", 100, 0x7fc0, "model.norm.weight: weight [0, 100] is NaN, which f32 cannot hold"},
		"too large for the type": {someTensor, "F16", 2*256 + 2, 0x7f00, someTensor + ": weight [2, 2] is "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStory(t)
			s.model("nano-qwen3moe", "m")
			s.write("recipe.hcl", storyRecipe("m", c.mix, ""))
			s.setBF16("m", c.tensor, c.index, c.bits)
			s.pj(0, "plan")
			s.pj(1, "build").says(c.says, "the model's file is damaged, or its training diverged", "stage.quantize.q[")
			s.nothingWritten()
			require.NotEmpty(t, s.pj(1, "build", "--json").json().Diagnostics)
		})
	}
}

// ggufFile is a GGUF file that a test changes.
type ggufFile struct {
	t *testing.T
	b []byte
}

// at is where a text begins in the header.
func (g *ggufFile) at(text string) int {
	g.t.Helper()
	i := strings.Index(string(g.b), text)
	require.Positive(g.t, i, "the file has no %q", text)
	return i
}

func (g *ggufFile) put32(at int, v uint32) { binary.LittleEndian.PutUint32(g.b[at:], v) }
func (g *ggufFile) put64(at int, v uint64) { binary.LittleEndian.PutUint64(g.b[at:], v) }

// add32 adds to the number of a key.
func (g *ggufFile) add32(key string, n int32) {
	at := g.after(key) + 4
	g.put32(at, binary.LittleEndian.Uint32(g.b[at:])+uint32(n))
}

// after is where what follows a key, or a tensor's name, begins.
func (g *ggufFile) after(name string) int { return g.at(name) + len(name) }

// TestStoryBadGGUF has GGUF files as sources that are damaged, or made to do
// harm.
func TestStoryBadGGUF(t *testing.T) {
	t.Parallel()
	base := newStory(t)
	base.model("nano-qwen3moe", "m")
	base.write("recipe.hcl", strings.Replace(storyRecipe("m", "F16", ""), "  path = \"a.gguf\"\n", "  path      = \"a.gguf\"\n  alignment = 64\n", 1))
	base.pj(0, "build")
	whole := base.read("a.gguf")
	const tensor = "blk.0.attn_q.weight"
	// Behind a tensor's name: dimensions (4), each (8), type (4), offset (8).
	const dims, dim0, typ, offset = 0, 4, 4 + 2*8, 4 + 2*8 + 4
	for _, c := range []struct {
		name string
		harm func(g *ggufFile)
		says []string
	}{
		{"magic", func(g *ggufFile) { copy(g.b, "GGML") }, []string{"not a GGUF file"}},
		{"a text", func(g *ggufFile) { g.b = []byte("this is not the file that you want\n") }, []string{"not a GGUF file"}},
		{"nothing", func(g *ggufFile) { g.b = nil }, nil},
		{"only the magic", func(g *ggufFile) { g.b = g.b[:4] }, nil},
		{"big endian", func(g *ggufFile) { g.put32(4, 3<<24) }, []string{"endian"}},
		{"version 1", func(g *ggufFile) { g.put32(4, 1) }, []string{"version 1"}},
		{"version 99", func(g *ggufFile) { g.put32(4, 99) }, []string{"version 99"}},
		{"tensors without end", func(g *ggufFile) { g.put64(8, 1<<60) }, []string{"tensors"}},
		{"a tensor less", func(g *ggufFile) { g.put64(8, binary.LittleEndian.Uint64(g.b[8:])-1) }, []string{"bytes follow the last tensor"}},
		{"a tensor more", func(g *ggufFile) { g.put64(8, binary.LittleEndian.Uint64(g.b[8:])+1) }, nil},
		{"keys without end", func(g *ggufFile) { g.put64(16, 1<<63) }, []string{"keys"}},
		{"a key less", func(g *ggufFile) { g.put64(16, binary.LittleEndian.Uint64(g.b[16:])-1) }, nil},
		{"a key's length", func(g *ggufFile) { g.put64(24, 1<<40) }, nil},
		{"a key's type", func(g *ggufFile) { g.put32(g.after("general.alignment"), 77) }, []string{"general.alignment", "77"}},
		{"a string's length", func(g *ggufFile) { g.put64(g.after("general.architecture")+4, 1<<61) }, []string{"general.architecture"}},
		{"a list's length", func(g *ggufFile) { g.put64(g.after("tokenizer.ggml.tokens")+8, 1<<58) }, []string{"tokenizer.ggml.tokens"}},
		{"a list of lists", func(g *ggufFile) { g.put32(g.after("tokenizer.ggml.tokens")+4, 9) }, []string{"tokenizer.ggml.tokens"}},
		{"alignment 0", func(g *ggufFile) { g.put32(g.after("general.alignment")+4, 0) }, []string{"alignment"}},
		{"alignment 48", func(g *ggufFile) { g.put32(g.after("general.alignment")+4, 48) }, []string{"alignment"}},
		{"alignment 2^31", func(g *ggufFile) { g.put32(g.after("general.alignment")+4, 1<<31) }, nil},
		{"a tensor's dimensions", func(g *ggufFile) { g.put32(g.after(tensor)+dims, 9) }, []string{tensor}},
		{"a tensor without rows", func(g *ggufFile) { g.put64(g.after(tensor)+dim0, 0) }, []string{tensor}},
		{"a tensor that overflows", func(g *ggufFile) { g.put64(g.after(tensor)+dim0, 1<<62) }, []string{tensor}},
		{"a tensor's type", func(g *ggufFile) { g.put32(g.after(tensor)+typ, 250) }, []string{tensor, "250"}},
		{"a type that is gone", func(g *ggufFile) { g.put32(g.after(tensor)+typ, 4) }, []string{tensor}},
		{"a tensor's place", func(g *ggufFile) { g.put64(g.after(tensor)+offset, 1<<50) }, []string{tensor}},
		{"a tensor's place is not aligned", func(g *ggufFile) {
			at := g.after(tensor) + offset
			g.put64(at, binary.LittleEndian.Uint64(g.b[at:])+1)
		}, []string{tensor}},
		{"two tensors of a name", func(g *ggufFile) { copy(g.b[g.at("blk.1.attn_q.weight"):], tensor) }, []string{tensor}},
		{"the end is missing", func(g *ggufFile) { g.b = g.b[:len(g.b)-100] }, nil},
		{"the data is missing", func(g *ggufFile) { g.b = g.b[:g.after("output_norm.weight")+50] }, nil},
		{"the header is cut", func(g *ggufFile) { g.b = g.b[:3000] }, nil},
		{"more layers than tensors", func(g *ggufFile) { g.put32(g.after("qwen3moe.block_count")+4, 1<<30) }, []string{"qwen3moe.block_count"}},
		{"a layer more", func(g *ggufFile) { g.add32("qwen3moe.block_count", 1) }, []string{"is missing, which other layers have"}},
		{"a layer less", func(g *ggufFile) { g.add32("qwen3moe.block_count", -1) }, []string{"qwen3moe.block_count", "is of layer"}},
		{"another width", func(g *ggufFile) { g.add32("qwen3moe.embedding_length", 32) }, []string{"by the keys it is"}},
		{"another number of heads", func(g *ggufFile) { g.put32(g.after("qwen3moe.attention.head_count")+4, 64) }, []string{"attn_output.weight", "by the keys it is"}},
		{"heads that do not divide", func(g *ggufFile) { g.put32(g.after("qwen3moe.attention.head_count_kv")+4, 3) }, []string{"heads", "has to divide them"}},
		{"another number of experts", func(g *ggufFile) { g.add32("qwen3moe.expert_count", 1) }, []string{"ffn_", "by the keys it is"}},
		{"more experts used than there are", func(g *ggufFile) { g.put32(g.after("qwen3moe.expert_used_count")+4, 999) }, []string{"999"}},
		{"a key that is needed", func(g *ggufFile) { copy(g.b[g.at("qwen3moe.embedding_length"):], "qwen3moe.embedding_lengXX") }, []string{"qwen3moe.embedding_length is missing"}},
		{"another name for a weight", func(g *ggufFile) { copy(g.b[g.at("blk.1.attn_k.weight"):], "blk.1.attn_X.weight") }, []string{"is missing, which other layers have"}},
		{"a stack of too many experts", func(g *ggufFile) {
			at := g.after("blk.0.ffn_up_exps.weight") + dim0
			g.put64(at, 1)
			g.put64(at+8, 1)
			g.put64(at+16, 256*256*8)
		}, []string{"blk.0.ffn_up_exps.weight", "524288 experts"}},
		{"no model", func(g *ggufFile) { copy(g.b[g.after("general.type")+12:], "mmodl") }, []string{"general.type", "mmodl"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newStory(t)
			g := &ggufFile{t, append([]byte(nil), whole...)}
			c.harm(g)
			require.NoError(t, os.WriteFile(s.path("x.bin"), g.b, 0o644))
			require.NoError(t, os.Mkdir(s.path("in"), 0o755))
			require.NoError(t, os.Rename(s.path("x.bin"), s.path("in", "x.gguf")))
			s.write("recipe.hcl", storyRecipe("in/x.gguf", "Q8_0", ""))
			s.pj(2, "build").says("x.gguf").says(c.says...).says("recipe.hcl:2:")
			s.nothingWritten()
		})
	}
}

// nothingWritten wants neither an artifact nor a lock file, whole or half.
func (s *story) nothingWritten() {
	s.t.Helper()
	require.Empty(s.t, s.glob("*.gguf"))
	require.NoFileExists(s.t, s.path("pj.lock.hcl"))
	require.Empty(s.t, s.glob(".pj-*"))
}
