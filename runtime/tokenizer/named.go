package tokenizer

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// More patterns that split text into words, see pre.go.
const (
	anyPunctuation = `[\p{P}\$\+<=>\^~\|]+`
	oneDigit       = `\p{N}`
	digits3        = `[0-9][0-9][0-9]`
	latinGreek     = `\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿ\u0386\u0388-\u038A\u038C\u038E-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚ\u1E00-\u1F15\u1F18-\u1F1D\u1F20-\u1F45\u1F48-\u1F4D\u1F50-\u1F57\u1F59\u1F5B\u1F5D\u1F5F-\u1F7D\u1F80-\u1FB4\u1FB6-\u1FBC\u1FBE\u1FC2-\u1FC4\u1FC6-\u1FCC\u1FD0-\u1FD3\u1FD6-\u1FDB\u1FE0-\u1FEC\u1FF2-\u1FF4\u1FF6-\u1FFCℂℇℊ-ℓℕℙ-ℝℤ\u2126ℨ\u212A-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+`
	hanHangul      = `[一-龥ࠀ-一가-퟿]+`
	bloomSplit     = ` ?[^(\s|.,!?…。，、।۔،)]+`
	bailingSplit   = `'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+`
	seedSplit      = endings + `|` + word + `|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|` + spaces
	exaoneMoeSplit = endings + `|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+`
	jais2Split     = endings + `|` + word + `|\p{N}{1,3}|` + symbols + `|\s*[\r\n]+|\s{512}(?!\S)|\s{256}(?!\S)|\s{128}(?!\S)|\s{64}(?!\S)|\s{32}(?!\S)|\s{16}(?!\S)|\s{8}(?!\S)|\s{4}(?!\S)|\s{1,2}(?!\S)|\s{1}`
	kimiSplit      = `[\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+` + endings + `?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*` + endings + `?|\p{N}{1,3}|` + symbols + `|` + spaces
	newlineSplit   = `[^\n]+|[\n]+`
)

// named is what a GGUF file's tokenizer.ggml.pre stands for.
type named struct {
	steps  []string // patterns, each dividing what the one before made
	whole  bool     // words that are tokens are not put together from smaller ones
	addBOS bool     // where the file does not say
	nfc    bool     // the hub's tokenizers of the name normalize; llama.cpp does not
}

// namedPre are the pre-tokenizers by the names that llama.cpp's converter
// gives them.
func namedPre(name string) (named, error) {
	if n, ok := pres[name]; ok {
		return n, nil
	}
	return named{}, fmt.Errorf("tokenizer.ggml.pre is %q, which is not known here (these are: %s): use the model's hub folder instead", name, strings.Join(slices.Sorted(maps.Keys(pres)), ", "))
}

var pres = preTable()

func preTable() map[string]named {
	t := map[string]named{}
	set := func(n named, names ...string) {
		for _, name := range names {
			t[name] = n
		}
	}
	one := func(s ...string) named { return named{steps: s} }
	with := func(n named, f func(*named)) named { f(&n); return n }
	nfc := func(n *named) { n.nfc = true }
	whole := func(n *named) { n.whole = true }
	llama3 := func(n *named) { n.whole, n.addBOS = true, true }

	set(one(anyPunctuation, gpt2Split, `\p{N}+`, digits3), "", "default")
	set(with(one(llama3Split), llama3), "llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2", "jina-v5-nano")
	set(one(llama3Split), "dbrx", "smaug-bpe", "glm4", "chatglm-bpe")
	set(with(one(tekkenSplit), llama3), "tekken")
	set(with(one(`\p{N}{1,3}`, endings+`|`+word+`|\p{N}+|`+symbols+`|`+spaces), whole), "minicpm5")
	set(with(one(qwen2Split), nfc), "qwen2", "deepseek-r1-qwen", "megrez", "stablelm2", "kormo", "f2llmv2")
	set(one(qwen2Split), "hunyuan", "solar-open", "grok-2")
	set(one(qwen35Split), "qwen35")
	set(one(word+`|\p{N}|`+symbols+`|`+spaces), "ufakzeka")
	set(one(newlineSplit, qwen2Split), "laguna")
	set(one(gpt4oSplit), "gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2")
	set(with(one(gpt4oSplit), whole), "granite-embed-multi-97m")
	set(one(`\d{1,3}(?=(?:\d{3})*\b)`, gpt4oSplit), "tiny_aya", "cohere2moe")
	set(one(kimiSplit), "kimi-k2")
	set(one(`[\r\n]`, latinGreek, `\s?[!-/:-~！-／：-～‘-‟　-。]+`, `\s+$`, hanHangul, `\p{N}+`), "deepseek-llm")
	set(one(`[\r\n]`, `\s?\p{L}+`, `\s?\p{P}+`, hanHangul, oneDigit), "deepseek-coder")
	set(one(deepseek3Numbers, deepseek3Han, deepseek3Split), "deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4")
	set(one("[\\p{P}\\$\\+<=>\\^~\\|`]+", gpt2Split, digits3), "falcon")
	set(one(oneDigit, gpt2Split), "starcoder", "refact", "codeshell", "exaone", "minerva-7b", "mellum2", "smollm")
	set(with(one(oneDigit, gpt2Split), nfc), "command-r")
	set(one(gpt2Split), "gpt-2", "phi-2", "jina-es", "jina-de", "gigachat", "jina-v2-es", "jina-v2-de", "a.x-4.0", "mellum", "exaone4", "jais", "trillion",
		"granite-docling", "jina-v1-en", "jina-v2-code", "roberta-bpe")
	set(with(one(gpt2Split), nfc), "mpt", "olmo", "modern-bert")
	set(one(jais2Split), "jais-2")
	set(one(bloomSplit), "bloom", "gpt3-finnish", "poro-chat")
	set(one(bloomSplit, oneDigit), "viking")
	set(one(bailingSplit), "bailingmoe", "bailingmoe2", "llada-moe")
	set(one(seedSplit), "seed-coder")
	set(one(exaoneMoeSplit), "exaone-moe")
	chameleon := one(`<sentinel:[0-9]+>`, `(IMGIMG)((A|B|C|D|E|F|G|H|I){1,4})Z`, `([\t\n]|    |  )`, oneDigit, "[\\p{P}!-/:-@\\[-`{-~]", gpt2Split)
	chameleon.addBOS = true
	set(chameleon, "chameleon")
	return t
}

// compiled makes the steps of a name.
func (n *named) compiled() ([]division, error) {
	var out []division
	for _, expr := range n.steps {
		d, err := dividing(expr)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

func (n *named) normalizers() []normalizer {
	if n.nfc {
		return []normalizer{normalForm(norm.NFC)}
	}
	return nil
}
