// Package stages holds the kinds of blocks that recipes may use and the work
// they stand for: one file each.
package stages

import (
	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/runtime/hub"
)

// Services are what stages need of the outside, for engine.Lower.
type Services struct {
	// Hub reads models of the hub; nil where none may be read.
	Hub *hub.Client
	// Pin is the revision that the lock file holds for a model's source, "" for
	// none; nil: nothing is pinned.
	Pin func(address, source string) string
}

var registry []*engine.Stage

// register adds a kind of block; the catalog panics where one is there twice.
func register(s *engine.Stage) *engine.Stage {
	registry = append(registry, s)
	return s
}
