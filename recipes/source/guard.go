package source

import (
	"context"
	"fmt"
	"os"
	"time"
)

// hold takes a lock file for this process, or for one goroutine of it. Closing
// the file, or the end of the process, lets it go; the file stays. waiting is
// called once where another holds it.
func hold(ctx context.Context, name string, waiting func()) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("the cache folder cannot be written: %w", err)
	}
	const longest = 50 * time.Millisecond
	for pause := time.Millisecond; ; pause = min(2*pause, longest) {
		ok, err := tryLock(f)
		if ok {
			return f, nil
		}
		if err == nil {
			if pause == longest && waiting != nil {
				waiting()
				waiting = nil
			}
			select {
			case <-ctx.Done():
				err = ctx.Err()
			case <-time.After(pause):
			}
		}
		if err != nil {
			f.Close()
			return nil, err
		}
	}
}
