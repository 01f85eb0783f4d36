package engine

import (
	"encoding/binary"
	"encoding/hex"
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
	buf  []byte
	name []byte
}

// eachComponent calls add for everything that an action's output depends on, in
// the order of the key. What it passes is valid during the call only.
func (r *resolution) eachComponent(i int, s *keyScratch, add func(name, value []byte)) {
	a := r.plan.Actions[i]
	var value [80]byte
	v := append(value[:0], a.Stage...)
	v = append(v, " v"...)
	add([]byte("stage"), strconv.AppendInt(v, int64(a.Version), 10))
	if a.Fingerprint != "" {
		add([]byte("implementation"), []byte(a.Fingerprint))
	}
	for n := range a.Params {
		p := &a.Params[n]
		s.name = append(append(s.name[:0], paramPrefix...), p.Name...)
		add(s.name, []byte(p.Value))
	}
	for n := 0; n < len(a.Inputs); {
		m := n + 1
		for m < len(a.Inputs) && a.Inputs[m].Name == a.Inputs[n].Name {
			m++
		}
		s.name = append(append(s.name[:0], inputPrefix...), a.Inputs[n].Name...)
		add(s.name, r.appendInput(value[:0], a.Inputs[n:m]))
		n = m
	}
}

// appendInput is the content of inputs of one name: the one id itself, or the
// hash over several with their count.
func (r *resolution) appendInput(b []byte, inputs []Input) []byte {
	if len(inputs) == 1 {
		id := r.content(&inputs[0])
		return hex.AppendEncode(b, id[:])
	}
	h := blake3.New()
	for i := range inputs {
		id := r.content(&inputs[i])
		h.Write(id[:])
	}
	var sum [32]byte
	b = hex.AppendEncode(b, h.Sum(sum[:0]))
	return strconv.AppendInt(append(b, " of "...), int64(len(inputs)), 10)
}

// components are those of the key of an action whose inputs are known, to be
// kept with its result.
func (r *resolution) components(i int) []cache.Component {
	var out []cache.Component
	r.eachComponent(i, &keyScratch{}, func(name, value []byte) {
		out = append(out, cache.Component{Name: string(name), Value: string(value)})
	})
	return out
}

// key is the ActionID of an action whose inputs are known: the hash of its
// components, each with its length so that no two lists give the same bytes.
func (r *resolution) key(i int, s *keyScratch) cache.ActionID {
	s.buf = append(s.buf[:0], keyDomain...)
	r.eachComponent(i, s, func(name, value []byte) {
		s.buf = binary.AppendUvarint(s.buf, uint64(len(name)))
		s.buf = append(s.buf, name...)
		s.buf = binary.AppendUvarint(s.buf, uint64(len(value)))
		s.buf = append(s.buf, value...)
	})
	return cache.ActionID(blake3.Sum256(s.buf))
}
