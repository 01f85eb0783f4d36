package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// settings take away what a repository, its server or this machine's
// configuration could make git do besides reading and storing objects.
var settings = []string{
	"core.hooksPath=" + os.DevNull,
	"core.fsmonitor=false",
	"gc.auto=0", // commits that no branch has any more stay
	"maintenance.auto=false",
	"submodule.recurse=false",
	"fetch.recurseSubmodules=false",
	"transfer.bundleURI=false",
	"credential.interactive=false",
	"init.defaultBranch=main",
	// A connection that hangs is given up after a minute.
	"http.lowSpeedLimit=1000",
	"http.lowSpeedTime=60",
}

// environment is this process's without what would point git elsewhere, and
// with what makes it neither ask nor run what it should not. How to reach and
// how to be known to a host stays the user's choice.
func environment(environ []string) []string {
	var out []string
	askpass := false
	for _, e := range environ {
		name, _, _ := strings.Cut(e, "=")
		if strings.HasPrefix(name, "GIT_") && !keptVariable(name) {
			continue
		}
		if name == "LC_ALL" || name == "LANGUAGE" {
			continue
		}
		askpass = askpass || name == "GIT_ASKPASS"
		out = append(out, e)
	}
	out = append(out,
		"LC_ALL=C", // the errors are recognised by their words
		"GIT_TERMINAL_PROMPT=0",
		"GCM_INTERACTIVE=never",
		"GIT_ALLOW_PROTOCOL="+strings.Join(transports, ":"),
		"GIT_PROTOCOL_FROM_USER=0",
		"GIT_LFS_SKIP_SMUDGE=1",
		"GIT_NO_REPLACE_OBJECTS=1",
	)
	if !askpass {
		out = append(out, "GIT_ASKPASS=") // no windows that ask for passwords
	}
	return out
}

func keptVariable(name string) bool {
	for _, prefix := range []string{"GIT_SSH", "GIT_SSL_", "GIT_PROXY_", "GIT_HTTP_", "GIT_CONFIG", "GIT_ASKPASS", "GIT_EXEC_PATH", "GIT_TRACE"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// errNoGit is what a machine without git hears.
var errNoGit = errors.New("git is not installed or not in PATH; it is needed to fetch modules: install git, or copy the module's folder beside the recipe and name it by ./folder")

// git is a bare repository.
type git struct{ dir string }

// gitError is a failed run of git.
type gitError struct {
	command string
	stderr  string
	err     error
}

func (e *gitError) Error() string {
	text := lastLines(e.stderr, 5)
	if text == "" {
		text = e.err.Error()
	}
	return fmt.Sprintf("git %s: %s", e.command, text)
}

func (e *gitError) Unwrap() error { return e.err }

// run runs a command of git on the repository. stdin may be nil; out is given
// git's output, and may stop reading early with an error.
func (g git) run(ctx context.Context, stdin io.Reader, out func(io.Reader) error, args ...string) error {
	program, err := exec.LookPath("git")
	if err != nil {
		return errNoGit
	}
	var all []string
	for _, s := range settings {
		all = append(all, "-c", s)
	}
	all = append(append(all, "--git-dir="+g.dir), args...)
	own, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := exec.CommandContext(own, program, all...)
	cmd.Env = environment(os.Environ())
	cmd.Stdin = stdin
	stderr := &tail{limit: 16 << 10}
	cmd.Stderr = stderr
	cmd.WaitDelay = 5 * time.Second
	apart(cmd)
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("git cannot be run: %w", err)
	}
	readErr := out(stdout)
	ended := errors.Is(readErr, io.ErrUnexpectedEOF)
	switch {
	case ended: // git ends by itself, and may say why
		late := time.AfterFunc(cmd.WaitDelay, cancel)
		defer late.Stop()
	case readErr != nil:
		cancel()
	}
	_, _ = io.Copy(io.Discard, stdout)
	err = cmd.Wait()
	switch {
	case readErr != nil && !ended:
		return readErr
	case err != nil:
		if c := context.Cause(ctx); c != nil {
			return c
		}
		if ended && own.Err() != nil {
			return readErr
		}
		return &gitError{args[0], stderr.String(), err}
	}
	return readErr
}

// text runs a command and gives its output, which is short.
func (g git) text(ctx context.Context, args ...string) (string, error) {
	const most = 8 << 20
	var b []byte
	err := g.run(ctx, nil, func(r io.Reader) (err error) {
		b, err = io.ReadAll(io.LimitReader(r, most+1))
		if err == nil && len(b) > most {
			err = fmt.Errorf("git %s gives more than %d MiB", args[0], most>>20)
		}
		return err
	}, args...)
	return strings.TrimSuffix(string(b), "\n"), err
}

// tail keeps the end of what is written.
type tail struct {
	limit int
	buf   []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.buf = append(t.buf, p...)
	if extra := len(t.buf) - t.limit; extra > 0 {
		t.buf = append(t.buf[:0], t.buf[extra:]...)
	}
	return len(p), nil
}

func (t *tail) String() string { return string(t.buf) }

// lastLines gives the last lines of a program's messages, without what could
// steer a terminal.
func lastLines(text string, most int) string {
	var lines []string
	for _, line := range strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }) {
		line = strings.TrimSpace(strings.Map(func(r rune) rune {
			if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
				return -1
			}
			return r
		}, line))
		if line != "" && !strings.HasPrefix(line, "hint:") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-most):], "; ")
}

// explain adds the cure to git's error about a remote repository.
func explain(remote string, err error) error {
	var ge *gitError
	if !errors.As(err, &ge) {
		return err
	}
	has := func(texts ...string) bool {
		for _, t := range texts {
			if bytes.Contains(bytes.ToLower([]byte(ge.stderr)), []byte(t)) {
				return true
			}
		}
		return false
	}
	cure := ""
	switch {
	case has("couldn't find remote ref head"):
		cure = "it has no default branch, as when it is empty: name a branch or tag by ?ref="
	case has("terminal prompts disabled", "could not read username", "could not read password", "authentication failed", "returned error: 401", "returned error: 403"):
		cure = "it wants credentials (some hosts say so also of what does not exist): give them to git by a credential helper, or use an ssh address"
	case has("permission denied (publickey", "permission denied, please try again"):
		cure = "the host does not accept an ssh key of this user: add one, or start the ssh agent"
	case has("host key verification failed"):
		cure = "the host's key is not known: connect to it once by ssh"
	case has("dubious ownership"):
		cure = "the folder belongs to another user: see safe.directory in git's manual"
	case has("repository not found", "does not appear to be a git repository", "does not exist", "returned error: 404", "not found"):
		cure = "there is no such repository, or this user may not read it"
	case has("could not resolve host", "couldn't connect", "failed to connect", "connection refused", "connection timed out", "network is unreachable", "unable to access"):
		cure = "the host cannot be reached; pinned modules that were fetched before need no network"
	case has("transport '"):
		cure = "git's configuration leads it to a transport that is not allowed"
	}
	if cure == "" {
		return fmt.Errorf("%s cannot be fetched: %w", remote, err)
	}
	return fmt.Errorf("%s cannot be fetched: %s (%w)", remote, cure, err)
}
