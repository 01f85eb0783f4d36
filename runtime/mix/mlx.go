package mix

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/llama-pajamas/pj/kernels/quant"
)

// MLX is one of mlx-lm's mixes: more bits for the last matrices of the parts
// that suffer most, as in Q4_K_M, less for all else, routers included. The
// choices are those of mlx-lm 0.32.2.
type MLX struct {
	Name      string // as mlx-lm spells it: "mixed_3_6"
	Low, High int    // bits of a weight, scales not counted
}

// mlxMixes are all of them, from few bits to many.
var mlxMixes = []*MLX{{"mixed_2_6", 2, 6}, {"mixed_3_4", 3, 4}, {"mixed_3_6", 3, 6}, {"mixed_4_6", 4, 6}}

// Module is a matrix, or a stack of them, as an MLX model names it.
type Module struct {
	Path string // "model.layers.0.self_attn.v_proj"
	Cols int64  // length of a row
}

// MLXNames lists mlx-lm's mixes, from few bits to many.
func MLXNames() []string {
	names := make([]string, len(mlxMixes))
	for i, m := range mlxMixes {
		names[i] = m.Name
	}
	return names
}

// LookupMLX finds one of mlx-lm's mixes by its name, in any case.
func LookupMLX(name string) (*MLX, bool) {
	for _, m := range mlxMixes {
		if strings.EqualFold(m.Name, name) {
			return m, true
		}
	}
	return nil, false
}

// Assign chooses the types of a model's modules, which are those that mlx-lm
// would quantize if it could: linear layers, embeddings, routers and stacks of
// experts. layers is the model's number of layers, group the number of weights
// that share a scale, 32, 64 or 128; scales are bf16 (see
// quant.MLXMode.WithScales). The type is nil where group does not divide a row,
// which mlx-lm leaves as it is.
func (m *MLX) Assign(layers, group int, modules []Module) ([]*quant.Type, error) {
	low, okLow := quant.Lookup(fmt.Sprintf("mlx_affine%d_g%d", m.Low, group))
	high, okHigh := quant.Lookup(fmt.Sprintf("mlx_affine%d_g%d", m.High, group))
	if !okLow || !okHigh {
		return nil, fmt.Errorf("mix %s: MLX has no groups of %d weights; take 32, 64 or 128", m.Name, group)
	}
	place := layerPlace(modules)
	if place < 0 {
		return nil, fmt.Errorf("mix %s: no module is a down_proj, which mlx-lm needs to find layers; take one precision for all", m.Name)
	}
	types := make([]*quant.Type, len(modules))
	for i, module := range modules {
		if module.Cols <= 0 || module.Cols%int64(group) != 0 {
			continue
		}
		types[i] = low
		layer, err := layerAt(module.Path, place)
		if err != nil {
			return nil, fmt.Errorf("mix %s: module %s: %w", m.Name, module.Path, err)
		}
		if m.needsMore(module.Path, layer, layers) {
			types[i] = high
		}
	}
	return types, nil
}

// needsMore says whether a module gets the higher number of bits.
func (m *MLX) needsMore(path string, layer, layers int) bool {
	if strings.Contains(path, "lm_head") {
		return true
	}
	eighth := layers / 8
	if !(layer < eighth || layer >= 7*layers/8 || (layer-eighth)%3 == 2) {
		return false
	}
	for _, part := range []string{"v_proj", "v_a_proj", "v_b_proj", "down_proj"} {
		if strings.Contains(path, part) {
			return true
		}
	}
	return false
}

// layerPlace is which part of a path, counted from 0, is the layer's number: as
// in the first down_proj; -1 where there is none.
func layerPlace(modules []Module) int {
	for _, module := range modules {
		if !strings.Contains(module.Path, "down_proj") {
			continue
		}
		parts := strings.Split(module.Path, ".")
		for i, part := range parts {
			if _, err := strconv.ParseUint(part, 10, 31); err == nil {
				return i
			}
		}
		return len(parts) - 1
	}
	return -1
}

// layerAt is the number at that place of a path, 0 where the path is shorter.
func layerAt(path string, place int) (int, error) {
	parts := strings.Split(path, ".")
	if len(parts) <= place {
		return 0, nil
	}
	n, err := strconv.ParseUint(parts[place], 10, 31)
	if err != nil {
		return 0, fmt.Errorf("its part %d should be the number of a layer, not %q", place+1, parts[place])
	}
	return int(n), nil
}
