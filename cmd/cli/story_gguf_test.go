package cli

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/runtime/gguf"
)

// openGGUF reads the header of a file of the story.
func (s *story) openGGUF(name string) *gguf.File {
	s.t.Helper()
	f, err := gguf.Open(context.Background(), s.path(name))
	require.NoError(s.t, err)
	return f
}

// types are the types of a GGUF file's tensors.
func (s *story) types(name string) map[string]string {
	s.t.Helper()
	out := map[string]string{}
	f := s.openGGUF(name)
	for i := range f.Tensors {
		out[f.Tensors[i].Name] = f.Tensors[i].Type.Name
	}
	return out
}

// tensorData is what follows the header: the tensors' bytes.
func (s *story) tensorData(name string) map[string]string {
	s.t.Helper()
	out := map[string]string{}
	f := s.openGGUF(name)
	for i := range f.Tensors {
		t := &f.Tensors[i]
		b, err := os.ReadFile(f.Paths[t.File])
		require.NoError(s.t, err)
		out[t.Name] = string(b[t.Offset : t.Offset+t.Size])
	}
	return out
}

// TestStoryFromGGUF quantizes what pj built before.
func TestStoryFromGGUF(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.model("nano-qwen3moe", "m")
	s.write("f16/recipe.hcl", storyRecipe("../m", "F16", ""))
	s.write("bf16/recipe.hcl", storyRecipe("../m", "BF16", ""))
	s.write("split/recipe.hcl", strings.Replace(storyRecipe("../m", "BF16", ""), "  path = \"a.gguf\"\n", "  path  = \"a.gguf\"\n  split = \"2 MB\"\n", 1))
	s.write("direct/recipe.hcl", storyRecipe("../m", "Q4_K_M", ""))
	for _, dir := range []string{"f16", "bf16", "split", "direct"} {
		s.pj(0, "build", dir)
	}
	direct := s.types("direct/a.gguf")
	require.Equal(t, "f16", s.types("f16/a.gguf")["output.weight"])
	require.Equal(t, "q6_k", direct["output.weight"])

	// The mix gives the same types, whatever the source; from the model's own
	// BF16 the bytes are the same, too.
	s.write("one/recipe.hcl", storyRecipe("../f16/a.gguf", "Q4_K_M", ""))
	require.Positive(t, s.pj(0, "build", "one", "--json").json().Summary.Executed)
	require.Equal(t, direct, s.types("one/a.gguf"))
	s.write("two/recipe.hcl", storyRecipe("../bf16/a.gguf", "Q4_K_M", ""))
	s.pj(0, "build", "two")
	require.Equal(t, direct, s.types("two/a.gguf"))
	require.Equal(t, s.tensorData("direct/a.gguf"), s.tensorData("two/a.gguf"))

	// A split file is one by its first shard, and shards of it that are missing
	// are named.
	shards := s.glob("split/a-0000?-of-0000?.gguf")
	require.Len(t, shards, 8)
	first := fmt.Sprintf("../split/a-00001-of-%05d.gguf", len(shards))
	s.write("three/recipe.hcl", storyRecipe(first, "Q4_K_M", ""))
	r := s.pj(0, "build", "three", "--json")
	require.Equal(t, direct, s.types("three/a.gguf"))
	require.Equal(t, s.tensorData("direct/a.gguf"), s.tensorData("three/a.gguf"))
	// Tensors are known by their content, and only keys and names are others.
	require.LessOrEqual(t, r.json().Summary.Executed, 3, "%s", r)
	s.pj(0, "build", "three", "--frozen", "--require-cached")
	require.NoError(t, os.Rename(shards[2], s.path("kept")))
	s.pj(2, "build", "three").says("recipe.hcl:2", "a-00003-of-00008.gguf")
	require.NoError(t, os.Rename(s.path("kept"), shards[2]))

	// A split artifact is written again where one of its shards is gone or was
	// changed, without running anything.
	sum := s.sha256("split/a-00004-of-00008.gguf")
	require.NoError(t, os.Remove(s.path("split/a-00004-of-00008.gguf")))
	require.Equal(t, 0, s.pj(0, "build", "split", "--json").json().Summary.Executed)
	require.Equal(t, sum, s.sha256("split/a-00004-of-00008.gguf"))
	s.pj(0, "verify", "split")
	flipByte(t, s.path("split/a-00002-of-00008.gguf"), 100000)
	s.pj(5, "verify", "split").prints("a-00002-of-00008.gguf", "differs from byte 100000 on")
	s.pj(0, "build", "split")
	s.pj(0, "verify", "split")

	// What is quantized already is not quantized again unless that is said.
	s.write("again/recipe.hcl", storyRecipe("../direct/a.gguf", "Q8_0", ""))
	s.pj(2, "build", "again").says("recipe.hcl:2:", "quantized already", "requantize = true", "q6_k")
	require.NoFileExists(t, s.path("again/a.gguf"))
	s.write("again/recipe.hcl", strings.Replace(storyRecipe("../direct/a.gguf", "Q8_0", ""), "a.gguf\"\n}", "a.gguf\"\n  requantize = true\n}", 1))
	s.pj(0, "build", "again")
	require.Equal(t, "q8_0", s.types("again/a.gguf")["output.weight"])

	// gpt-oss: MXFP4 is how it is published, and counts as not quantized.
	s.model("nano-gptoss", "g")
	s.write("gpt/recipe.hcl", strings.Replace(storyRecipe("../g", "BF16", ""), "mix = \"BF16\"\n", "mix      = \"BF16\"\n  preserve = true\n", 1))
	s.pj(0, "build", "gpt")
	require.Equal(t, "mxfp4", s.types("gpt/a.gguf")["blk.0.ffn_down_exps.weight"])
	s.write("gpt4/recipe.hcl", storyRecipe("../gpt/a.gguf", "Q4_K_M", ""))
	s.write("gptdirect/recipe.hcl", storyRecipe("../g", "Q4_K_M", ""))
	s.pj(0, "build", "gpt4")
	s.pj(0, "build", "gptdirect")
	require.Equal(t, s.types("gptdirect/a.gguf"), s.types("gpt4/a.gguf"))
	require.Equal(t, s.tensorData("gptdirect/a.gguf"), s.tensorData("gpt4/a.gguf"))
}

// TestStoryUnknownArchitecture quantizes a file of an architecture that nobody
// knows, by the names of its tensors.
func TestStoryUnknownArchitecture(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.model("nano-qwen3moe", "m")
	s.write("f16/recipe.hcl", storyRecipe("../m", "F16", ""))
	s.pj(0, "build", "f16")
	// A name of the same length, in the key and in all keys of the architecture.
	b := s.read("f16/a.gguf")
	b = []byte(strings.ReplaceAll(string(b), "qwen3moe", "foo3bars"))
	s.write("foo.gguf", string(b))

	s.pj(0, "info", "foo.gguf").prints("foo3bars", "f16")
	s.pj(0, "info", "foo.gguf", "--json").prints(`"architecture": "foo3bars"`)
	s.write("recipe.hcl", storyRecipe("foo.gguf", "Q4_K_M", "  tensor {\n    when = role == \"router\"\n    type = \"q8_0\"\n  }\n"))
	r := s.pj(0, "build")
	require.NotContains(t, r.stderr, "Error")
	types := s.types("a.gguf")
	require.Equal(t, "q8_0", types["blk.0.ffn_gate_inp.weight"])
	require.Equal(t, "q4_k", types["token_embd.weight"])
	require.Equal(t, "f32", types["blk.0.attn_norm.weight"])
	arch, ok := s.openGGUF("a.gguf").String("general.architecture")
	require.True(t, ok)
	require.Equal(t, "foo3bars", arch)
	s.pj(0, "info", "a.gguf").prints("foo3bars", "q4_k")
	s.pj(0, "reproduce", "a.gguf").prints("is reproduced")

	// It is not what the recipe says it is.
	s.write("recipe.hcl", strings.Replace(storyRecipe("foo.gguf", "Q4_K_M", ""), "foo.gguf\"\n", "foo.gguf\"\n  architecture = \"qwen3moe\"\n", 1))
	s.pj(2, "build").says("foo3bars", "qwen3moe")
}
