package dot

import "github.com/llama-pajamas/pj/kernels/tier"

// kernels is an implementation of products.
type kernels struct {
	tier.Tier

	mul        func(p *product)
	roundSuper func(r *superRecord, x []float32)
	roundSmall func(r *smallRecord, x []float32)
}

var scalar = kernels{Tier: tier.Scalar, mul: mulScalar, roundSuper: roundSuper, roundSmall: roundSmall}

// use is the implementation in use.
var use = tier.Pick(available())

// available lists what this machine can run, best first.
func available() []*kernels { return tier.Available(impls, &scalar) }
