package model

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llama-pajamas/pj/runtime/safetensors"
	"github.com/stretchr/testify/require"
)

// opening says what is wrong with a folder.
func opening(f Files, o Options) error {
	_, err := OpenFiles(context.Background(), f, o)
	return err
}

// sharded spreads a folder's tensors over two files with an index.
func sharded(t *testing.T, m *tiny) *memory {
	t.Helper()
	half := len(m.tensors) / 2
	all := m.tensors
	f := newTiny(m.config)
	f.files = m.files
	index := `{"metadata":{"total_size":1},"weight_map":{`
	out := newMemory()
	for i, part := range [][]safetensors.WriteTensor{all[:half], all[half:]} {
		f.tensors = part
		name := []string{"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"}[i]
		one := f.folder(t)
		for n, b := range one.files {
			out.files[n] = b
		}
		out.files[name] = one.files["model.safetensors"]
		for j, x := range part {
			if i+j > 0 {
				index += ","
			}
			index += `"` + x.Name + `":"` + name + `"`
		}
	}
	delete(out.files, "model.safetensors")
	out.files["model.safetensors.index.json"] = []byte(index + "}}")
	return out
}

func replaced(f *memory, name, old, with string) *memory {
	text := string(f.files[name])
	if !strings.Contains(text, old) {
		panic(name + " does not have " + old)
	}
	f.files[name] = []byte(strings.Replace(text, old, with, 1))
	return f
}

func without(f *memory, names ...string) *memory {
	for _, n := range names {
		delete(f.files, n)
	}
	return f
}

func only(names ...string) *memory {
	f := newMemory()
	for _, n := range names {
		f.files[n] = []byte("{}")
	}
	return f
}

const (
	shard2     = "model-00002-of-00002.safetensors"
	indexName  = "model.safetensors.index.json"
	lfsText    = "version https://git-lfs.github.com/spec/v1\noid sha256:0000\nsize 1\n"
	configName = "config.json"
)

func TestFolderErrors(t *testing.T) {
	moe := func() *tiny { return tinyMoE(false) }
	config := func(old, with string) func() Files {
		return func() Files { return replaced(moe().folder(t), configName, old, with) }
	}
	for name, c := range map[string]struct {
		files func() Files
		want  string
	}{
		"empty":      {func() Files { return newMemory() }, "dir: the folder is empty: download the model into it"},
		"no config":  {func() Files { return only("model.safetensors") }, "dir: there is no config.json: name the folder that holds the model's files"},
		"GGUF files": {func() Files { return only("x-q4.gguf", "README.md") }, "dir: a folder of GGUF files: name the file, for example x-q4.gguf"},
		"Mistral's":  {func() Files { return only("params.json", "consolidated.safetensors") }, "params.json instead of config.json: this is the model's original layout"},
		"no weights": {func() Files { return without(moe().folder(t), "model.safetensors") }, "dir: there are no weights, neither model.safetensors nor model.safetensors.index.json: download the whole model"},
		"pickled": {func() Files {
			f := without(moe().folder(t), "model.safetensors")
			f.files["pytorch_model.bin"] = nil
			return f
		}, "dir: the weights are in PyTorch's own format (pytorch_model.bin), which can run code when it is read: convert the model to safetensors"},
		"unknown":      {config("Qwen3MoeForCausalLM", "MambaForCausalLM"), `dir/config.json: architecture "MambaForCausalLM" is not known; known are gpt-oss (GptOssForCausalLM), llama (`},
		"no name":      {func() Files { f := moe().folder(t); f.files[configName] = []byte("{}"); return f }, "dir/config.json: neither architectures nor model_type is there"},
		"not JSON":     {func() Files { f := moe().folder(t); f.files[configName] = []byte("{\n\"a\": nope}"); return f }, "dir/config.json: line 2, column 7: "},
		"config lfs":   {func() Files { f := moe().folder(t); f.files[configName] = []byte(lfsText); return f }, "dir/config.json: this is a git-lfs pointer, not the file: run git lfs pull"},
		"weights lfs":  {func() Files { f := moe().folder(t); f.files["model.safetensors"] = []byte(lfsText); return f }, "dir/model.safetensors: this is a git-lfs pointer, not the weights: run git lfs pull"},
		"index lfs":    {func() Files { f := sharded(t, moe()); f.files[indexName] = []byte(lfsText); return f }, "dir/model.safetensors.index.json: this is a git-lfs pointer"},
		"absurd":       {config(`"num_hidden_layers":2`, `"num_hidden_layers":20000000`), "dir/config.json: num_hidden_layers is 20000000, and it has to be a whole number from 1 to 10000"},
		"missing key":  {config(`"hidden_size":32,`, ``), "dir/config.json: hidden_size is missing: the file is not complete"},
		"wrong heads":  {config(`"num_key_value_heads":2`, `"num_key_value_heads":3`), "num_attention_heads 4 is no multiple of num_key_value_heads 3"},
		"used experts": {config(`"num_experts_per_tok":2`, `"num_experts_per_tok":13`), "num_experts_per_tok 13 is more than num_experts 12"},
		"shape":        {config(`"moe_intermediate_size":48`, `"moe_intermediate_size":64`), `dir/model.safetensors: tensor "model.layers.0.mlp.experts.0.down_proj.weight" has the shape [32 48], and by config.json it is [32 64]: config.json and weights do not belong together; download both again`},
		"more layers":  {config(`"num_hidden_layers":2`, `"num_hidden_layers":3`), `dir: tensor "model.layers.2.self_attn.q_proj.weight" is missing: the model is not complete, or config.json is of another one; download it again`},
		"fewer layers": {config(`"num_hidden_layers":2`, `"num_hidden_layers":1`), `is of layer 1, and config.json says that there are 1 (counted from 0): config.json and weights do not belong together`},
		"fewer experts": {config(`"num_experts":12`, `"num_experts":11`),
			`is of expert 11, and config.json says that there are 11 (counted from 0)`},
		"more experts": {config(`"num_experts":12`, `"num_experts":14`), `dir: layer 0 has not all of its 14 experts: the tensor "model.layers.0.mlp.experts.12.down_proj.weight" of expert 12 is missing (4 tensors of its kind are missing in all layers): download the model again`},
		"missing expert": {func() Files { return moe().remove("model.layers.1.mlp.experts.5.gate_proj.weight").folder(t) },
			`dir: layer 1 has not all of its 12 experts: the tensor "model.layers.1.mlp.experts.5.gate_proj.weight" of expert 5 is missing (1 tensor of its kind is missing`},
		"missing tensor": {func() Files { return moe().remove("model.layers.1.self_attn.v_proj.weight").folder(t) },
			`dir: tensor "model.layers.1.self_attn.v_proj.weight" is missing: the model is not complete`},
		"missing in all": {func() Files {
			return moe().remove("model.layers.0.self_attn.v_proj.weight").remove("model.layers.1.self_attn.v_proj.weight").folder(t)
		}, `dir: tensor "model.layers.0.self_attn.v_proj.weight" is missing, and so it is in 1 other layer: `},
		"missing output": {func() Files { return moe().remove("lm_head.weight").folder(t) }, `dir: tensor "lm_head.weight" is missing`},
		"extra": {func() Files { return moe().add("model.layers.1.self_attn.v_prj.weight", "BF16", 2).folder(t) },
			`dir/model.safetensors: tensor "model.layers.1.self_attn.v_prj.weight" is none that qwen3moe with this config.json has (the nearest is "model.layers.1.self_attn.v_proj.weight"): `},
		"extra, far": {func() Files { return moe().add("vision.blocks.7.attn.qkv", "BF16", 2).folder(t) },
			`tensor "vision.blocks.7.attn.qkv" is none that qwen3moe with this config.json has: the model is of another architecture`},
		"bias": {func() Files { return moe().add("model.layers.0.self_attn.q_proj.bias", "BF16", 64).folder(t) },
			`tensor "model.layers.0.self_attn.q_proj.bias" is none that`},
		"dtype": {func() Files {
			m := moe().remove("lm_head.weight")
			return m.add("lm_head.weight", "F8_E4M3", 272, 32).folder(t)
		},
			`dir/model.safetensors: tensor "lm_head.weight" is F8_E4M3, which this program does not read as weights: take the model's BF16 or F16 release, or convert it to one`},
		"integers": {func() Files {
			m := moe().remove("lm_head.weight")
			return m.add("lm_head.weight", "I32", 272, 32).folder(t)
		}, `tensor "lm_head.weight" is I32`},
		"packed dtype": {func() Files {
			m := tinyGptoss(true).remove("model.layers.0.mlp.experts.down_proj_scales")
			return m.add("model.layers.0.mlp.experts.down_proj_scales", "I8", 4, 32, 2).folder(t)
		}, `tensor "model.layers.0.mlp.experts.down_proj_scales" is I8, and MXFP4 blocks and scales are U8`},
		"no scales": {func() Files { return tinyGptoss(true).remove("model.layers.1.mlp.experts.down_proj_scales").folder(t) },
			`tensor "model.layers.1.mlp.experts.down_proj_scales" is missing`},
		"odd blocks": {func() Files {
			f := tinyGptoss(true).folder(t)
			return replaced(f, configName, `"hidden_size":32`, `"hidden_size":33`)
		}, `has the shape`},
		"no tensors": {func() Files { m := newTiny(moe().config); return m.folder(t) }, "dir/model.safetensors: the weight files hold no tensors: download the model again"},
		"cut weights": {func() Files {
			f := moe().folder(t)
			b := f.files["model.safetensors"]
			f.files["model.safetensors"] = b[:len(b)-5]
			return f
		}, "dir/model.safetensors: the file is cut off: 5 bytes are missing"},
		"missing shard": {func() Files { return without(sharded(t, moe()), shard2) }, "dir/model.safetensors.index.json: the file model-00002-of-00002.safetensors, which the index names, is missing: download it into the folder"},
		"index and shard": {func() Files {
			return replaced(sharded(t, moe()), indexName, `"lm_head.weight":"model-00001`, `"lm_head.weight":"model-00002`)
		}, `dir/model.safetensors.index.json: tensor "lm_head.weight" is in model-00001-of-00002.safetensors, and the index says model-00002-of-00002.safetensors: index and weights are of different models; download both again`},
		"index lacks": {func() Files {
			return replaced(sharded(t, moe()), indexName, `"lm_head.weight":"model-00001-of-00002.safetensors",`, ``)
		}, `tensor "lm_head.weight" is in model-00001-of-00002.safetensors, and the index does not name it`},
		"index has more": {func() Files {
			return replaced(sharded(t, moe()), indexName, `"lm_head.weight":`, `"lm_foot.weight":"model-00001-of-00002.safetensors","lm_head.weight":`)
		}, `the index says that tensor "lm_foot.weight" is in model-00001-of-00002.safetensors, and it is not (1 tensor is not there in all)`},
		"index broken": {func() Files { f := sharded(t, moe()); f.files[indexName] = []byte("{"); return f }, "dir/model.safetensors.index.json: at byte 1"},
		"twice": {func() Files {
			f := moe().folder(t)
			b := f.files["model.safetensors"]
			f.files["model-a.safetensors"], f.files["model-b.safetensors"] = b, b
			return without(f, "model.safetensors")
		}, `dir/model-b.safetensors: tensor "lm_head.weight" is in dir/model-a.safetensors too: the files are of different models`},
	} {
		t.Run(name, func(t *testing.T) {
			require.ErrorContains(t, opening(c.files(), Options{}), c.want)
		})
	}
}

func TestArchitectureOption(t *testing.T) {
	f := tinyMoE(false).folder(t)
	for _, ok := range []string{"", "qwen3moe", "Qwen3MoeForCausalLM", "qwen3_moe"} {
		require.NoError(t, opening(f, Options{Architecture: ok}))
	}
	require.ErrorContains(t, opening(f, Options{Architecture: "llama"}), `dir/config.json: the model is of architecture "qwen3moe" (Qwen3MoeForCausalLM), not "llama"`)
	require.ErrorContains(t, opening(f, Options{Architecture: "mamba"}), `architecture "mamba" is not known; known are`)
}

func TestShards(t *testing.T) {
	whole := open(t, tinyMoE(false).folder(t))
	m := open(t, sharded(t, tinyMoE(false)))
	require.Len(t, m.Files, 2)
	require.Equal(t, "dir/"+shard2, m.Files[1].Path)
	require.Len(t, m.Tensors, len(whole.Tensors))
	files := map[int]bool{}
	for _, x := range m.Tensors {
		for _, s := range x.Slices {
			files[s.Parts[0].File] = true
		}
	}
	require.Len(t, files, 2)
	// Without the index the files are found by their names.
	f := without(sharded(t, tinyMoE(false)), indexName)
	require.Equal(t, m.Tensors, open(t, f).Tensors)
	// The index counts even where model.safetensors is there.
	f = sharded(t, tinyMoE(false))
	f.files["model.safetensors"] = []byte("not read")
	require.Equal(t, m.Tensors, open(t, f).Tensors)
}

// Opening reads headers only.
func TestOpeningReadsNoWeights(t *testing.T) {
	f := tinyMoE(false).folder(t)
	full := f.files["model.safetensors"]
	data := int(full[0]) | int(full[1])<<8 | int(full[2])<<16 + 8
	f.sizes["model.safetensors"] = int64(len(full))
	f.files["model.safetensors"] = full[:data+8]
	open(t, f)
}

func TestOpenPaths(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	_, err := Open(ctx, filepath.Join(dir, "none"), Options{})
	require.ErrorContains(t, err, "none: there is no such file or folder: correct the path")
	_, err = Open(ctx, dir, Options{})
	require.ErrorContains(t, err, dir+": the folder is empty")
	_, err = Open(ctx, dir, Options{Name: `model "m"`})
	require.ErrorContains(t, err, `model "m": the folder is empty`)
	tinyQwen3().write(t, dir)
	for _, f := range []string{"model.safetensors", "config.json"} {
		_, err = Open(ctx, filepath.Join(dir, f), Options{})
		require.ErrorContains(t, err, f+": a file of a model in the hub's layout: name its folder, "+dir)
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "x.gguf"), []byte("GGML....................."), 0o644))
	_, err = Open(ctx, filepath.Join(dir, "x.gguf"), Options{})
	require.ErrorContains(t, err, "x.gguf: not a GGUF file")
	m, err := Open(ctx, dir, Options{})
	require.NoError(t, err)
	require.Equal(t, filepath.Join(dir, "model.safetensors"), m.Files[0].Path)
	require.NoError(t, m.Close())
	require.NoError(t, (*Model)(nil).Close())
	canceled, stop := context.WithCancel(ctx)
	stop()
	_, err = Open(canceled, dir, Options{})
	require.ErrorIs(t, err, context.Canceled)
}

// The hub's cache has the model's name two folders above the files.
func TestFolderID(t *testing.T) {
	require.Equal(t, "Qwen/Qwen3-0.6B", folderID(filepath.FromSlash("/c/models--Qwen--Qwen3-0.6B/snapshots/0123")))
	require.Equal(t, "gpt2", folderID(filepath.FromSlash("/c/models--gpt2/snapshots/0123")))
	require.Equal(t, "My-Model-7B", folderID(filepath.FromSlash("/a/b/My-Model-7B")))
	here, err := os.Getwd()
	require.NoError(t, err)
	require.Equal(t, filepath.Base(here), folderID("."))
}

func TestWarnings(t *testing.T) {
	f := replaced(tinyMoE(false).folder(t), configName, `"norm_topk_prob":true`, `"norm_topk_prob":false`)
	require.Len(t, open(t, f).Warnings, 1)
	require.Empty(t, open(t, tinyMoE(false).folder(t)).Warnings)
}
