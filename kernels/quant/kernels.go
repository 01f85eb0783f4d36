package quant

import "os"

// kernels are the inner loops that have an implementation for vectors. All
// implementations give the same bits. Callers have checked lengths: w is as
// long as x or z, lanes.n is not above laneCount.
type kernels struct {
	name string
	ok   bool // this machine can run it

	// Sums over codes for the lanes of a batch, see the methods of lanes.
	fitAffine, rateAffine func(l *lanes, z, w []float32, f *affineFacts)
	fitScale, rateScale   func(l *lanes, x, w []float32, v *levels)
	fitTable, rateTable   func(l *lanes, x, w []float32, t *levelTable)
}

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
