package quant

// dotLanes sets out[i][r] to the sum of a[i][k]*e[k*rowLanes+r], over ascending
// k, for r below used; rows of a are as long as e is in columns.
func dotLanes(out *[4][rowLanes]float32, a *[4][]float32, e []float32, used int) {
	n := len(e) / rowLanes
	a0, a1, a2, a3 := a[0][:n], a[1][:n], a[2][:n], a[3][:n]
	for r := 0; r < used; r += 2 {
		var s0, s1, s2, s3, t0, t1, t2, t3 float32
		for k, v := range a0 {
			p := e[k*rowLanes+r:][:2]
			x, y := p[0], p[1]
			s0 += float32(v * x)
			t0 += float32(v * y)
			s1 += float32(a1[k] * x)
			t1 += float32(a1[k] * y)
			s2 += float32(a2[k] * x)
			t2 += float32(a2[k] * y)
			s3 += float32(a3[k] * x)
			t3 += float32(a3[k] * y)
		}
		out[0][r], out[1][r], out[2][r], out[3][r] = s0, s1, s2, s3
		out[0][r+1], out[1][r+1], out[2][r+1], out[3][r+1] = t0, t1, t2, t3
	}
}

// addScaled adds x times by.
func addScaled(to, x []float32, by float32) {
	x = x[:len(to)]
	for i, v := range x {
		to[i] += float32(v * by)
	}
}

// kernelAddScaled is addScaled for any length.
func kernelAddScaled(to, x []float32, by float32) {
	if len(to)%vectorRun != 0 || len(to) == 0 {
		addScaled(to, x, by)
		return
	}
	use.addScaled(to, x[:len(to)], by)
}

// takeOff subtracts from row each of rows times what by has for it.
func takeOff(row []float64, rows *[4][]float32, by *[4]float64) {
	n := len(row)
	a, b, c, d := rows[0][:n], rows[1][:n], rows[2][:n], rows[3][:n]
	for k := range row {
		s := float64(by[0]*float64(a[k])) + float64(by[1]*float64(b[k]))
		t := float64(by[2]*float64(c[k])) + float64(by[3]*float64(d[k]))
		row[k] -= s + t
	}
}

// kernelTakeOff is takeOff for any length.
func kernelTakeOff(row []float64, rows *[4][]float32, by *[4]float64) {
	n := len(row) &^ 7
	if n > 0 {
		use.takeOff(row[:n], rows, by)
	}
	if n < len(row) {
		rest := [4][]float32{rows[0][n:], rows[1][n:], rows[2][n:], rows[3][n:]}
		takeOff(row[n:], &rest, by)
	}
}
