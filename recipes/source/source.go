// Package source brings a module's files to this machine: from a folder beside
// the recipe, or from a git repository at a commit that the lock file pins.
// Repositories and the trees of their commits are kept in the cache folder; a
// pinned module whose tree is there needs neither network nor git.
package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/recipes/lock"
)

// Fetcher brings modules. Its methods may be called from several goroutines,
// and several processes may share a CacheDir.
type Fetcher struct {
	CacheDir string       // holds modules/
	Offline  bool         // never ask a repository that is elsewhere
	Lock     *lock.File   // the pins; nil resolves every tag and branch anew
	Logger   *slog.Logger // nil logs nothing

	mu      sync.Mutex
	updated map[string]bool // what this Fetcher has asked a repository for
}

// foldersName is the folder of the cache folder that holds what is fetched.
const foldersName = "modules"

// Fetch gives the folder (or recipe file) that a source names and what is to be
// pinned of it. address is the module's, "module.ultra"; baseDir is the folder
// of the file that names the source, to which local sources are relative.
//
// A git source whose address and source stand in the lock comes at the pinned
// commit, and must have the pinned digest. Local sources are never compared
// with the lock: they lie in the recipe's own repository.
func (f *Fetcher) Fetch(ctx context.Context, address, source, baseDir string) (string, engine.Module, error) {
	dir, m, err := f.fetch(ctx, address, source, baseDir)
	if err != nil {
		return "", engine.Module{}, fmt.Errorf("%s: %w", address, err)
	}
	return dir, m, nil
}

// Pin is the lock's entry of a fetched module.
func Pin(m engine.Module) lock.Module {
	return lock.Module{Address: m.Address, Source: m.Source, Commit: m.Commit, Digest: m.Digest}
}

func (f *Fetcher) fetch(ctx context.Context, address, source, baseDir string) (string, engine.Module, error) {
	m := engine.Module{Address: address, Source: source}
	o, err := parse(source)
	if err != nil {
		return "", m, err
	}
	if o.local != "" {
		dir, err := f.local(o.local, baseDir)
		if err == nil {
			m.Digest, err = digest(ctx, dir)
		}
		return dir, m, err
	}
	pin, pinned := f.Lock.FindModule(address)
	pinned = pinned && pin.Source == source && pin.Commit != ""
	switch {
	case pinned && isCommit(o.ref) && pin.Commit != o.ref:
		return "", m, fmt.Errorf("%s pins commit %s, but the source itself says %s; remove the entry and run pj lock", lock.Name, short(pin.Commit), short(o.ref))
	case pinned:
		m.Commit = pin.Commit
	case isCommit(o.ref):
		m.Commit = o.ref
	}
	r := f.repository(o.remote)
	if m.Commit == "" {
		if m.Commit, err = r.resolve(ctx, o.ref); err != nil {
			return "", m, err
		}
	}
	tree, err := r.tree(ctx, m.Commit, false)
	if err != nil {
		return "", m, err
	}
	dir, err := below(tree, o.subdir)
	if err != nil {
		return "", m, fmt.Errorf("%s: %w", o.remote, err)
	}
	if m.Digest, err = digest(ctx, dir); err != nil {
		return "", m, err
	}
	if pinned && pin.Digest != m.Digest {
		// The copy may have been changed since: make it anew from git's objects.
		r.log.Warn("module has another digest than the lock; its copy is made anew", "module", address, "commit", m.Commit)
		if _, err = r.tree(ctx, m.Commit, true); err != nil {
			return "", m, err
		}
		if m.Digest, err = digest(ctx, dir); err != nil {
			return "", m, err
		}
		if pin.Digest != m.Digest {
			return "", m, fmt.Errorf("the files of %s at commit %s are not those that %s pins: digest %s is now %s. A commit's files never change, so the lock file was edited or merged wrongly, or the repository is not what it was. If you trust it, accept it with pj lock --upgrade",
				source, short(m.Commit), lock.Name, pin.Digest, m.Digest)
		}
	}
	return dir, m, nil
}

// local gives a folder beside the recipe. From a fetched repository it may lead
// to other folders of the same repository only.
func (f *Fetcher) local(source, baseDir string) (string, error) {
	dir := filepath.Join(baseDir, filepath.FromSlash(source))
	if tree, ok := f.treeOf(baseDir); ok {
		if below, err := filepath.Rel(tree, absolute(dir)); err != nil || !filepath.IsLocal(below) {
			return "", fmt.Errorf("%s leads out of the repository that the module comes from", source)
		}
	}
	if _, err := os.Stat(dir); err != nil {
		return "", fmt.Errorf("%s cannot be read: %w", dir, cause(err))
	}
	return dir, nil
}

// treeOf gives the tree of a commit that a folder lies in.
func (f *Fetcher) treeOf(dir string) (string, bool) {
	if f.CacheDir == "" {
		return "", false
	}
	top := absolute(filepath.Join(f.CacheDir, foldersName))
	below, err := filepath.Rel(top, absolute(dir))
	if err != nil || !filepath.IsLocal(below) {
		return "", false
	}
	parts := strings.Split(below, string(filepath.Separator))
	if len(parts) < 3 || parts[1] != treesName {
		return "", false
	}
	return filepath.Join(top, parts[0], parts[1], parts[2]), true
}

// below gives a folder or file of a tree. The way to it is no symbolic link, so
// that the digest is of what the path says.
func below(tree, subdir string) (string, error) {
	dir := tree
	if subdir == "" {
		return dir, nil
	}
	for _, part := range strings.Split(subdir, "/") {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return "", missing(subdir, tree, dir, nil)
		}
		next := filepath.Join(dir, part)
		st, err := os.Lstat(next)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return "", missing(subdir, tree, dir, entries)
		case err != nil:
			return "", err
		case st.Mode()&fs.ModeSymlink != 0:
			return "", fmt.Errorf("the folder %q is a symbolic link; name the folder that it leads to", subdir)
		}
		dir = next
	}
	return dir, nil
}

// missing says what a repository has instead of a folder.
func missing(subdir, tree, dir string, entries []os.DirEntry) error {
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name()+"/")
		} else if strings.HasSuffix(e.Name(), ".hcl") || strings.HasSuffix(e.Name(), ".hcl.json") {
			names = append(names, e.Name())
		}
	}
	where := "it"
	if at, err := filepath.Rel(tree, dir); err == nil && at != "." {
		where = filepath.ToSlash(at)
	}
	const most = 12
	if len(names) == 0 {
		return fmt.Errorf("the repository has no folder %q", subdir)
	}
	more := ""
	if len(names) > most {
		names, more = names[:most], " …"
	}
	return fmt.Errorf("the repository has no folder %q; %s has %s%s", subdir, where, strings.Join(names, ", "), more)
}

func absolute(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		return abs
	}
	return dir
}

// short is how a commit is shown.
func short(commit string) string { return commit[:min(len(commit), 12)] }

// cause drops the path from an error that names it.
func cause(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
