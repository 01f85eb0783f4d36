package cli

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/cache"
)

// TestStoryWrongOutput has a cache whose index says of one action that other
// bytes came out: a stage that is not deterministic, or a machine with a fault.
// Nothing but running it again can tell.
func TestStoryWrongOutput(t *testing.T) {
	t.Parallel()
	s := newStory(t)
	s.model("nano-qwen3moe", "m")
	s.write("recipe.hcl", storyRecipe("m", "Q8_0", ""))
	const address = `stage.quantize.q["blk.1.attn_k.weight"]`
	plan := s.pj(0, "plan", "--json")
	var id cache.ActionID
	for _, a := range plan.json().Actions {
		if a.Address == address {
			require.NoError(t, json.Unmarshal([]byte(`"`+a.ID+`"`), &id))
		}
	}
	require.False(t, id.IsZero())
	s.commit(id, "blocks", make([]byte, 64*256/32*34))

	built := s.pj(0, "build", "--json").json()
	require.Equal(t, built.Summary.Actions-1, built.Summary.Executed)
	s.pj(0, "cache", "verify").prints("everything is sound")
	r := s.pj(5, "verify")
	r.prints("! "+address+": blocks: has other bytes: ", "1 difference.")
	r.says("1 difference: the bytes are not those of the build")
	s.pj(5, "verify", address).prints("1 action run again and 0 files compared")
	s.pj(0, "verify", `stage.quantize.q["blk.0.attn_k.weight"]`)
	var out struct {
		Equal       bool
		Differences []struct{ Address, Output string }
	}
	require.NoError(t, json.Unmarshal([]byte(s.pj(5, "verify", "--json").stdout), &out))
	require.False(t, out.Equal)
	require.Len(t, out.Differences, 1)
	require.Equal(t, address, out.Differences[0].Address)

	// A rebuild of the file tells, too; its own cache does not.
	s.pj(0, "reproduce", "a.gguf")
	s.pj(5, "reproduce", "a.gguf", "--rebuild").says("a.gguf is not reproduced: the tensor blk.1.attn_k.weight differs from its byte ")
	other := s.with("PJ_CACHE_DIR=" + s.path("other"))
	other.pj(5, "reproduce", "a.gguf", "--source", "m").says("the tensor blk.1.attn_k.weight differs")

	// The same, of another size.
	s2 := newStory(t)
	s2.model("nano-qwen3moe", "m")
	s2.write("recipe.hcl", storyRecipe("m", "Q8_0", ""))
	s2.commit(id, "blocks", make([]byte, 100))
	s2.pj(1, "build").says("artifact.gguf.a: tensor blk.1.attn_k.weight: its blocks have 100 bytes, and q8_0 of its shape has 17408")
	require.NoFileExists(t, s2.path("a.gguf"))
}

// commit enters an action's result into the cache.
func (s *story) commit(id cache.ActionID, output string, content []byte) {
	s.t.Helper()
	store, err := cache.Open(s.cache(), cache.Options{})
	require.NoError(s.t, err)
	batch, err := store.Begin(s.t.Context())
	require.NoError(s.t, err)
	defer batch.Discard()
	w, err := batch.Create(int64(len(content)))
	require.NoError(s.t, err)
	_, err = w.Write(content)
	require.NoError(s.t, err)
	blob, n, err := w.Close()
	require.NoError(s.t, err)
	require.NoError(s.t, batch.Commit(s.t.Context(), []cache.Commit{{ID: id, Entry: cache.Entry{Outputs: []cache.Output{{Name: output, ID: blob, Size: n}}}}}))
}
