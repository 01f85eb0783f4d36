// Command trueshape lays out a model folder of a flagship model's exact shape,
// in the hub's layout, without its weights: the shards have the real names,
// headers and sizes, and their data are holes that take no room on the disk.
// Only the first bytes of each tensor are written, all different, so that no two
// tensors have the same content.
//
// With -layers N it writes the first N layers in one file, and with -random it
// fills them with weights of a normal distribution, the same at every run.
package main

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	layers := flag.Int("layers", 0, "write only the first `N` layers; 0: all")
	random := flag.Bool("random", false, "fill the tensors with random weights; needs -layers")
	flag.Usage = func() {
		fmt.Fprintf(os.Stderr, "usage: trueshape [-layers N [-random]] MODEL FOLDER\nMODEL is %s.\n", strings.Join(names(), " or "))
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() != 2 || *random && *layers == 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(flag.Arg(0), flag.Arg(1), *layers, *random); err != nil {
		fmt.Fprintln(os.Stderr, "trueshape:", err)
		os.Exit(1)
	}
}

func run(name, folder string, layers int, random bool) error {
	m, ok := models[name]
	if !ok {
		return fmt.Errorf("%q is none of %s", name, strings.Join(names(), ", "))
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	all := m.tensors()
	config := m.config()
	if layers > 0 && layers < m.layers {
		all = slices.DeleteFunc(all, func(t tensor) bool { return t.layer >= layers })
		config["num_hidden_layers"] = layers
		if types, ok := config["layer_types"].([]string); ok {
			config["layer_types"] = types[:layers]
		}
	}
	shards := split(all, m.shardLimit)
	if layers > 0 {
		shards = [][]tensor{all}
	}
	index := map[string]string{}
	var bytes, apparent int64
	for i, tensors := range shards {
		file := m.shardName(i, len(shards))
		if layers > 0 {
			file = "model.safetensors"
		}
		size, err := writeShard(filepath.Join(folder, file), tensors, m.metadata, random)
		if err != nil {
			return err
		}
		apparent += size
		for _, t := range tensors {
			index[t.name] = file
			bytes += t.size()
		}
	}
	if layers == 0 {
		doc := map[string]any{"metadata": map[string]any{"total_size": bytes}, "weight_map": index}
		if err := writeJSON(filepath.Join(folder, "model.safetensors.index.json"), doc); err != nil {
			return err
		}
	}
	for file, doc := range map[string]any{"config.json": config, "generation_config.json": m.generation, "tokenizer_config.json": m.tokenizerConfig} {
		if err := writeJSON(filepath.Join(folder, file), doc); err != nil {
			return err
		}
	}
	if err := writeTokenizer(filepath.Join(folder, "tokenizer.json"), m.tokenizer); err != nil {
		return err
	}
	fmt.Printf("%s: %d tensors in %d files of %.2f GB apparent size\n", folder, len(all), len(shards), float64(apparent)/1e9)
	return nil
}

func writeJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}

// tensor is one entry of a shard's header.
type tensor struct {
	name  string
	layer int // -1: of none
	dtype string
	shape []int64
}

func (t *tensor) size() int64 {
	n := int64(1)
	for _, d := range t.shape {
		n *= d
	}
	if t.dtype == "BF16" {
		n *= 2
	}
	return n
}

// split fills shards up to limit, in the order of the list; within a shard
// tensors of wider types come first, then their names count.
func split(all []tensor, limit int64) [][]tensor {
	var shards [][]tensor
	var now []tensor
	var size int64
	for _, t := range all {
		if len(now) > 0 && size+t.size() > limit {
			shards, now, size = append(shards, now), nil, 0
		}
		now, size = append(now, t), size+t.size()
	}
	shards = append(shards, now)
	for _, s := range shards {
		slices.SortFunc(s, func(a, b tensor) int {
			return cmp.Or(strings.Compare(a.dtype, b.dtype), strings.Compare(a.name, b.name)) // BF16, U8
		})
	}
	return shards
}

// header is the JSON of a shard's header, padded as its writer pads it.
func header(tensors []tensor, metadata bool) []byte {
	var b []byte
	b = append(b, '{')
	if metadata {
		b = append(b, `"__metadata__":{"format":"pt"},`...)
	}
	at := int64(0)
	for i, t := range tensors {
		if i > 0 {
			b = append(b, ',')
		}
		shape, _ := json.Marshal(t.shape)
		b = fmt.Appendf(b, `"%s":{"dtype":"%s","shape":%s,"data_offsets":[%d,%d]}`, t.name, t.dtype, shape, at, at+t.size())
		at += t.size()
	}
	b = append(b, '}')
	for len(b)%8 != 0 {
		b = append(b, ' ')
	}
	return b
}

func writeShard(path string, tensors []tensor, metadata, random bool) (size int64, err error) {
	f, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	head := header(tensors, metadata)
	prefix := binary.LittleEndian.AppendUint64(nil, uint64(len(head)))
	if _, err := f.Write(append(prefix, head...)); err != nil {
		return 0, err
	}
	at := int64(len(prefix) + len(head))
	filler := newFiller()
	w := bufio.NewWriterSize(f, 1<<20)
	for _, t := range tensors {
		if random {
			err = filler.fill(w, &t)
		} else {
			_, err = f.WriteAt(mark(&t), at)
		}
		if err != nil {
			return 0, err
		}
		at += t.size()
	}
	if err := w.Flush(); err != nil {
		return 0, err
	}
	return at, f.Truncate(at)
}

// mark is the beginning of a tensor of holes, made of its name: 16 digits of
// bytes that are small numbers in each of the types.
func mark(t *tensor) []byte {
	h := uint64(14695981039346656037)
	for _, c := range []byte(t.name) {
		h = (h ^ uint64(c)) * 1099511628211
	}
	var b []byte
	for i := range 16 {
		digit := byte(h>>(4*i)) & 15
		if t.dtype == "BF16" {
			b = append(b, digit<<3, 0x3c) // 0.008 to 0.015
		} else {
			b = append(b, 0x70+digit)
		}
	}
	return b[:min(int64(len(b)), t.size())]
}

// filler writes random weights out of a bank, from another place for each
// tensor.
type filler struct {
	rng     *rand.Rand
	weights []byte // BF16, deviation 0.02
	bytes   []byte
}

func newFiller() *filler {
	f := &filler{rng: rand.New(rand.NewPCG(7, 0))}
	const n = 1 << 20
	f.weights, f.bytes = make([]byte, 0, 2*n), make([]byte, 0, n)
	for range n {
		bits := math.Float32bits(float32(f.rng.NormFloat64() * 0.02))
		f.weights = binary.LittleEndian.AppendUint16(f.weights, uint16((bits+0x8000)>>16))
		f.bytes = append(f.bytes, byte(f.rng.Uint32()))
	}
	return f
}

func (f *filler) fill(w io.Writer, t *tensor) error {
	bank := f.bytes
	switch {
	case strings.Contains(t.name, "norm"):
		bank = []byte{0x80, 0x3f} // 1
	case strings.HasSuffix(t.name, "_scales"):
		bank = []byte{120}
	case t.dtype == "BF16":
		bank = f.weights
	}
	start := f.rng.IntN(len(bank)/2+1) * 2 % len(bank)
	for left := t.size(); left > 0; {
		piece := bank[start : start+int(min(left, int64(len(bank)-start)))]
		if _, err := w.Write(piece); err != nil {
			return err
		}
		left, start = left-int64(len(piece)), 0
	}
	return nil
}
