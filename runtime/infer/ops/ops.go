// Package ops is what the graph of a model asks of the machine that runs it: a
// few operations on activations and weights which live where that machine
// keeps them.
package ops

import (
	"context"

	"github.com/llama-pajamas/pj/kernels/vec"
	"github.com/llama-pajamas/pj/runtime/infer/kv"
	"github.com/llama-pajamas/pj/runtime/infer/weights"
)

// Buffer is room for the activations of a pass: a row of float32 for each token.
type Buffer interface{ Cols() int }

// Matrix is a matrix of weights.
type Matrix interface{ Shape() (rows, cols int) }

// Vector is a vector of weights.
type Vector interface{ Len() int }

// Experts are the experts of a layer.
type Experts interface{ Count() int }

// Rope is a table of rotary positions.
type Rope interface{ Dims() int }

// Routing is which experts each token of a pass goes to, and their weights.
type Routing interface{ Used() int }

// Cache holds the keys and values of sequences.
type Cache interface {
	// New adds a sequence, without tokens.
	New() Sequence
	// Bytes are those that keys and values take now.
	Bytes() int64
}

// Sequence are the keys and values of one sequence.
type Sequence interface {
	// Len is the number of tokens.
	Len() int
	// Advance counts n tokens that a pass has stored in every layer.
	Advance(n int)
	// Truncate forgets the tokens from n on. It fails where tokens before them
	// are no longer there as they were: behind a sliding window, or stored
	// anew in fewer bits.
	Truncate(n int) error
	// Save and Load move the state of a sequence out and in.
	Save() ([]byte, error)
	Load(state []byte) error
	// Bytes are those that keys and values take now.
	Bytes() int64
	// Free gives the memory back; the sequence has no tokens then.
	Free()
}

// Span are rows of a pass that are tokens of one sequence, in order.
type Span struct {
	Seq      Sequence
	Row, Len int
	Start    int // position of the first token
}

// Batch is what a pass works on: a row for each token.
type Batch struct {
	Tokens []int32
	Pos    []int32 // position of each row's token in its sequence
	Spans  []Span  // cover all rows, in order
}

// Attention are the settings of a layer's attention.
type Attention struct {
	Layer              int
	Heads, HeadsKV     int
	KeyWidth, ValWidth int // of a head
	Scale              float32
	Window             int    // tokens that a query sees, itself included; 0: all
	Sinks              Vector // a logit for each head that takes part in the softmax and is dropped; nil: none
}

// Activation is what joins an expert's gate and up projections.
type Activation int

const (
	// SwiGLU is silu(gate) * up.
	SwiGLU Activation = iota
	// ClampedSwiGLU is gpt-oss's: x = min(gate, 7), y = clamp(up, -7, 7),
	// x * sigmoid(1.702 x) * (y + 1).
	ClampedSwiGLU
)

// Backend runs operations. What it makes is used with it alone. Operations
// between Begin and End may run later, in order; where one fails, those after
// it do nothing and End gives the error. A backend is for one pass at a time.
type Backend interface {
	Name() string
	Close() error

	// Matrix, Vector, Experts and Rope take weights over.
	Matrix(ctx context.Context, m *weights.Matrix) (Matrix, error)
	Vector(v []float32) (Vector, error)
	Experts(ctx context.Context, e *weights.Experts) (Experts, error)
	Rope(c vec.RopeConfig) (Rope, error)

	// Buffer and Routing make room for a pass of up to rows tokens, Cache for
	// keys and values.
	Buffer(rows, cols int) (Buffer, error)
	Routing(rows, experts, used int) (Routing, error)
	Cache(p *kv.Plan) (Cache, error)

	// Begin starts a pass, which ctx ends early.
	Begin(ctx context.Context, b *Batch)
	// End waits for all operations.
	End() error

	// Embed looks tokens up.
	Embed(dst Buffer, w Matrix)
	// RMSNorm divides rows by their root mean square and multiplies by weight.
	RMSNorm(dst, src Buffer, weight Vector, eps float32)
	// HeadNorm is RMSNorm of each of a row's heads, in place.
	HeadNorm(x Buffer, heads int, weight Vector, eps float32)
	// Linear is x·wᵀ, with a bias where that is not nil.
	Linear(dst Buffer, w Matrix, bias Vector, x Buffer)
	// Rotate turns a row's heads by their position, in place.
	Rotate(x Buffer, heads int, r Rope)
	// Attend stores keys and values and attends to them.
	Attend(dst, q, k, v Buffer, a *Attention)
	// Activate joins gate and up.
	Activate(dst, gate, up Buffer, a Activation)
	// Add adds y to x.
	Add(x, y Buffer)
	// Route chooses the experts with the largest logits; their weights are the
	// softmax of these. That is also what the softmax of all logits gives once
	// it is cut to the chosen ones and divided by their sum.
	Route(r Routing, logits Buffer)
	// Mix runs the chosen experts and sums their results by their weights.
	Mix(dst, x Buffer, e Experts, r Routing, a Activation)
	// Gather copies rows, whose numbers rise; the pass goes on with these. dst may
	// be src.
	Gather(dst, src Buffer, rows []int32)

	// Read waits for the operations so far and copies rows from first on.
	Read(dst []float32, src Buffer, first int) error
	// Write fills rows from first on.
	Write(dst Buffer, src []float32, first int) error
	// Routes waits and gives the chosen experts and their weights, [rows, used]
	// each, in the order in which they were chosen. Valid until the next Route.
	Routes(r Routing) (experts []int32, weights []float32, err error)
	// Observe has a function see what goes on within Attend and Mix.
	Observe(w *Watch)
}

// Watch sees inside of operations. Functions that are nil cost nothing. Slices
// are valid during the call.
type Watch struct {
	// Attention: the probabilities of one query's head; the first is that of
	// position first.
	Attention func(layer, row, head, first int, probabilities []float32)
	// ExpertInput: what an expert's down projection gets, for one token.
	ExpertInput func(layer, expert, row int, hidden []float32)
	// ExpertOutput: what an expert gives for one token, before its weight.
	ExpertOutput func(layer, expert, row int, out []float32)
}
