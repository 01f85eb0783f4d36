package cache_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/cache"
	"github.com/llama-pajamas/pj/cache/cachetest"
)

func TestMemory(t *testing.T) {
	cachetest.Run(t, func(*testing.T) cache.Store { return cache.NewMemory() })
}

func TestLocal(t *testing.T) {
	cachetest.Run(t, func(t *testing.T) cache.Store { return open(t, t.TempDir()) })
}

func open(t testing.TB, dir string) *cache.Local {
	l, err := cache.Open(dir, cache.Options{}.WithoutSync())
	require.NoError(t, err)
	return l
}
