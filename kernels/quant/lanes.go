package quant

// lanes is a batch of candidate grids for a run of weights, and what becomes
// of them: each weight v is rounded to the level q nearest to v*inv + off, and
// q, qq and qx are the sums of w*q, w*q*q and w*q*v. Every lane adds up in the
// order of the weights, so that an implementation with a lane per vector
// element gives the same bits. Kernels may write to all of a group of 16 lanes
// of which some are in use.
type lanes struct {
	inv, off   [laneCount]float32
	q, qq, qx  [laneCount]float32
	b, a, gain [laneCount]float32 // weights are b*q + a, which takes gain off the squared error of zeros
	n          int                // lanes in use

	// Integer scales and minima of the lanes, for rateIntegers; or what the
	// caller wants to remember.
	note1, note2 [laneCount]float32

	cost [superBlock]float32 // scratch
}

const laneCount = 64

// noGain is the gain of a lane that must not be chosen.
const noGain = -0x1p127

// best is the first lane with the largest gain, if that is more than least;
// else -1.
func (l *lanes) best(least float32) int {
	at := -1
	for i, g := range l.gain[:l.n] {
		if g > least {
			least, at = g, i
		}
	}
	return at
}

// fitAffine finds the b and a that suit each lane's codes best. Like the others
// below it gives the first lane with the largest gain; any where no lane may be
// chosen.
func (l *lanes) fitAffine(f *affineBlock) int {
	return use.fitAffine(l, f.z, f.w[:len(f.z)], &f.affineFacts)
}

// rateAffine takes b and a as they are.
func (l *lanes) rateAffine(f *affineBlock) int {
	return use.rateAffine(l, f.z, f.w[:len(f.z)], &f.affineFacts)
}

// rateIntegers takes the b and a of integer scales and minima, note1 and note2,
// and the grid that they are.
func (l *lanes) rateIntegers(f *affineBlock) int {
	return use.rateIntegers(l, f.z, f.w[:len(f.z)], &f.affineFacts)
}

// fitScale finds the b that suits each lane's codes best, off and a being 0.
func (l *lanes) fitScale(v *levels, x, w []float32) int {
	if v.table != nil {
		return use.fitTable(l, x, w[:len(x)], v.table)
	}
	return use.fitScale(l, x, w[:len(x)], v)
}

// rateScale takes b as it is.
func (l *lanes) rateScale(v *levels, x, w []float32) int {
	if v.table != nil {
		return use.rateTable(l, x, w[:len(x)], v.table)
	}
	return use.rateScale(l, x, w[:len(x)], v)
}
