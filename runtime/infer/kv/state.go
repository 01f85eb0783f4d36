package kv

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/llama-pajamas/pj/kernels/quant"
)

// A state is: magic, version, tokens, layers; for each layer its first page and
// their number; for each page the types' names and its bytes. Numbers are
// unsigned varints, names and bytes have their length before them.
const (
	stateMagic   = "pjkv"
	stateVersion = 1
)

// Save gives the sequence as bytes, for Load of a sequence of the same plan.
func (s *Sequence) Save() ([]byte, error) {
	b := append(make([]byte, 0, int(s.bytes)+1024), stateMagic...)
	b = binary.AppendUvarint(b, stateVersion)
	b = binary.AppendUvarint(b, uint64(s.n))
	b = binary.AppendUvarint(b, uint64(len(s.layers)))
	for i := range s.layers {
		lp := &s.layers[i]
		if lp.n != s.n {
			return nil, fmt.Errorf("kv: layer %d has %d tokens of %d: a pass has failed; truncate the sequence first", i, lp.n, s.n)
		}
		b = binary.AppendUvarint(b, uint64(lp.first))
		b = binary.AppendUvarint(b, uint64(len(lp.pages)))
		for j := range lp.pages {
			p := &lp.pages[j]
			for _, part := range [][]byte{[]byte(p.kt.Name), []byte(p.vt.Name), p.k, p.v} {
				b = binary.AppendUvarint(b, uint64(len(part)))
				b = append(b, part...)
			}
		}
	}
	return b, nil
}

var errState = errors.New("kv: this is no state of this model and cache, or it is damaged")

// Load replaces the sequence by a saved one of the same plan. Where it fails
// the sequence is empty.
func (s *Sequence) Load(state []byte) error {
	s.Free()
	r := stateReader{state}
	if string(r.take(len(stateMagic))) != stateMagic || r.number() != stateVersion {
		return errState
	}
	n := r.number()
	if r.number() != len(s.layers) {
		return errState
	}
	layers := make([]layerPages, len(s.layers))
	bytes := int64(0)
	for i := range layers {
		l, lp := &s.plan.Layers[i], &layers[i]
		lp.first, lp.n = r.number(), n
		pages := r.number()
		if lp.first < 0 || pages < 0 || pages > len(r.b) || lp.first > n/PageTokens || (n > 0) != (pages > 0) ||
			lp.first+pages != (n+PageTokens-1)/PageTokens || l.Window == 0 && lp.first > 0 ||
			l.Window > 0 && lp.first*PageTokens > max(0, n-l.Window+1) {
			return errState
		}
		for j := range pages {
			k, v := l.types(lp.first+j, max(n-1, 0))
			p := page{kt: k, vt: v}
			if !r.isName(k) || !r.isName(v) {
				return errState
			}
			p.k, p.v = r.bytes(), r.bytes()
			if len(p.k) != l.Heads*l.keyBytes(k) || len(p.v) != l.Heads*l.valBytes(v) {
				return errState
			}
			lp.pages = append(lp.pages, p)
			bytes += int64(len(p.k) + len(p.v))
		}
	}
	if len(r.b) != 0 {
		return errState
	}
	s.n, s.layers = n, layers
	s.count(bytes)
	return nil
}

// stateReader reads what Save wrote; what is missing reads as -1 and nil.
type stateReader struct{ b []byte }

func (r *stateReader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.b = nil
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *stateReader) number() int {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > 1<<40 {
		r.b = nil
		return -1
	}
	r.b = r.b[n:]
	return int(v)
}

// bytes are copied: the state is the caller's.
func (r *stateReader) bytes() []byte { return append([]byte(nil), r.take(r.number())...) }

func (r *stateReader) isName(t *quant.Type) bool { return string(r.take(r.number())) == t.Name }
