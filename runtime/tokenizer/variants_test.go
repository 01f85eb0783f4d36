package tokenizer

import (
	"os"
	"slices"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"
)

// Variants of two tokenizers, with all kinds of steps, give the ids that the
// hub's own library gives; see testdata/hub/make.py.
func TestVariants(t *testing.T) {
	b, err := os.ReadFile("testdata/hub/variants.json")
	require.NoError(t, err)
	var all struct {
		Texts    []string                  `json:"texts"`
		Whole    map[string]jsontext.Value `json:"whole"`
		Variants []struct {
			Name   string                    `json:"name"`
			Change map[string]jsontext.Value `json:"change"`
			IDs    [][]int32                 `json:"ids"`
		} `json:"variants"`
	}
	require.NoError(t, json.Unmarshal(b, &all))
	var base map[string]jsontext.Value
	require.NoError(t, json.Unmarshal([]byte(nano(t, "nano-qwen3moe")["tokenizer.json"]), &base))
	require.NotEmpty(t, all.Variants)
	for _, v := range all.Variants {
		if v.Name == "whole" {
			base = all.Whole
		}
		t.Run(v.Name, func(t *testing.T) {
			file := map[string]jsontext.Value{}
			for k, x := range base {
				file[k] = x
			}
			for k, x := range v.Change {
				file[k] = x
			}
			text, err := json.Marshal(file)
			require.NoError(t, err)
			tok, err := Open(t.Context(), folder{"tokenizer.json": string(text)}, Options{})
			require.NoError(t, err)
			require.Len(t, v.IDs, len(all.Texts))
			for i, s := range all.Texts {
				ids := tok.Encode(nil, s, EncodeOptions{})
				require.True(t, slices.Equal(v.IDs[i], ids), "%q: %v instead of %v", s, ids, v.IDs[i])
			}
		})
	}
}
