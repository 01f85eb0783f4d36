package source

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestVerbatim: attributes, filters and line ends have no say in the copy.
func TestVerbatim(t *testing.T) {
	r := newRemote(t)
	files := map[string]string{
		".gitattributes": "hidden export-ignore\nsubst export-subst\n*.txt text eol=crlf ident\n*.lfs filter=lfs\n",
		"hidden":         "h", "subst": "$Format:%H$", "a.txt": "$Id$\nline\n", "b.lfs": "version https://git-lfs.github.com/spec/v1\n", "empty": "",
		"name with ünï code \t.hcl": "u",
	}
	t.Setenv("GIT_CONFIG_COUNT", "2")
	t.Setenv("GIT_CONFIG_KEY_0", "core.autocrlf")
	t.Setenv("GIT_CONFIG_VALUE_0", "true")
	t.Setenv("GIT_CONFIG_KEY_1", "filter.lfs.smudge")
	t.Setenv("GIT_CONFIG_VALUE_1", "echo smudged")
	r.commit(files)
	dir, _, err := (&Fetcher{CacheDir: t.TempDir()}).Fetch(ctx, "module.m", r.source("?ref=main"), "")
	require.NoError(t, err)
	for name, text := range files {
		require.Equal(t, text, read(t, filepath.Join(dir, name)), name)
	}
}

func TestHostileTrees(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // its file system refuses the rest
	}
	r := newRemote(t)
	r.commit(map[string]string{"x": "x"})
	blob := func(text string) string { return r.gitIn(text, "hash-object", "-w", "--stdin") }
	tree := func(rows string) string { return r.gitIn(rows, "mktree") }
	file := blob("text")
	inner := tree("100644 blob " + file + "\tf\n")
	link := func(name, target string) string { return fmt.Sprintf("120000 blob %s\t%s\n", blob(target), name) }
	for name, c := range map[string]struct{ rows, want string }{
		"absolute link":     {link("l", "/etc/passwd"), "may lead out of the repository"},
		"link up":           {link("l", "../x"), "may lead out of the repository"},
		"link up late":      {link("d", ".") + link("l", "d/../../x"), "may lead out of the repository"},
		"link up deep":      {"040000 tree " + tree(link("l", "../../x")) + "\td\n", "may lead out of the repository"},
		"link into git":     {link("l", ".git/config"), "may lead out of the repository"},
		"empty link":        {link("l", ""), "may lead out of the repository"},
		"dot dot":           {"040000 tree " + inner + "\t..\n", "not safe to write"},
		"git folder":        {"040000 tree " + inner + "\t.git\n", "not safe to write"},
		"git folder, cased": {"040000 tree " + inner + "\t.GiT\n", "not safe to write"},
	} {
		t.Run(name, func(t *testing.T) {
			commit := r.commitTree(c.rows)
			cache := t.TempDir()
			_, _, err := (&Fetcher{CacheDir: cache}).Fetch(ctx, "module.m", r.source("?ref="+commit), "")
			require.ErrorContains(t, err, c.want)
			trees, err := filepath.Glob(filepath.Join(cache, foldersName, "*", "t*", "*"))
			require.NoError(t, err)
			require.Empty(t, trees, "nothing is left")
		})
	}

	// Links that stay are kept; submodules are left out.
	commit := r.commitTree(link("l", "d/f") + "040000 tree " + tree(link("up", "../l")+"100755 blob "+file+"\tf\n") + "\td\n" + "160000 commit " + strings.Repeat("1", 40) + "\tsub\n")
	dir, m, err := (&Fetcher{CacheDir: t.TempDir()}).Fetch(ctx, "module.m", r.source("?ref="+commit), "")
	require.NoError(t, err)
	require.Equal(t, "text", read(t, filepath.Join(dir, "l")))
	require.Equal(t, "text", read(t, filepath.Join(dir, "d", "up")))
	require.NoFileExists(t, filepath.Join(dir, "sub"))
	require.Equal(t, digestOf(t, dir), m.Digest)
	_, _, err = (&Fetcher{CacheDir: t.TempDir()}).Fetch(ctx, "module.m", r.source("//l?ref="+commit), "")
	require.ErrorContains(t, err, "is a symbolic link")
}

func TestParseObject(t *testing.T) {
	id := strings.Repeat("a", 40)
	o, submodule, err := parseObject("100644 blob " + id + "      12\ta/b c")
	require.NoError(t, err)
	require.False(t, submodule)
	require.Equal(t, object{id: id, size: 12, path: "a/b c"}, o)
	for row, want := range map[string]string{
		"":                                                       "git lists",
		"100644 blob " + id + " 12":                              "git lists",
		"100644 blob " + id + " x\ta":                            "git lists",
		"100644 blob " + id + " -1\ta":                           "git lists",
		"100644 blob zz 1\ta":                                    "git lists",
		"040000 tree " + id + " -\ta":                            "mode 040000 is unknown",
		"100644 blob " + id + " 1\t/a":                           "not safe",
		"100644 blob " + id + " 1\t../a":                         "not safe",
		"100644 blob " + id + " 1\ta/../../b":                    "not safe",
		"100644 blob " + id + " 1\ta//b":                         "not safe",
		"100644 blob " + id + " 1\t./a":                          "not safe",
		"100644 blob " + id + " 1\ta/.git/hooks":                 "not safe",
		"100644 blob " + id + " 1\ta/.git ./x":                   "not safe",
		"100644 blob " + id + " 1\tGIT~1/x":                      "not safe",
		"100644 blob " + id + " 1\t":                             "not safe",
		"100644 blob " + id + " 1\t" + strings.Repeat("a", 5000): "not safe",
	} {
		_, _, err := parseObject(row)
		require.ErrorContains(t, err, want, row)
	}
}

func FuzzParseObject(f *testing.F) {
	f.Add("100644 blob " + strings.Repeat("a", 40) + " 12\ta/b")
	f.Add("120000 blob " + strings.Repeat("a", 40) + " 12\t..")
	f.Fuzz(func(t *testing.T, row string) {
		o, _, err := parseObject(row)
		if err == nil && (!filepath.IsLocal(filepath.FromSlash(o.path)) || o.size < 0) {
			t.Fatalf("%q gives %+v", row, o)
		}
	})
}

// TestConfiguredTransport: neither does the user's configuration lead to a
// transport that runs programs.
func TestConfiguredTransport(t *testing.T) {
	isolate(t)
	mark := filepath.Join(t.TempDir(), "ran")
	t.Setenv("GIT_CONFIG_COUNT", "2")
	t.Setenv("GIT_CONFIG_KEY_0", "url.ext::touch "+mark+" .insteadOf")
	t.Setenv("GIT_CONFIG_VALUE_0", "https://evil.example.org/")
	t.Setenv("GIT_CONFIG_KEY_1", "protocol.ext.allow")
	t.Setenv("GIT_CONFIG_VALUE_1", "always")
	_, _, err := (&Fetcher{CacheDir: t.TempDir()}).Fetch(ctx, "module.m", "git::https://evil.example.org/r", "")
	require.ErrorContains(t, err, "a transport that is not allowed")
	require.NoFileExists(t, mark)
}

// TestHooks: no hook of a template or of the configuration runs.
func TestHooks(t *testing.T) {
	if runtime.GOOS == "windows" {
		return
	}
	r := newRemote(t)
	r.commit(map[string]string{"recipe.hcl": "x"})
	mark := filepath.Join(t.TempDir(), "ran")
	hooks := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(hooks, "reference-transaction"), []byte("#!/bin/sh\ntouch "+mark+"\n"), 0o755))
	t.Setenv("GIT_CONFIG_COUNT", "2")
	t.Setenv("GIT_CONFIG_KEY_0", "core.hooksPath")
	t.Setenv("GIT_CONFIG_VALUE_0", hooks)
	t.Setenv("GIT_CONFIG_KEY_1", "init.templateDir")
	t.Setenv("GIT_CONFIG_VALUE_1", filepath.Dir(hooks))
	_, _, err := (&Fetcher{CacheDir: t.TempDir()}).Fetch(ctx, "module.m", r.source("?ref=main"), "")
	require.NoError(t, err)
	require.NoFileExists(t, mark)
}

func TestEnvironment(t *testing.T) {
	got := environment([]string{"HOME=/h", "GIT_DIR=/x", "GIT_WORK_TREE=/x", "GIT_INDEX_FILE=x", "GIT_OBJECT_DIRECTORY=x", "GIT_ALLOW_PROTOCOL=ext", "GIT_TERMINAL_PROMPT=1",
		"GIT_SSH_COMMAND=ssh -i k", "GIT_CONFIG_COUNT=0", "LC_ALL=de_DE", "LANGUAGE=de", "SSH_AUTH_SOCK=s"})
	require.Equal(t, []string{"HOME=/h", "GIT_SSH_COMMAND=ssh -i k", "GIT_CONFIG_COUNT=0", "SSH_AUTH_SOCK=s", "LC_ALL=C", "GIT_TERMINAL_PROMPT=0", "GCM_INTERACTIVE=never",
		"GIT_ALLOW_PROTOCOL=https:ssh:file", "GIT_PROTOCOL_FROM_USER=0", "GIT_LFS_SKIP_SMUDGE=1", "GIT_NO_REPLACE_OBJECTS=1", "GIT_ASKPASS="}, got)
	require.NotContains(t, environment([]string{"GIT_ASKPASS=/helper"}), "GIT_ASKPASS=")
}

// fakeGit puts a program in the place of git.
func fakeGit(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "git"), []byte("#!/bin/sh\n"+script), 0o755))
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// TestCancel: git and what it has started end with the context.
func TestCancel(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // has no shell
	}
	dir := t.TempDir()
	started, late := filepath.Join(dir, "started"), filepath.Join(dir, "late")
	fakeGit(t, "(sleep 1; touch "+late+") &\ntouch "+started+"\nwait\n")
	own, cancel := context.WithCancel(ctx)
	go func() {
		for range 500 {
			if _, err := os.Stat(started); err == nil {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		cancel()
	}()
	begin := time.Now()
	_, _, err := (&Fetcher{CacheDir: t.TempDir()}).Fetch(own, "module.m", "git::https://git.example.org/r", "")
	require.ErrorIs(t, err, context.Canceled)
	require.NoFileExists(t, late)
	time.Sleep(time.Until(begin.Add(1200 * time.Millisecond)))
	require.NoFileExists(t, late, "the child of git ended too")
}

// TestMisleadingGit: what git says is checked.
func TestMisleadingGit(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // has no shell
	}
	id, other := strings.Repeat("a", 40), strings.Repeat("b", 40)
	for name, c := range map[string]struct{ list, batch, want string }{
		"wrong object": {`100644 blob ` + id + ` 4\tf\000`, other + ` blob 4\ntext\n`, "instead of"},
		"wrong size":   {`100644 blob ` + id + ` 4\tf\000`, id + ` blob 5\ntext \n`, "instead of"},
		"cut short":    {`100644 blob ` + id + ` 4\tf\000`, id + ` blob 4\nte`, "unexpected EOF"},
		"no end":       {`100644 blob ` + id + ` 4\tf\000`, id + ` blob 4\ntextx`, "more than the size"},
		"twice":        {`100644 blob ` + id + ` 4\tf\000` + `100644 blob ` + id + ` 4\tf\000`, id + ` blob 4\ntext\n` + id + ` blob 4\ntext\n`, "the same name"},
		"too large":    {`100644 blob ` + id + ` 99999999999999\tf\000`, ``, "more than 1024 MiB"},
		"no list":      {`nonsense`, ``, "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			fakeGit(t, `case "$*" in
*" rev-parse "*) echo `+other+`;;
*" init "*) for d; do :; done; mkdir -p "$d";;
*" ls-tree "*) printf '`+c.list+`';;
*" cat-file "*) cat > /dev/null; printf '`+c.batch+`';;
esac
`)
			_, _, err := (&Fetcher{CacheDir: t.TempDir()}).Fetch(ctx, "module.m", "git::https://git.example.org/r?ref=v1", "")
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestExplain(t *testing.T) {
	for stderr, want := range map[string]string{
		"fatal: could not read Username for 'https://h': terminal prompts disabled": "it wants credentials",
		"remote: HTTP Basic: Access denied\nfatal: Authentication failed for 'x'":   "it wants credentials",
		"error: The requested URL returned error: 403":                              "it wants credentials",
		"git@h: Permission denied (publickey).\nfatal: Could not read from remote":  "does not accept an ssh key",
		"Host key verification failed.":                                             "the host's key is not known",
		"remote: Repository not found.":                                             "there is no such repository",
		"fatal: unable to access 'x': Could not resolve host: h":                    "the host cannot be reached",
		"fatal: detected dubious ownership in repository at '/x'":                   "belongs to another user",
		"fatal: transport 'ext' not allowed":                                        "a transport that is not allowed",
		"fatal: something else":                                                     "cannot be fetched: git fetch: fatal: something else",
	} {
		err := explain("https://h/r", &gitError{"fetch", stderr, errors.New("exit status 128")})
		require.ErrorContains(t, err, want, stderr)
		require.ErrorContains(t, err, "https://h/r cannot be fetched")
	}
	require.Equal(t, "b; [31mc", lastLines("hint: x\na\r\n\n b \n\x1b[31mc\n", 2))
	require.Equal(t, "git fetch: exit status 1", (&gitError{"fetch", "\n", errors.New("exit status 1")}).Error())
	plain := errors.New("x")
	require.Equal(t, plain, explain("r", plain))
}

func TestTail(t *testing.T) {
	end := &tail{limit: 4}
	for _, s := range []string{"ab", "cde", "", "fghijk"} {
		n, err := end.Write([]byte(s))
		require.NoError(t, err)
		require.Equal(t, len(s), n)
	}
	require.Equal(t, "hijk", end.String())
}
