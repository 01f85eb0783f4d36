package stages

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/llama-pajamas/pj/cache"
	"github.com/llama-pajamas/pj/engine"
)

// provenance is what an artifact says of its own making.
type provenance struct {
	Recipe json.RawMessage `json:"recipe"`
	Lock   json.RawMessage `json:"lock"`
	Stages json.RawMessage `json:"stages"`
}

// provenanceOf is what was written into an artifact.
func provenanceOf(ctx context.Context, c *engine.Conclusion, a *engine.ArtifactPlan) (*provenance, error) {
	if a.Action < 0 {
		return nil, fmt.Errorf("%s was not made", a.Address)
	}
	action := c.Plan.Actions[a.Action]
	var params packParams
	if err := action.Params.Decode(&params); err != nil {
		return nil, fmt.Errorf("%s: %w", a.Address, err)
	}
	var digests []string
	for _, in := range action.Inputs {
		if in.Name != "content" {
			continue
		}
		raw, err := outputOf(ctx, c, in.Action, in.Output, 128)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", a.Address, err)
		}
		digests = append(digests, string(raw))
	}
	return &provenance{
		Recipe: json.RawMessage(fillIn(params.Recipe, digests)),
		Lock:   json.RawMessage(fillIn(params.Lock, digests)),
		Stages: json.RawMessage(params.Stages),
	}, nil
}

// outputOf reads a small output of a finished action.
func outputOf(ctx context.Context, c *engine.Conclusion, action int, name string, limit int64) ([]byte, error) {
	entry := c.Entry(action)
	if entry == nil {
		return nil, fmt.Errorf("%s has no result", c.Plan.Actions[action].Address)
	}
	for _, o := range entry.Outputs {
		if o.Name == name {
			return readBlob(ctx, c.Store, o, limit)
		}
	}
	return nil, fmt.Errorf("%s has no output %s", c.Plan.Actions[action].Address, name)
}

func readBlob(ctx context.Context, store cache.Store, o cache.Output, limit int64) ([]byte, error) {
	if o.Size > limit {
		return nil, fmt.Errorf("output %s has %d bytes, more than the %d that make sense", o.Name, o.Size, limit)
	}
	blob, err := store.Open(ctx, o.ID)
	if err != nil {
		return nil, fmt.Errorf("output %s: %w", o.Name, err)
	}
	defer blob.Close()
	raw := make([]byte, o.Size)
	if _, err := io.ReadFull(blob, raw); err != nil {
		return nil, fmt.Errorf("output %s: %w", o.Name, err)
	}
	return raw, nil
}
