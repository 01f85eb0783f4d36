package stages

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/internal/diag"
)

// kvRow says how keys and values of one layer are kept: the first row of a
// layer that holds decides, and where none does they are f16.
type kvRow struct {
	MaxContext int64  `json:"max_context,omitempty"` // tokens in use, 0: no bound
	MinAge     int64  `json:"min_age,omitempty"`     // distance from the newest token
	Key        string `json:"key"`
	Value      string `json:"value"`
}

// kvRows evaluates the policy's kv rules for each layer; nil where it has none
// that hold.
func (g *ggufPlan) kvRows() ([][]kvRow, error) {
	var table [][]kvRow
	some := false
	for layer := range g.q.model.Layers {
		attrs := engine.TensorAttrs{Layer: layer, Layers: g.q.model.Layers}
		if layer < len(g.q.model.Attention) {
			attrs.Attention = g.q.model.Attention[layer]
		}
		rules, err := g.q.policy.KV(&attrs)
		if err != nil {
			return nil, diag.Errorf(g.q.policy.Range(), "A kv rule fails", "%v", err)
		}
		rows := []kvRow{}
		for _, r := range rules {
			rows = append(rows, kvRow{r.MaxContext, r.MinAge, kvType(r.Key), kvType(r.Value)})
			some = true
		}
		table = append(table, rows)
	}
	if !some {
		return nil, nil
	}
	return table, nil
}

// kvTable is the table as the file has it.
func kvTable(table [][]kvRow) (json.RawMessage, error) {
	if table == nil {
		return nil, nil
	}
	return json.Marshal(table)
}

// kvType is the type that a name means in a KV cache.
func kvType(name string) string {
	switch strings.ToLower(name) {
	case "fp16":
		return "f16"
	case "int8":
		return "q8_0"
	case "fp8":
		return "e4m3"
	case "int4":
		return "q4_0"
	}
	return strings.ToLower(name)
}

// kvNotes tells people the table: a line for the layers that have the same.
func kvNotes(table [][]kvRow) []string {
	type group struct {
		rows   []kvRow
		layers []int
	}
	var groups []*group
	for layer, rows := range table {
		i := slices.IndexFunc(groups, func(g *group) bool { return reflect.DeepEqual(g.rows, rows) })
		if i < 0 {
			i, groups = len(groups), append(groups, &group{rows: rows})
		}
		groups[i].layers = append(groups[i].layers, layer)
	}
	var out []string
	for _, g := range groups {
		where := ""
		if len(groups) > 1 {
			where = " of " + ranges(g.layers)
		}
		out = append(out, fmt.Sprintf("KV cache%s: %s", where, kvText(g.rows)))
	}
	if out != nil {
		out[len(out)-1] += "; stock llama.cpp goes by its own flags instead"
	}
	return out
}

// ranges names layers: "layers 0-3, 7".
func ranges(layers []int) string {
	var parts []string
	for i := 0; i < len(layers); {
		end := i
		for end+1 < len(layers) && layers[end+1] == layers[end]+1 {
			end++
		}
		if end == i {
			parts = append(parts, fmt.Sprint(layers[i]))
		} else {
			parts = append(parts, fmt.Sprintf("%d-%d", layers[i], layers[end]))
		}
		i = end + 1
	}
	if len(layers) == 1 {
		return "layer " + parts[0]
	}
	return "layers " + strings.Join(parts, ", ")
}

// kvText words one layer's rows.
func kvText(rows []kvRow) string {
	var parts []string
	for _, r := range rows {
		var when []string
		if r.MaxContext > 0 {
			when = append(when, fmt.Sprintf("up to %d tokens", r.MaxContext))
		}
		if r.MinAge > 0 {
			when = append(when, fmt.Sprintf("from age %d", r.MinAge))
		}
		types := r.Key
		if r.Key != r.Value {
			types = fmt.Sprintf("keys %s and values %s", r.Key, r.Value)
		}
		parts = append(parts, strings.TrimSpace(strings.Join(when, " ")+" "+types))
	}
	last := len(rows) - 1
	switch {
	case last < 0:
		return "f16"
	case rows[last].MaxContext > 0 || rows[last].MinAge > 0:
		parts = append(parts, "else f16")
	case last > 0:
		parts[last] = "else " + parts[last]
	}
	return strings.Join(parts, ", ")
}
