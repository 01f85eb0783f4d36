package cli

import (
	"context"
	"reflect"

	"github.com/llama-pajamas/pj/runtime/gguf"
)

// keyDiff is a key of the metadata that differs.
type keyDiff struct {
	Key    string `json:"key"`
	Status string `json:"status"`
	A      any    `json:"a,omitempty"`
	B      any    `json:"b,omitempty"`

	textA, textB string
}

// diffKeys lists the keys that differ, in the order of A, then what only B has.
// Formats without metadata are not compared.
func (a *app) diffKeys(ctx context.Context, wa, wb *weights) ([]keyDiff, error) {
	out := []keyDiff{}
	if wa.metadata == nil || wb.metadata == nil {
		return out, nil
	}
	var lists [2][]gguf.KV
	for i, w := range []*weights{wa, wb} {
		kvs, err := w.keys(ctx)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			a.warn("the metadata of %s cannot be read, and is not compared: %v", w.path, err)
			return out, nil
		}
		lists[i] = kvs
	}
	inB := make(map[string]any, len(lists[1]))
	for _, kv := range lists[1] {
		inB[kv.Key] = kv.Value
	}
	for _, kv := range lists[0] {
		v, both := inB[kv.Key]
		delete(inB, kv.Key)
		switch {
		case !both:
			out = append(out, keyDiff{kv.Key, onlyAStatus, jsonValue(kv.Value), nil, kvText(kv.Value), "-"})
		case !reflect.DeepEqual(jsonValue(kv.Value), jsonValue(v)) || kvType(kv.Value) != kvType(v):
			d := keyDiff{kv.Key, changedStatus, jsonValue(kv.Value), jsonValue(v), kvText(kv.Value), kvText(v)}
			if d.textA == d.textB {
				d.textA, d.textB = kvType(kv.Value)+" "+d.textA, kvType(v)+" "+d.textB
			}
			out = append(out, d)
		}
	}
	for _, kv := range lists[1] {
		if _, left := inB[kv.Key]; left {
			out = append(out, keyDiff{kv.Key, onlyBStatus, nil, jsonValue(kv.Value), "-", kvText(kv.Value)})
		}
	}
	return out, nil
}
