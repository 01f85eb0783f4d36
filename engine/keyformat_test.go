package engine

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/cache"
)

// The bytes that a key is hashed from may not change: every cache in the world
// would be worth nothing. Who has to change them raises keyDomain's number.
func TestKeyFormat(t *testing.T) {
	id := func(b byte) (id cache.OutputID) {
		for i := range id {
			id[i] = b + byte(i)
		}
		return id
	}
	list, err := NewParams(values{"type": "q4_k", "layout": []int{2048, 768}, "empty": "", "odd": values{"z": "<é>", "a": 1.5}})
	require.NoError(t, err)
	r := newResolution(&Plan{Sources: make([]Source, 3), Actions: []*Action{
		{Stage: "stage sum", Version: 1},
		{Stage: "stage quantize", Version: 12, Fingerprint: "avx2", Params: list, Inputs: []Input{
			source("weights", 0), source("weights", 1), source("scale", 2), output("weights", 0),
		}},
	}})
	r.sources[0], r.sources[1], r.sources[2] = id(1), id(50), id(100)
	r.entries[0] = &cache.Entry{Outputs: []cache.Output{{Name: "other", ID: id(7)}, {Name: "out", ID: id(200)}}}
	for i, want := range []string{
		"a21883453292e81c2e37ef93ec0cbbeec6a496aa1328b5747796c4b75bab45db",
		"8bb8086987891b235acfeedb7a028f56e3c1df83b1c0213b115388f9c85b9aa6",
	} {
		require.Equal(t, want, r.key(i, &keyScratch{}).String())
	}
	require.Equal(t, []cache.Component{{Name: "stage", Value: "stage sum v1"}}, r.components(0))
	require.Len(t, r.components(1), 2+4+3)
}
