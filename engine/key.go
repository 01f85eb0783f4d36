package engine

import (
	"encoding/binary"
	"strconv"

	"github.com/zeebo/blake3"

	"github.com/llama-pajamas/pj/cache"
)

// keyDomain separates action keys from every other hash, and versions the way
// in which keys are put together.
const keyDomain = "pj action 1\n"

// keyComponents lists everything that an action's output depends on. ids are
// the contents of its inputs, in order.
func keyComponents(a *Action, ids []cache.OutputID) []cache.Component {
	out := make([]cache.Component, 0, 2+len(a.Params)+len(a.Inputs))
	out = append(out, cache.Component{Name: "stage", Value: a.Stage + " v" + strconv.Itoa(a.Version)})
	if a.Fingerprint != "" {
		out = append(out, cache.Component{Name: "implementation", Value: a.Fingerprint})
	}
	for _, p := range a.Params {
		out = append(out, cache.Component{Name: paramPrefix + p.Name, Value: p.Value})
	}
	for i := 0; i < len(a.Inputs); {
		j := i + 1
		for j < len(a.Inputs) && a.Inputs[j].Name == a.Inputs[i].Name {
			j++
		}
		out = append(out, cache.Component{Name: inputPrefix + a.Inputs[i].Name, Value: joinIDs(ids[i:j])})
		i = j
	}
	return out
}

// Prefixes of a component's name; they keep a parameter and an input of one
// name apart.
const (
	paramPrefix = "param "
	inputPrefix = "input "
)

// joinIDs is the one id itself, or the hash over several with their count.
func joinIDs(ids []cache.OutputID) string {
	if len(ids) == 1 {
		return ids[0].String()
	}
	h := blake3.New()
	for _, id := range ids {
		h.Write(id[:])
	}
	var sum [32]byte
	h.Sum(sum[:0])
	return cache.OutputID(sum).String() + " of " + strconv.Itoa(len(ids))
}

// actionID hashes components, each with its length so that no two lists give
// the same bytes.
func actionID(components []cache.Component) cache.ActionID {
	buf := make([]byte, 0, 1024)
	buf = append(buf, keyDomain...)
	for _, c := range components {
		buf = binary.AppendUvarint(buf, uint64(len(c.Name)))
		buf = append(buf, c.Name...)
		buf = binary.AppendUvarint(buf, uint64(len(c.Value)))
		buf = append(buf, c.Value...)
	}
	return cache.ActionID(blake3.Sum256(buf))
}
