package engine

import (
	"context"
	"encoding/binary"
	"fmt"
	"sort"

	"github.com/zeebo/blake3"

	"github.com/llama-pajamas/pj/cache"
)

// lastPlan is what was planned last in this scope: address -> ActionID.
func (k *Known) lastPlan(ctx context.Context, scope string) (map[string]cache.ActionID, error) {
	if k.Records == nil {
		return nil, nil
	}
	vals, err := k.Records.Records(ctx, lastBucket, []string{scope})
	if err != nil {
		return nil, fmt.Errorf("cache records: %w", err)
	}
	out := map[string]cache.ActionID{}
	for b := vals[0]; len(b) > 0; {
		n, w := binary.Uvarint(b)
		if w <= 0 || len(b)-w < 32 || n > uint64(len(b)-w-32) {
			return out, nil // a damaged record costs explanations only
		}
		var id cache.ActionID
		copy(id[:], b[w+int(n):])
		out[string(b[w:w+int(n)])] = id
		b = b[w+int(n)+32:]
	}
	return out, nil
}

// saveLast records what this plan's addresses came to, so that the next miss
// can be explained. It writes only when something changed. Addresses that the
// plan does not have (a build of some addresses only) keep their old entry.
func (k *Known) saveLast(ctx context.Context, r *resolution) error {
	if k.Records == nil {
		return nil
	}
	h := blake3.New()
	known := func(i int) bool { return !r.states[i].ID.IsZero() && r.entries[i] != nil }
	var text []byte
	for i, a := range r.plan.Actions {
		if known(i) {
			text = append(append(text[:0], a.Address...), r.states[i].ID[:]...)
			h.Write(text)
		}
	}
	digest := h.Sum(nil)
	vals, err := k.Records.Records(ctx, lastBucket, []string{r.plan.Scope + " digest"})
	if err != nil {
		return fmt.Errorf("cache records: %w", err)
	}
	if string(vals[0]) == string(digest) {
		return nil
	}
	pairs, err := k.lastPlan(ctx, r.plan.Scope)
	if err != nil {
		return err
	}
	for i, a := range r.plan.Actions {
		if known(i) {
			pairs[a.Address] = r.states[i].ID
		}
	}
	addresses := make([]string, 0, len(pairs))
	for a := range pairs {
		addresses = append(addresses, a)
	}
	sort.Strings(addresses)
	var buf []byte
	for _, a := range addresses {
		id := pairs[a]
		buf = binary.AppendUvarint(buf, uint64(len(a)))
		buf = append(buf, a...)
		buf = append(buf, id[:]...)
	}
	return k.putRecords(ctx, lastBucket, map[string][]byte{r.plan.Scope: buf, r.plan.Scope + " digest": digest})
}
