package hub

import (
	"context"
	"os"
	"time"
)

// What the tests, which use hubtest and so cannot be in this package, reach.

var (
	ParseInfo  = parseInfo
	CheckName  = checkName
	RetryAfter = retryAfter
	TryLock    = tryLock
)

func (c *Client) SetSleep(f func(ctx context.Context, d time.Duration) error) { c.sleep = f }

func (c *Client) SetSymlink(f func(oldname, newname string) error) { c.symlink = f }

func (c *Client) SetLink(f func(oldname, newname string) error) { c.link = f }

func (c *Client) SetWriteAt(f func(f *os.File, p []byte, off int64) (int, error)) { c.writeAt = f }

func (s *Snapshot) SetKept(limit int64) { s.ranges.limit = limit }

func (s *Snapshot) Kept() int64 {
	s.ranges.mu.Lock()
	defer s.ranges.mu.Unlock()
	return s.ranges.kept
}

func (s *Snapshot) BlobPath(name string) string { return s.blobPath(&s.Files[s.byName[name]]) }

func (s *Snapshot) LockPath(name string) string { return s.lockPath(&s.Files[s.byName[name]]) }
