package source

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"github.com/zeebo/blake3"

	"github.com/llama-pajamas/pj/recipes/lock"
)

// Names in a repository's folder of the cache.
const (
	gitName   = "git"   // the bare clone
	treesName = "trees" // a folder for each commit
	tempName  = "temp"  // what is being made
	guardName = "lock"  // held while anything of it changes
)

// repository is a remote one with its copy in the cache.
type repository struct {
	f      *Fetcher
	remote string
	dir    string
	git    git
	log    *slog.Logger
}

func (f *Fetcher) repository(remote string) *repository {
	sum := blake3.Sum256([]byte(remote))
	dir := absolute(filepath.Join(f.CacheDir, foldersName, hex.EncodeToString(sum[:16])))
	log := f.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &repository{f: f, remote: remote, dir: dir, git: git{filepath.Join(dir, gitName)}, log: log}
}

// resolve gives the commit of a tag or branch, "" for the default branch, as
// the repository has it now.
func (r *repository) resolve(ctx context.Context, ref string) (string, error) {
	if r.f.Offline {
		return "", fmt.Errorf("%s is not pinned in %s, and pj may not ask the repository: run pj lock without --offline once", r.remote, lock.Name)
	}
	guard, err := r.guard(ctx)
	if err != nil {
		return "", err
	}
	defer guard.Close()
	if ref == "" {
		if err := r.update(ctx, "HEAD", "+HEAD:refs/pj/HEAD"); err != nil {
			return "", err
		}
		return r.commit(ctx, "refs/pj/HEAD")
	}
	if err := r.updateAll(ctx); err != nil {
		return "", err
	}
	for _, prefix := range []string{"refs/tags/", "refs/heads/"} {
		commit, err := r.commit(ctx, prefix+ref)
		if err != nil || commit != "" {
			return commit, err
		}
	}
	// The beginning of a commit.
	if len(ref) >= 7 && strings.Trim(ref, "0123456789abcdef") == "" {
		commit, err := r.commit(ctx, ref)
		if err != nil || commit != "" {
			return commit, err
		}
	}
	return "", r.unknownRef(ctx, ref)
}

// commit gives the commit that a name means, "" where there is none.
func (r *repository) commit(ctx context.Context, name string) (string, error) {
	out, err := r.git.text(ctx, "rev-parse", "--verify", "--quiet", name+"^{commit}")
	var ge *gitError
	if errors.As(err, &ge) {
		return "", nil
	}
	if err == nil && !isCommit(out) {
		return "", fmt.Errorf("git gives %q for a commit", out)
	}
	return out, err
}

// unknownRef says which tags and branches are nearest.
func (r *repository) unknownRef(ctx context.Context, ref string) error {
	out, err := r.git.text(ctx, "for-each-ref", "--format=%(refname:strip=2)", "refs/tags", "refs/heads")
	if err != nil {
		return err
	}
	names := strings.Fields(out)
	if len(names) == 0 {
		return fmt.Errorf("%s has no tag, branch or commit %q; it is empty", r.remote, ref)
	}
	distances := map[string]int{}
	for _, n := range names {
		distances[n] = distance(ref, n)
	}
	sort.Strings(names)
	sort.SliceStable(names, func(i, j int) bool { return distances[names[i]] < distances[names[j]] })
	const most = 5
	return fmt.Errorf("%s has no tag, branch or commit %q; the nearest names are %s", r.remote, ref, strings.Join(names[:min(most, len(names))], ", "))
}

// distance is how many characters must be added, removed or replaced to make b
// of a (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}

// tree gives the folder with a commit's files. anew makes it again also where
// it is there.
func (r *repository) tree(ctx context.Context, commit string, anew bool) (string, error) {
	dir := filepath.Join(r.dir, treesName, commit)
	if !anew && isDir(dir) {
		return dir, nil
	}
	guard, err := r.guard(ctx)
	if err != nil {
		return "", err
	}
	defer guard.Close()
	if !anew && isDir(dir) {
		return dir, nil // another process made it meanwhile
	}
	if err := r.bring(ctx, commit); err != nil {
		return "", err
	}
	temp := filepath.Join(r.dir, tempName)
	if err := os.RemoveAll(temp); err != nil {
		return "", err
	}
	defer os.RemoveAll(temp)
	if err := r.export(ctx, commit, temp); err != nil {
		return "", fmt.Errorf("%s at commit %s: %w", r.remote, short(commit), err)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	if anew {
		if err := os.RemoveAll(dir); err != nil {
			return "", err
		}
	}
	if err := os.Rename(temp, dir); err != nil {
		return "", err
	}
	r.log.Debug("module exported", "remote", r.remote, "commit", commit, "folder", dir)
	return dir, nil
}

// bring makes sure that the clone has a commit.
func (r *repository) bring(ctx context.Context, commit string) error {
	if isDir(r.git.dir) {
		if have, err := r.commit(ctx, commit); err != nil || have != "" {
			return err
		}
	}
	if r.f.Offline {
		return fmt.Errorf("commit %s of %s is not on this machine, and pj may not ask the repository: run pj lock without --offline once", short(commit), r.remote)
	}
	if err := r.updateAll(ctx); err != nil {
		return err
	}
	if have, err := r.commit(ctx, commit); err != nil || have != "" {
		return err
	}
	// No branch or tag leads to it; many hosts give it all the same.
	if err := r.update(ctx, commit, "+"+commit+":refs/pj/"+commit); err != nil {
		var ge *gitError
		if !errors.As(err, &ge) {
			return err
		}
		r.log.Debug("commit cannot be fetched by itself", "remote", r.remote, "commit", commit, "error", err)
	} else if have, err := r.commit(ctx, commit); err != nil || have != "" {
		return err
	}
	return fmt.Errorf("%s has no commit %s; its history may have been rewritten, in which case pj lock --upgrade pins what it has now", r.remote, short(commit))
}

// updateAll fetches all branches and tags, once in a Fetcher's life.
func (r *repository) updateAll(ctx context.Context) error {
	return r.update(ctx, "all", "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
}

// update fetches refs, once in a Fetcher's life for each name.
func (r *repository) update(ctx context.Context, name string, refs ...string) error {
	key := name + " " + r.remote
	r.f.mu.Lock()
	done := r.f.updated[key]
	r.f.mu.Unlock()
	if done {
		return nil
	}
	if err := r.create(ctx); err != nil {
		return err
	}
	if err := r.breakLocks(); err != nil {
		return err
	}
	r.log.Info("fetching module", "remote", r.remote)
	args := append([]string{"fetch", "--quiet", "--force", "--prune", "--no-tags", "--no-recurse-submodules", "--", r.remote}, refs...)
	if _, err := r.git.text(ctx, args...); err != nil {
		return explain(r.remote, err)
	}
	r.f.mu.Lock()
	defer r.f.mu.Unlock()
	if r.f.updated == nil {
		r.f.updated = map[string]bool{}
	}
	r.f.updated[key] = true
	return nil
}

// create makes the empty clone.
func (r *repository) create(ctx context.Context) error {
	if isDir(r.git.dir) {
		return nil
	}
	temp := filepath.Join(r.dir, tempName)
	if err := os.RemoveAll(temp); err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	if _, err := (git{temp}).text(ctx, "init", "--quiet", "--bare", "--template=", "--", temp); err != nil {
		return err
	}
	return os.Rename(temp, r.git.dir)
}

// breakLocks removes the lock files that a killed git left: whoever holds the
// guard is the only one at work here.
func (r *repository) breakLocks() error {
	for _, top := range []string{r.git.dir, filepath.Join(r.git.dir, "refs")} {
		err := filepath.WalkDir(top, func(p string, e fs.DirEntry, err error) error {
			if err != nil {
				if errors.Is(err, fs.ErrNotExist) {
					return nil
				}
				return err
			}
			if e.IsDir() {
				if top == r.git.dir && p != top {
					return fs.SkipDir
				}
				return nil
			}
			if strings.HasSuffix(e.Name(), ".lock") {
				return os.Remove(p)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// guard takes the repository's folder for this process alone, waiting for
// others.
func (r *repository) guard(ctx context.Context) (*os.File, error) {
	if r.f.CacheDir == "" {
		return nil, errors.New("no cache folder is set for modules")
	}
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		return nil, fmt.Errorf("the cache folder cannot be written: %w", err)
	}
	return hold(ctx, filepath.Join(r.dir, guardName), func() {
		r.log.Info("waiting for another pj that fetches the same module", "remote", r.remote)
	})
}

func isDir(name string) bool {
	st, err := os.Stat(name)
	return err == nil && st.IsDir()
}
