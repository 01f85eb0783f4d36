package quant

import (
	"errors"
	"fmt"
)

// QuantizeChannels encodes a block of tokens by channel: src is t.Block rows of
// the given number of channels, dst takes a block for each channel. Importance
// in opt weighs tokens, so there are t.Block of them; Cols is not used. The
// index of a *ValueError counts in src.
func QuantizeChannels(t *Type, dst []byte, src []float32, channels int, opt Options) error {
	if channels <= 0 || len(src) != t.Block*channels {
		return fmt.Errorf("quantize to %s: %d numbers are not %d tokens of %d channels", t, len(src), t.Block, channels)
	}
	turned := make([]float32, len(src))
	for token := range t.Block {
		for c, v := range src[token*channels:][:channels] {
			turned[c*t.Block+token] = v
		}
	}
	opt.Cols = t.Block
	err := t.Quantize(dst, turned, opt)
	var v *ValueError
	if errors.As(err, &v) {
		return &ValueError{v.Type, v.Index%t.Block*channels + v.Index/t.Block, v.Value}
	}
	return err
}

// DequantizeChannels is the way back; len(dst) is t.Block times the number of
// channels.
func DequantizeChannels(t *Type, dst []float32, src []byte) {
	turned := make([]float32, len(dst))
	t.Dequantize(turned, src)
	channels := len(dst) / t.Block
	for token := range t.Block {
		y := dst[token*channels:][:channels]
		for c := range y {
			y[c] = turned[c*t.Block+token]
		}
	}
}
