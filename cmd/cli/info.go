package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/llama-pajamas/pj/internal/bytesize"
	"github.com/llama-pajamas/pj/runtime/gguf"
)

// infoResult is the JSON object of pj info.
type infoResult struct {
	Path          string                     `json:"path"`
	Format        string                     `json:"format"`
	Architecture  string                     `json:"architecture"`
	Bytes         int64                      `json:"bytes"`
	ResidentBytes int64                      `json:"resident_bytes"`
	Parameters    int64                      `json:"parameters"`
	BitsPerWeight float64                    `json:"bits_per_weight"`
	Types         map[string]typeInfo        `json:"types"`
	Roles         map[string]roleInfo        `json:"roles"`
	Provenance    map[string]json.RawMessage `json:"provenance"`
	Files         []fileInfo                 `json:"files"`
	Keys          []keyInfo                  `json:"keys,omitempty"`
	Tensors       []tensorInfo               `json:"tensors,omitempty"`
}

type typeInfo struct {
	Tensors int   `json:"tensors"`
	Bytes   int64 `json:"bytes"`
}

type roleInfo struct {
	Tensors       int     `json:"tensors"`
	Parameters    int64   `json:"parameters"`
	Bytes         int64   `json:"bytes"`
	BitsPerWeight float64 `json:"bits_per_weight"`
}

type fileInfo struct {
	Path  string `json:"path"`
	Bytes int64  `json:"bytes"`
}

type keyInfo struct {
	Key   string `json:"key"`
	Type  string `json:"type"`
	Value any    `json:"value"`
}

type tensorInfo struct {
	Name  string  `json:"name"`
	Type  string  `json:"type"`
	Shape []int64 `json:"shape"` // fastest dimension first, as GGUF has it
	Role  string  `json:"role"`
	Layer int     `json:"layer"`
	Bytes int64   `json:"bytes"`
}

func (a *app) infoCommand() *cobra.Command {
	var keys, tensors bool
	c := &cobra.Command{
		Use:   "info PATH",
		Short: "Say what is in a model file or folder",
		Long: `Says what is in a GGUF file (of a split one name any shard), a folder in the hub's
layout, hf://OWNER/NAME or a safetensors file: architecture, sizes, bits per weight,
the types of the tensors and what each role of them takes, and how the file was made.
Only headers are read. Any well-formed GGUF will do, whatever its keys say.

Size on disk is that of the files. Resident is what a program keeps that loads all of
it: headers and every tensor, without padding; the KV cache and activations come on
top, which pj profile measures. Experts that are tensors of their own (experts =
"tiered") can be streamed, and then need not be resident. Bits per weight are those
of the files, divided by all weights; by role, those of the tensors alone.`,
		Example: "  pj info model.gguf\n  pj info --tensors Qwen3-30B-A3B/\n  pj info --keys model-00001-of-00002.gguf",
		Args:    takes("PATH"),
		RunE: func(c *cobra.Command, args []string) error {
			w, err := a.openWeights(c.Context(), args[0])
			if err != nil {
				return openError(c.Context(), err)
			}
			defer w.Close()
			return a.info(c.Context(), w, keys, tensors)
		},
	}
	c.Flags().BoolVar(&keys, "keys", false, "list the metadata's keys")
	c.Flags().BoolVar(&tensors, "tensors", false, "list the tensors")
	return c
}

// openError is an error of opening a file that a person named: the file is not
// what it should be.
func openError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return badInput(err)
}

func (a *app) info(ctx context.Context, w *weights, keys, tensors bool) error {
	kvs, err := w.keys(ctx)
	if err != nil && !keys {
		a.note("The metadata cannot be read: %v", err)
	} else if err != nil {
		return openError(ctx, err)
	}
	for _, text := range w.warnings {
		a.warn("%s", text)
	}
	r := describeWeights(w, kvs)
	if a.flags.json {
		if keys {
			r.Keys = describeKeys(kvs)
		}
		if tensors {
			r.Tensors = describeTensors(w)
		}
		return a.printJSON(r)
	}
	switch {
	case keys && tensors:
		return a.print(keysText(kvs) + "\n" + tensorsText(w))
	case keys:
		return a.print(keysText(kvs))
	case tensors:
		return a.print(tensorsText(w))
	}
	return a.print(infoText(r))
}

// keys are the metadata as a GGUF file has it; none where the format has none.
func (w *weights) keys(ctx context.Context) ([]gguf.KV, error) {
	if w.metadata == nil {
		return nil, nil
	}
	kvs, err := w.metadata(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: download the whole model", err)
	}
	return kvs, err
}

func describeWeights(w *weights, kvs []gguf.KV) infoResult {
	r := infoResult{
		Path: w.path, Format: w.format, Architecture: w.architecture, Bytes: w.bytes(), ResidentBytes: w.resident(),
		Parameters: w.parameters(), Types: map[string]typeInfo{}, Roles: map[string]roleInfo{}, Provenance: provenance(kvs),
	}
	r.BitsPerWeight = bitsPerWeight(r.Bytes, r.Parameters)
	for _, f := range w.files {
		r.Files = append(r.Files, fileInfo{f.name, f.size})
	}
	for i := range w.tensors {
		t := &w.tensors[i]
		typ := r.Types[t.Type.Name]
		typ.Tensors++
		typ.Bytes += t.Bytes
		r.Types[t.Type.Name] = typ
		role := r.Roles[t.Role]
		role.Tensors++
		role.Parameters += t.Elements
		role.Bytes += t.Bytes
		r.Roles[t.Role] = role
	}
	for name, role := range r.Roles {
		role.BitsPerWeight = bitsPerWeight(role.Bytes, role.Parameters)
		r.Roles[name] = role
	}
	return r
}

// bitsPerWeight is 0 where there are no weights.
func bitsPerWeight(bytes, weights int64) float64 {
	if weights == 0 {
		return 0
	}
	return float64(bytes) * 8 / float64(weights)
}

// provenancePrefix is how the keys begin by which a file that this program made says how.
const provenancePrefix = "pj."

// provenance are the keys that say how the file was made, nil where there are
// none.
func provenance(kvs []gguf.KV) map[string]json.RawMessage {
	var out map[string]json.RawMessage
	for _, kv := range kvs {
		name, ok := strings.CutPrefix(kv.Key, provenancePrefix)
		if !ok {
			continue
		}
		if out == nil {
			out = map[string]json.RawMessage{}
		}
		text, isText := kv.Value.(string)
		if isText && json.Valid([]byte(text)) {
			out[name] = json.RawMessage(text)
			continue
		}
		raw, err := json.Marshal(jsonValue(kv.Value))
		if err == nil {
			out[name] = raw
		}
	}
	return out
}

func infoText(r infoResult) string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-16s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("path", "%s", r.Path)
	line("format", "%s", formatText(r))
	if r.Architecture != "" {
		line("architecture", "%s", r.Architecture)
	}
	line("parameters", "%s", countText(r.Parameters))
	line("size on disk", "%s", bytesize.Format(r.Bytes))
	line("resident", "%s", bytesize.Format(r.ResidentBytes))
	line("bits per weight", "%.3f", r.BitsPerWeight)
	if len(r.Provenance) > 0 {
		line("made by", "pj (%s); `pj info --keys` shows its provenance", strings.Join(slices.Sorted(maps.Keys(r.Provenance)), ", "))
	}
	total := int64(0)
	for _, t := range r.Types {
		total += t.Bytes
	}
	types := table{header: []string{"type", ">tensors", ">bytes", ">share"}}
	for _, name := range byBytes(r.Types, func(t typeInfo) int64 { return t.Bytes }) {
		t := r.Types[name]
		types.add(name, fmt.Sprint(t.Tensors), bytesize.Format(t.Bytes), share(t.Bytes, total))
	}
	roles := table{header: []string{"role", ">tensors", ">bytes", ">share", ">bits per weight"}}
	for _, name := range byBytes(r.Roles, func(t roleInfo) int64 { return t.Bytes }) {
		t := r.Roles[name]
		roles.add(name, fmt.Sprint(t.Tensors), bytesize.Format(t.Bytes), share(t.Bytes, total), fmt.Sprintf("%.3f", t.BitsPerWeight))
	}
	for _, t := range []*table{&types, &roles} {
		if len(t.rows) > 0 {
			b.WriteString("\n" + t.String())
		}
	}
	return b.String()
}

func formatText(r infoResult) string {
	text := map[string]string{"gguf": "GGUF", "hub": "hub folder", "safetensors": "safetensors"}[r.Format]
	if n := len(r.Files); n > 1 {
		text += fmt.Sprintf(", %d files", n)
	}
	return text
}

// byBytes lists names by falling size.
func byBytes[T any](m map[string]T, size func(T) int64) []string {
	names := slices.Sorted(maps.Keys(m))
	slices.SortStableFunc(names, func(a, b string) int {
		return int(max(-1, min(1, size(m[b])-size(m[a]))))
	})
	return names
}

func share(part, of int64) string {
	if of == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", float64(part)*100/float64(of))
}

// countText is a number of weights: "30.5 B (30532122624)".
func countText(n int64) string {
	for _, u := range []struct {
		factor float64
		name   string
	}{{1e12, "T"}, {1e9, "B"}, {1e6, "M"}, {1e3, "k"}} {
		if float64(n) >= u.factor {
			return fmt.Sprintf("%.3g %s (%d)", float64(n)/u.factor, u.name, n)
		}
	}
	return fmt.Sprint(n)
}
