package recipes

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/engine"
)

// folderFetcher serves modules from folders by their source.
type folderFetcher map[string]string

func (f folderFetcher) Fetch(_ context.Context, address, source, baseDir string) (string, engine.Module, error) {
	if isLocal(source) { // beside a fetched module
		return filepath.Join(baseDir, source), engine.Module{Digest: "blake3:11"}, nil
	}
	dir, ok := f[source]
	if !ok || !strings.HasPrefix(address, "module.") {
		return "", engine.Module{}, errors.New("no such repository")
	}
	if !filepath.IsAbs(baseDir) {
		return "", engine.Module{}, errors.New("the folder is not absolute")
	}
	return dir, engine.Module{Commit: "abc", Digest: "blake3:00"}, nil
}

const ultraModule = `
variable "model" { type = any }
variable "text" {
  type    = string
  default = "calibration.txt"
}
model "q" { source = var.model }
dataset "wiki" { files = [var.text, "${path.module}/own.txt", "${path.root}/root.txt"] }
policy "ultra" { mix = "Q3_K_M" }
stage "quantize" "ultra" {
  model  = model.q
  policy = policy.ultra
}
artifact "gguf" "stock" {
  from = stage.quantize.ultra
  path = "ultra.gguf"
}
artifact "gguf" "never" {
  from = stage.quantize.ultra
  path = "ultra.gguf"
}
validate "ultra" {
  for_each  = { stock = artifact.gguf.stock }
  baseline  = model.q
  candidate = each.value
}
validate "other" {
  baseline  = model.q
  candidate = artifact.gguf.never
}
output "quantized" { value = stage.quantize.ultra }
output "validation" { value = validate.ultra }
output "policy" { value = policy.ultra }
output "words" { value = { model = var.model } }
`

func usedOf(p *engine.Program) string {
	var out []string
	for _, b := range p.Blocks {
		if b.Used {
			out = append(out, b.Address)
		}
	}
	return strings.Join(out, " ")
}

func TestModule(t *testing.T) {
	root := `
module "ultra" {
  source = "./ultra"
  model  = "hf://our/finetune"
  text   = "${path.module}/c.txt"
}
artifact "mlx" "mac" {
  from = module.ultra.quantized
  path = "mlx-${module.ultra.words.model == "hf://our/finetune"}"
}
`
	files := map[string]string{"recipe.hcl": root, "ultra/recipe.hcl": ultraModule}
	r, ds := loadFiles(t, files)
	require.Empty(t, ds, "%s", render(r, ds))
	require.Equal(t, "module.ultra.model.q module.ultra.stage.quantize.ultra artifact.mlx.mac", usedOf(r.Program))
	mac := find(t, r.Program, "artifact.mlx.mac")
	require.Equal(t, engine.Ref{Address: "module.ultra.stage.quantize.ultra", Yields: "weights"}, mac.Params.(*mlxParams).From)
	require.Equal(t, "mlx-true", mac.Params.(*mlxParams).Path)
	require.Contains(t, r.Program.Policies, "module.ultra.policy.ultra")
	wiki := find(t, r.Program, "module.ultra.dataset.wiki")
	dir := r.Program.Dir
	require.Equal(t, filepath.Join(dir, "ultra"), wiki.Base)
	require.Equal(t, []string{dir + "/c.txt", dir + "/ultra/own.txt", dir + "/root.txt"}, wiki.Params.(*datasetParams).Files)
	require.JSONEq(t, `{"files":["${path.root}/c.txt","${path.module}/own.txt","${path.root}/root.txt"],"template":"none"}`, string(wiki.Canonical))
	require.Len(t, r.Program.Modules, 1)
	m := r.Program.Modules[0]
	require.Equal(t, "module.ultra", m.Address)
	require.Equal(t, "./ultra", m.Source)
	require.True(t, strings.HasPrefix(m.Digest, "blake3:"))

	// What the root's outputs look into is built.
	files["recipe.hcl"] = root + `output "kld" { value = module.ultra.validation["stock"].kl_divergence.mean }`
	r, ds = loadFiles(t, files)
	require.Empty(t, ds, "%s", render(r, ds))
	require.Contains(t, usedOf(r.Program), `module.ultra.artifact.gguf.stock module.ultra.validate.ultra["stock"]`)
	require.NotContains(t, usedOf(r.Program), "never")
	require.JSONEq(t, "null", string(r.Program.Outputs["kld"]))

	// A module's artifacts can be named.
	files["recipe.hcl"] = root + "validate \"v\" {\n baseline = module.ultra.artifact.gguf.never\n candidate = module.ultra.artifact.gguf.never\n}\n" +
		"report \"r\" { of = [module.ultra.validate.ultra, validate.v] }"
	_, ds = loadFiles(t, files)
	require.ErrorContains(t, ds.Err(), "module.ultra.artifact.gguf.stock")
	require.ErrorContains(t, ds.Err(), "both write ultra.gguf")
	files["ultra/recipe.hcl"] = strings.Replace(ultraModule, `"ultra.gguf"`, `"other.gguf"`, 1)
	r, ds = loadFiles(t, files)
	require.Empty(t, ds, "%s", render(r, ds))
	require.Contains(t, usedOf(r.Program), "module.ultra.artifact.gguf.never")
	require.NotContains(t, usedOf(r.Program), "module.ultra.validate.other")
}

func TestNestedAndFetchedModules(t *testing.T) {
	outside := write(t, map[string]string{
		"sub/recipe.hcl":       "module \"inner\" {\n source = \"./inner\"\n}\noutput \"model\" { value = module.inner.model }\n",
		"sub/inner/recipe.hcl": "model \"m\" { source = \"${path.module}/x.gguf\" }\noutput \"model\" { value = model.m }\n",
	})
	source := "git::https://git.example.org/r.git//sub?ref=v1"
	text := `
module "far" { source = "` + source + `" }
module "near" { source = "./near" }
policy "p" { mix = "Q4_K_M" }
stage "quantize" "z" {
  for_each = { far = module.far.model, near = module.near.model }
  model    = each.value
  policy   = policy.p
}
artifact "gguf" "a" {
  for_each = stage.quantize.z
  from     = each.value
  path     = "${each.key}.gguf"
}`
	load := func(fetcher ModuleFetcher) (*Recipe, error) {
		r, ds := loadFiles(t, map[string]string{"recipe.hcl": text, "near/near.hcl": "model \"m\" { source = \"y\" }\noutput \"model\" { value = model.m }\n"},
			func(o *Options) { o.Modules = fetcher })
		return r, ds.Err()
	}
	r, err := load(folderFetcher{source: filepath.Join(outside, "sub")})
	require.NoError(t, err)
	inner := find(t, r.Program, "module.far.module.inner.model.m")
	require.True(t, inner.Used)
	require.Equal(t, filepath.Join(outside, "sub", "inner"), inner.Base)
	require.JSONEq(t, `{"requantize":false,"source":"${path.module}/x.gguf"}`, string(inner.Canonical), "no folder of this machine")
	require.True(t, find(t, r.Program, "module.near.model.m").Used)
	var modules []string
	for _, m := range r.Program.Modules {
		modules = append(modules, fmt.Sprintf("%s %s %s %v", m.Address, m.Source, m.Commit, m.Digest != ""))
	}
	require.Equal(t, []string{"module.far " + source + " abc true", "module.far.module.inner ./inner  true", "module.near ./near  true"}, modules)

	_, err = load(folderFetcher{})
	require.ErrorContains(t, err, "no such repository")
	_, err = load(nil)
	require.ErrorContains(t, err, "Offline")
}

func TestModulesAreBounded(t *testing.T) {
	files := map[string]string{}
	for i := range 12 {
		files[fmt.Sprintf("m%d/recipe.hcl", i)] = fmt.Sprintf("module \"a\" { source = \"../m%d\" }\nmodule \"b\" { source = \"../m%d\" }\n", i+1, i+1)
	}
	files["m12/recipe.hcl"] = ""
	files["recipe.hcl"] = `module "m" { source = "./m0" }`
	_, ds := loadFiles(t, files)
	require.ErrorContains(t, ds.Err(), "Too many modules")
}

func TestModuleInItself(t *testing.T) {
	_, ds := loadFiles(t, map[string]string{
		"recipe.hcl":   `module "a" { source = "./a" }`,
		"a/recipe.hcl": `module "b" { source = "../b" }`,
		"b/recipe.hcl": `module "a" { source = "../a" }`,
	})
	require.ErrorContains(t, ds.Err(), "module.a -> module.a.module.b -> module.a.module.b.module.a")
}

// TestTwoRecipesInOneFolder checks that a module may be a file beside the
// recipe.
func TestTwoRecipesInOneFolder(t *testing.T) {
	r, ds := loadFiles(t, map[string]string{
		"recipe.hcl": "module \"p\" { source = \"./policies.hcl\" }\nmodel \"q\" { source = \"x\" }\nstage \"quantize\" \"z\" {\n model = model.q\n policy = module.p.policy\n}\nartifact \"gguf\" \"a\" {\n from = stage.quantize.z\n path = \"a.gguf\"\n}",
		"policies.hcl": `policy "p" { mix = "Q4_K_M" }
output "policy" { value = policy.p }`,
	})
	require.Empty(t, ds, "%s", render(r, ds))
	require.Equal(t, []string{"model.q", "module.p.policy.p"}, find(t, r.Program, "stage.quantize.z").Refs)
}
