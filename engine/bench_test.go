package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zeebo/blake3"

	"github.com/llama-pajamas/pj/cache"
)

// The shape of Qwen3-30B-A3B: 48 layers of 128 experts with three projections
// each, and 468 other tensors, in 16 files.
const (
	benchLayers  = 48
	benchExperts = 128
	benchOthers  = 468
	benchFiles   = 16
	benchTensor  = 64
)

// largePlan is a plan of 18,900 actions and an artifact, over files of a few
// kilobytes.
func (w *world) largePlan() *Plan {
	p := w.empty()
	var offsets [benchFiles]int64
	for i := range benchFiles {
		path := filepath.Join(w.dir, fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, benchFiles))
		p.Files = append(p.Files, File{Path: path})
	}
	add := func(file int, name, group string, params values) {
		s := p.addSource(name, file, offsets[file], benchTensor)
		offsets[file] += benchTensor
		a := p.Actions[p.add(fmt.Sprintf("stage.quantize.balanced[%q]", name), "stage double", params, source("weights", s))]
		a.Group, a.Origins = group, map[string]string{"type": "policy.balanced rule 3 (recipe.hcl:31)"}
	}
	params := func(projection string) values {
		return values{"type": "q4_k", "effort": "normal", "layout": []int{2048, 768}, "source_type": "bf16", "role": "expert", "projection": projection}
	}
	for layer := range benchLayers {
		for _, projection := range []string{"gate", "up", "down"} {
			group := fmt.Sprintf("blk.%d.%s", layer, projection)
			for expert := range benchExperts {
				name := fmt.Sprintf("model.layers.%d.mlp.experts.%d.%s_proj.weight", layer, expert, projection)
				add(layer%benchFiles, name, group, params(projection))
			}
		}
	}
	for i := range benchOthers {
		add(i%benchFiles, fmt.Sprintf("model.layers.%d.self_attn.%d.weight", i/8, i), fmt.Sprintf("other.%d", i/64), params(""))
	}
	var inputs []Input
	for i := range p.Actions {
		inputs = append(inputs, output("tensor", i))
	}
	p.add("artifact.gguf.balanced", "artifact pack", values{"header": "x", "align": 32}, inputs...)
	for i := range p.Files {
		p.Files[i].Size = offsets[i]
		content := make([]byte, offsets[i])
		blake3.NewDeriveKey(p.Files[i].Path).Digest().Read(content)
		require.NoError(w.t, os.WriteFile(p.Files[i].Path, content, 0o644))
	}
	time.Sleep(25 * time.Millisecond)
	return p
}

// BenchmarkResolveCached18k is what a build costs that has nothing to do but to
// find that out.
func BenchmarkResolveCached18k(b *testing.B) {
	w := newLocalWorld(b)
	plan := w.largePlan()
	w.must(plan)
	for b.Loop() {
		// As in a program of its own, nothing is remembered in memory.
		l, err := cache.Open(filepath.Join(w.dir, "cache"), cache.Options{})
		require.NoError(b, err)
		known := Known{Store: l, Records: l}
		r, err := known.Resolve(b.Context(), plan, 0, nil)
		require.NoError(b, err)
		for i := range r.States {
			if r.States[i].Status != Cached {
				b.Fatalf("%s is not cached: %s", plan.Actions[i].Address, r.States[i].Reason)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/resolve")
}
