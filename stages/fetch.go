package stages

import (
	"context"
	"fmt"
	"strings"

	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/runtime/hub"
)

// Fetch brings a file of the hub to this machine, into the cache of the hub's
// own tools.
func (s *Services) Fetch(ctx context.Context, f engine.File, progress func(bytes int64)) error {
	where, name, ok := strings.Cut(f.Remote, "#")
	if !ok || s.Hub == nil {
		return fmt.Errorf("%s cannot be fetched: it is not of the hub", f.Remote)
	}
	ref, err := hub.ParseRef(where)
	if err != nil {
		return err
	}
	snapshot, err := s.Hub.Snapshot(ctx, ref, ref.Revision)
	if err != nil {
		return err
	}
	last := int64(0)
	path, err := snapshot.Fetch(ctx, name, func(done, _ int64) {
		if progress != nil {
			progress(done - last)
		}
		last = done
	})
	if err != nil {
		return err
	}
	if path != f.Path {
		return fmt.Errorf("%s was fetched to %s, and the plan expects it in %s: plan again", f.Remote, path, f.Path)
	}
	return nil
}
