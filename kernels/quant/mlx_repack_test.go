package quant

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// TestMLXHub wants the hub's MXFP4 tensors, joined and split, to be what mlx-lm
// makes of them: the same bytes, each second row of gate_up.
func TestMLXHub(t *testing.T) {
	data, shapes := readTensors(t, "gptoss_repack")
	const in, out = "hub.model.layers.0.mlp.experts.", "mlx.model.layers.0.mlp.experts."
	for _, c := range []struct {
		hub, mlx    string
		first, step int
	}{{"gate_up_proj", "gate_proj", 0, 2}, {"gate_up_proj", "up_proj", 1, 2}, {"down_proj", "down_proj", 0, 1}} {
		shape := shapes[in+c.hub+"_blocks"] // experts, rows, groups, 16
		rows, groups := shape[0]*shape[1], shape[2]
		var blocks, scales []byte
		for row := c.first; row < rows; row += c.step {
			blocks = append(blocks, data[in+c.hub+"_blocks"][row*groups*hubBlock:][:groups*hubBlock]...)
			scales = append(scales, data[in+c.hub+"_scales"][row*groups:][:groups]...)
		}
		if !bytes.Equal(blocks, data[out+c.mlx+".weight"]) || !bytes.Equal(scales, data[out+c.mlx+".scales"]) {
			t.Errorf("%s: the hub's bytes are not MLX's", c.mlx)
		}
		joined := make([]byte, len(scales)*mxfp4Block)
		if err := mlxMXFP4.Join(joined, blocks, scales, nil); err != nil {
			t.Fatal(err)
		}
		gguf, direct := make([]byte, len(joined)), make([]byte, len(joined))
		if err := errors.Join(RepackMXFP4FromMLX(gguf, joined), RepackMXFP4FromHub(direct, blocks, scales)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(gguf, direct) {
			t.Errorf("%s: GGUF blocks from the hub and by way of MLX differ", c.mlx)
		}
		values := floats(data["dequantized."+c.mlx])
		mlx, _ := Lookup("mlx_mxfp4")
		ggml, _ := Lookup("mxfp4")
		wantSame(t, c.mlx, decode(mlx, joined, len(values)), values)
		for i, v := range decode(ggml, gguf, len(values)) {
			if v != values[i] { // but for the sign of zero
				t.Fatalf("%s in GGUF: weight %d is %v, not %v", c.mlx, i, v, values[i])
			}
		}
	}
}

// TestMLXRepack takes random codes under every scale there and back.
func TestMLXRepack(t *testing.T) {
	for _, c := range []struct {
		gguf, mlx string
		block     int // bytes in GGUF
		scales    int // of a block
		most      int // the largest scale
		to, from  func(dst, src []byte) error
	}{
		{"mxfp4", "mlx_mxfp4", mxfp4Block, 1, 254, RepackMXFP4ToMLX, RepackMXFP4FromMLX},
		{"nvfp4", "mlx_nvfp4", nvfp4Block, 4, nvfp4Most, RepackNVFP4ToMLX, RepackNVFP4FromMLX},
	} {
		gguf, _ := Lookup(c.gguf)
		mlx, _ := Lookup(c.mlx)
		r := random(95)
		src := make([]byte, 256*c.block)
		for i := range src {
			src[i] = uint8(r.next())
			if at := i % c.block; at < c.scales {
				src[i] = uint8((i/c.block*c.scales + at) % (c.most + 1))
			}
		}
		weights := 256 * gguf.Block
		there, back := make([]byte, mlx.RowBytes(int64(weights))), make([]byte, len(src))
		if err := errors.Join(c.to(there, src), c.from(back, there)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(src, back) {
			t.Errorf("%s: there and back is not the same", c.gguf)
		}
		want := decode(gguf, src, weights)
		got := decode(mlx, there, weights)
		for i := range want {
			if want[i] != got[i] {
				t.Fatalf("%s: weight %d is %v in MLX, %v in GGUF", c.gguf, i, got[i], want[i])
			}
		}
		if err := c.to(there[1:], src); err == nil || !strings.Contains(err.Error(), c.gguf+": ") {
			t.Errorf("%s: wrong length: error %v", c.gguf, err)
		}
		if err := c.from(back, there[1:]); err == nil {
			t.Errorf("%s: no error for a wrong length", c.gguf)
		}
		src[3*c.block] = 0xff
		if c.to(there, src) == nil {
			t.Errorf("%s: no error for a NaN scale", c.gguf)
		}
		there[5*mlx.Bytes] = 0xff
		if c.from(back, there) == nil {
			t.Errorf("%s: no error for a NaN scale", c.gguf)
		}
	}
	var h *HubScaleError
	if err := RepackMXFP4ToMLX(make([]byte, 34), append(make([]byte, 17), bytes.Repeat([]byte{0xff}, 17)...)); !errors.As(err, &h) || h.Block != 1 {
		t.Errorf("NaN scale: error %v", err)
	}
}

// TestMLXLikeGGUF wants the searched mlx_mxfp4 to be mxfp4's blocks, moved, and
// weights that came from mxfp4 to stay what they were at every effort.
func TestMLXLikeGGUF(t *testing.T) {
	x, w := randomRows(96, 4, 512), randomImportance(97, 512)
	gguf, _ := Lookup("mxfp4")
	mlx, _ := Lookup("mlx_mxfp4")
	for effort := Fast; effort <= Best; effort++ {
		opt := Options{Cols: 512, Importance: w, Effort: effort}
		blocks := encode(t, gguf, x, opt)
		if effort > Fast {
			moved := make([]byte, len(blocks))
			if err := RepackMXFP4ToMLX(moved, blocks); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(moved, encode(t, mlx, x, opt)) {
				t.Errorf("%s: mlx_mxfp4 is not mxfp4", effortNames[effort])
			}
		}
		y := decode(gguf, blocks, len(x))
		again := decode(mlx, encode(t, mlx, y, Options{Cols: 512, Effort: effort}), len(x))
		for i := range y {
			if y[i] != again[i] {
				t.Errorf("%s: weight %d was %v, became %v", effortNames[effort], i, y[i], again[i])
				break
			}
		}
	}
}
