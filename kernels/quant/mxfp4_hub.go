package quant

import "fmt"

// MXFP4 on the model hub is two tensors: blocks of 16 bytes, byte j holding
// element 2j in the low nibble and 2j+1 in the high one, and a scale byte for
// each block. In GGUF the scale byte comes first, and byte j holds elements j
// and j+16. The codes and scales are the same, so moving them loses nothing.
const (
	hubBlock   = 16
	mxfp4Block = 17
	mxfp4NaN   = 0xff
)

// HubScaleError says that a block's scale is the NaN of E8M0.
type HubScaleError struct {
	Block int // counted from the start of the scales
}

func (e *HubScaleError) Error() string {
	return fmt.Sprintf("mxfp4 block %d: the scale 0xff is not a number; the source is damaged", e.Block)
}

// RepackMXFP4FromHub writes hub blocks and their scales as GGUF blocks: dst
// takes 17 bytes a scale, blocks has 16. A NaN scale is a *HubScaleError.
func RepackMXFP4FromHub(dst, blocks, scales []byte) error {
	if err := checkHub(len(dst), len(blocks), len(scales)); err != nil {
		return err
	}
	for i, e := range scales {
		if e == mxfp4NaN {
			return &HubScaleError{i}
		}
		from, to := blocks[i*hubBlock:][:hubBlock], dst[i*mxfp4Block:][:mxfp4Block]
		to[0] = e
		for j := range 8 {
			a, b := from[j], from[j+8]
			to[1+2*j] = a&15 | b<<4
			to[2+2*j] = a>>4 | b&0xf0
		}
	}
	return nil
}

// RepackMXFP4ToHub is the way back: src has 17 bytes for each scale, blocks
// takes 16. A NaN scale is a *HubScaleError.
func RepackMXFP4ToHub(blocks, scales, src []byte) error {
	if err := checkHub(len(src), len(blocks), len(scales)); err != nil {
		return err
	}
	for i := range scales {
		from, to := src[i*mxfp4Block:][:mxfp4Block], blocks[i*hubBlock:][:hubBlock]
		if from[0] == mxfp4NaN {
			return &HubScaleError{i}
		}
		scales[i] = from[0]
		for j := range 8 {
			a, b := from[1+2*j], from[2+2*j]
			to[j] = a&15 | b<<4
			to[j+8] = a>>4 | b&0xf0
		}
	}
	return nil
}

// DequantizeHubMXFP4 decodes hub blocks, 32 weights each. A NaN scale is a
// *HubScaleError.
func DequantizeHubMXFP4(dst []float32, blocks, scales []byte) error {
	if err := checkHub(len(scales)*mxfp4Block, len(blocks), len(scales)); err != nil {
		return err
	}
	if len(dst) != 32*len(scales) {
		return fmt.Errorf("mxfp4: room for %d weights where %d blocks hold %d", len(dst), len(scales), 32*len(scales))
	}
	for i, e := range scales {
		if e == mxfp4NaN {
			return &HubScaleError{i}
		}
		d := halfE8M0(e)
		y := dst[32*i:][:32]
		for j, q := range blocks[i*hubBlock:][:hubBlock] {
			y[2*j] = fp4Values[q&15] * d
			y[2*j+1] = fp4Values[q>>4] * d
		}
	}
	return nil
}

func checkHub(gguf, blocks, scales int) error {
	if blocks != scales*hubBlock || gguf != scales*mxfp4Block {
		return fmt.Errorf("mxfp4: %d scales go with %d bytes of hub blocks and %d of GGUF blocks, not %d and %d",
			scales, scales*hubBlock, scales*mxfp4Block, blocks, gguf)
	}
	return nil
}
