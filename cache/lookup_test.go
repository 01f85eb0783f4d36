package cache

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// Keys come out in the index's order, whatever they look like.
func TestSortKeys(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for name, fill := range map[string]func(k []byte){
		"hashes":         func(k []byte) { binary.BigEndian.PutUint64(k, r.Uint64()) },
		"near":           func(k []byte) { binary.BigEndian.PutUint64(k, r.Uint64N(9)) },
		"at the end":     func(k []byte) { binary.BigEndian.PutUint64(k, -r.Uint64N(9)) },
		"equal prefixes": func(k []byte) { k[31] = byte(r.Uint64()) },
	} {
		for _, n := range []int{0, 1, 2, 3, 7, 8, 1000} {
			keys := make([][]byte, n)
			for i := range keys {
				keys[i] = make([]byte, 32)
				fill(keys[i])
			}
			want := make([]int, n)
			for i := range want {
				want[i] = i
			}
			slices.SortStableFunc(want, func(a, b int) int { return bytes.Compare(keys[a], keys[b]) })
			have := make([]int, 0, n)
			for _, k := range sortKeys(n, func(i int) []byte { return keys[i] }) {
				have = append(have, k.index)
				require.Equal(t, binary.BigEndian.Uint64(keys[k.index]), k.prefix)
			}
			require.Equal(t, want, have, "%s, %d", name, n)
		}
	}
}
