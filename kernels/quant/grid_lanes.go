package quant

import (
	"math"
	"slices"
	"sync"
)

// gridNear is the number of codewords that are tried for a pattern of levels.
const gridNear = 8

// gridTable finds codewords for kernels: those next to each pattern of levels,
// the nearest first.
type gridTable struct {
	// of three levels: what lies between them; of eight: the inverse of their
	// distance, and the lowest.
	mid   [2]float32
	level [16]float32 // repeated
	// near has gridNear entries for each pattern: a codeword's codes below its
	// place in the grid. A pattern counts the first weight's level lowest.
	near []uint32
}

// gridLanes are the codewords of a block: 32 lanes of 8 weights, or 64 of 4.
type gridLanes struct {
	x, w, wx [superBlock]float32 // row r holds weight r of each codeword
	scale    [64]float32
	qx, qq   [64]float32 // sums of w*q*x and w*q*q of the best codeword
	cost     [64]float32 // its squared error, less a constant
	word     [64]uint32  // its entry
}

// lazyTable makes the table of a grid, when first asked.
func lazyTable(g func() *grid) func() *gridTable {
	return sync.OnceValue(func() *gridTable { return newGridTable(g()) })
}

func newGridTable(g *grid) *gridTable {
	t := &gridTable{}
	levels, bits := 8, 3
	t.mid = [2]float32{1 / (g.level[1] - g.level[0]), g.level[0]}
	if g.weights == 8 {
		levels, bits = 3, 2
		t.mid = [2]float32{(g.level[0] + g.level[1]) / 2, (g.level[1] + g.level[2]) / 2}
	}
	for i := range t.level {
		t.level[i] = g.level[i%(1<<bits)]
	}
	// Squared distances of level i from level j.
	var apart [8][8]float32
	for i, a := range g.level[:levels] {
		for j, b := range g.level[:levels] {
			apart[i][j] = (a - b) * (a - b)
		}
	}
	// Codewords in halves, and what a half of a pattern is away from each half.
	half := g.weights / 2
	patterns := 1
	for range half {
		patterns *= levels
	}
	codes := make([]uint32, len(g.point))
	halves := make([][2]int, len(g.point))
	for at, p := range g.point {
		for i := g.weights - 1; i >= 0; i-- {
			l := slices.Index(g.level[:levels], p[i])
			codes[at] |= uint32(l) << (bits * i)
			halves[at][i/half] = halves[at][i/half]*levels + l
		}
		codes[at] |= uint32(at) << 16
	}
	away := make([]float32, patterns*patterns)
	for a := range patterns {
		for b := range patterns {
			for x, y := a, b; x+y > 0; x, y = x/levels, y/levels {
				away[a*patterns+b] += apart[x%levels][y%levels]
			}
		}
	}
	t.near = make([]uint32, patterns*patterns*gridNear)
	for p := range patterns * patterns {
		low, high := away[p%patterns*patterns:][:patterns], away[p/patterns*patterns:][:patterns]
		near := t.near[gridNear*p:][:gridNear]
		var dist [gridNear]float32
		n := 0
		for at, h := range halves {
			d := low[h[0]] + high[h[1]]
			if n == gridNear && d >= dist[n-1] {
				continue
			}
			if n < gridNear {
				n++
			}
			i := n - 1
			for ; i > 0 && d < dist[i-1]; i-- {
				dist[i], near[i] = dist[i-1], near[i-1]
			}
			dist[i], near[i] = d, codes[at]
		}
	}
	return t
}

// nearWords8 finds for each lane of 8 weights the best codeword of the n
// nearest to its weights, the levels being shifted.
func nearWords8(l *gridLanes, t *gridTable, n int, shift float32) {
	for lane := range 32 {
		s := l.scale[lane]
		m1, m2 := s*(t.mid[0]+shift), s*(t.mid[1]+shift)
		pattern := 0
		for r := 7; r >= 0; r-- {
			x := l.x[32*r+lane]
			pattern *= 3
			if x > m1 {
				pattern++
			}
			if x > m2 {
				pattern++
			}
		}
		best := float32(0x1p126)
		l.qx[lane], l.qq[lane], l.cost[lane], l.word[lane] = 0, 0, best, 0
		for _, word := range t.near[gridNear*pattern:][:n] {
			var qx, qq float32
			for r := range 8 {
				q := t.level[word>>(2*r)&3] + shift
				qx += float32(q * l.wx[32*r+lane])
				qq += float32(float32(q*q) * l.w[32*r+lane])
			}
			if cost := s * (float32(s*qq) - 2*qx); cost < best {
				best = cost
				l.qx[lane], l.qq[lane], l.cost[lane], l.word[lane] = qx, qq, cost, word
			}
		}
	}
}

// nearWords4 does so for lanes of 4 weights.
func nearWords4(l *gridLanes, t *gridTable, n int) {
	for lane := range 64 {
		s := l.scale[lane]
		inv := float32(inverse(s) * t.mid[0])
		off := float32(t.mid[1] * t.mid[0])
		pattern := 0
		for r := 3; r >= 0; r-- {
			q := int32(math.Float32bits(float32(l.x[64*r+lane]*inv) - off + magic))
			pattern = pattern<<3 | int(min(max(q, magicBits), magicBits+7)-magicBits)
		}
		best := float32(0x1p126)
		l.qx[lane], l.qq[lane], l.cost[lane], l.word[lane] = 0, 0, best, 0
		for _, word := range t.near[gridNear*pattern:][:n] {
			var qx, qq float32
			for r := range 4 {
				q := t.level[word>>(3*r)&7]
				qx += float32(q * l.wx[64*r+lane])
				qq += float32(float32(q*q) * l.w[64*r+lane])
			}
			if cost := s * (float32(s*qq) - 2*qx); cost < best {
				best = cost
				l.qx[lane], l.qq[lane], l.cost[lane], l.word[lane] = qx, qq, cost, word
			}
		}
	}
}
