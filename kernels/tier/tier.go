// Package tier is the one place that knows which instructions kernels are
// written for, which of them this machine has, and which implementation is used.
package tier

import (
	"os"

	"golang.org/x/sys/cpu"
)

// Tier is a set of instructions that implementations are written for, which
// embed it.
type Tier struct {
	Name string
	Here bool // this machine has them
}

// The tiers. Scalar is Go without assembly, which every machine runs.
var (
	AVX512 = Tier{"avx512", cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL &&
		cpu.X86.HasAVX512VBMI && cpu.X86.HasAVX512VNNI && cpu.X86.HasAVX512GFNI}
	AVX2   = Tier{"avx2", cpu.X86.HasAVX2 && cpu.X86.HasFMA && cpu.X86.HasF16C}
	NEON   = Tier{"neon", cpu.ARM64.HasASIMDDP}
	Scalar = Tier{"scalar", true}
)

func (t Tier) tier() Tier { return t }

// implementation is what embeds a Tier.
type implementation interface{ tier() Tier }

// Available lists what this machine can run, best first: those of impls, which
// are in that order, then scalar.
func Available[K any, P interface {
	*K
	implementation
}](impls []K, scalar P) (all []P) {
	for i := range impls {
		if p := P(&impls[i]); p.tier().Here {
			all = append(all, p)
		}
	}
	return append(all, scalar)
}

// Pick gives the implementation to use: the best one, or that which PJ_KERNELS
// names, for tests and to find out what a fault comes from.
func Pick[P implementation](available []P) P { return Choose(available, os.Getenv("PJ_KERNELS")) }

// Choose gives the named implementation, or the best one where that name is
// unknown or this machine cannot run it.
func Choose[P implementation](available []P, name string) P {
	for _, p := range available {
		if p.tier().Name == name {
			return p
		}
	}
	return available[0]
}
