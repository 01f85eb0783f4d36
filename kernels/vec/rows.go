package vec

import (
	"fmt"

	"github.com/llama-pajamas/pj/kernels/quant"
)

// Rows are the keys or the values of one head for a run of tokens.
type Rows struct {
	Type *quant.Type // one that has KV
	Data []byte      // from the first token's first byte on
	Dim  int         // numbers of a token, a multiple of Type.Block
	// Stride is how many bytes are between the beginnings of tokens; 0: they
	// follow each other, which is the fastest.
	Stride int

	// ByChannel: Data has groups of Type.Block tokens, each with a block for each
	// of Dim channels (see quant.QuantizeChannels), and Stride is that of groups.
	// First is how many tokens of the first group are left out.
	ByChannel bool
	First     int
}

// rowKind numbers the types that have kernels.
type rowKind int

const (
	rowF32 rowKind = iota
	rowF16
	rowBF16
	rowE4M3
	rowE5M2
	rowQ8_0
	rowQ4_0
	rowQ4_1
	rowIQ4NL
	rowInt3
	rowInt2

	rowKinds
)

var rowKindOf = func() map[*quant.Type]rowKind {
	m := map[*quant.Type]rowKind{}
	for kind, name := range [rowKinds]string{"f32", "f16", "bf16", "e4m3", "e5m2", "q8_0", "q4_0", "q4_1", "iq4_nl", "int3", "int2"} {
		t, ok := quant.Lookup(name)
		if !ok {
			panic("vec: no type " + name)
		}
		m[t] = rowKind(kind)
	}
	return m
}()

// unit is the size of a token, or of a group by channel, and stride how far
// apart they are.
func (r *Rows) unit() (size, stride int) {
	size = r.Dim / r.Type.Block * r.Type.Bytes
	if r.ByChannel {
		size = r.Dim * r.Type.Bytes
	}
	if r.Stride == 0 {
		return size, size
	}
	return size, r.Stride
}

// check panics where there are not so many tokens.
func (r *Rows) check(dim, tokens int) {
	bad := ""
	switch {
	case r.Type == nil || !r.Type.KV:
		bad = "of no type for keys and values"
	case r.Dim != dim || dim <= 0 || !r.ByChannel && dim%r.Type.Block != 0:
		bad = fmt.Sprintf("of %d %s a token where there should be %d", r.Dim, r.Type, dim)
	case tokens < 0 || r.First < 0 || r.First > 0 && (!r.ByChannel || r.First >= r.Type.Block):
		bad = fmt.Sprintf("of %d tokens from number %d on", tokens, r.First)
	case tokens > 0:
		units := tokens
		if r.ByChannel {
			units = (r.First + tokens + r.Type.Block - 1) / r.Type.Block
		}
		size, stride := r.unit()
		if stride < 0 || len(r.Data) < size || stride > 0 && (len(r.Data)-size)/stride < units-1 {
			bad = fmt.Sprintf("of %d tokens of %s in %d bytes, every %d of them", tokens, r.Type, len(r.Data), stride)
		}
	}
	if bad != "" {
		panic("vec: keys or values " + bad)
	}
}

// decode writes rows of cols numbers, len(dst)/cols of them, from unit number
// at on: tokens, or channels of one group.
func (r *Rows) decode(dst []float32, at, cols int) {
	size, stride := r.unit()
	src := r.Data[at*stride:]
	if r.ByChannel {
		stride = r.Type.Bytes
	} else if stride == size && cols%lanes == 0 {
		// One long row is the same.
		cols, stride = len(dst), 0
	}
	if kind, ok := rowKindOf[r.Type]; ok && cols%lanes == 0 && use.decode[kind] != nil {
		use.decode[kind](dst, src, cols, stride)
		return
	}
	for {
		r.Type.Dequantize(dst[:cols], src)
		if dst = dst[cols:]; len(dst) == 0 {
			return
		}
		src = src[stride:]
	}
}

// fetch asks for units to be read, a moment before they are: reading stops while
// products are computed, and a processor looks ahead only while it reads. The
// products of fewer than four queries are done before anything could come.
func (r *Rows) fetch(at, count, heads int) {
	if use.fetch == nil || heads < 4 || count <= 0 {
		return
	}
	size, stride := r.unit()
	if stride == size {
		count, size = 1, count*size
	}
	use.fetch(r.Data[at*stride:], count, size, stride)
}
