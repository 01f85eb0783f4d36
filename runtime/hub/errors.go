package hub

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// What errors of this package are, for errors.Is.
var (
	ErrDenied      = errors.New("the hub denies access")
	ErrNotFound    = errors.New("not on the hub") // also fs.ErrNotExist
	ErrOffline     = errors.New("not in the cache, and offline")
	ErrUnreachable = errors.New("the hub cannot be reached")
	ErrCorrupt     = errors.New("not the bytes that the hub promised")
	ErrDiskFull    = errors.New("the disk is full")
)

// failure is an error whose text is complete; the errors that it is need not
// appear in it.
type failure struct {
	text string
	is   []error
}

func (f *failure) Error() string   { return f.text }
func (f *failure) Unwrap() []error { return f.is }

// target is what a request is about: a repository at a revision, or a file.
type target struct {
	ref  Ref
	file string
}

func (t target) String() string {
	if t.file == "" {
		return t.ref.String()
	}
	return t.ref.String() + ": " + t.file
}

// fail makes an error about the target; is may be nil.
func (t target) fail(is error, format string, args ...any) error {
	f := &failure{text: t.String() + ": " + fmt.Sprintf(format, args...)}
	if is != nil {
		f.is = append(f.is, is)
	}
	if is == ErrNotFound {
		f.is = append(f.is, fs.ErrNotExist)
	}
	return f
}

// wrap puts the target before an error. Those of contexts stay visible to
// errors.Is.
func (t target) wrap(err error) error { return fmt.Errorf("%s: %w", t, err) }

// temporary is an error after which another try may do better.
type temporary struct {
	err   error
	after time.Duration // that the server asks for; 0 if it does not
}

func (t *temporary) Error() string { return t.err.Error() }
func (t *temporary) Unwrap() error { return t.err }

// The hub's names for what is wrong, in the header X-Error-Code.
const (
	codeGated    = "GatedRepo"
	codeRepo     = "RepoNotFound"
	codeRevision = "RevisionNotFound"
	codeFile     = "EntryNotFound"
)

// status is the error that an answer other than 200 and 206 means.
func (c *Client) status(t target, a *answer) error {
	code, said := a.Header.Get("X-Error-Code"), c.said(a)
	switch status := a.StatusCode; {
	case (status == http.StatusUnauthorized || status == http.StatusForbidden) && !a.atHub:
		// The signature in a redirect's address has run out or is not believed;
		// the next try gets a new one.
		return &temporary{err: t.fail(ErrUnreachable, "the hub's storage refuses the address that the hub gave (%d)%s: check the clock of this machine", status, said)}
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return t.fail(ErrDenied, "%s", c.denied(t, status, code, said))
	case status == http.StatusNotFound || status == http.StatusGone:
		return t.fail(ErrNotFound, "%s", c.notFound(t, code))
	case status == http.StatusRequestedRangeNotSatisfiable:
		return t.fail(ErrCorrupt, "%s has no such range (416): its file is shorter than the hub lists it: check HF_ENDPOINT", a.host())
	case status == http.StatusTooManyRequests:
		return &temporary{
			err:   t.fail(ErrUnreachable, "the hub limits requests (429)%s: wait, or set HF_TOKEN for a higher limit", said),
			after: retryAfter(a.Header),
		}
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly,
		status >= 500 && status != http.StatusNotImplemented && status != http.StatusHTTPVersionNotSupported:
		return &temporary{err: t.fail(ErrUnreachable, "%s failed (%d)%s", a.host(), status, said), after: retryAfter(a.Header)}
	default:
		return t.fail(nil, "%s answered %d, which is not expected%s: check HF_ENDPOINT and the proxy", a.host(), status, said)
	}
}

func (c *Client) denied(t target, status int, code, said string) string {
	page := hideUser(c.endpoint.String()) + "/" + t.ref.Repo
	switch {
	case code == codeGated && c.token == "":
		return fmt.Sprintf("gated (%d)%s: accept the licence at %s, then set HF_TOKEN", status, said, page)
	case code == codeGated:
		return fmt.Sprintf("gated (%d)%s: accept the licence at %s with the account of HF_TOKEN; a fine-grained token must also allow gated repositories", status, said, page)
	case status == http.StatusUnauthorized && c.token != "":
		return fmt.Sprintf("the hub does not accept the token (401)%s: set HF_TOKEN to a valid one, or unset it (and remove the token file) to read public repositories", said)
	case status == http.StatusUnauthorized:
		return fmt.Sprintf("the hub asks for a token (401)%s: it does so for private, gated and unknown repositories alike: check the name, or set HF_TOKEN", said)
	case c.token == "":
		return fmt.Sprintf("access denied (403)%s: set HF_TOKEN, and accept the licence at %s if there is one", said, page)
	default:
		return fmt.Sprintf("access denied (403)%s: the account of HF_TOKEN may not read it: accept the licence at %s if there is one, or use another token", said, page)
	}
}

func (c *Client) notFound(t target, code string) string {
	private := "a private repository looks the same without HF_TOKEN"
	if c.token != "" {
		private = "a private repository looks the same where HF_TOKEN may not read it"
	}
	switch {
	case code == codeRevision:
		return fmt.Sprintf("the repository has no revision %q: check its name, or renew the lock file if it is pinned", t.ref.Revision)
	case code == codeRepo:
		return fmt.Sprintf("no such repository: check its name (%s)", private)
	case code == codeFile && t.file != "":
		return "no such file at this revision: check its name and the revision"
	case t.file != "":
		return fmt.Sprintf("no such file, revision or repository (404): check the names (%s)", private)
	default:
		return fmt.Sprintf("no such repository or revision (404): check the names (%s)", private)
	}
}

// said quotes the server's own words, if it has any.
func (c *Client) said(a *answer) string {
	const most = 200
	words := strings.ToValidUTF8(strings.TrimSpace(a.Header.Get("X-Error-Message")), "?")
	if words == "" {
		return ""
	}
	if r := []rune(words); len(r) > most {
		words = string(r[:most]) + "…"
	}
	return ": " + strconv.Quote(c.hideToken(words))
}

// hideToken is for texts that others wrote.
func (c *Client) hideToken(text string) string {
	if c.token == "" {
		return text
	}
	return strings.ReplaceAll(text, c.token, "(token)")
}

// hideUser takes the user and password out of an address.
func hideUser(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "(an address that cannot be read)"
	}
	if u.User == nil {
		return address
	}
	u.User = nil
	return u.String()
}
