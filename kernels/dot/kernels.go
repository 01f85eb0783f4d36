package dot

import "os"

// kernels is an implementation of products.
type kernels struct {
	name string
	ok   bool // this machine can run it

	mul        func(p *product)
	roundSuper func(r *superRecord, x []float32)
	roundSmall func(r *smallRecord, x []float32)
}

var scalar = kernels{name: "scalar", ok: true, mul: mulScalar, roundSuper: roundSuper, roundSmall: roundSmall}

// use is the implementation in use: PJ_KERNELS names one, for tests and to
// find out what a fault comes from.
var use = choose(os.Getenv("PJ_KERNELS"))

// choose gives the named implementation, or the best one where that name is
// unknown or this machine cannot run it.
func choose(name string) *kernels {
	all := available()
	for _, k := range all {
		if k.name == name {
			return k
		}
	}
	return all[0]
}

// available lists what this machine can run, best first.
func available() (all []*kernels) {
	for i := range impls {
		if impls[i].ok {
			all = append(all, &impls[i])
		}
	}
	return append(all, &scalar)
}
