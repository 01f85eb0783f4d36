package dot

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestRegistersOfAVX2: the generator's allocator knows nothing of tiers, and
// would give a kernel with too many values a register that AVX2 has not.
func TestRegistersOfAVX2(t *testing.T) {
	source, err := os.ReadFile("kernels_amd64.s")
	require.NoError(t, err)
	beyond := regexp.MustCompile(`\b([XY](1[6-9]|2\d|3[01])|Z\d+|K[0-7])\b`)
	found := 0
	for _, function := range strings.Split(string(source), "\nTEXT ")[1:] {
		name, body, _ := strings.Cut(function, "(SB)")
		if !strings.HasSuffix(name, "AVX2") {
			continue
		}
		found++
		require.Empty(t, beyond.FindString(body), name)
	}
	require.Positive(t, found)
}
