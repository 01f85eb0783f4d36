package model

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"github.com/llama-pajamas/pj/kernels/quant"
	"github.com/stretchr/testify/require"
)

// naive decodes one weight of a source tensor.
func (m *tiny) naive(name string, index ...int64) float32 {
	t := m.find(name)
	at := int64(0)
	for i, n := range index {
		at = at*t.Shape[i] + n
	}
	switch t.DType {
	case "BF16":
		return math.Float32frombits(uint32(binary.LittleEndian.Uint16(t.Data[2*at:])) << 16)
	case "F32":
		return math.Float32frombits(binary.LittleEndian.Uint32(t.Data[4*at:]))
	}
	panic(t.DType)
}

// naiveMXFP4 decodes weight c of row r of expert e as the hub's library does:
// byte j of a block holds weights 2j, in the low half, and 2j+1.
func (m *tiny) naiveMXFP4(name string, e, r, c int64) float32 {
	blocks, scales := m.find(name+"_blocks"), m.find(name+"_scales")
	row := e*blocks.Shape[1] + r
	b := blocks.Data[row*blocks.Shape[2]*16+c/2]
	if c%2 == 1 {
		b >>= 4
	}
	v := []float64{0, 0.5, 1, 1.5, 2, 3, 4, 6}[b&7]
	if b&8 != 0 {
		v = -v
	}
	scale := scales.Data[row*scales.Shape[2]+c/32]
	return float32(v * math.Pow(2, float64(scale)-127))
}

// source says where a weight of the artifact comes from, by the names alone.
func (m *tiny) expected(name string, layer int, e, r, c int64) float32 {
	p := fmt.Sprintf("model.layers.%d.", layer)
	own := name[bytes.LastIndexByte([]byte(name[:len(name)-7]), '.')+1:]
	switch own {
	case "attn_q.weight", "attn_k.weight":
		hub := map[string]string{"attn_q.weight": "self_attn.q_proj.weight", "attn_k.weight": "self_attn.k_proj.weight"}[own]
		return m.naive(p+hub, m.rotary(own, r, hub, p), c)
	case "ffn_gate_exps.weight", "ffn_up_exps.weight":
		up := int64(0)
		if own == "ffn_up_exps.weight" {
			up = 1
		}
		switch {
		case m.has(p + "mlp.experts.gate_up_proj_blocks"):
			return m.naiveMXFP4(p+"mlp.experts.gate_up_proj", e, 2*r+up, c)
		case m.has(p+"mlp.experts.gate_up_proj") && m.has(p+"self_attn.sinks"):
			return m.naive(p+"mlp.experts.gate_up_proj", e, c, 2*r+up)
		case m.has(p + "mlp.experts.gate_up_proj"):
			return m.naive(p+"mlp.experts.gate_up_proj", e, r+48*up, c)
		}
		return m.naive(fmt.Sprintf("%smlp.experts.%d.%s_proj.weight", p, e, []string{"gate", "up"}[up]), r, c)
	case "ffn_down_exps.weight":
		switch {
		case m.has(p + "mlp.experts.down_proj_blocks"):
			return m.naiveMXFP4(p+"mlp.experts.down_proj", e, r, c)
		case m.has(p+"mlp.experts.down_proj") && m.has(p+"self_attn.sinks"):
			return m.naive(p+"mlp.experts.down_proj", e, c, r)
		case m.has(p + "mlp.experts.down_proj"):
			return m.naive(p+"mlp.experts.down_proj", e, r, c)
		}
		return m.naive(fmt.Sprintf("%smlp.experts.%d.down_proj.weight", p, e), r, c)
	}
	return float32(math.NaN())
}

func (m *tiny) has(name string) bool {
	for i := range m.tensors {
		if m.tensors[i].Name == name {
			return true
		}
	}
	return false
}

// rotary is the source row of a row: within a head of llama, halves become
// pairs.
func (m *tiny) rotary(own string, r int64, hub, p string) int64 {
	if !bytes.Contains([]byte(m.config), []byte("LlamaForCausalLM")) {
		return r
	}
	heads := int64(4)
	if own == "attn_k.weight" {
		heads = 2
	}
	dim := m.find(p + hub).Shape[0] / heads
	return r/dim*dim + r%dim/2 + r%2*(dim/2)
}

// partReaders are sequential readers of a slice's parts.
func partReaders(f *memory, m *Model, s Slice) []io.Reader {
	var out []io.Reader
	for _, p := range s.Parts {
		data := f.files[m.Files[p.File].Name]
		out = append(out, bytes.NewReader(data[p.Offset:p.Offset+p.Size]))
	}
	return out
}

// Every weight of every kind of model is where the hub's library and llama.cpp
// have it.
func TestRowsOfModels(t *testing.T) {
	for name, tm := range tinies() {
		t.Run(name, func(t *testing.T) {
			f := tm.folder(t)
			m := open(t, f)
			compared := 0
			for i := range m.Tensors {
				x := &m.Tensors[i]
				for e, s := range x.Slices {
					r, err := NewRowReader(s.Layout, partReaders(f, m, s))
					require.NoError(t, err)
					got := make([]float32, s.Layout.Rows*s.Layout.Cols)
					rows, err := r.Read(got)
					require.NoError(t, err)
					require.EqualValues(t, s.Layout.Rows, rows)
					_, err = r.Read(got[:s.Layout.Cols])
					require.ErrorIs(t, err, io.EOF)
					for row := range s.Layout.Rows {
						for col := range s.Layout.Cols {
							want := tm.expected(x.Name, x.Layer, int64(e), row, col)
							if math.IsNaN(float64(want)) {
								continue
							}
							compared++
							if v := got[row*s.Layout.Cols+col]; v != want {
								t.Fatalf("%s, expert %d, row %d, column %d: %v instead of %v", x.Name, e, row, col, v, want)
							}
						}
					}
				}
			}
			require.Greater(t, compared, 1000)
		})
	}
}

// Biases of gate and up stand by turns; llama's biases take the rotary order
// too.
func TestRowsOfBiases(t *testing.T) {
	tm := tinyGptoss(true)
	f := tm.folder(t)
	m := open(t, f)
	for up, name := range []string{"blk.1.ffn_gate_exps.bias", "blk.1.ffn_up_exps.bias"} {
		got := readAllRows(t, f, m, name)
		for e := range int64(4) {
			for c := range int64(64) {
				require.Equal(t, tm.naive("model.layers.1.mlp.experts.gate_up_proj_bias", e, 2*c+int64(up)), got[e*64+c])
			}
		}
	}
	tm = tinyLlama()
	f = tm.folder(t)
	m = open(t, f)
	got := readAllRows(t, f, m, "blk.0.attn_q.bias")
	for i := range int64(32) {
		require.Equal(t, tm.naive("model.layers.0.self_attn.q_proj.bias", i/8*8+i%8/2+i%2*4), got[i])
	}
	require.Equal(t, []float32{1, 1, 8, 8}, readAllRows(t, f, m, "rope_freqs.weight"))
}

func readAllRows(t *testing.T, f *memory, m *Model, name string) []float32 {
	t.Helper()
	x, ok := m.Tensor(name)
	require.True(t, ok)
	require.Len(t, x.Slices, 1)
	r, err := NewRowReader(x.Slices[0].Layout, partReaders(f, m, x.Slices[0]))
	require.NoError(t, err)
	out := make([]float32, x.Elements())
	_, err = r.Read(out)
	require.NoError(t, err)
	return out
}

// layouts are of all kinds; the large ones take several chunks.
func layouts() map[string]Layout {
	return map[string]Layout{
		"plain":             {Encoding: "bf16", Rows: 3000, Cols: 96},
		"one row":           {Encoding: "f32", Rows: 1, Cols: 7},
		"row above a chunk": {Encoding: "f32", Rows: 3, Cols: chunkBytes/4 + 32},
		"stride":            {Encoding: "f16", Rows: 1500, Cols: 96, First: 2, Stride: 3},
		"transposed":        {Encoding: "bf16", Rows: 300, Cols: 700, Transpose: true},
		"transposed f32":    {Encoding: "f32", Rows: 50, Cols: 70, Transpose: true},
		"both":              {Encoding: "bf16", Rows: 300, Cols: 500, First: 1, Stride: 2, Transpose: true},
		"columns":           {Encoding: "bf16", Rows: 40, Cols: 9000, First: 1, Stride: 2, Columns: true},
		"permuted":          {Encoding: "bf16", Rows: 512, Cols: 640, PermuteHeads: 4},
		"permuted columns":  {Encoding: "f32", Rows: 1, Cols: 64, PermuteHeads: 4, Columns: true},
		"hub":               {Encoding: hubMXFP4, Rows: 3000, Cols: 320},
		"hub stride":        {Encoding: hubMXFP4, Rows: 3000, Cols: 320, First: 1, Stride: 2},
		"quantized":         {Encoding: "q4_k", Rows: 900, Cols: 512},
		"values":            {Encoding: "f32", Rows: 1, Cols: 5, Values: []float32{1, 2, 3, 4, 5}},
	}
}

// randomParts fills the parts of a layout.
func randomParts(t *testing.T, l Layout) [][]byte {
	t.Helper()
	sizes, err := l.PartSizes()
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(3, 4))
	var out [][]byte
	for _, n := range sizes {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rng.IntN(200)) // no scale of 255, and few infinities
		}
		out = append(out, b)
	}
	return out
}

// reference makes the rows that a layout means, as its type stores them, in the
// plainest way.
func reference(l Layout, typ *quant.Type, parts [][]byte) []byte {
	if l.Values != nil {
		var out []byte
		for _, v := range l.Values {
			out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
		}
		return out
	}
	stride := max(l.Stride, 1)
	if l.Encoding == hubMXFP4 {
		var out []byte
		per := l.Cols / 32
		for r := range l.Rows {
			for b := range per {
				at := (l.First+r*stride)*per + b
				block := parts[0][16*at:][:16]
				nibble := func(i int) byte { return block[i/2] >> (4 * (i % 2)) & 15 }
				out = append(out, parts[1][at])
				for j := range 16 {
					out = append(out, nibble(j)|nibble(j+16)<<4)
				}
			}
		}
		return out
	}
	width := typ.RowBytes(l.Cols)
	units := l.Rows
	if l.Columns || l.Transpose {
		width, units = int64(typ.Bytes), l.Rows*l.Cols
	}
	out := make([]byte, units*width)
	for u := range units {
		from := l.First + u*stride
		if l.Transpose {
			row, col := u/l.Cols, u%l.Cols
			from = col*l.Rows*stride + l.First + row*stride
		}
		if l.PermuteHeads != 0 {
			head := units / int64(l.PermuteHeads)
			from = u/head*head + u%head/2 + u%2*(head/2)
		}
		copy(out[u*width:][:width], parts[0][from*width:][:width])
	}
	return out
}

func readersOf(parts [][]byte) []io.Reader {
	var out []io.Reader
	for _, p := range parts {
		out = append(out, iotest.HalfReader(bytes.NewReader(p)))
	}
	return out
}

func TestRowReader(t *testing.T) {
	for name, l := range layouts() {
		t.Run(name, func(t *testing.T) {
			typ, err := l.Type()
			require.NoError(t, err)
			parts := randomParts(t, l)
			want := reference(l, typ, parts)
			floats := make([]float32, l.Rows*l.Cols)
			typ.Dequantize(floats, want)
			row := typ.RowBytes(l.Cols)
			for _, step := range []int64{1, 7, 64, l.Rows} {
				// All as they are stored.
				r, err := NewRowReader(l, readersOf(parts))
				require.NoError(t, err)
				got := make([]byte, 0, len(want))
				for {
					dst := make([]byte, step*row)
					n, ok, err := r.Raw(dst, typ)
					require.True(t, ok)
					if errors.Is(err, io.EOF) {
						require.Zero(t, n)
						break
					}
					require.NoError(t, err)
					require.LessOrEqual(t, int64(n), step)
					got = append(got, dst[:int64(n)*row]...)
				}
				require.True(t, bytes.Equal(want, got), "in steps of %d rows", step)
				// By turns decoded and as they are.
				r, err = NewRowReader(l, readersOf(parts))
				require.NoError(t, err)
				for at := int64(0); at < l.Rows; {
					var n int
					if at/step%2 == 0 {
						dst := make([]float32, min(step, l.Rows-at)*l.Cols)
						n, err = r.Read(dst)
						require.True(t, sameFloats(floats[at*l.Cols:][:len(dst)], dst), "row %d in steps of %d", at, step)
					} else {
						dst := make([]byte, min(step, l.Rows-at)*row)
						n, _, err = r.Raw(dst, typ)
						require.True(t, bytes.Equal(want[at*row:][:len(dst)], dst), "row %d in steps of %d", at, step)
					}
					require.NoError(t, err)
					at += int64(n)
				}
			}
		})
	}
}

// sameFloats compares bits, so that NaNs are equal.
func sameFloats(a, b []float32) bool {
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			return false
		}
	}
	return len(a) == len(b)
}

// Whatever part ends early, and wherever, that is an error which says the row.
func TestRowReaderTruncated(t *testing.T) {
	for name, l := range layouts() {
		full := randomParts(t, l)
		for i := range full {
			for _, cut := range []int{0, 1, len(full[i]) / 2, len(full[i]) - 1} {
				parts := append([][]byte(nil), full...)
				parts[i] = full[i][:cut]
				r, err := NewRowReader(l, readersOf(parts))
				require.NoError(t, err)
				dst := make([]float32, l.Cols)
				for err == nil {
					_, err = r.Read(dst)
				}
				require.ErrorIs(t, err, io.ErrUnexpectedEOF, "%s, part %d cut at %d", name, i, cut)
				require.ErrorContains(t, err, "row ")
				_, again := r.Read(dst)
				require.Equal(t, err, again, "an error stays")
			}
		}
	}
}

func TestRowReaderMisuse(t *testing.T) {
	l := Layout{Encoding: "bf16", Rows: 2, Cols: 4}
	_, err := NewRowReader(l, nil)
	require.ErrorContains(t, err, `encoding "bf16" is read from 1 parts, not 0`)
	_, err = NewRowReader(Layout{Encoding: "f32", Rows: 1, Cols: 1, Values: []float32{1}}, []io.Reader{nil})
	require.ErrorContains(t, err, "read from 0 parts, not 1")
	r, err := NewRowReader(l, []io.Reader{bytes.NewReader(make([]byte, 16))})
	require.NoError(t, err)
	_, err = r.Read(make([]float32, 5))
	require.ErrorContains(t, err, "room for 5 where a row takes 4: not whole rows")
	_, err = r.Read(nil)
	require.ErrorContains(t, err, "room for 0")
	f32, _ := quant.Lookup("f32")
	n, ok, err := r.Raw(make([]byte, 16), f32)
	require.NoError(t, err)
	require.False(t, ok)
	require.Zero(t, n)
	bf16, _ := quant.Lookup("bf16")
	_, ok, err = r.Raw(make([]byte, 7), bf16)
	require.True(t, ok)
	require.ErrorContains(t, err, "room for 7 where a row takes 8")
}

func TestRowReaderBadScale(t *testing.T) {
	l := Layout{Encoding: hubMXFP4, Rows: 5, Cols: 96, First: 1, Stride: 2}
	parts := randomParts(t, l)
	parts[1][3*3+2] = 255 // source row 3 is result row 1
	r, err := NewRowReader(l, readersOf(parts))
	require.NoError(t, err)
	_, err = r.Read(make([]float32, 5*96))
	require.ErrorContains(t, err, "row 1, block 2: the scale 0xff is not a number: the file is damaged; download it again")
}
