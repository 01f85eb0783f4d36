package source

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	commit := strings.Repeat("0a", 20)
	for source, want := range map[string]origin{
		"./x":         {local: "./x"},
		"../x/y":      {local: "../x/y"},
		".":           {local: "."},
		"./a?b//c::d": {local: "./a?b//c::d"},
		"git::https://git.example.org/recipes.git//qwen3/ultra?ref=v1.4.0": {remote: "https://git.example.org/recipes.git", subdir: "qwen3/ultra", ref: "v1.4.0"},
		"git::https://git.example.org/recipes.git":                         {remote: "https://git.example.org/recipes.git"},
		"git::https://git.example.org/recipes.git//":                       {remote: "https://git.example.org/recipes.git"},
		"git::https://git.example.org:8443/a/b?ref=" + commit:              {remote: "https://git.example.org:8443/a/b", ref: commit},
		"git::https://git.example.org/r.git//a//b/../c/":                   {remote: "https://git.example.org/r.git", subdir: "a/c"},
		"git::ssh://git@git.example.org/r.git//a?ref=feature%2Fx":          {remote: "ssh://git@git.example.org/r.git", subdir: "a", ref: "feature/x"},
		"git::git@git.example.org:org/r.git":                               {remote: "git@git.example.org:org/r.git"},
		"git@git.example.org:org/r.git//sub?ref=v1":                        {remote: "git@git.example.org:org/r.git", subdir: "sub", ref: "v1"},
		"git::file:///srv/r.git//a?ref=v1.0+build":                         {remote: "file:///srv/r.git", subdir: "a", ref: "v1.0+build"},
		"github.com/org/repo//sub?ref=v1":                                  {remote: "https://github.com/org/repo.git", subdir: "sub", ref: "v1"},
		"github.com/org/repo.git":                                          {remote: "https://github.com/org/repo.git"},
	} {
		got, err := parse(source)
		require.NoError(t, err, source)
		require.Equal(t, want, got, source)
	}
}

func TestParseErrors(t *testing.T) {
	for source, want := range map[string]string{
		"":                                        "the source is empty",
		"x":                                       `"x" is no source`,
		"x/y":                                     "is no source; a source is",
		"/srv/x":                                  "a folder of this machine alone",
		"https://git.example.org/r.git":           "begins with git:: (git::https://git.example.org/r.git)",
		"ssh://git.example.org/r.git":             "begins with git::",
		"git::http://git.example.org/r.git":       "anyone on the way can change",
		"git::git://git.example.org/r.git":        "anyone on the way can change",
		"git::ext::sh -c touch":                   "unknown kind of source",
		"git::ext::sh%20-c":                       "unknown kind of source",
		"ext::sh":                                 "unknown kind of source",
		"hg::https://example.org/r":               "begins with git::",
		"git::ext://x/y":                          `not "ext"`,
		"git::fd://3":                             `not "fd"`,
		"git::-x://y/z":                           `not "-x"`,
		"git::--upload-pack=x":                    "is no source",
		"--upload-pack=x":                         "is no source",
		"git::-oProxyCommand=x@host:r":            "is no source",
		"-o@host:r":                               "is no source",
		"git@-host:r":                             "is no source",
		"git@host:-r":                             "is no source",
		"git::https://":                           "names no host",
		"git::https:///r":                         "names no host",
		"git::https://git.example.org":            "names no repository",
		"git::https://git.example.org//a":         "names no repository",
		"git::ssh://-oProxyCommand=x/r":           "names no host",
		"git::ssh://-x@host/r":                    "no user's name begins",
		"git::https://token@git.example.org/r":    "credentials",
		"git::https://u:secret@git.example.org/r": "credentials",
		"git::ssh://u:secret@git.example.org/r":   "credentials",
		"git::https://git.example.org/r#v1":       "?ref=v1",
		"git::https://git.example.org/%zz":        "cannot be read",
		"git::file://srv/r":                       "three slashes",
		"git::https://h/r//../x":                  "must be a path in the repository",
		"git::https://h/r//a/../../x":             "must be a path in the repository",
		"git::https://h/r//a/.git/hooks":          "must be a path in the repository",
		"git::https://h/r//a/.GIT":                "must be a path in the repository",
		`git::https://h/r//a\b`:                   "must be a path in the repository",
		"git::https://h/r?ref=":                   "is no tag, branch or commit",
		"git::https://h/r?":                       "one parameter",
		"git::https://h/r?ref=a&ref=b":            "one parameter",
		"git::https://h/r?depth=1":                "one parameter",
		"git::https://h/r?ref=-x":                 "is no tag",
		"git::https://h/r?ref=--upload-pack%3Dx":  "is no tag",
		"git::https://h/r?ref=a..b":               "is no tag",
		"git::https://h/r?ref=a%20b":              "is no tag",
		"git::https://h/r?ref=a%0ab":              "is no tag",
		"git::https://h/r?ref=HEAD~1":             "is no tag",
		"git::https://h/r?ref=a@{1}":              "is no tag",
		"git::https://h/r?ref=a:b":                "is no tag",
		"git::https://h/r?ref=a/.b":               "is no tag",
		"git::https://h/r?ref=x.lock":             "is no tag",
		"git::https://h/r?ref=/x":                 "is no tag",
		"git::https://h/r?ref=%zz":                "cannot be read",
		"github.com/org":                          "names no repository",
		"github.com/org/":                         "names no repository",
		"github.com/org/repo/sub":                 "github.com/org/repo//sub",
		"github.com/-org/repo":                    "names no repository",
		"./a\x1b[2J":                              "holds the character U+001B",
		"./a\nb":                                  "holds the character U+000A",
		"./a\xff":                                 "no UTF-8",
		"./" + strings.Repeat("a", maxSource):     "more than 2048",
	} {
		_, err := parse(source)
		require.ErrorContains(t, err, want, source)
		require.NotContains(t, err.Error(), "secret", source)
		require.NotContains(t, err.Error(), "token@", source)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"./x", "git::https://h/r//a?ref=v1", "git@h:o/r//s?ref=x", "github.com/o/r//s", "git::ssh://g@h/r", "git::file:///r", "ext::x", "git::https://h/r?ref=%2e%2e"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		o, err := parse(source)
		if err != nil {
			return
		}
		if o.local != "" {
			if !isLocal(o.local) {
				t.Fatalf("local %q", o.local)
			}
			return
		}
		safe := strings.HasPrefix(o.remote, "https://") || strings.HasPrefix(o.remote, "ssh://") || strings.HasPrefix(o.remote, "file://") || scp.MatchString(o.remote)
		if !safe || strings.Contains(o.remote, "::") && !strings.Contains(o.remote, "://") && !scp.MatchString(o.remote) || strings.HasPrefix(o.ref, "-") {
			t.Fatalf("remote %q ref %q", o.remote, o.ref)
		}
		if o.subdir != "" && !filepath.IsLocal(o.subdir) {
			t.Fatalf("folder %q", o.subdir)
		}
		if o.ref != "" && checkRef(o.ref) != nil {
			t.Fatalf("ref %q", o.ref)
		}
	})
}
