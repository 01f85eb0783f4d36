//go:build !noasm

package quant

import (
	"unsafe"

	"github.com/llama-pajamas/pj/kernels/tier"
)

//go:generate go -C gen run . -out ../kernels_amd64.s

// impls are the implementations besides scalar, best first.
var impls = []kernels{
	{
		Tier: tier.AVX512,
		top:  topAVX512, times: timesAVX512, costs: costsAVX512, ends: endsAVX512,
		moments: momentsAVX512, codes: codesAVX512,
		fitAffine: fitAffineAVX512, rateAffine: rateAffineAVX512, rateIntegers: rateIntegersAVX512,
		fitScale: fitScaleAVX512, rateScale: rateScaleAVX512,
		fitTable: fitTableAVX512, rateTable: rateTableAVX512,
		chooseScales: chooseScalesAVX512, chooseMinima: chooseMinimaAVX512,
		measure: measureAVX512, measureWeighted: measureWeightedAVX512,
		dotLanes: dotLanesAVX512, addScaled: addScaledAVX512, takeOff: takeOffAVX512,
		turn16: turn16AVX512, turn32: turn32AVX512, tableCodes32: tableCodes32AVX512, level32: level32AVX512,
		rateScales: [columnKinds]func(*columns, *[superBlock]float32, *levels){columns32: rateScales32AVX512, columnsTable32: rateTable32AVX512},
		packBF16:   packBF16AVX512, packF16: packF16AVX512,
		nearWords8: nearWords8AVX512, nearWords4: nearWords4AVX512,
		streamQ8_0: streamQ8_0AVX512, streamMXFP4: streamMXFP4AVX512,
		searchScales:  [columnKinds]func(*columns, *[superBlock]float32, *levels, *columnScalePlan){searchScales16AVX512, searchScales32AVX512, searchTable32AVX512},
		integerScales: [columnKinds]func(*columns, *[superBlock]float32, *levels, float32, float32, float32, int){integerScales16AVX512, integerScales32AVX512, integerTable32AVX512},
		searchAffine:  [columnsTable32]func(*columns, *[superBlock]float32, float32, *columnAffinePlan){searchAffine16AVX512, searchAffine32AVX512},
		integerGrids:  [columnsTable32]func(*columns, *[superBlock]float32, float32, float32, float32, float32){integerGrids16AVX512, integerGrids32AVX512},
		columnCodes:   [columnsTable32]func(*[superBlock]uint8, []float32, *columns, float32, float32){columnCodes16AVX512, columnCodes32AVX512},
		unpack:        unpackAVX512,
	},
	{
		Tier: tier.AVX2,
		top:  topAVX2, times: timesAVX2, costs: costsAVX2, ends: endsAVX2,
		moments: momentsAVX2, codes: codesAVX2,
		fitAffine: fitAffineAVX2, rateAffine: rateAffineAVX2, rateIntegers: rateIntegersAVX2,
		fitScale: fitScaleAVX2, rateScale: rateScaleAVX2,
		fitTable: fitTableAVX2, rateTable: rateTableAVX2,
		chooseScales: chooseScalesAVX2, chooseMinima: chooseMinimaAVX2,
		measure: measureAVX2, measureWeighted: measureWeightedAVX2,
		dotLanes: dotLanesAVX2, addScaled: addScaledAVX2, takeOff: takeOffAVX2,
		turn16: turn16AVX2, turn32: turn32AVX2, tableCodes32: tableCodes32AVX2, level32: level32AVX2,
		rateScales: [columnKinds]func(*columns, *[superBlock]float32, *levels){columns32: rateScales32AVX2, columnsTable32: rateTable32AVX2},
		packBF16:   packBF16AVX2, packF16: packF16AVX2,
		nearWords8: nearWords8AVX2, nearWords4: nearWords4AVX2,
		streamQ8_0: streamQ8_0AVX2, streamMXFP4: streamMXFP4AVX2,
		searchScales:  [columnKinds]func(*columns, *[superBlock]float32, *levels, *columnScalePlan){searchScales16AVX2, searchScales32AVX2, searchTable32AVX2},
		integerScales: [columnKinds]func(*columns, *[superBlock]float32, *levels, float32, float32, float32, int){integerScales16AVX2, integerScales32AVX2, integerTable32AVX2},
		searchAffine:  [columnsTable32]func(*columns, *[superBlock]float32, float32, *columnAffinePlan){searchAffine16AVX2, searchAffine32AVX2},
		integerGrids:  [columnsTable32]func(*columns, *[superBlock]float32, float32, float32, float32, float32){integerGrids16AVX2, integerGrids32AVX2},
		columnCodes:   [columnsTable32]func(*[superBlock]uint8, []float32, *columns, float32, float32){columnCodes16AVX2, columnCodes32AVX2},
		unpack:        unpackAVX2,
	},
}

// The assembly trusts in these offsets; where one is wrong, an array here has
// a negative length or an index is out of range.
var (
	_ = [1]byte{}[unsafe.Offsetof(lanes{}.off)-1*4*laneCount]
	_ = [1]byte{}[unsafe.Offsetof(lanes{}.qx)-4*4*laneCount]
	_ = [1]byte{}[unsafe.Offsetof(lanes{}.gain)-7*4*laneCount]
	_ = [1]byte{}[unsafe.Offsetof(lanes{}.n)-8*4*laneCount]
	_ = [1]byte{}[unsafe.Offsetof(lanes{}.note1)-8*4*laneCount-8]
	_ = [1]byte{}[unsafe.Offsetof(affineFacts{}.ceiling)-16]
	_ = [1]byte{}[unsafe.Offsetof(affineFacts{}.dmin)-32]
	_ = [1]byte{}[unsafe.Offsetof(rowSums{}.most)-256]
	_ = [1]byte{}[unsafe.Offsetof(choice{}.base)-384]
	_ = [1]byte{}[unsafe.Offsetof(choice{}.d)-448]
	_ = [1]byte{}[unsafe.Offsetof(choice{}.minima)-960]
	_ = [1]byte{}[unsafe.Offsetof(levels{}.hi)-4]
	_ = [1]byte{}[unsafe.Offsetof(gridLanes{}.scale)-3072]
	_ = [1]byte{}[unsafe.Offsetof(gridLanes{}.word)-4096]
	_ = [1]byte{}[unsafe.Offsetof(gridTable{}.near)-72]
	_ = [1]byte{}[unsafe.Offsetof(levels{}.table)-8]
	_ = [1]byte{}[unsafe.Offsetof(columns{}.b)-1024]
	_ = [1]byte{}[unsafe.Offsetof(columns{}.gain)-1344]
	_ = [1]byte{}[unsafe.Offsetof(columns{}.base)-1600]
	_ = [1]byte{}[unsafe.Offsetof(columns{}.room)-1920]
	_ = [1]byte{}[unsafe.Offsetof(columns{}.up)-2048]
	_ = [1]byte{}[unsafe.Offsetof(levelTable{}.lower)-520]
	_ = [1]byte{}[unsafe.Offsetof(columnScalePlan{}.count)-256]
	_ = [1]byte{}[unsafe.Offsetof(columnScalePlan{}.from)-280]
	_ = [1]byte{}[unsafe.Offsetof(columnAffinePlan{}.count)-256]
	_ = [1]byte{}[unsafe.Offsetof(levelTable{}.turn)-64]
	_ = [1]byte{}[unsafe.Offsetof(levelTable{}.first)-448]
	_ = [1]byte{}[unsafe.Offsetof(levelTable{}.near)-464]
)

//go:noescape
func topAVX512(x []float32) int

//go:noescape
func topAVX2(x []float32) int

//go:noescape
func timesAVX512(dst, x []float32, by float32)

//go:noescape
func timesAVX2(dst, x []float32, by float32)

//go:noescape
func costsAVX512(cost, x, w []float32, from float32) int

//go:noescape
func costsAVX2(cost, x, w []float32, from float32) int

//go:noescape
func endsAVX512(x []float32) (least, most float32)

//go:noescape
func endsAVX2(x []float32) (least, most float32)

//go:noescape
func momentsAVX512(z, x, w []float32, f *affineFacts)

//go:noescape
func momentsAVX2(z, x, w []float32, f *affineFacts)

//go:noescape
func codesAVX512(dst []uint8, x []float32, inv, off, lo, hi float32)

//go:noescape
func codesAVX2(dst []uint8, x []float32, inv, off, lo, hi float32)

//go:noescape
func fitAffineAVX512(l *lanes, z, w []float32, f *affineFacts) int

//go:noescape
func fitAffineAVX2(l *lanes, z, w []float32, f *affineFacts) int

//go:noescape
func rateAffineAVX512(l *lanes, z, w []float32, f *affineFacts) int

//go:noescape
func rateIntegersAVX512(l *lanes, z, w []float32, f *affineFacts) int

//go:noescape
func rateAffineAVX2(l *lanes, z, w []float32, f *affineFacts) int

//go:noescape
func rateIntegersAVX2(l *lanes, z, w []float32, f *affineFacts) int

//go:noescape
func fitScaleAVX512(l *lanes, x, w []float32, v *levels) int

//go:noescape
func fitScaleAVX2(l *lanes, x, w []float32, v *levels) int

//go:noescape
func rateScaleAVX512(l *lanes, x, w []float32, v *levels) int

//go:noescape
func rateScaleAVX2(l *lanes, x, w []float32, v *levels) int

//go:noescape
func fitTableAVX512(l *lanes, x, w []float32, t *levelTable) int

//go:noescape
func fitTableAVX2(l *lanes, x, w []float32, t *levelTable) int

//go:noescape
func rateTableAVX512(l *lanes, x, w []float32, t *levelTable) int

//go:noescape
func rateTableAVX2(l *lanes, x, w []float32, t *levelTable) int

//go:noescape
func chooseScalesAVX512(c *choice, n, count int, most float32)

//go:noescape
func chooseScalesAVX2(c *choice, n, count int, most float32)

//go:noescape
func chooseMinimaAVX512(c *choice, k, n, count int, most float32)

//go:noescape
func chooseMinimaAVX2(c *choice, k, n, count int, most float32)

//go:noescape
func measureAVX512(s *rowSums, x, y []float32)

//go:noescape
func measureWeightedAVX512(s *rowSums, x, y, w []float32)

//go:noescape
func measureAVX2(s *rowSums, x, y []float32)

//go:noescape
func measureWeightedAVX2(s *rowSums, x, y, w []float32)

//go:noescape
func searchScales16AVX512(c *columns, w *[superBlock]float32, v *levels, p *columnScalePlan)

//go:noescape
func searchScales16AVX2(c *columns, w *[superBlock]float32, v *levels, p *columnScalePlan)

//go:noescape
func searchScales32AVX512(c *columns, w *[superBlock]float32, v *levels, p *columnScalePlan)

//go:noescape
func searchScales32AVX2(c *columns, w *[superBlock]float32, v *levels, p *columnScalePlan)

//go:noescape
func searchTable32AVX512(c *columns, w *[superBlock]float32, v *levels, p *columnScalePlan)

//go:noescape
func searchTable32AVX2(c *columns, w *[superBlock]float32, v *levels, p *columnScalePlan)

//go:noescape
func integerScales16AVX512(c *columns, w *[superBlock]float32, v *levels, d, lo, hi float32, reach int)

//go:noescape
func integerScales16AVX2(c *columns, w *[superBlock]float32, v *levels, d, lo, hi float32, reach int)

//go:noescape
func integerScales32AVX512(c *columns, w *[superBlock]float32, v *levels, d, lo, hi float32, reach int)

//go:noescape
func integerScales32AVX2(c *columns, w *[superBlock]float32, v *levels, d, lo, hi float32, reach int)

//go:noescape
func integerTable32AVX512(c *columns, w *[superBlock]float32, v *levels, d, lo, hi float32, reach int)

//go:noescape
func integerTable32AVX2(c *columns, w *[superBlock]float32, v *levels, d, lo, hi float32, reach int)

//go:noescape
func searchAffine16AVX512(c *columns, w *[superBlock]float32, n float32, p *columnAffinePlan)

//go:noescape
func searchAffine16AVX2(c *columns, w *[superBlock]float32, n float32, p *columnAffinePlan)

//go:noescape
func searchAffine32AVX512(c *columns, w *[superBlock]float32, n float32, p *columnAffinePlan)

//go:noescape
func searchAffine32AVX2(c *columns, w *[superBlock]float32, n float32, p *columnAffinePlan)

//go:noescape
func integerGrids16AVX512(c *columns, w *[superBlock]float32, n, d, dmin, most float32)

//go:noescape
func integerGrids16AVX2(c *columns, w *[superBlock]float32, n, d, dmin, most float32)

//go:noescape
func integerGrids32AVX512(c *columns, w *[superBlock]float32, n, d, dmin, most float32)

//go:noescape
func integerGrids32AVX2(c *columns, w *[superBlock]float32, n, d, dmin, most float32)

//go:noescape
func columnCodes16AVX512(dst *[superBlock]uint8, x []float32, c *columns, lo, hi float32)

//go:noescape
func columnCodes16AVX2(dst *[superBlock]uint8, x []float32, c *columns, lo, hi float32)

//go:noescape
func columnCodes32AVX512(dst *[superBlock]uint8, x []float32, c *columns, lo, hi float32)

//go:noescape
func columnCodes32AVX2(dst *[superBlock]uint8, x []float32, c *columns, lo, hi float32)

//go:noescape
func turn16AVX512(dst *[superBlock]float32, x []float32)

//go:noescape
func turn16AVX2(dst *[superBlock]float32, x []float32)

//go:noescape
func turn32AVX512(dst *[superBlock]float32, x []float32)

//go:noescape
func turn32AVX2(dst *[superBlock]float32, x []float32)

//go:noescape
func tableCodes32AVX512(dst *[superBlock]uint8, x []float32, c *columns, t *levelTable)

//go:noescape
func level32AVX512(dst *[superBlock]float32, x []float32, c *columns) (most uint32)

//go:noescape
func tableCodes32AVX2(dst *[superBlock]uint8, x []float32, c *columns, t *levelTable)

//go:noescape
func level32AVX2(dst *[superBlock]float32, x []float32, c *columns) (most uint32)

//go:noescape
func rateScales32AVX512(c *columns, w *[superBlock]float32, v *levels)

//go:noescape
func rateTable32AVX512(c *columns, w *[superBlock]float32, v *levels)

//go:noescape
func streamQ8_0AVX512(dst []byte, x []float32) int

//go:noescape
func streamMXFP4AVX512(dst []byte, x []float32) int

//go:noescape
func rateScales32AVX2(c *columns, w *[superBlock]float32, v *levels)

//go:noescape
func rateTable32AVX2(c *columns, w *[superBlock]float32, v *levels)

//go:noescape
func streamQ8_0AVX2(dst []byte, x []float32) int

//go:noescape
func streamMXFP4AVX2(dst []byte, x []float32) int

//go:noescape
func nearWords8AVX512(l *gridLanes, t *gridTable, n int, shift float32)

//go:noescape
func nearWords4AVX512(l *gridLanes, t *gridTable, n int)

//go:noescape
func nearWords8AVX2(l *gridLanes, t *gridTable, n int, shift float32)

//go:noescape
func nearWords4AVX2(l *gridLanes, t *gridTable, n int)

//go:noescape
func dotLanesAVX512(out *[4][rowLanes]float32, a *[4][]float32, e []float32, used int)

//go:noescape
func addScaledAVX512(to, x []float32, by float32)

//go:noescape
func takeOffAVX512(row []float64, rows *[4][]float32, by *[4]float64)

//go:noescape
func dotLanesAVX2(out *[4][rowLanes]float32, a *[4][]float32, e []float32, used int)

//go:noescape
func addScaledAVX2(to, x []float32, by float32)

//go:noescape
func takeOffAVX2(row []float64, rows *[4][]float32, by *[4]float64)

//go:noescape
func packBF16AVX512(dst []byte, x []float32)

//go:noescape
func packF16AVX512(dst []byte, x []float32)

//go:noescape
func packBF16AVX2(dst []byte, x []float32)

//go:noescape
func packF16AVX2(dst []byte, x []float32)
