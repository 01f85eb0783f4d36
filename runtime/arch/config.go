package arch

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Common are the settings of config.json that all architectures here have.
type Common struct {
	Hidden       int64   `json:"hidden_size" check:"required,1:1048576"`
	Layers       int64   `json:"num_hidden_layers" check:"required,1:10000"`
	Heads        int64   `json:"num_attention_heads" check:"required,1:65536"`
	HeadsKV      int64   `json:"num_key_value_heads" check:"1:65536"`
	HeadDim      int64   `json:"head_dim" check:"1:65536"`
	Intermediate int64   `json:"intermediate_size" check:"required,1:16777216"`
	Vocab        int64   `json:"vocab_size" check:"required,1:16777216"`
	Context      int64   `json:"max_position_embeddings" check:"1:2147483647"`
	RMSEps       float64 `json:"rms_norm_eps" check:"1e-30:1"`
	RopeTheta    float64 `json:"rope_theta" check:"1e-6:1e30"`
	RopeScaling  *Rope   `json:"rope_scaling"`
	// RopeParameters is where newer files have both of the above.
	RopeParameters *Rope         `json:"rope_parameters"`
	Tied           bool          `json:"tie_word_embeddings"`
	AttentionBias  bool          `json:"attention_bias"`
	SlidingWindow  int64         `json:"sliding_window" check:"1:2147483647"`
	LayerTypes     []string      `json:"layer_types"`
	Quantization   *Quantization `json:"quantization_config"`
}

// Rope is how positions are scaled beyond the trained context.
type Rope struct {
	Type            string   `json:"rope_type"`
	OldType         string   `json:"type"`
	Theta           float64  `json:"rope_theta" check:"1e-6:1e30"`
	Factor          *float64 `json:"factor" check:"1e-6:1e9"`
	OriginalContext int64    `json:"original_max_position_embeddings" check:"1:2147483647"`
	ExtFactor       *float64 `json:"extrapolation_factor" check:"-1e9:1e9"`
	AttentionFactor *float64 `json:"attention_factor" check:"-1e9:1e9"`
	AttnFactor      *float64 `json:"attn_factor" check:"-1e9:1e9"`
	BetaFast        *float64 `json:"beta_fast" check:"0:1e9"`
	BetaSlow        *float64 `json:"beta_slow" check:"0:1e9"`
	LowFreqFactor   *float64 `json:"low_freq_factor" check:"1e-6:1e9"`
	HighFreqFactor  *float64 `json:"high_freq_factor" check:"1e-6:1e9"`
}

// Quantization says how the weights are stored, where that is not as floats.
type Quantization struct {
	Method string `json:"quant_method"`
}

// Detect finds a config.json's architecture. want, where not empty, is what it
// has to be.
func Detect(config []byte, file, want string) (*Arch, error) {
	var head struct {
		Architectures []string `json:"architectures"`
		ModelType     string   `json:"model_type"`
	}
	if err := decodeConfig(config, &head); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	name := head.ModelType
	if len(head.Architectures) > 0 {
		name = head.Architectures[0]
	}
	if name == "" {
		return nil, fmt.Errorf("%s: neither architectures nor model_type is there: this is no configuration of a model", file)
	}
	a, ok := ByName(name)
	if !ok {
		return nil, fmt.Errorf("%s: architecture %q is not known; known are %s. Convert it with another program and name the GGUF file instead", file, name, known())
	}
	if want != "" {
		w, ok := ByName(want)
		if !ok {
			return nil, fmt.Errorf("architecture %q is not known; known are %s", want, known())
		}
		if w != a {
			return nil, fmt.Errorf("%s: the model is of architecture %q (%s), not %q: correct or drop the architecture", file, a.Name, name, want)
		}
	}
	return a, nil
}

// Describe reads a config.json of the architecture; file stands for it in
// errors, has as in Config.
func (a *Arch) Describe(config []byte, file string, has func(pattern string) bool) (*Description, error) {
	c := a.Config()
	if err := decodeConfig(config, c); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	d, err := c.Describe(has)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	d.Arch = a
	return d, nil
}

// decodeConfig fills a struct from a JSON object. A field's json tag is its
// name there; its check tag says whether it is required and between which
// bounds numbers lie. Missing and null leave the field as it is; keys without a
// field are passed over, as any model has some that do not matter here.
func decodeConfig(data []byte, to any) error {
	var object map[string]jsontext.Value
	if err := json.Unmarshal(data, &object); err != nil {
		var syntax *jsontext.SyntacticError
		if errors.As(err, &syntax) {
			line, col := place(data, syntax.ByteOffset)
			return fmt.Errorf("line %d, column %d: %s: correct the file", line, col, jsonMessage(syntax))
		}
		return errors.New("not a JSON object: correct the file")
	}
	return fill(object, reflect.ValueOf(to).Elem(), "")
}

// jsonMessage is a syntax error without its place and package name.
func jsonMessage(e *jsontext.SyntacticError) string {
	if e.Err == nil {
		return "not JSON"
	}
	return strings.TrimPrefix(e.Err.Error(), "jsontext: ")
}

// place is the line and column of an offset, from 1.
func place(data []byte, offset int64) (line, col int) {
	before := string(data[:min(int64(len(data)), offset)])
	return 1 + strings.Count(before, "\n"), len(before) - strings.LastIndex(before, "\n")
}

func fill(object map[string]jsontext.Value, v reflect.Value, prefix string) error {
	t := v.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			if err := fill(object, v.Field(i), prefix); err != nil {
				return err
			}
			continue
		}
		key := f.Tag.Get("json")
		check := f.Tag.Get("check")
		bounds, required := strings.CutPrefix(check, "required,")
		raw, ok := object[key]
		if !ok || raw.Kind() == 'n' {
			if required {
				return fmt.Errorf("%s%s is missing: the file is not complete", prefix, key)
			}
			continue
		}
		if err := set(v.Field(i), raw, bounds, prefix+key); err != nil {
			return err
		}
	}
	return nil
}

// set decodes one value into a field.
func set(v reflect.Value, raw jsontext.Value, bounds, key string) error {
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	wrong := func(want string) error {
		return fmt.Errorf("%s is %s, and it has to be %s: correct the file", key, shorten(string(raw)), want)
	}
	switch v.Kind() {
	case reflect.Int64:
		n, err := strconv.ParseInt(string(raw), 10, 64)
		lo, hi, _ := strings.Cut(bounds, ":")
		low, _ := strconv.ParseInt(lo, 10, 64)
		high, _ := strconv.ParseInt(hi, 10, 64)
		if err != nil || n < low || n > high {
			return wrong(fmt.Sprintf("a whole number from %d to %d", low, high))
		}
		v.SetInt(n)
	case reflect.Float64:
		n, err := strconv.ParseFloat(string(raw), 64)
		lo, hi, _ := strings.Cut(bounds, ":")
		low, _ := strconv.ParseFloat(lo, 64)
		high, _ := strconv.ParseFloat(hi, 64)
		// Written so that NaN fails; the JSON parser has refused the word already.
		if err != nil || raw.Kind() != '0' || !(n >= low && n <= high) {
			return wrong(fmt.Sprintf("a number from %v to %v", low, high))
		}
		v.SetFloat(n)
	case reflect.Struct:
		var object map[string]jsontext.Value
		if json.Unmarshal(raw, &object) != nil {
			return wrong("an object")
		}
		return fill(object, v, key+".")
	case reflect.Bool:
		if json.Unmarshal(raw, v.Addr().Interface()) != nil {
			return wrong("true or false")
		}
	case reflect.String:
		if json.Unmarshal(raw, v.Addr().Interface()) != nil {
			return wrong("a string")
		}
	default:
		if json.Unmarshal(raw, v.Addr().Interface()) != nil {
			return wrong("a list of " + v.Type().Elem().Kind().String() + "s")
		}
	}
	return nil
}

// shorten cuts a value that would fill the screen.
func shorten(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}

// check completes the settings that follow from others and compares them.
func (c *Common) check() error {
	if c.HeadsKV == 0 {
		c.HeadsKV = c.Heads
	}
	if c.Heads%c.HeadsKV != 0 {
		return fmt.Errorf("num_attention_heads %d is no multiple of num_key_value_heads %d: correct the file", c.Heads, c.HeadsKV)
	}
	if c.HeadDim == 0 && c.Hidden%c.Heads != 0 {
		return fmt.Errorf("hidden_size %d is no multiple of num_attention_heads %d, and there is no head_dim: correct the file", c.Hidden, c.Heads)
	}
	if c.headDim()%2 != 0 {
		return fmt.Errorf("head_dim is %d, and rotary positions need an even one: correct the file", c.headDim())
	}
	if c.LayerTypes != nil && int64(len(c.LayerTypes)) != c.Layers {
		return fmt.Errorf("layer_types has %d entries and num_hidden_layers is %d: correct the file", len(c.LayerTypes), c.Layers)
	}
	for _, t := range c.LayerTypes {
		if t != "sliding_attention" && t != "full_attention" {
			return fmt.Errorf("layer_types has %q, and known are sliding_attention and full_attention", t)
		}
	}
	if q := c.Quantization; q != nil && q.Method != "" && q.Method != "mxfp4" {
		return fmt.Errorf("quantization_config: the weights are stored as %q, which this program does not read: take the model's BF16 or F16 release", q.Method)
	}
	return c.rope().check()
}

// checkExperts compares the counts of a mixture of experts.
func checkExperts(experts, used int64, expertsKey, usedKey string) error {
	if used > experts {
		return fmt.Errorf("%s %d is more than %s %d: correct the file", usedKey, used, expertsKey, experts)
	}
	return nil
}

// headDim is the width of a head, which follows from others where no key says
// it.
func (c *Common) headDim() int64 {
	if c.HeadDim > 0 {
		return c.HeadDim
	}
	return c.Hidden / c.Heads
}

// rope gathers what is said in one place or the other.
func (c *Common) rope() *Rope {
	r := Rope{}
	if c.RopeParameters != nil {
		r = *c.RopeParameters
	} else if c.RopeScaling != nil {
		r = *c.RopeScaling
	}
	if r.Theta == 0 {
		r.Theta = c.RopeTheta
	}
	if r.Type == "" {
		r.Type = r.OldType
	}
	return &r
}

func (r *Rope) check() error {
	switch strings.ToLower(r.Type) {
	case "", "default", "linear", "yarn", "llama3":
	default:
		return fmt.Errorf("rope_scaling: type %q is not known; known are default, linear, yarn and llama3", r.Type)
	}
	if r.Type == "yarn" && r.Factor != nil && r.OriginalContext == 0 {
		return errors.New("rope_scaling: type yarn needs original_max_position_embeddings: correct the file")
	}
	if strings.EqualFold(r.Type, "llama3") {
		if low, high := orElse(r.LowFreqFactor, 1), orElse(r.HighFreqFactor, 4); low == high || math.IsInf(low, 0) {
			return fmt.Errorf("rope_scaling: low_freq_factor and high_freq_factor are both %v: correct the file", low)
		}
	}
	return nil
}

func orElse(v *float64, otherwise float64) float64 {
	if v == nil {
		return otherwise
	}
	return *v
}

// attention is the kind of each layer; otherwise says it where there are no
// layer_types.
func (c *Common) attention(otherwise func(layer int) string) []string {
	kinds := make([]string, c.Layers)
	for i := range kinds {
		switch {
		case c.LayerTypes == nil:
			kinds[i] = otherwise(i)
		case c.LayerTypes[i] == "sliding_attention":
			kinds[i] = Sliding
		default:
			kinds[i] = Full
		}
	}
	return kinds
}

func allFull(int) string { return Full }

// describe is the part of a description that all architectures share.
func (c *Common) describe(k *keys, otherwise func(layer int) string) *Description {
	return &Description{
		Layers: int(c.Layers), Heads: int(c.Heads), HeadsKV: int(c.HeadsKV),
		Vocab: c.Vocab, Hidden: c.Hidden,
		Attention: c.attention(otherwise), Keys: k.kvs,
	}
}

func missing(key string) error { return fmt.Errorf("%s is missing: the file is not complete", key) }

var errDenseLayers = errors.New("decoder_sparse_step and mlp_only_layers say that some layers have no experts, which neither llama.cpp nor this program supports for the architecture")

// noSliding makes all layers full where llama.cpp knows no sliding window for
// the architecture, and says so.
func (c *Common) noSliding(d *Description) []string {
	for i, kind := range d.Attention {
		if kind == Sliding {
			for j := range d.Attention {
				d.Attention[j] = Full
			}
			return []string{fmt.Sprintf("config.json: layer %d has a sliding window, and llama.cpp gives every layer of this architecture full attention", i)}
		}
	}
	return nil
}
