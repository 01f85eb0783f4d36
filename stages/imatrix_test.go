package stages

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/kernels/quant"
	"github.com/llama-pajamas/pj/runtime/imatrix"
)

// importances are sums that differ by column and expert.
func importances(cols int, counts ...float64) (out []float32) {
	for e, n := range counts {
		for c := range cols {
			out = append(out, float32(n)*float32(1+(c*7+e)%11))
		}
	}
	return out
}

// withImatrix is the small model under a policy with an importance matrix.
func withImatrix(t *testing.T, p *fakePolicy, sums ...imatrix.Sums) *world {
	w := newWorld(t)
	w.writeModel("m.gguf", moe()...)
	w.writeImatrix(sums...)
	w.block("stage", "imatrix", "p", &imatrixParams{File: "im.gguf"}, `{"file":"im.gguf"}`)
	p.evidence = &engine.Ref{Address: "stage.imatrix.p"}
	w.quantized("m.gguf", p)
	w.artifact("a", ggufParams{Experts: "tiered"})
	return w
}

func (w *world) writeImatrix(sums ...imatrix.Sums) {
	w.t.Helper()
	var b bytes.Buffer
	require.NoError(w.t, imatrix.Write(&b, imatrix.Head{Datasets: []string{"wiki.txt", "more.txt"}, Chunks: 12, ChunkSize: 512}, sums))
	require.NoError(w.t, os.WriteFile(filepath.Join(w.dir, "im.gguf"), b.Bytes(), 0o644))
}

// whole is an importance matrix of the small model: 100 tokens, 2 experts each.
func whole() []imatrix.Sums {
	counts := []float64{20, 120, 0, 60}
	return []imatrix.Sums{
		{Name: "blk.0.attn_q.weight", Counts: []float64{100}, Squares: importances(256, 100)},
		{Name: "blk.0.ffn_gate_exps.weight", Counts: counts, Squares: importances(256, counts...)},
		{Name: "blk.0.ffn_up_exps.weight", Counts: counts, Squares: importances(256, counts...)},
		{Name: "blk.0.ffn_down_exps.weight", Counts: counts, Squares: importances(256, counts...)},
	}
}

func TestImatrix(t *testing.T) {
	w := withImatrix(t, ruled(fakePolicy{def: "q4_k"}, typed("q8_0", byExpert)), whole()...)
	plan, err := w.plan()
	require.NoError(t, err)
	require.Empty(t, plan.Pending, "the counts are known at once")
	require.NotZero(t, plan.Artifacts[0].Bytes)

	b := w.mustBuild()
	f := w.open("a.gguf")
	for e, want := range []string{"q4_k", "q8_0", "q4_k", "q8_0"} { // shares 0.2, 1.2, 0, 0.6
		gate, _ := f.Tensor("blk.0.expert." + string(rune('0'+e)) + ".gate.weight")
		require.Equal(t, want, gate.Type.Name, "expert %d", e)
	}
	// An expert's matrix is encoded by its own importances.
	q4k, _ := quant.Lookup("q4_k")
	x := moe()[5].values[:256*3]
	blocks := make([]byte, 3*q4k.RowBytes(256))
	require.NoError(t, q4k.Quantize(blocks, x, quant.Options{Cols: 256, Importance: importances(256, 1)}))
	none := make([]byte, len(blocks))
	require.NoError(t, q4k.Quantize(none, x, quant.Options{Cols: 256, Effort: quant.Normal}))
	const first = `stage.quantize.q["blk.0.ffn_gate_exps.weight"][0]`
	require.NoError(t, q4k.Quantize(blocks, x, quant.Options{Cols: 256, Importance: importances(256, 1), Effort: quant.Normal}))
	require.Equal(t, blocks, b.output(first, tensorOutput))
	require.NotEqual(t, none, blocks)
	require.Positive(t, b.meta(first).WRef)
	// What the matrix does not know is encoded without.
	require.Zero(t, b.meta(`stage.quantize.q["token_embd.weight"]`).WRef)

	digest := string(b.output(`stage.imatrix.p["content"]`, contentOutput))
	file, _ := f.String("quantize.imatrix.file")
	require.Equal(t, digest, file)
	dataset, _ := f.String("quantize.imatrix.dataset")
	require.Equal(t, "wiki.txt", dataset)
	entries, _ := f.Uint("quantize.imatrix.entries_count")
	require.EqualValues(t, 4, entries)
	chunks, _ := f.Uint("quantize.imatrix.chunks_count")
	require.EqualValues(t, 12, chunks)
	require.EqualValues(t, b.Plan.Artifacts[0].Bytes, f.Sizes[0])
}

// TestOneImportanceChanges checks that only what reads a slice is made again.
func TestOneImportanceChanges(t *testing.T) {
	w := withImatrix(t, ruled(fakePolicy{def: "q4_k"}), whole()...)
	w.mustBuild()
	sums := whole()
	sums[2].Squares[256+5] *= 50 // expert 1 of up
	w.writeImatrix(sums...)
	b := w.mustBuild()
	var ran []string
	for i := range b.Ran {
		ran = append(ran, b.Plan.Actions[i].Address)
	}
	require.ElementsMatch(t, []string{
		"stage.imatrix.p", `stage.imatrix.p["content"]`, `stage.quantize.q["blk.0.ffn_up_exps.weight"][1]`, "artifact.gguf.a",
	}, ran)
}

func TestImatrixRefused(t *testing.T) {
	short := whole()
	short[0].Squares = short[0].Squares[:128]
	fewer := whole()
	fewer[1].Counts, fewer[1].Squares = fewer[1].Counts[:2], fewer[1].Squares[:512]
	for _, test := range []struct {
		sums []imatrix.Sums
		want string
	}{
		{short, "blk.0.attn_q.weight has 1 x 128, and the tensor has 1 x 256"},
		{fewer, "blk.0.ffn_gate_exps.weight has 2 x 256, and the tensor has 4 x 256"},
	} {
		_, err := withImatrix(t, ruled(fakePolicy{def: "q4_k"}), test.sums...).plan()
		require.ErrorContains(t, err, "Evidence is of another model")
		require.ErrorContains(t, err, test.want)
	}

	w := withImatrix(t, ruled(fakePolicy{def: "q4_k"}), whole()...)
	require.NoError(t, os.WriteFile(filepath.Join(w.dir, "im.gguf"), []byte("something else"), 0o644))
	_, err := w.plan()
	require.ErrorContains(t, err, "Importance matrix cannot be used")
	require.NoError(t, os.Remove(filepath.Join(w.dir, "im.gguf")))
	_, err = w.plan()
	require.ErrorContains(t, err, "No such file")
}

// TestNeedsImportance checks that a type which is garbage without an importance
// is a warning of the plan and an error of the build.
func TestNeedsImportance(t *testing.T) {
	w := withImatrix(t, ruled(fakePolicy{def: "q4_k"}, typed("iq2_xs", role("expert")), typed("iq2_xs", role("embedding"))), whole()...)
	if typ, _ := quant.Lookup("iq2_xs"); typ.Quantize == nil {
		t.Skip("there is no encoder of iq2_xs")
	}
	plan, err := w.plan()
	require.NoError(t, err)
	require.Len(t, plan.Refusals, 1, "the experts have importances")
	require.Contains(t, plan.Refusals[0].Detail, "token_embd.weight gets iq2_xs")
}
