//go:build !noasm

#include "textflag.h"

// SDOT Vd.4S, Vn.16B, V4.4B[i], which the assembler does not know.
#define SDOT(i, n, d) WORD $(0x4F84E000 | ((i)&1)<<21 | ((i)>>1)<<11 | (n)<<5 | (d))

// Four columns of 16 rows, with the activations i of four times four in V4.
#define QUAD(i) \
	VLD1.P 64(R1), [V16.B16, V17.B16, V18.B16, V19.B16]; \
	SDOT(i, 16, 0) \
	SDOT(i, 17, 1) \
	SDOT(i, 18, 2) \
	SDOT(i, 19, 3)

// func groupSums(sums *int32, codes *byte, a *int8, runs, groups int)
TEXT ·groupSums(SB), NOSPLIT, $0-40
	MOVD sums+0(FP), R0
	MOVD codes+8(FP), R1
	MOVD a+16(FP), R2
	MOVD runs+24(FP), R3
	MOVD groups+32(FP), R4

group:
	VEOR V0.B16, V0.B16, V0.B16
	VEOR V1.B16, V1.B16, V1.B16
	VEOR V2.B16, V2.B16, V2.B16
	VEOR V3.B16, V3.B16, V3.B16
	MOVD R3, R5

run:
	VLD1.P 16(R2), [V4.B16]
	QUAD(0)
	QUAD(1)
	QUAD(2)
	QUAD(3)
	SUBS $1, R5, R5
	BNE  run
	VST1.P [V0.S4, V1.S4, V2.S4, V3.S4], 64(R0)
	SUBS $1, R4, R4
	BNE  group
	RET
