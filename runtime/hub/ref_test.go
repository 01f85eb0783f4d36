package hub_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/runtime/hub"
)

func TestParseRef(t *testing.T) {
	for _, c := range []struct {
		in   string
		want hub.Ref
		text string // "" for in
	}{
		{in: "hf://Qwen/Qwen3-30B-A3B", want: hub.Ref{Repo: "Qwen/Qwen3-30B-A3B", Revision: "main"}},
		{in: "hf://org/name@main", want: hub.Ref{Repo: "org/name", Revision: "main"}, text: "hf://org/name"},
		{in: "hf://a/b@v1.0", want: hub.Ref{Repo: "a/b", Revision: "v1.0"}},
		{in: "hf://a_/_b.c@refs/pr/1", want: hub.Ref{Repo: "a_/_b.c", Revision: "refs/pr/1"}},
		{in: "hf://a/b@user@host", want: hub.Ref{Repo: "a/b", Revision: "user@host"}},
		{in: "hf://a/b@9a1f3c0d", want: hub.Ref{Repo: "a/b", Revision: "9a1f3c0d"}},
	} {
		t.Run(c.in, func(t *testing.T) {
			got, err := hub.ParseRef(c.in)
			require.NoError(t, err)
			require.Equal(t, c.want, got)
			if c.text == "" {
				c.text = c.in
			}
			require.Equal(t, c.text, got.String())
		})
	}
}

func TestParseRefErrors(t *testing.T) {
	long := strings.Repeat("x", 300)
	for in, why := range map[string]string{
		"":                           "is no reference to the hub",
		"Qwen/Qwen3":                 "is no reference to the hub",
		"HF://a/b":                   "is no reference to the hub",
		"https://huggingface.co/a/b": "is no reference to the hub",
		"hf://":                      "the organisation is missing",
		"hf://gpt2":                  "the organisation is missing",
		"hf://a/b@":                  "nothing follows the @",
		"hf://a/b/c.gguf":            "more than a repository",
		"hf://datasets/a/b":          "only repositories of models",
		"hf:///b":                    "is no name on the hub",
		"hf://a/":                    "is no name on the hub",
		"hf://a/b?x=1":               "is no name on the hub",
		"hf://a/b#x":                 "is no name on the hub",
		"hf://../b":                  `no "--" or ".."`,
		"hf://a--b/c":                `no "--" or ".."`,
		"hf://-a/b":                  "is no name on the hub",
		"hf://a/b.":                  "is no name on the hub",
		"hf://a/b.git":               `leave out the ".git"`,
		"hf://a/b c":                 "is no name on the hub",
		"hf://a/bä":                  "is no name on the hub",
		"hf://a/" + long:             "the hub allows 96",
		"hf://a/b@" + long:           "255 is the most",
		"hf://a/b@../../etc":         `no revision holds ".."`,
		"hf://a/b@/etc":              `has a part ""`,
		"hf://a/b@x/":                `has a part ""`,
		"hf://a/b@x//y":              `has a part ""`,
		"hf://a/b@.x":                `has a part ".x"`,
		"hf://a/b@x/y.lock":          `has a part "y.lock"`,
		"hf://a/b@x\\y":              "no revision holds the character",
		"hf://a/b@x\x00":             "no revision holds the character",
		"hf://a/b@x y":               "no revision holds the character",
		"hf://a/b@x:y":               "no revision holds the character",
		"hf://a/b@HEAD~1":            "no revision holds the character",
		"hf://a/b@\xff":              "no revision holds the character",
		"hf://a/b@x@{1}":             `no revision holds ".."`,
	} {
		t.Run(in, func(t *testing.T) {
			_, err := hub.ParseRef(in)
			require.ErrorContains(t, err, why)
			require.ErrorContains(t, err, "hf://org/name@revision")
		})
	}
}

func FuzzParseRef(f *testing.F) {
	for _, s := range []string{"hf://Qwen/Qwen3-30B-A3B", "hf://a/b@refs/pr/1", "hf://a/b@", "hf://a/b@../x", "hf://a--b/c", "hf://a/b@x@y", "hf://\x00/\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ref, err := hub.ParseRef(s)
		if err != nil {
			require.Contains(t, err.Error(), "hf://org/name")
			return
		}
		again, err := hub.ParseRef(ref.String())
		require.NoError(t, err)
		require.Equal(t, ref, again)
		// Both parts become paths.
		require.True(t, filepath.IsLocal(filepath.FromSlash(ref.Repo)), ref.Repo)
		require.True(t, filepath.IsLocal(filepath.FromSlash(ref.Revision)), ref.Revision)
		require.Equal(t, 1, strings.Count(ref.Repo, "/"))
		require.NotContains(t, ref.Repo, "--")
	})
}
