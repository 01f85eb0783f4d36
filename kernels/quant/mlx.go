package quant

import "fmt"

// MLXMode is how MLX stores a type: a matrix is a tensor of packed codes, one
// of scales and, in affine mode, one of biases. Its rows are divided into
// groups; here a block is a group: its scale, its bias, its codes. Split and
// Join go from one to the other, which loses nothing.
type MLXMode struct {
	Mode   string // "affine", "mxfp4", "mxfp8" or "nvfp4"
	Bits   int    // of a code
	Group  int    // weights that share a scale
	Scales string // what scales and biases are: "bf16", "f16", "f32"; "e8m0", "e4m3" in the other modes

	scaleBytes, biasBytes int
}

// codeBytes is what the codes of a group take.
func (m *MLXMode) codeBytes() int { return m.Group * m.Bits / 8 }

// blockBytes is what a group takes.
func (m *MLXMode) blockBytes() int { return m.scaleBytes + m.biasBytes + m.codeBytes() }

// check wants tensors of as many groups as there are blocks.
func (m *MLXMode) check(weight, scales, biases, blocks int) error {
	n := blocks / m.blockBytes()
	if blocks != n*m.blockBytes() || weight != n*m.codeBytes() || scales != n*m.scaleBytes || biases != n*m.biasBytes {
		return fmt.Errorf("mlx %s: %d groups take %d, %d and %d bytes of weight, scales and biases and %d of blocks, not %d, %d, %d and %d",
			m.Mode, n, n*m.codeBytes(), n*m.scaleBytes, n*m.biasBytes, n*m.blockBytes(), weight, scales, biases, blocks)
	}
	return nil
}

// Split writes blocks, of any number of whole rows, as the bytes of MLX's
// tensors, all little-endian: weight is U32. biases is empty but in affine
// mode.
func (m *MLXMode) Split(weight, scales, biases, blocks []byte) error {
	if err := m.check(len(weight), len(scales), len(biases), len(blocks)); err != nil {
		return err
	}
	for ; len(blocks) > 0; blocks = blocks[m.blockBytes():] {
		at := copy(scales[:m.scaleBytes], blocks)
		at += copy(biases[:m.biasBytes], blocks[at:])
		copy(weight[:m.codeBytes()], blocks[at:])
		weight, scales, biases = weight[m.codeBytes():], scales[m.scaleBytes:], biases[m.biasBytes:]
	}
	return nil
}

// Join is the way back.
func (m *MLXMode) Join(blocks, weight, scales, biases []byte) error {
	if err := m.check(len(weight), len(scales), len(biases), len(blocks)); err != nil {
		return err
	}
	for ; len(blocks) > 0; blocks = blocks[m.blockBytes():] {
		at := copy(blocks, scales[:m.scaleBytes])
		at += copy(blocks[at:], biases[:m.biasBytes])
		copy(blocks[at:], weight[:m.codeBytes()])
		weight, scales, biases = weight[m.codeBytes():], scales[m.scaleBytes:], biases[m.biasBytes:]
	}
	return nil
}

// mlxType makes the parts of a Type that follow from its mode.
func mlxType(name string, m *MLXMode, decode func(dst []float32, src []byte), encode blockEncoder) Type {
	bytes := m.blockBytes()
	return Type{
		Name: name, GGML: -1, Block: m.Group, Bytes: bytes, MLX: m,
		Dequantize: decodeBlocks(m.Group, bytes, decode),
		Quantize:   encodeBlocks(name, m.Group, bytes, encode),
	}
}
