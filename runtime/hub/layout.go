package hub

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/llama-pajamas/pj/internal/atomicfile"
)

// The cache of a repository is a folder models--org--name with
//
//	refs/<revision>              the commit, as text
//	snapshots/<commit>/<name>    a link to the content, or the content
//	blobs/<id>                   contents by SHA-256 or git's hash
//	blobs/<id>.incomplete        a download
//
// and beside it .locks/models--org--name/<id>.lock. Others use it too, so
// nothing that is there is rewritten or deleted, but for refs of branches that
// moved and for .incomplete files.

func repoFolder(repo string) string { return "models--" + strings.ReplaceAll(repo, "/", "--") }

func (c *Client) repoDir(repo string) string { return filepath.Join(c.cacheDir, repoFolder(repo)) }

func (s *Snapshot) dir() string {
	return filepath.Join(s.c.repoDir(s.Ref.Repo), "snapshots", s.Commit)
}

func (s *Snapshot) blobPath(f *File) string {
	return filepath.Join(s.c.repoDir(s.Ref.Repo), "blobs", f.id())
}

func (s *Snapshot) lockPath(f *File) string {
	return filepath.Join(s.c.cacheDir, ".locks", repoFolder(s.Ref.Repo), f.id()+".lock")
}

// refPath is "" for a revision that cannot be a file on this system.
func (c *Client) refPath(ref Ref) string {
	local := filepath.FromSlash(ref.Revision)
	if !filepath.IsLocal(local) {
		return ""
	}
	return filepath.Join(c.repoDir(ref.Repo), "refs", local)
}

// readRef is the commit that a revision was when it was last asked for.
func (c *Client) readRef(ref Ref) (string, error) {
	if commitHash.MatchString(ref.Revision) {
		return ref.Revision, nil
	}
	path := c.refPath(ref)
	if path == "" {
		return "", fs.ErrNotExist
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 256))
	if err != nil {
		return "", err
	}
	commit := strings.TrimSpace(string(b))
	if !commitHash.MatchString(commit) {
		return "", fmt.Errorf("%s holds no commit: remove it", path)
	}
	return commit, nil
}

// writeRef notes what a revision is now, for later use without the network.
func (c *Client) writeRef(ref Ref, commit string) error {
	if old, err := c.readRef(ref); err == nil && old == commit {
		return nil
	}
	path := c.refPath(ref)
	if path == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	return atomicfile.WriteFile(path, []byte(commit))
}

// cached is the snapshot as far as it was fetched before.
func (c *Client) cached(ref Ref, pin string) (*Snapshot, error) {
	t := target{ref: ref}
	cure := fmt.Sprintf("fetch it once with the network (without HF_HUB_OFFLINE), or set HF_HUB_CACHE to where it is; this cache is %s", c.cacheDir)
	commit := pin
	if commit == "" {
		var err error
		switch commit, err = c.readRef(ref); {
		case errors.Is(err, fs.ErrNotExist):
			return nil, t.fail(ErrOffline, "offline, and the cache does not know the revision %q: %s", ref.Revision, cure)
		case err != nil:
			return nil, t.wrap(err)
		}
	}
	s := c.snapshot(ref, commit, nil)
	s.Local = true
	files, err := listDir(s.dir())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, t.fail(ErrOffline, "offline, and the cache has nothing of the commit %s: %s", commit, cure)
	case err != nil:
		return nil, t.wrap(err)
	}
	s.setFiles(files)
	return s, nil
}

// listDir lists a snapshot's files by name. Links that lead nowhere are files
// that were never fetched, or were removed.
func listDir(dir string) ([]File, error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, err
	}
	var files []File
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		at, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) || (err == nil && !at.Mode().IsRegular()) {
			return nil
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		f := File{Name: filepath.ToSlash(rel), Size: at.Size()}
		if checkName(f.Name) != nil {
			return nil
		}
		if d.Type()&fs.ModeSymlink != 0 {
			if blob, err := filepath.EvalSymlinks(path); err == nil {
				switch id := filepath.Base(blob); {
				case sha256Hex.MatchString(id):
					f.SHA256 = id
				case sha1Hex.MatchString(id):
					f.BlobSHA1 = id
				}
			}
		}
		files = append(files, f)
		return nil
	})
	return files, err
}
