package hub

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// Snapshot is a repository at a commit. It is safe for use by many goroutines;
// its fields are not to be changed.
type Snapshot struct {
	Ref    Ref
	Commit string
	Files  []File // by name
	// Local says that the list is the cache's: files that were never fetched
	// are missing, and nothing is asked of the hub.
	Local bool

	c      *Client
	byName map[string]int
	// moving says that Ref.Revision was just resolved to the commit and may be
	// another one's later.
	moving  bool
	refOnce sync.Once

	ranges rangeCache
}

func (c *Client) snapshot(ref Ref, commit string, files []File) *Snapshot {
	s := &Snapshot{Ref: ref, Commit: commit, c: c}
	s.ranges.init()
	s.setFiles(files)
	return s
}

func (s *Snapshot) setFiles(files []File) {
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	s.Files = files
	s.byName = make(map[string]int, len(files))
	for i, f := range files {
		s.byName[f.Name] = i
	}
}

func (s *Snapshot) target(name string) target { return target{ref: s.Ref, file: name} }

// file finds a file of the snapshot. Only names that were checked are in it.
func (s *Snapshot) file(name string) (*File, error) {
	i, ok := s.byName[name]
	switch {
	case ok:
		return &s.Files[i], nil
	case !s.Local:
		return nil, s.target(name).fail(ErrNotFound, "the commit %s has no such file: check its name and the revision", s.Commit)
	case s.c.offline:
		return nil, s.target(name).fail(ErrOffline, "offline, and %s does not have the file: fetch it once with the network (without HF_HUB_OFFLINE)", s.dir())
	}
	return nil, s.target(name).fail(ErrOffline, "the hub cannot be reached, and %s does not have the file: try again later", s.dir())
}

// Names lists the files, sorted.
func (s *Snapshot) Names() []string {
	names := make([]string, len(s.Files))
	for i, f := range s.Files {
		names[i] = f.Name
	}
	return names
}

// Size is a file's size in bytes.
func (s *Snapshot) Size(name string) (int64, error) {
	f, err := s.file(name)
	if err != nil {
		return 0, err
	}
	if f.Size < 0 {
		return 0, s.noSize(name)
	}
	return f.Size, nil
}

func (s *Snapshot) noSize(name string) error {
	return s.target(name).fail(nil, "the hub does not tell the file's size: check HF_ENDPOINT")
}

// Path is where the file is in the cache, or will be once it is fetched; "" for
// a name that cannot be a file's.
func (s *Snapshot) Path(name string) string {
	if checkName(name) != nil {
		return ""
	}
	return filepath.Join(s.dir(), filepath.FromSlash(name))
}

// Present reports whether the file at Path is there, whole.
func (s *Snapshot) Present(name string) bool {
	f, err := s.file(name)
	return err == nil && whole(s.Path(name), f.Size)
}

// whole reports whether a path leads to a file of a size (of any if negative).
// Names of contents are given only to what is complete, so the size tells.
func whole(path string, size int64) bool {
	at, err := os.Stat(path)
	return err == nil && at.Mode().IsRegular() && (size < 0 || at.Size() == size)
}

// open opens the local copy of a file, by its name or its content; nil if there
// is none.
func (s *Snapshot) open(f *File) *os.File {
	paths := []string{s.Path(f.Name)}
	if f.id() != "" {
		paths = append(paths, s.blobPath(f))
	}
	for _, path := range paths {
		r, err := os.Open(path)
		if err != nil {
			continue
		}
		at, err := r.Stat()
		if err == nil && at.Mode().IsRegular() && (f.Size < 0 || at.Size() == f.Size) {
			return r
		}
		r.Close()
	}
	return nil
}
