package cpu

import "math"

func inner(a, b []float32) float32 {
	var s [8]float32
	b = b[:len(a)]
	i := 0
	for ; i+8 <= len(a); i += 8 {
		x, y := a[i:i+8:i+8], b[i:i+8:i+8]
		for k := range 8 {
			s[k] += x[k] * y[k]
		}
	}
	sum := ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]))
	for ; i < len(a); i++ {
		sum += a[i] * b[i]
	}
	return sum
}

func addTo(x, y []float32) {
	y = y[:len(x)]
	for i := range x {
		x[i] += y[i]
	}
}

func addScaled(x, y []float32, f float32) {
	for i, v := range y {
		x[i] += v * f
	}
}

func scale(x []float32, f float32) {
	for i := range x {
		x[i] *= f
	}
}

func rmsNorm(dst, src, weight []float32, eps float32) {
	sum := 0.0
	for _, v := range src {
		sum += float64(v) * float64(v)
	}
	f := float32(1 / math.Sqrt(sum/float64(len(src))+float64(eps)))
	for i, v := range src {
		dst[i] = v * f * weight[i]
	}
}

func swiGLU(dst, gate, up []float32) {
	for i, g := range gate {
		dst[i] = g / (1 + float32(math.Exp(float64(-g)))) * up[i]
	}
}

func clampedSwiGLU(dst, gate, up []float32) {
	for i, g := range gate {
		x := min(g, 7)
		y := max(min(up[i], 7), -7)
		dst[i] = x / (1 + float32(math.Exp(-1.702*float64(x)))) * (y + 1)
	}
}

func softmax(x []float32) {
	most := x[0]
	for _, v := range x {
		most = max(most, v)
	}
	sum := 0.0
	for i, v := range x {
		x[i] = float32(math.Exp(float64(v - most)))
		sum += float64(x[i])
	}
	scale(x, float32(1/sum))
}

func topK(index []int32, value, x []float32) {
	n := 0
	for i, v := range x {
		if n == len(index) && !(v > value[n-1]) {
			continue
		}
		if n < len(index) {
			n++
		}
		at := n - 1
		for at > 0 && v > value[at-1] {
			value[at], index[at] = value[at-1], index[at-1]
			at--
		}
		value[at], index[at] = v, int32(i)
	}
}

func rotate(x, cos, sin []float32, interleaved bool) {
	n := len(cos)
	if interleaved {
		for i := range n {
			a, b := x[2*i], x[2*i+1]
			x[2*i], x[2*i+1] = a*cos[i]-b*sin[i], a*sin[i]+b*cos[i]
		}
		return
	}
	for i := range n {
		a, b := x[i], x[i+n]
		x[i], x[i+n] = a*cos[i]-b*sin[i], a*sin[i]+b*cos[i]
	}
}
