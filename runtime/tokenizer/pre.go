package tokenizer

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// The patterns that split text into words. (?i:'s|'t|…) are English endings.
const (
	endings  = `(?i:'s|'t|'re|'ve|'m|'ll|'d)`
	spaces   = `\s*[\r\n]+|\s+(?!\S)|\s+`
	word     = `[^\r\n\p{L}\p{N}]?\p{L}+`
	symbols  = ` ?[^\s\p{L}\p{N}]+[\r\n]*`
	markWord = `[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+`
	upperOne = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+`
	upperAll = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*`
	pathMore = ` ?[^\s\p{L}\p{N}]+[\r\n/]*`

	llama3Split = endings + `|` + word + `|\p{N}{1,3}|` + symbols + `|` + spaces
	qwen2Split  = endings + `|` + word + `|\p{N}|` + symbols + `|` + spaces
	qwen35Split = endings + `|` + markWord + `|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|` + spaces
	gpt4oSplit  = upperOne + endings + `?|` + upperAll + endings + `?|\p{N}{1,3}|` + pathMore + `|` + spaces
	tekkenSplit = upperOne + `|` + upperAll + `|\p{N}|` + pathMore + `|` + spaces

	deepseek3Numbers = `\p{N}{1,3}`
	deepseek3Han     = `[一-龥぀-ゟ゠-ヿ]+`
	deepseek3Split   = "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"
)

// preTokenizer is a way to split text, by its steps as steps writes them, and
// the name that llama.cpp has for it.
type preTokenizer struct {
	name  string
	steps string
	// ignoreMerges is what llama.cpp does with the name: whole words that are
	// tokens are not put together from smaller ones.
	ignoreMerges bool
}

// known are the pre-tokenizers that are recognised. Where several names split
// alike, the first one fits that llama.cpp treats the same in other respects.
var known = []preTokenizer{
	{"qwen2", split(qwen2Split) + level(false), false},
	{"qwen35", split(qwen35Split) + level(false), false},
	{"gpt-4o", split(gpt4oSplit) + level(false), false},
	{"llama-bpe", split(llama3Split) + level(false), true},
	{"smaug-bpe", split(llama3Split) + level(false), false},
	{"tekken", split(tekkenSplit) + level(false), true},
	{"deepseek-v3", split(deepseek3Numbers) + split(deepseek3Han) + split(deepseek3Split) + level(false), false},
	{"smollm", "digits;" + level(true), false},
	{"gpt-2", level(true), false},
}

func split(regex string) string { return "split " + regex + ";" }

func level(regex bool) string { return fmt.Sprintf("bytes %v;", regex) }

// step is a pre_tokenizer of a tokenizer.json.
type step struct {
	Type          string           `json:"type"`
	PreTokenizers []jsontext.Value `json:"pretokenizers"`
	Pattern       struct {
		Regex string `json:"Regex"`
	} `json:"pattern"`
	Behavior         string `json:"behavior"`
	Invert           bool   `json:"invert"`
	IndividualDigits bool   `json:"individual_digits"`
	AddPrefixSpace   bool   `json:"add_prefix_space"`
	UseRegex         *bool  `json:"use_regex"` // true where it is missing
}

// recognise finds llama.cpp's name for the way in which text is split. It goes
// by the definition, so that a vocabulary that llama.cpp has never seen is fine
// as long as its way is known.
func recognise(d *document) (string, error) {
	if len(d.preTokenizer) == 0 || d.preTokenizer.Kind() == 'n' {
		return "", errors.New("there is no pre_tokenizer: this program reads byte-level BPE, which has one; convert the model with another program and name the GGUF file instead")
	}
	steps, err := stepsOf(d.preTokenizer, 0)
	if err != nil {
		return "", err
	}
	name := ""
	for _, k := range known {
		if k.steps != steps {
			continue
		}
		if name == "" || k.ignoreMerges == d.model.ignoreMerges {
			name = k.name
		}
		if k.ignoreMerges == d.model.ignoreMerges {
			break
		}
	}
	if name == "" {
		return "", fmt.Errorf("the pre_tokenizer is none that this program recognises (%s); it knows those of %s: convert the model with another program and name the GGUF file instead", shortened(steps), names())
	}
	return name, nil
}

// stepsOf writes down what a pre-tokenizer does, one step after the other.
func stepsOf(v jsontext.Value, depth int) (string, error) {
	var s step
	if err := json.Unmarshal(v, &s); err != nil {
		return "", fmt.Errorf("pre_tokenizer is not what it has to be (%w): correct the file", plainJSON(err))
	}
	switch s.Type {
	case "Sequence":
		if depth > 4 {
			return "", errors.New("pre_tokenizer: sequences within sequences: correct the file")
		}
		var b strings.Builder
		for _, v := range s.PreTokenizers {
			more, err := stepsOf(v, depth+1)
			if err != nil {
				return "", err
			}
			b.WriteString(more)
		}
		return b.String(), nil
	case "Split":
		// A pattern that matches everything is isolated or removed, inverted,
		// to the same effect.
		if s.Pattern.Regex != "" && (s.Behavior == "Isolated" && !s.Invert || s.Behavior == "Removed" && s.Invert) {
			return split(s.Pattern.Regex), nil
		}
	case "Digits":
		if s.IndividualDigits {
			return "digits;", nil
		}
	case "ByteLevel":
		if !s.AddPrefixSpace {
			return level(s.UseRegex == nil || *s.UseRegex), nil
		}
	}
	return s.Type + "?;", nil
}

func names() string {
	var n []string
	for _, k := range known {
		n = append(n, k.name)
	}
	return strings.Join(n, ", ")
}

func shortened(s string) string {
	s = strings.TrimSuffix(s, ";")
	if r := []rune(s); len(r) > 120 {
		return string(r[:120]) + "…"
	}
	return s
}
