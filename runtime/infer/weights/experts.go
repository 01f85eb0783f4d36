package weights

import (
	"context"
	"slices"
)

// Projections of an expert.
const (
	Gate = iota
	Up
	Down
	Projections
)

// Expert are one expert's matrices. Each may be of its own type.
type Expert [Projections]*Matrix

// Experts are the experts of a layer: gate and up are [Width, Hidden], down is
// [Hidden, Width].
type Experts struct {
	Layer         int
	Hidden, Width int
	Each          []Expert
	// Bias are added to the projections' results, [experts, rows] each; nil
	// where there are none.
	Bias [Projections][]float32
}

// Provider brings experts to memory when they are needed. All of an expert's
// bytes can be read between Acquire and Release of a layer.
type Provider interface {
	// Acquire makes sure of the experts of a layer that are listed. It blocks
	// until they are there.
	Acquire(ctx context.Context, layer *Experts, experts []int32) error
	// Bytes are the rows of a projection of an expert that was acquired.
	Bytes(layer *Experts, expert int32, projection int) ([]byte, error)
	// Release says that the experts are not read for now.
	Release(layer *Experts)
}

// Mapped is the Provider that leaves it to the system which experts are in
// memory: they are read from the mapped file as they are touched.
type Mapped struct{}

// Acquire has nothing to do.
func (Mapped) Acquire(ctx context.Context, _ *Experts, _ []int32) error { return ctx.Err() }

// Bytes are those of the matrix.
func (Mapped) Bytes(layer *Experts, expert int32, projection int) ([]byte, error) {
	return layer.Each[expert][projection].Bytes()
}

// Release keeps them.
func (Mapped) Release(*Experts) {}

// Types lists the types that a projection's experts have.
func (e *Experts) Types(projection int) (names []string) {
	for i := range e.Each {
		if n := e.Each[i][projection].Type.Name; !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return names
}
