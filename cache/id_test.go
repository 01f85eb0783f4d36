package cache_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/cache"
)

func TestIDs(t *testing.T) {
	a := cache.ActionID{0xab, 31: 1}
	o := cache.OutputID{0xcd, 31: 2}
	text, err := json.Marshal(map[string]any{"a": a, "o": o})
	require.NoError(t, err)
	require.Equal(t, `{"a":"ab`+strings.Repeat("0", 60)+`01","o":"cd`+strings.Repeat("0", 60)+`02"}`, string(text))
	var back struct {
		A cache.ActionID
		O cache.OutputID
	}
	require.NoError(t, json.Unmarshal(text, &back))
	require.Equal(t, a, back.A)
	require.Equal(t, o, back.O)
	require.True(t, cache.ActionID{}.IsZero())
	require.True(t, cache.OutputID{}.IsZero())
	require.False(t, a.IsZero())
	require.False(t, o.IsZero())

	require.EqualError(t, back.A.UnmarshalText([]byte("ab")), `action id "ab": want 64 hex digits, have 2 characters`)
	require.ErrorContains(t, back.O.UnmarshalText([]byte(strings.Repeat("g", 64))), "output id \"ggg")
}
