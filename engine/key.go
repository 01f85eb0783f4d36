package engine

import (
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strconv"

	"github.com/zeebo/blake3"

	"github.com/llama-pajamas/pj/cache"
)

// keyDomain separates action keys from every other hash, and versions the way
// in which keys are put together.
const keyDomain = "pj action 1\n"

// Prefixes of a component's name; they keep a parameter and an input of one
// name apart.
const (
	paramPrefix = "param "
	inputPrefix = "input "
)

// keyScratch is memory that one key after another is put together in.
type keyScratch struct {
	buf []byte
	ids []byte
}

// appendKey puts everything that an action's output depends on into s.buf, in
// the order of the key: components, each with its length so that no two lists
// give the same bytes.
func (r *resolution) appendKey(i int, s *keyScratch) {
	a := r.plan.Actions[i]
	b := append(s.buf[:0], keyDomain...)
	var value [96]byte
	v := append(append(value[:0], a.Stage...), " v"...)
	v = strconv.AppendInt(v, int64(a.Version), 10)
	b = appendBytes(appendString(b, "", "stage"), v)
	if a.Fingerprint != "" {
		b = appendString(appendString(b, "", "implementation"), "", a.Fingerprint)
	}
	for n := range a.Params {
		p := &a.Params[n]
		b = appendString(appendString(b, paramPrefix, p.Name), "", p.Value)
	}
	for n := 0; n < len(a.Inputs); {
		m := n + 1
		for m < len(a.Inputs) && a.Inputs[m].Name == a.Inputs[n].Name {
			m++
		}
		b = appendString(b, inputPrefix, a.Inputs[n].Name)
		b = appendBytes(b, r.appendInput(value[:0], a.Inputs[n:m], s))
		n = m
	}
	s.buf = b
}

// appendString appends a string of two parts with its length in front.
func appendString(b []byte, prefix, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(prefix)+len(s)))
	return append(append(b, prefix...), s...)
}

func appendBytes(b, s []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// appendInput is the content of inputs of one name: the one id itself, or the
// hash over several with their count.
func (r *resolution) appendInput(b []byte, inputs []Input, s *keyScratch) []byte {
	if len(inputs) == 1 {
		id := r.content(&inputs[0])
		return hex.AppendEncode(b, id[:])
	}
	s.ids = slices.Grow(s.ids[:0], len(inputs)*len(cache.OutputID{}))
	for i := range inputs {
		id := r.content(&inputs[i])
		s.ids = append(s.ids, id[:]...)
	}
	sum := blake3.Sum256(s.ids)
	b = hex.AppendEncode(b, sum[:])
	return strconv.AppendInt(append(b, " of "...), int64(len(inputs)), 10)
}

// components are those of the key of an action whose inputs are known, to be
// kept with its result.
func (r *resolution) components(i int) []cache.Component {
	var s keyScratch
	r.appendKey(i, &s)
	rest := string(s.buf[len(keyDomain):])
	next := func() string {
		n, w := binary.Uvarint([]byte(rest[:min(len(rest), binary.MaxVarintLen64)]))
		part := rest[w : w+int(n)]
		rest = rest[w+int(n):]
		return part
	}
	var out []cache.Component
	for rest != "" {
		out = append(out, cache.Component{Name: next(), Value: next()})
	}
	return out
}

// key is the ActionID of an action whose inputs are known: the hash of its
// components.
func (r *resolution) key(i int, s *keyScratch) cache.ActionID {
	r.appendKey(i, s)
	return cache.ActionID(blake3.Sum256(s.buf))
}
