package interop

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/llama-pajamas/pj/runtime/arch"
	"github.com/llama-pajamas/pj/runtime/gguf"
	"github.com/llama-pajamas/pj/runtime/safetensors"
)

// Reference is what the unquantized form of a small model computes.
type Reference struct {
	Name         string // of the model's folder
	Architecture string // as in general.architecture
	Layers       int
	Experts      int
	Hidden       int
	Vocab        int
	Sequences    []Sequence
}

// Sequence is one text's tokens, and the logits of its last positions.
type Sequence struct {
	IDs    []int32
	Logits [][]float32
}

// References reads the models below a folder that have a file
// reference/forward.safetensors beside their config.json.
func References(models string) ([]Reference, error) {
	files, err := filepath.Glob(filepath.Join(models, "*", "reference", "forward.safetensors"))
	if err != nil {
		return nil, fmt.Errorf("interop: %w", err)
	}
	var refs []Reference
	for _, file := range files {
		folder := filepath.Dir(filepath.Dir(file))
		r := Reference{Name: filepath.Base(folder)}
		if err := r.readConfig(filepath.Join(folder, "config.json")); err != nil {
			return nil, err
		}
		if err := r.readSequences(file); err != nil {
			return nil, fmt.Errorf("interop: %w", err)
		}
		refs = append(refs, r)
	}
	if len(refs) == 0 {
		return nil, fmt.Errorf("interop: %s: no MODEL/reference/forward.safetensors: %w", models, fs.ErrNotExist)
	}
	return refs, nil
}

func (r *Reference) readConfig(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("interop: %w", err)
	}
	var config struct {
		ModelType    string `json:"model_type"`
		Layers       int    `json:"num_hidden_layers"`
		Experts      int    `json:"num_experts"`
		LocalExperts int    `json:"num_local_experts"`
		Hidden       int    `json:"hidden_size"`
		Vocab        int    `json:"vocab_size"`
	}
	if err := json.Unmarshal(b, &config); err != nil {
		return fmt.Errorf("interop: %s: %w", path, err)
	}
	a, ok := arch.ByName(config.ModelType)
	if !ok {
		return fmt.Errorf("interop: %s: model_type %q is not known", path, config.ModelType)
	}
	r.Architecture, r.Layers, r.Experts = a.Name, config.Layers, max(config.Experts, config.LocalExperts)
	r.Hidden, r.Vocab = config.Hidden, config.Vocab
	return nil
}

// readSequences reads tokens.J, I32, and logits.J, F32 [positions, vocabulary].
func (r *Reference) readSequences(path string) error {
	file, err := readTensors(path)
	if err != nil {
		return err
	}
	for j := 0; file.has("tokens", j); j++ {
		ids, err := file.read("tokens", j, "I32", 0)
		if err != nil {
			return err
		}
		logits, err := file.read("logits", j, "F32", r.Vocab)
		if err != nil {
			return err
		}
		s := Sequence{IDs: integers(ids)}
		for ; len(logits) > 0; logits = logits[4*r.Vocab:] {
			s.Logits = append(s.Logits, floats(logits[:4*r.Vocab]))
		}
		r.Sequences = append(r.Sequences, s)
	}
	if len(r.Sequences) == 0 {
		return fmt.Errorf("%s: no tensor tokens.0", path)
	}
	return nil
}

// Likely is a token and its logit.
type Likely struct {
	Token int32
	Logit float32
}

// ReadLikeliest reads the likeliest tokens at each of a sequence's last
// positions, the likeliest first: likeliest.J, I32, and logits.J, F32, both
// [positions, 64].
func ReadLikeliest(path string, sequence int) ([][]Likely, error) {
	const columns = 64
	file, err := readTensors(path)
	if err != nil {
		return nil, fmt.Errorf("interop: %w", err)
	}
	ids, err := file.read("likeliest", sequence, "I32", columns)
	if err != nil {
		return nil, fmt.Errorf("interop: %w", err)
	}
	logits, err := file.read("logits", sequence, "F32", columns)
	if err != nil {
		return nil, fmt.Errorf("interop: %w", err)
	}
	if len(ids) != len(logits) {
		return nil, fmt.Errorf("interop: %s: likeliest.%d and logits.%d have different sizes", path, sequence, sequence)
	}
	var rows [][]Likely
	for ; len(ids) > 0; ids, logits = ids[4*columns:], logits[4*columns:] {
		row := make([]Likely, columns)
		tokens, values := integers(ids[:4*columns]), floats(logits[:4*columns])
		for i := range row {
			row[i] = Likely{tokens[i], values[i]}
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// tensorFile is a small safetensors file in memory.
type tensorFile struct {
	path    string
	bytes   []byte
	tensors map[string]safetensors.Tensor
}

func readTensors(path string) (*tensorFile, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	h, err := safetensors.ParseHeader(bytes.NewReader(b), int64(len(b)), path)
	if err != nil {
		return nil, err
	}
	f := &tensorFile{path, b, map[string]safetensors.Tensor{}}
	for _, t := range h.Tensors {
		f.tensors[t.Name] = t
	}
	return f, nil
}

func (f *tensorFile) has(name string, sequence int) bool {
	_, ok := f.tensors[fmt.Sprintf("%s.%d", name, sequence)]
	return ok
}

// read gives a tensor's bytes; columns 0 is for a vector.
func (f *tensorFile) read(name string, sequence int, dtype string, columns int) ([]byte, error) {
	name = fmt.Sprintf("%s.%d", name, sequence)
	t, ok := f.tensors[name]
	switch {
	case !ok:
		return nil, fmt.Errorf("%s: no tensor %s", f.path, name)
	case t.DType != dtype:
		return nil, fmt.Errorf("%s: %s is %s, want %s", f.path, name, t.DType, dtype)
	case columns == 0 && len(t.Shape) != 1, columns > 0 && (len(t.Shape) != 2 || t.Shape[1] != int64(columns)):
		return nil, fmt.Errorf("%s: %s has shape %v, want rows of %d", f.path, name, t.Shape, max(columns, 1))
	}
	return f.bytes[t.Offset:][:t.Size], nil
}

// integers decodes little-endian int32.
func integers(b []byte) []int32 {
	v := make([]int32, len(b)/4)
	for i := range v {
		v[i] = int32(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return v
}

// SameVocabulary says that a GGUF file has the model's tokenizer, as far as its
// size tells.
func (r *Reference) SameVocabulary(f *gguf.File) bool {
	architecture, _ := f.String("general.architecture")
	tokens, _ := f.Strings("tokenizer.ggml.tokens")
	return architecture == r.Architecture && len(tokens) == r.Vocab
}

// SameModel says that a GGUF file has the model's shape: nothing pruned, but
// perhaps padded.
func (r *Reference) SameModel(f *gguf.File) bool {
	key := func(name string) int {
		n, _ := f.Uint(r.Architecture + "." + name)
		return int(n)
	}
	return r.SameVocabulary(f) && key("block_count") == r.Layers && key("expert_count") == r.Experts &&
		key("embedding_length") >= r.Hidden
}
