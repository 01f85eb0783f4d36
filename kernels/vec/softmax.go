package vec

import "math"

// Max is the largest number in x, -Inf where there is none; NaN doesn't count.
func Max(x []float32) float32 {
	most := float32(math.Inf(-1))
	whole := len(x) / lanes * lanes
	for lo := 0; lo < whole; lo += part {
		most = max(most, use.top(x[lo:min(lo+part, whole)]))
	}
	return max(most, scalar.top(x[whole:]))
}

// Softmax turns scores into probabilities, in place: exp(x - max) over their
// sum, which is a float64 (in runs of 32768 numbers, element i in lane i mod 8).
// Scores
// that are all -Inf become zeros; NaN or +Inf among them makes all NaN.
func Softmax(x []float32) { SoftmaxSink(x, float32(math.Inf(-1))) }

// SoftmaxSink is Softmax with one score more, whose probability is dropped: a
// learned attention sink. -Inf stands for none.
func SoftmaxSink(x []float32, sink float32) {
	most := max(Max(x), sink)
	if math.IsInf(float64(most), -1) {
		for i, v := range x {
			if v == v {
				x[i] = 0
			}
		}
		return
	}
	sum := expSum(x, x, most) + float64(exp32(sink-most))
	Scale(x, float32(1/sum))
}

// LogSumExp is log(sum(exp(x))), in which exponentials are float32s and their
// sum is not; -Inf where x is empty.
func LogSumExp(x []float32) float64 {
	most := Max(x)
	if math.IsInf(float64(most), -1) {
		return math.Inf(-1)
	}
	sum, buf := 0.0, make([]float32, min(len(x), 1<<12))
	for ; len(x) > 0; x = x[len(buf):] {
		buf = buf[:min(len(buf), len(x))]
		sum += expSum(buf, x[:len(buf)], most)
	}
	return float64(most) + math.Log(sum)
}
