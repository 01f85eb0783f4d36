package cache

import (
	"context"
	"encoding/hex"
	"os"
	"sync"

	"github.com/zeebo/blake3"
)

// Claim takes the lock of a piece of work, a file in tmp/claims. It keeps out
// other processes and other goroutines alike; the end of the process frees it.
func (l *Local) Claim(ctx context.Context, work string, wait bool) (release func(), ok bool, err error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	if err := os.MkdirAll(l.tmp("claims"), 0o755); err != nil {
		return nil, false, l.explain(err)
	}
	sum := blake3.Sum256([]byte(work))
	path := l.tmp("claims", hex.EncodeToString(sum[:]))
	var f *os.File
	try := func() (bool, error) {
		f, err = tryLockPath(path)
		return f != nil, err
	}
	if wait {
		err = poll(ctx, try)
	} else {
		_, err = try()
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil, false, ctx.Err()
		}
		return nil, false, l.explain(err)
	}
	if f == nil {
		return nil, false, nil
	}
	return sync.OnceFunc(func() { releaseLockPath(f) }), true, nil
}
