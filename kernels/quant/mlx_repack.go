package quant

import "fmt"

// The blocks of MLX's mxfp4 and nvfp4 hold the codes and scales of GGUF's in
// another order, and those of its mxfp4 are the hub's with the scale in front:
// MLXMode.Join and Split go from the hub's two tensors and back. So moving from
// any of the three to another loses nothing.

// RepackMXFP4ToMLX writes GGUF blocks as those of mlx_mxfp4, which are as long.
// A NaN scale is a *HubScaleError.
func RepackMXFP4ToMLX(dst, src []byte) error { return repackMXFP4(dst, src, pairsOf) }

// RepackMXFP4FromMLX is the way back.
func RepackMXFP4FromMLX(dst, src []byte) error { return repackMXFP4(dst, src, halvesOf) }

func repackMXFP4(dst, src []byte, reorder func(dst, src []byte)) error {
	if len(dst) != len(src) || len(src)%mxfp4Block != 0 {
		return fmt.Errorf("mxfp4: %d bytes do not become %d; both must be the same number of blocks of %d", len(src), len(dst), mxfp4Block)
	}
	for at := 0; at < len(src); at += mxfp4Block {
		from, to := src[at:][:mxfp4Block], dst[at:][:mxfp4Block]
		if from[0] == mxfp4NaN {
			return &HubScaleError{at / mxfp4Block}
		}
		to[0] = from[0]
		reorder(to[1:], from[1:])
	}
	return nil
}

const (
	nvfp4Block    = 36 // of 64 weights, in GGUF
	mlxNVFP4Block = 9  // of 16
)

// RepackNVFP4ToMLX writes GGUF blocks as those of mlx_nvfp4, four for each.
// A scale that is NaN or has a sign, to which the two formats give different
// meanings, is an error.
func RepackNVFP4ToMLX(dst, src []byte) error {
	if err := checkNVFP4(len(src), len(dst)); err != nil {
		return err
	}
	for i := range len(dst) / mlxNVFP4Block {
		from, to := src[i/4*nvfp4Block:][:nvfp4Block], dst[i*mlxNVFP4Block:][:mlxNVFP4Block]
		to[0] = from[i%4]
		if to[0] > nvfp4Most {
			return nvfp4ScaleError(i, to[0])
		}
		pairsOf(to[1:], from[4+i%4*8:][:8])
	}
	return nil
}

// RepackNVFP4FromMLX is the way back.
func RepackNVFP4FromMLX(dst, src []byte) error {
	if err := checkNVFP4(len(dst), len(src)); err != nil {
		return err
	}
	for i := range len(src) / mlxNVFP4Block {
		to, from := dst[i/4*nvfp4Block:][:nvfp4Block], src[i*mlxNVFP4Block:][:mlxNVFP4Block]
		if from[0] > nvfp4Most {
			return nvfp4ScaleError(i, from[0])
		}
		to[i%4] = from[0]
		halvesOf(to[4+i%4*8:][:8], from[1:])
	}
	return nil
}

func checkNVFP4(gguf, mlx int) error {
	if gguf%nvfp4Block != 0 || gguf/nvfp4Block*4*mlxNVFP4Block != mlx {
		return fmt.Errorf("nvfp4: %d bytes of GGUF blocks are not %d bytes of MLX blocks; each 64 weights take %d and %d",
			gguf, mlx, nvfp4Block, 4*mlxNVFP4Block)
	}
	return nil
}

func nvfp4ScaleError(group int, scale uint8) error {
	return fmt.Errorf("nvfp4 group %d: the scale %#02x is not a positive number; the source is damaged", group, scale)
}
