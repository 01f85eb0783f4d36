package hub

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"
)

// resolve asks the hub for a revision's commit and files.
func (c *Client) resolve(ctx context.Context, ref Ref, pin string, r *retry) (*Snapshot, error) {
	revision := ref.Revision
	if pin != "" {
		revision = pin
	}
	t := target{ref: Ref{Repo: ref.Repo, Revision: revision}}
	data, err := c.get(ctx, t, c.apiURL(ref.Repo, revision), r)
	if err != nil {
		return nil, err
	}
	commit, files, err := parseInfo(data)
	if err != nil {
		return nil, t.wrap(err)
	}
	if commitHash.MatchString(revision) && commit != revision {
		return nil, t.fail(ErrCorrupt, "the hub answered with the commit %s: check HF_ENDPOINT", commit)
	}
	s := c.snapshot(ref, commit, files)
	s.moving = pin == "" && revision != commit
	return s, s.complete(ctx)
}

// headsAtOnce bounds the requests for what the listing left out.
const headsAtOnce = 8

// complete asks for the sizes and hashes that the listing lacks, which it does
// on servers that only resemble the hub.
func (s *Snapshot) complete(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(headsAtOnce)
	for i := range s.Files {
		f := &s.Files[i]
		if f.Size >= 0 && f.id() != "" {
			continue
		}
		g.Go(func() error { return s.head(ctx, f) })
	}
	return g.Wait()
}

// head fills in a file's size and hash as far as the server tells them.
func (s *Snapshot) head(ctx context.Context, f *File) error {
	t := s.target(f.Name)
	r := s.c.patient()
	for {
		a, err := s.c.send(ctx, t, http.MethodHead, s.c.fileURL(s.Ref.Repo, s.Commit, f.Name), "")
		if err == nil {
			a.close()
			return s.learn(f, a)
		}
		if err := r.next(ctx, t, err, 0); err != nil {
			return err
		}
	}
}

func (s *Snapshot) learn(f *File, a *answer) error {
	t := s.target(f.Name)
	if commit := a.linked.Get("X-Repo-Commit"); commit != "" && commit != s.Commit {
		return t.wrongAnswer(a.host(), "answered with the commit %q", commit)
	}
	length, etag := a.linked.Get("X-Linked-Size"), a.linked.Get("X-Linked-Etag")
	if length == "" && !isRedirect(a.StatusCode) {
		length = a.Header.Get("Content-Length")
	}
	if etag == "" && a.atHub {
		etag = a.Header.Get("ETag")
	}
	if n, err := strconv.ParseInt(length, 10, 64); err == nil && n >= 0 {
		if f.Size >= 0 && n != f.Size {
			return t.wrongAnswer(a.host(), "lists %d bytes and then answers with %d", f.Size, n)
		}
		f.Size = n
	}
	if f.id() == "" {
		switch id := bareETag(etag); {
		case sha256Hex.MatchString(id):
			f.SHA256 = id
		case sha1Hex.MatchString(id):
			f.BlobSHA1 = id
		}
	}
	return nil
}

// bareETag takes the quotes and the mark of a weak one off.
func bareETag(s string) string {
	return strings.ToLower(strings.Trim(strings.TrimPrefix(strings.TrimSpace(s), "W/"), `"`))
}
