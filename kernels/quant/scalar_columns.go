package quant

// The kernels of columns in plain Go, by kind.

func searchScales16(c *columns, w *[superBlock]float32, v *levels, p *columnScalePlan) {
	searchScales(c, w, v, p, columns16)
}

func searchScales32(c *columns, w *[superBlock]float32, v *levels, p *columnScalePlan) {
	searchScales(c, w, v, p, columns32)
}

func searchTable32(c *columns, w *[superBlock]float32, v *levels, p *columnScalePlan) {
	searchScales(c, w, v, p, columnsTable32)
}

func integerScales16(c *columns, w *[superBlock]float32, v *levels, d, lo, hi float32, reach int) {
	integerScales(c, w, v, d, lo, hi, reach, columns16)
}

func integerScales32(c *columns, w *[superBlock]float32, v *levels, d, lo, hi float32, reach int) {
	integerScales(c, w, v, d, lo, hi, reach, columns32)
}

func integerTable32(c *columns, w *[superBlock]float32, v *levels, d, lo, hi float32, reach int) {
	integerScales(c, w, v, d, lo, hi, reach, columnsTable32)
}

func searchAffine16(c *columns, w *[superBlock]float32, n float32, p *columnAffinePlan) {
	searchAffine(c, w, n, p, columns16)
}

func searchAffine32(c *columns, w *[superBlock]float32, n float32, p *columnAffinePlan) {
	searchAffine(c, w, n, p, columns32)
}

func integerGrids16(c *columns, w *[superBlock]float32, n, d, dmin, most float32) {
	integerGrids(c, w, n, d, dmin, most, columns16)
}

func integerGrids32(c *columns, w *[superBlock]float32, n, d, dmin, most float32) {
	integerGrids(c, w, n, d, dmin, most, columns32)
}

func columnCodes16(dst *[superBlock]uint8, x []float32, c *columns, lo, hi float32) {
	columnCodes(dst, x, c, lo, hi, columns16)
}

func columnCodes32(dst *[superBlock]uint8, x []float32, c *columns, lo, hi float32) {
	columnCodes(dst, x, c, lo, hi, columns32)
}

func rateScales32(c *columns, w *[superBlock]float32, v *levels) {
	rateScales(c, w, v, columns32)
}

func rateTable32(c *columns, w *[superBlock]float32, v *levels) {
	rateScales(c, w, v, columnsTable32)
}
