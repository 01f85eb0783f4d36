package hub

import (
	"fmt"
	"regexp"
	"strings"
)

const (
	scheme     = "hf://"
	form       = "write hf://org/name or hf://org/name@revision"
	mainBranch = "main"

	maxRepoName = 96  // the hub's own limit
	maxRevision = 255 // a file name's, as which the cache keeps it
)

// Ref names a repository of models and a state of it.
type Ref struct {
	Repo     string // "org/name"
	Revision string // a branch, a tag or a commit; ParseRef makes it "main" where the text names none
}

// ParseRef reads "hf://org/name" and "hf://org/name@revision". A revision may
// hold slashes ("refs/pr/1").
func ParseRef(s string) (Ref, error) {
	rest, ok := strings.CutPrefix(s, scheme)
	if !ok {
		return Ref{}, fmt.Errorf("%q is no reference to the hub: %s", s, form)
	}
	repo, revision, given := strings.Cut(rest, "@")
	if given && revision == "" {
		return Ref{}, fmt.Errorf("%q: nothing follows the @: %s", s, form)
	}
	if !given {
		revision = mainBranch
	}
	if err := checkRepo(repo); err != nil {
		return Ref{}, fmt.Errorf("%q: %w: %s", s, err, form)
	}
	if err := checkRevision(revision); err != nil {
		return Ref{}, fmt.Errorf("%q: %w: %s", s, err, form)
	}
	return Ref{Repo: repo, Revision: revision}, nil
}

// String is the reference as ParseRef reads it; the main branch is not written.
func (r Ref) String() string {
	if r.Revision == "" || r.Revision == mainBranch {
		return scheme + r.Repo
	}
	return scheme + r.Repo + "@" + r.Revision
}

// repoPart is an organisation or a name, but for the rules that span several
// characters.
var repoPart = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?$`)

// checkRepo follows the hub's rules for names. "--" is what the cache writes for
// the slash.
func checkRepo(repo string) error {
	parts := strings.Split(repo, "/")
	switch {
	case len(parts) == 1:
		return fmt.Errorf("the organisation is missing before %q", repo)
	case len(parts) > 2 && (parts[0] == "datasets" || parts[0] == "spaces"):
		return fmt.Errorf("only repositories of models are read, not %s", parts[0])
	case len(parts) > 2:
		return fmt.Errorf("more than a repository: %q has %d slashes", repo, len(parts)-1)
	case len(repo) > maxRepoName:
		return fmt.Errorf("the repository's name has %d characters, and the hub allows %d", len(repo), maxRepoName)
	case strings.Contains(repo, "--") || strings.Contains(repo, ".."):
		return fmt.Errorf(`the hub allows no "--" or ".." in a repository's name`)
	case strings.HasSuffix(repo, ".git"):
		return fmt.Errorf(`leave out the ".git" at the end`)
	}
	for _, p := range parts {
		if !repoPart.MatchString(p) {
			return fmt.Errorf(`%q is no name on the hub (letters, digits, "-", "_" and ".", not "-" or "." at an end)`, p)
		}
	}
	return nil
}

// checkRevision follows git's rules for the names of branches, so that a
// revision is also a relative path that stays inside a folder.
func checkRevision(rev string) error {
	switch {
	case len(rev) > maxRevision:
		return fmt.Errorf("the revision has %d characters, and %d is the most", len(rev), maxRevision)
	case strings.Contains(rev, "..") || strings.Contains(rev, "@{"):
		return fmt.Errorf(`no revision holds ".." or "@{"`)
	}
	for _, r := range rev {
		if r <= ' ' || r == 0x7f || r == '\uFFFD' || strings.ContainsRune(`\~^:?*[`, r) {
			return fmt.Errorf("no revision holds the character %q", r)
		}
	}
	for part := range strings.SplitSeq(rev, "/") {
		if part == "" || strings.HasPrefix(part, ".") || strings.HasSuffix(part, ".") || strings.HasSuffix(part, ".lock") {
			return fmt.Errorf(`the revision has a part %q: a part is not empty, starts with no ".", and ends with neither "." nor ".lock"`, part)
		}
	}
	return nil
}

// check is for references that were not parsed. It fills in the branch.
func (r *Ref) check() error {
	if r.Revision == "" {
		r.Revision = mainBranch
	}
	if err := checkRepo(r.Repo); err != nil {
		return fmt.Errorf("%q: %w: %s", r.String(), err, form)
	}
	if err := checkRevision(r.Revision); err != nil {
		return fmt.Errorf("%q: %w: %s", r.String(), err, form)
	}
	return nil
}

var (
	commitHash = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)
	sha256Hex  = regexp.MustCompile(`^[0-9a-f]{64}$`)
	sha1Hex    = regexp.MustCompile(`^[0-9a-f]{40}$`)
)
