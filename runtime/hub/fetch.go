package hub

import (
	"context"
	"sync/atomic"
)

// Fetch makes a file local and returns its path. A download that was cut, here
// or in an earlier run, goes on where it stopped; the content is checked against
// the hub's hash. Callers that want the same content at the same time, also in
// other processes, wait for one download.
//
// progress, if not nil, is called from this goroutine with bytes that never
// become fewer, the last time with done == total. When ctx ends, what has
// arrived stays for the next time.
func (s *Snapshot) Fetch(ctx context.Context, name string, progress func(done, total int64)) (path string, err error) {
	f, err := s.file(name)
	if err != nil {
		return "", err
	}
	if err := ctx.Err(); err != nil {
		return "", s.target(name).wrap(err)
	}
	path = s.Path(name)
	if !whole(path, f.Size) {
		if err := s.fetch(ctx, f, progress); err != nil {
			return "", err
		}
	}
	s.ranges.forget(name)
	s.refOnce.Do(s.noteRef)
	if progress != nil && f.Size >= 0 {
		progress(f.Size, f.Size)
	}
	return path, nil
}

// noteRef does not fail a fetch: the cache may be one that only others write.
func (s *Snapshot) noteRef() {
	if !s.moving {
		return
	}
	if err := s.c.writeRef(s.Ref, s.Commit); err != nil {
		s.c.log.Warn("the cache cannot note the revision's commit", "repo", s.Ref.Repo, "revision", s.Ref.Revision, "reason", err.Error())
	}
}

func (s *Snapshot) fetch(ctx context.Context, f *File, progress func(done, total int64)) error {
	t := s.target(f.Name)
	switch {
	case s.Local:
		return t.fail(ErrOffline, "the file is gone from %s: fetch it again with the network", s.dir())
	case f.Size < 0:
		return s.noSize(f.Name)
	case f.id() == "":
		return t.fail(nil, "the hub does not tell the file's hash, so that a download could not be checked: check HF_ENDPOINT")
	}
	report := func(int64) {}
	if progress != nil {
		most := int64(-1)
		report = func(done int64) {
			// A download that starts over has fewer bytes than before.
			if done > most {
				most = done
				progress(done, f.Size)
			}
		}
	}
	fresh := false // downloaded by this very call
	if _, ok := s.content(f); !ok {
		err := s.c.join(ctx, s.blobPath(f), report, func(ctx context.Context, report func(int64)) (err error) {
			fresh, err = s.download(ctx, f, report)
			return err
		})
		if err != nil {
			if ctx.Err() != nil {
				err = t.wrap(ctx.Err())
			}
			return err
		}
	}
	return s.place(f, fresh)
}

// flight is a download that several callers wait for.
type flight struct {
	done     atomic.Int64
	cancel   context.CancelFunc
	finished chan struct{}
	err      error                      // once finished
	waiting  map[chan struct{}]struct{} // one for each caller, woken by progress; under Client.mu
}

// join runs what belongs to a key, or waits for the run that is under way. The
// run ends early when the last of those who wait for it gives up.
func (c *Client) join(ctx context.Context, key string, report func(int64), run func(ctx context.Context, report func(int64)) error) error {
	wake := make(chan struct{}, 1)
	c.mu.Lock()
	fl := c.flights[key]
	if fl == nil {
		fl = &flight{finished: make(chan struct{}), waiting: map[chan struct{}]struct{}{}}
		var running context.Context
		running, fl.cancel = context.WithCancel(context.WithoutCancel(ctx))
		c.flights[key] = fl
		go func() {
			defer close(fl.finished)
			fl.err = run(running, func(done int64) { c.tell(fl, done) })
			fl.cancel()
			c.drop(key, fl)
		}()
	}
	fl.waiting[wake] = struct{}{}
	c.mu.Unlock()
	for {
		select {
		case <-fl.finished:
			return fl.err
		case <-wake:
			report(fl.done.Load())
		case <-ctx.Done():
			if c.leave(key, fl, wake) {
				<-fl.finished // so that nothing is written after the return
			}
			return ctx.Err()
		}
	}
}

func (c *Client) tell(fl *flight, done int64) {
	fl.done.Store(done)
	c.mu.Lock()
	defer c.mu.Unlock()
	for wake := range fl.waiting {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}

// leave takes a caller off a flight, and cancels it if that was the last; who
// comes later starts another.
func (c *Client) leave(key string, fl *flight, wake chan struct{}) (last bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(fl.waiting, wake)
	if len(fl.waiting) > 0 {
		return false
	}
	if c.flights[key] == fl {
		delete(c.flights, key)
	}
	fl.cancel()
	return true
}

func (c *Client) drop(key string, fl *flight) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.flights[key] == fl {
		delete(c.flights, key)
	}
}
