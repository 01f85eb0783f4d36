package quant

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"
)

// hubBlocks are random codes under every scale but NaN.
func hubBlocks() (blocks, scales []byte) {
	r := random(20)
	for e := range 255 {
		scales = append(scales, uint8(e))
		for range hubBlock {
			blocks = append(blocks, uint8(r.next()))
		}
	}
	return blocks, scales
}

func TestRepackMXFP4(t *testing.T) {
	blocks, scales := hubBlocks()
	gguf := make([]byte, len(scales)*mxfp4Block)
	if err := RepackMXFP4FromHub(gguf, blocks, scales); err != nil {
		t.Fatal(err)
	}
	// Element i of a block is the same in both, by the definitions.
	for b, e := range scales {
		from, to := blocks[b*hubBlock:][:hubBlock], gguf[b*mxfp4Block:][:mxfp4Block]
		if to[0] != e {
			t.Fatalf("block %d: scale %d, not %d", b, to[0], e)
		}
		for i := range 32 {
			hub := from[i/2] >> (i % 2 * 4) & 15
			ggml := to[1+i%16] >> (i / 16 * 4) & 15
			if hub != ggml {
				t.Fatalf("block %d: element %d is %d, not %d", b, i, ggml, hub)
			}
		}
	}
	blocks2, scales2 := make([]byte, len(blocks)), make([]byte, len(scales))
	if err := RepackMXFP4ToHub(blocks2, scales2, gguf); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(blocks, blocks2) || !bytes.Equal(scales, scales2) {
		t.Error("there and back is not the same")
	}
	// Every byte pattern of GGUF blocks comes back too.
	r := random(21)
	for i := range gguf {
		if i%mxfp4Block != 0 {
			gguf[i] = uint8(r.next())
		}
	}
	if err := RepackMXFP4ToHub(blocks2, scales2, gguf); err != nil {
		t.Fatal(err)
	}
	again := make([]byte, len(gguf))
	if err := RepackMXFP4FromHub(again, blocks2, scales2); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(gguf, again) {
		t.Error("back and there is not the same")
	}
}

// TestDequantizeHubMXFP4 wants hub blocks to decode as their GGUF form does.
func TestDequantizeHubMXFP4(t *testing.T) {
	blocks, scales := hubBlocks()
	gguf := make([]byte, len(scales)*mxfp4Block)
	if err := RepackMXFP4FromHub(gguf, blocks, scales); err != nil {
		t.Fatal(err)
	}
	hub := make([]float32, 32*len(scales))
	if err := DequantizeHubMXFP4(hub, blocks, scales); err != nil {
		t.Fatal(err)
	}
	q, _ := Lookup("mxfp4")
	for i, v := range decode(q, gguf, len(hub)) {
		if math.Float32bits(v) != math.Float32bits(hub[i]) {
			t.Fatalf("weight %d is %v from the hub, %v from GGUF", i, hub[i], v)
		}
	}
}

func TestMXFP4NaNScale(t *testing.T) {
	blocks, scales := hubBlocks()
	gguf := make([]byte, len(scales)*mxfp4Block)
	if err := RepackMXFP4FromHub(gguf, blocks, scales); err != nil {
		t.Fatal(err)
	}
	scales[100], gguf[100*mxfp4Block] = 0xff, 0xff
	y := make([]float32, 32*len(scales))
	for name, err := range map[string]error{
		"from hub": RepackMXFP4FromHub(make([]byte, len(gguf)), blocks, scales),
		"to hub":   RepackMXFP4ToHub(make([]byte, len(blocks)), make([]byte, len(scales)), gguf),
		"decode":   DequantizeHubMXFP4(y, blocks, scales),
	} {
		var h *HubScaleError
		if !errors.As(err, &h) || h.Block != 100 || !strings.Contains(err.Error(), "block 100") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestMXFP4HubLengths(t *testing.T) {
	b := make([]byte, 100)
	for want, err := range map[string]error{
		"2 scales go with 32 bytes of hub blocks and 34 of GGUF blocks, not 31 and 34": RepackMXFP4FromHub(b[:34], b[:31], b[:2]),
		"2 scales go with 32 bytes of hub blocks and 34 of GGUF blocks, not 32 and 33": RepackMXFP4ToHub(b[:32], b[:2], b[:33]),
		"room for 63 weights where 2 blocks hold 64":                                   DequantizeHubMXFP4(make([]float32, 63), b[:32], b[:2]),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
}

// TestMXFP4KeepsMXFP4 wants weights that came from mxfp4 to be encoded to what
// they were, at every effort: no other scale is better than no error.
func TestMXFP4KeepsMXFP4(t *testing.T) {
	blocks, scales := hubBlocks()
	x := make([]float32, 32*len(scales))
	if err := DequantizeHubMXFP4(x, blocks, scales); err != nil {
		t.Fatal(err)
	}
	x = x[:32*(mxfp4Most+1)]
	q, _ := Lookup("mxfp4")
	for effort, name := range effortNames {
		y := decode(q, encode(t, q, x, Options{Cols: 32, Effort: Effort(effort)}), len(x))
		for i := range x {
			if x[i] != y[i] {
				t.Errorf("%s: weight %d, scale %d, was %v, became %v", name, i, scales[i/32], x[i], y[i])
				break
			}
		}
	}
}
