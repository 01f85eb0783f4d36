package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestStoryBadRecipes shows every recipe that recipes' own tests find mistakes
// in to the command line.
func TestStoryBadRecipes(t *testing.T) {
	t.Parallel()
	goldens, err := filepath.Glob("../../recipes/testdata/diagnostics/*.golden")
	require.NoError(t, err)
	require.Greater(t, len(goldens), 30)
	snippet := regexp.MustCompile(`(?m)^  in (\S+):\d+:\d+\n\n( +\d+ \| .*\n +\| +\^+)?`)
	for n, golden := range goldens {
		name := strings.TrimSuffix(filepath.Base(golden), ".golden")
		if testing.Short() && n%4 != 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStory(t)
			require.NoError(t, os.CopyFS(s.dir, os.DirFS(filepath.Dir(golden))))
			text, err := os.ReadFile(golden)
			require.NoError(t, err)
			code := 0
			if strings.HasPrefix(string(text), "Error: ") || strings.Contains(string(text), "\nError: ") {
				code = 2
			}
			r := s.pj(code, "validate", name)
			require.Regexp(t, snippet, r.stderr)
			require.Contains(t, r.stderr, "in "+name+":")
			if code == 0 {
				return // warnings only
			}
			require.Empty(t, r.stdout)
			build := s.pj(2, "build", name, "--offline")
			require.Equal(t, r.stderr, build.stderr, "build says what validate does")
			require.Empty(t, build.stdout)
			s.nothingWritten()
			out := s.pj(2, "build", name, "--offline", "--json").json()
			require.NotEmpty(t, out.Diagnostics)
			for _, d := range out.Diagnostics {
				require.NotEmpty(t, d.Summary)
				require.Positive(t, d.Line, "%+v", d)
				require.NotEmpty(t, d.File)
			}
		})
	}
}

// TestStoryMistakes has what people get wrong most, with what they are told.
func TestStoryMistakes(t *testing.T) {
	t.Parallel()
	model := exampleModel(t, "nano-qwen3moe")
	right := storyRecipe(model, "Q4_K_M", "  tensor {\n    when = role == \"router\"\n    type = \"q8_0\"\n  }\n")
	replace := func(old, new string) string {
		require.Contains(t, right, old)
		return strings.Replace(right, old, new, 1)
	}
	for _, c := range []struct {
		name, recipe string
		says         []string
	}{
		{"syntax", replace("policy \"p\" {", "policy \"p\" "), []string{"recipe.hcl:5:"}},
		{"an unclosed text", replace(`mix = "Q4_K_M"`, `mix = "Q4_K_M`), []string{"recipe.hcl:6:"}},
		{"an unknown block", right + "\npolcy \"q\" {\n}\n", []string{"recipe.hcl:23:1", "polcy", "policy"}},
		{"an unknown attribute", replace("source =", "sauce ="), []string{"recipe.hcl:2:3", "sauce", "source"}},
		{"an unknown stage", replace(`stage "quantize"`, `stage "quantise"`), []string{"quantise", "quantize"}},
		{"an unknown format", replace(`artifact "gguf"`, `artifact "guff"`), []string{"guff", "gguf"}},
		{"an unknown type", replace(`"q8_0"`, `"q8_o"`), []string{"recipe.hcl:9:12", "q8_o", "Did you mean q8_0"}},
		{"an unknown mix", replace(`"Q4_K_M"`, `"Q4_K_N"`), []string{"recipe.hcl:6:9", "Q4_K_N", "Q4_K_M"}},
		{"an unknown function", replace(`role == "router"`, `contain(["router"], role)`), []string{"contain", "contains"}},
		{"an unknown name in a rule", replace(`role ==`, `rule ==`), []string{"recipe.hcl:8:12", "rule", "role"}},
		{"an unknown reference", replace(`policy.p`, `policy.q`), []string{"recipe.hcl:15:", "There is no policy.q. The recipe has p."}},
		{"an unknown variable", replace(`"Q4_K_M"`, `var.mix`), []string{"recipe.hcl:6:9", "mix"}},
		{"a wrong type", replace(`path = "a.gguf"`, `path = ["a.gguf"]`), []string{"recipe.hcl:20:10", "path"}},
		{"a condition that is none", replace(`role == "router"`, `role`), []string{"recipe.hcl:8:12"}},
		{"a wrong reference", replace(`model  = model.m`, `model  = policy.p`), []string{"recipe.hcl:14:12", "policy.p"}},
		{"a missing attribute", replace("  policy = policy.p\n", ""), []string{"recipe.hcl:13:", "policy"}},
		{"a circle", right + "\nlocals {\n  a = local.b\n  b = local.a\n}\n", []string{"local.a", "local.b"}},
		{"two files of a name", right + "\nartifact \"gguf\" \"b\" {\n  from = stage.quantize.q\n  path = \"A.gguf\"\n}\n", []string{"recipe.hcl:25:", "A.gguf", "artifact.gguf.a"}},
		{"a path that leaves the folder", replace(`path = "a.gguf"`, `path = "../a.gguf"`), []string{"recipe.hcl:20:10", "../a.gguf"}},
		{"an absolute path", replace(`path = "a.gguf"`, `path = "/tmp/a.gguf"`), []string{"recipe.hcl:20:10", "/tmp/a.gguf"}},
		{"a name that is no GGUF file's", replace(`path = "a.gguf"`, `path = "a.bin"`), []string{"recipe.hcl:20:10", ".gguf"}},
		{"for_each over what is unknown", replace("  model  = model.m\n", "  for_each = { a = validate.v.size.bytes }\n  model  = model.m\n"), []string{"recipe.hcl:14:"}},
		{"nesting", replace(`role == "router"`, strings.Repeat("(", 300)+"true"+strings.Repeat(")", 300)), []string{"recipe.hcl:8:", "256"}},
		{"type and bounds", replace(`type = "q8_0"`, "type = \"q8_0\"\n    min  = \"q4_k\""), []string{"recipe.hcl:"}},
		{"evidence that is not there", replace(`role == "router"`, `role == "expert" && expert.share > 0.5`), []string{"recipe.hcl:8:", "expert.share", "evidence"}},
		{"importance is missing", replace(`"q8_0"`, `"iq2_xxs"`), []string{"iq2_xxs", "garbage without an importance"}},
		{"over budget", replace(`  mix = "Q4_K_M"`, "  mix = \"Q4_K_M\"\n  budget {\n    bytes = \"1 MB\"\n  }"), []string{"Over budget", "1.00 MB"}},
		{"a mix that needs an importance", replace(`"Q4_K_M"`, `"IQ1_S"`), []string{"importance"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newStory(t)
			s.write("recipe.hcl", c.recipe)
			r := s.pj(2, "build").says("Error: ").says(c.says...)
			require.Contains(t, r.stderr, "^")
			require.Empty(t, r.stdout)
			s.nothingWritten()
		})
	}
	// A rule that never is true is only a warning.
	s := newStory(t)
	s.write("recipe.hcl", replace(`"router"`, `"ruoter"`))
	s.pj(0, "plan").says("Warning: Never true", "recipe.hcl:8:", "ruoter", "router")

	// Flags and arguments.
	s.write("recipe.hcl", right)
	for _, c := range []struct {
		args, says string
	}{
		{"build --jsn", "unknown flag --jsn; did you mean --json?"},
		{"build -j x", "invalid argument \"x\""},
		{"biuld", "did you mean build?"},
		{"build nowhere/recipe.hcl", "nowhere/recipe.hcl"},
		{"build artifact.gguf.b", "artifact.gguf.b"},
		{"build --var mix=1", "mix"},
		{"build --var", "--var"},
		{"build --memory 1XB", "1XB"},
		{"build -C nowhere", "nowhere"},
		{"build --var-file nowhere.hcl", "nowhere.hcl"},
		{"build -v -q", "exclude each other"},
	} {
		s.pj(2, strings.Fields(c.args)...).says(c.says)
		s.nothingWritten()
	}
}
