package engine

import (
	"context"
	"fmt"

	"github.com/zeebo/blake3"

	"github.com/llama-pajamas/pj/cache"
)

// ContentDigest names the whole content of a model: "blake3:" and the hash over
// the ids of its sources, in order. Names of files and tensors are no part of
// it; their order is.
func ContentDigest(ids []cache.OutputID) string {
	h := blake3.New()
	for _, id := range ids {
		h.Write(id[:])
	}
	var sum cache.OutputID
	h.Sum(sum[:0])
	return "blake3:" + sum.String()
}

// ModelDigest is the ContentDigest of a model of the plan. It reads what is not
// known yet; progress, which may be nil, gets the bytes, from several goroutines
// at once.
func (k *Known) ModelDigest(ctx context.Context, plan *Plan, m ModelPlan, progress func(bytes int64)) (string, error) {
	part := &Plan{Scope: plan.Scope, Files: plan.Files}
	for _, s := range m.Sources {
		part.Sources = append(part.Sources, plan.Sources[s])
	}
	r := newResolution(part)
	if err := k.recall(ctx, r); err != nil {
		return "", err
	}
	var todo []int
	for i, id := range r.sources {
		if !id.IsZero() {
			continue
		}
		if f := part.Sources[i].File; !r.files[f].present {
			return "", fmt.Errorf("%s: %s is not fetched yet", m.Address, part.Files[f].Path)
		}
		todo = append(todo, i)
	}
	if err := k.hash(ctx, r, todo, progress); err != nil {
		return "", err
	}
	return ContentDigest(r.sources), nil
}
