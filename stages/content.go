package stages

import (
	"context"
	"fmt"
	"strings"

	"github.com/llama-pajamas/pj/cache"
	"github.com/llama-pajamas/pj/engine"
)

// contentParams say that an action names the content of what a block reads, so
// that provenance can tell it without a path.
type contentParams struct {
	Kind string `json:"kind"`
}

// contentOutput is the name of that action's output, the digest as text.
const contentOutput = "digest"

// contented is a block's result whose sources provenance names by content.
type contented interface {
	// content is the attribute that holds the path, and the action that names
	// what lies there.
	content() (attribute string, action int)
}

// addContent plans the action that names the content of sources.
func addContent(p *engine.Planner, b *engine.Block, sources []int) (int, error) {
	params, err := engine.NewParams(contentParams{"content"})
	if err != nil {
		return 0, err
	}
	a := &engine.Action{Address: b.Address + `["content"]`, Stage: b.Stage.ID(), Version: b.Stage.Version, Params: params}
	a.Inputs = make([]engine.Input, 0, len(sources))
	for _, s := range sources {
		a.Inputs = append(a.Inputs, engine.Input{Name: "content", Source: s, Action: -1})
	}
	return p.Action(a), nil
}

// runContent is that action's work.
func runContent(env *engine.Env) error {
	ids := make([]cache.OutputID, len(env.Inputs))
	for i, in := range env.Inputs {
		ids[i] = in.ID
	}
	return env.Write(contentOutput, []byte(engine.ContentDigest(ids)))
}

// standIn holds the place of the nth digest in a recipe until it is known. It
// is as long as a digest, so that it changes no size.
func standIn(n int) string { return fmt.Sprintf("blake3:%064d", n) }

// fillIn replaces the stand-ins by digests.
func fillIn(text string, digests []string) string {
	for n, d := range digests {
		text = strings.ReplaceAll(text, standIn(n), d)
	}
	return text
}

// readDigest reads the output of a content action.
func readDigest(ctx context.Context, env *engine.Env, input int) (string, error) {
	b, err := env.ReadAll(ctx, input, 128)
	if err != nil {
		return "", err
	}
	if len(b) != len(standIn(0)) {
		return "", fmt.Errorf("digest of a source: %d bytes, want %d", len(b), len(standIn(0)))
	}
	return string(b), nil
}
