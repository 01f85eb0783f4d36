package quant

import (
	"encoding/binary"
	"math"
)

const maxFloat = math.MaxFloat32

// scaleKind is a floating point type that scales are stored in.
type scaleKind struct {
	name  string
	bytes int
	sign  uint32 // the bit of the sign; those below it are the magnitude, in order
	code  func(float32) uint32
	value func(uint32) float32
}

var (
	bf16Scales = scaleKind{"bf16", 2, 1 << 15,
		func(f float32) uint32 { return uint32(F32ToBF16(f)) },
		func(c uint32) float32 { return BF16ToF32(uint16(c)) }}
	f16Scales = scaleKind{"f16", 2, 1 << 15,
		func(f float32) uint32 { return uint32(F32ToF16(f)) },
		func(c uint32) float32 { return F16ToF32(uint16(c)) }}
	f32Scales = scaleKind{"f32", 4, 1 << 31, math.Float32bits, math.Float32frombits}

	scaleKinds = map[string]*scaleKind{"bf16": &bf16Scales, "f16": &f16Scales, "f32": &f32Scales}
)

func (s *scaleKind) get(b []byte) float32 {
	if s.bytes == 4 {
		return math.Float32frombits(binary.LittleEndian.Uint32(b))
	}
	return s.value(uint32(binary.LittleEndian.Uint16(b)))
}

func (s *scaleKind) put(b []byte, v float32) {
	if s.bytes == 4 {
		binary.LittleEndian.PutUint32(b, math.Float32bits(v))
		return
	}
	binary.LittleEndian.PutUint16(b, uint16(s.code(v)))
}

// round is the nearest number of the type.
func (s *scaleKind) round(v float32) float32 { return s.value(s.code(v)) }

// around lists the numbers of the type next to v, the nearest first, then one
// on its other side; that one only where it is v itself.
func (s *scaleKind) around(v float32) (near [2]float32, n int) {
	c := s.code(v)
	near[0] = s.value(c)
	switch {
	case near[0] == v || abs(near[0]) > maxFloat || v != v:
		return near, 1
	case abs(near[0]) < abs(v):
		c++
	default:
		c--
	}
	near[1] = s.value(c)
	return near, 2
}
