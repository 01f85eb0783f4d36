package cli

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMemoryNote(t *testing.T) {
	require.Empty(t, memoryNote(1<<30, 1<<30))
	require.Empty(t, memoryNote(1<<30, 0))
	require.Contains(t, memoryNote(16<<30, 8<<30), "The weights take 17.2 GB, and 8.59 GB of memory are free")
	require.GreaterOrEqual(t, availableMemory(), int64(0))
}
