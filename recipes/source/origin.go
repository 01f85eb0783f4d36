package source

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// origin is a source that is understood: a folder, or a folder of a git
// repository.
type origin struct {
	local  string // "./x", "../x"; "" for git
	remote string // what git is given
	subdir string // slash path in the repository, "" for its top
	ref    string // tag, branch or commit; "" for the default branch
}

const (
	maxSource = 2048
	githubURL = "github.com/"
	gitPrefix = "git::"
	// syntax is the cure of most mistakes.
	syntax = `a source is "./folder", "../folder", "git::https://host/repository.git//folder?ref=v1", "git@host:repository.git//folder?ref=v1" or "github.com/owner/repository//folder?ref=v1"`
)

// Transports that run a program, or that anyone on the way can change, are
// left out: ext, fd, git, http and helpers of other names.
var transports = []string{"https", "ssh", "file"}

// scp is git's short form of an ssh address.
var scp = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*@[A-Za-z0-9][A-Za-z0-9.-]*:[^-]`)

// parse understands a source. What it gives is safe to hand to git: no part
// begins with a dash, runs a program or leaves the repository.
func parse(source string) (origin, error) {
	if err := plain(source); err != nil {
		return origin{}, err
	}
	if isLocal(source) {
		return origin{local: source}, nil
	}
	if path.IsAbs(source) || filepath.IsAbs(source) {
		return origin{}, fmt.Errorf("%q is a folder of this machine alone; name it relative to the recipe (./, ../), or a repository there by git::file://", source)
	}
	address, query, hasQuery := strings.Cut(source, "?")
	address, forced := strings.CutPrefix(address, gitPrefix)
	var o origin
	switch scheme, _, isURL := strings.Cut(address, "://"); {
	case isURL && !forced:
		return origin{}, fmt.Errorf("a repository's address begins with git:: (git::%s)", source)
	case isURL:
		o.remote, o.subdir = splitSubdir(address, len(scheme)+len("://"))
		if err := checkURL(scheme, o.remote); err != nil {
			return origin{}, err
		}
	case strings.Contains(address, "::"):
		return origin{}, fmt.Errorf("%q names an unknown kind of source; %s", source, syntax)
	case scp.MatchString(address):
		o.remote, o.subdir = splitSubdir(address, strings.Index(address, ":")+1)
	case !forced && strings.HasPrefix(address, githubURL):
		repository, subdir := splitSubdir(address, 0)
		parts := strings.Split(strings.TrimSuffix(repository, "/"), "/")
		if len(parts) > 3 {
			return origin{}, fmt.Errorf("%q names a folder after one slash; two divide it from the repository: %s//%s", source, strings.Join(parts[:3], "/"), strings.Join(parts[3:], "/"))
		}
		if len(parts) < 3 || !githubName.MatchString(parts[1]) || !githubName.MatchString(parts[2]) {
			return origin{}, fmt.Errorf("%q names no repository; it would be github.com/owner/repository//folder?ref=v1", source)
		}
		o.remote = "https://" + githubURL + parts[1] + "/" + strings.TrimSuffix(parts[2], ".git") + ".git"
		o.subdir = subdir
	default:
		return origin{}, fmt.Errorf("%q is no source; %s", source, syntax)
	}
	if o.subdir != "" {
		clean := path.Clean(o.subdir)
		if !filepath.IsLocal(filepath.FromSlash(clean)) || hasGitPart(clean) || strings.Contains(clean, `\`) {
			return origin{}, fmt.Errorf("the folder %q must be a path in the repository", o.subdir)
		}
		if o.subdir = clean; clean == "." {
			o.subdir = ""
		}
	}
	if hasQuery {
		ref, err := parseQuery(query)
		if err != nil {
			return origin{}, err
		}
		o.ref = ref
	}
	return o, nil
}

var githubName = regexp.MustCompile(`^[A-Za-z0-9_.][A-Za-z0-9_.-]*$`)

// isLocal reports whether a source is a folder beside the recipe.
func isLocal(source string) bool {
	return source == "." || source == ".." || strings.HasPrefix(source, "./") || strings.HasPrefix(source, "../")
}

// plain refuses what no source has and a terminal or a command could
// misunderstand.
func plain(source string) error {
	switch {
	case source == "":
		return errors.New("the source is empty; " + syntax)
	case len(source) > maxSource:
		return fmt.Errorf("the source has more than %d characters", maxSource)
	case !utf8.ValidString(source):
		return errors.New("the source is no UTF-8 text")
	}
	for _, r := range source {
		if unicode.IsControl(r) || !unicode.IsPrint(r) {
			return fmt.Errorf("the source %q holds the character %U", source, r)
		}
	}
	return nil
}

// checkURL refuses addresses that are unsafe to fetch from or to write down.
func checkURL(scheme, address string) error {
	switch {
	case scheme == "http" || scheme == "git":
		return fmt.Errorf("%s: anyone on the way can change what %s:// brings; use https or ssh", address, scheme)
	case !slices.Contains(transports, scheme):
		return fmt.Errorf("%s: git sources use https, ssh or file, not %q", address, scheme)
	}
	u, err := url.Parse(address)
	if err != nil {
		return fmt.Errorf("the address cannot be read: %w", errors.Unwrap(err))
	}
	switch {
	case u.Fragment != "" || strings.Contains(address, "#"):
		return fmt.Errorf("%s: an address has no #; a version is named by ?ref=v1", address)
	case u.User != nil && (scheme != "ssh" || hasPassword(u)):
		return errors.New("the address holds credentials, which would be written into the lock file; let git know them by a credential helper or an ssh key")
	case scheme == "file" && u.Host != "" && u.Host != "localhost":
		return fmt.Errorf("%s: a file address has three slashes: file:///folder", address)
	case scheme != "file" && (u.Hostname() == "" || strings.HasPrefix(u.Host, "-")):
		return fmt.Errorf("%s: the address names no host", address)
	case u.User != nil && strings.HasPrefix(u.User.Username(), "-"):
		return fmt.Errorf("%s: no user's name begins with a dash", address)
	case strings.Trim(u.Path, "/") == "":
		return fmt.Errorf("%s: the address names no repository", address)
	}
	return nil
}

func hasPassword(u *url.URL) bool {
	_, has := u.User.Password()
	return has
}

// splitSubdir divides an address at the first double slash after from.
func splitSubdir(address string, from int) (repository, subdir string) {
	// The path of file:/// begins with a slash itself.
	skip := from
	for skip < len(address) && address[skip] == '/' {
		skip++
	}
	i := strings.Index(address[skip:], "//")
	if i < 0 {
		return address, ""
	}
	return address[:skip+i], strings.Trim(address[skip+i:], "/")
}

// parseQuery gives the ref of "ref=…".
func parseQuery(query string) (string, error) {
	ref := ""
	for _, pair := range strings.Split(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if name != "ref" || ref != "" {
			return "", fmt.Errorf("a source has one parameter: ?ref=v1 (a tag, branch or commit), not %q", query)
		}
		// "+" stands for itself, as in v1.0+build.
		value, err := url.PathUnescape(value)
		if err != nil {
			return "", fmt.Errorf("the parameter %q cannot be read: %w", pair, err)
		}
		if err := checkRef(value); err != nil {
			return "", err
		}
		ref = value
	}
	return ref, nil
}

// checkRef refuses what git allows in no name of a tag or branch.
func checkRef(ref string) error {
	bad := ref == "" || ref == "@" || strings.HasPrefix(ref, "-") || strings.HasSuffix(ref, ".") || strings.Contains(ref, "..") || strings.Contains(ref, "@{") ||
		strings.ContainsAny(ref, " ~^:?*[\\") || plain(ref) != nil
	for _, part := range strings.Split(ref, "/") {
		bad = bad || part == "" || strings.HasPrefix(part, ".") || strings.HasSuffix(part, ".lock")
	}
	if bad {
		return fmt.Errorf("%q is no tag, branch or commit", ref)
	}
	return nil
}

// isCommit reports whether a ref is a whole commit, of SHA-1 or SHA-256.
func isCommit(ref string) bool {
	return (len(ref) == 40 || len(ref) == 64) && strings.Trim(ref, "0123456789abcdef") == ""
}

// hasGitPart reports whether a path leads through git's own folder, however it
// is spelt.
func hasGitPart(p string) bool {
	for _, part := range strings.Split(p, "/") {
		if strings.EqualFold(strings.TrimRight(part, ". "), ".git") || strings.EqualFold(part, "git~1") {
			return true
		}
	}
	return false
}
