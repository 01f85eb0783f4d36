package sharedtest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPath(t *testing.T) {
	root := t.TempDir()
	deep := filepath.Join(root, "repo", "a", "b")
	require.NoError(t, os.MkdirAll(deep, 0o755))
	require.NoError(t, os.MkdirAll(filepath.Join(root, "shared", "x"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(root, "repo", "go.mod"), nil, 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(root, "shared", "x", "y"), []byte("there"), 0o644))
	t.Chdir(deep)
	b, err := os.ReadFile(Path(t, "x/y"))
	require.NoError(t, err)
	require.Equal(t, "there", string(b))

	skipped := false
	t.Run("absent", func(t *testing.T) {
		defer func() { skipped = t.Skipped() }()
		Path(t, "x/z")
	})
	require.True(t, skipped)
}
