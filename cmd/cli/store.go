package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/llama-pajamas/pj/cache"
	"github.com/llama-pajamas/pj/engine"
)

// cacheFolder is where the cache is: --cache-dir, PJ_CACHE_DIR, or pj in the
// user's cache folder.
func (a *app) cacheFolder() (string, error) {
	dir := a.flags.cacheDir
	if dir == "" {
		dir = os.Getenv("PJ_CACHE_DIR")
	}
	if dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", badInput(errors.New("there is no folder for the cache: give one with --cache-dir or PJ_CACHE_DIR"))
	}
	return filepath.Join(dir, "pj"), nil
}

// openCache opens the cache.
func (a *app) openCache() (*cache.Local, error) {
	dir, err := a.cacheFolder()
	if err != nil {
		return nil, err
	}
	c, err := cache.Open(dir, cache.Options{Logger: slog.Default()})
	if err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	return c, nil
}

// leaseCache opens the cache for work: what is looked up stays there until
// release is called.
func (a *app) leaseCache(ctx context.Context) (known *engine.Known, c *cache.Local, release func(), err error) {
	if c, err = a.openCache(); err != nil {
		return nil, nil, nil, err
	}
	release, err = c.Lease(ctx)
	var readOnly *cache.ReadOnlyError
	if errors.As(err, &readOnly) {
		release, err = func() {}, nil // it still serves readers
	}
	if err != nil {
		return nil, nil, nil, fmt.Errorf("cache: %w", err)
	}
	return &engine.Known{Store: c, Records: c}, c, release, nil
}
