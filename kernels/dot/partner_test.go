package dot

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/kernels/quant"
)

// TestPartners wants activations to be rounded as the registry says, where they
// are rounded at all.
func TestPartners(t *testing.T) {
	forms := map[string]form{"": floats, "q8_0": smallForm, "q8_1": smallForm, "q8_k": superForm}
	for name, l := range layouts {
		q, ok := quant.Lookup(name)
		require.True(t, ok, name)
		want, ok := forms[q.Dot]
		require.True(t, ok, name)
		require.Equal(t, want, l.form, name)
	}
}
