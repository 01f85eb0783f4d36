package vec

import "math"

// exp(x) = 2^n exp(r), where n = round(x/ln 2) and |r| <= ln(2)/2. ln 2 is
// split so that n times its upper part is exact; exp(r) = 1 + r + r^2 p(r) with
// a p of degree four that is off by less than 2^-28 of the result.
const (
	expLog2E = 0x1.715476p+0
	expLn2Hi = 0x1.62e4p-1
	expLn2Lo = 0x1.7f7d1cp-20
	expC0    = 0x1.fffffcp-2
	expC1    = 0x1.555492p-3
	expC2    = 0x1.5558f2p-5
	expC3    = 0x1.123a2p-7
	expC4    = 0x1.6a23cep-10

	expLeast = -104 // below, the result rounds to 0
	expMost  = 89   // above, it overflows

	magic     = 3 << 22 // a float32 to which adding rounds to an integer
	magicBits = 0x4b400000
)

func exp32(x float32) float32 {
	if x < expLeast {
		x = expLeast
	}
	if x > expMost {
		x = expMost
	}
	t := float32(x*expLog2E) + magic
	n := int32(math.Float32bits(t)) - magicBits
	t -= magic
	r := float32(x-float32(t*expLn2Hi)) - float32(t*expLn2Lo)
	p := float32(expC4*r) + expC3
	p = float32(p*r) + expC2
	p = float32(p*r) + expC1
	p = float32(p*r) + expC0
	y := float32(float32(p*float32(r*r))+r) + 1
	// In two steps, as 2^n may not be a normal number; only the last one rounds.
	half := n >> 1
	return y * power2(half) * power2(n-half)
}

// power2 is 2^n for -126 <= n <= 127.
func power2(n int32) float32 { return math.Float32frombits(uint32(n+127) << 23) }

// Exp writes e^x for every x; dst may be x. It is off by at most 0.98 units in
// the last place, measured over all float32s. What underflows is rounded to the
// nearest denormal, what overflows is +Inf.
func Exp(dst, x []float32) {
	sameLength("Exp", len(dst), len(x))
	expSum(dst, x, 0)
}

// expSum is dst = exp(x - from), and gives their sum.
func expSum(dst, x []float32, from float32) (sum float64) {
	runs(len(x), func(lo, hi int) { sum += use.expSum(dst[lo:hi], x[lo:hi], from) },
		func(lo, hi int) { sum += scalar.expSum(dst[lo:hi], x[lo:hi], from) })
	return sum
}
