package model

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
)

// pieceModel is a tokenizer.model: an unknown token, two for control, the
// bytes, and n words.
func pieceModel(n int) []byte {
	var out []byte
	add := func(text string, score float32, kind byte) {
		p := append([]byte{10, byte(len(text))}, text...)
		p = binary.LittleEndian.AppendUint32(append(p, 21), math.Float32bits(score))
		p = append(p, 24, kind)
		out = append(append(out, 10, byte(len(p))), p...)
	}
	add("<unk>", 0, 2)
	add("<s>", 0, 3)
	add("</s>", 0, 3)
	for b := range 256 {
		add(fmt.Sprintf("<0x%02X>", b), 0, 6)
	}
	add("▁user", -1.5, 4)
	add("▁never", -2.25, 5)
	for i := range n {
		add("▁"+strings.Repeat(string(rune('a'+i)), 2), -float32(i)-0.125, 1)
	}
	// The kind of model (BPE, 2), that bytes are used, and the normalization:
	// what SentencePiece itself needs, and nobody here reads.
	out = append(out, 18, 5, 24, 2, 0x98, 2, 1)
	return append(out, 26, 8, 10, 6, 'n', 'm', 't', 'n', 'f', 'k')
}

// tinyPieces is a llama with a tokenizer.model and tokens that other files add.
func tinyPieces() *tiny {
	m := tinyLlama()
	m.files = map[string]string{
		"tokenizer.model":   string(pieceModel(5)),
		"added_tokens.json": `{"<extra>":266}`,
		"tokenizer_config.json": `{"tokenizer_class":"LlamaTokenizer","add_bos_token":true,"add_eos_token":false,"add_prefix_space":true,"bos_token":{"content":"<s>"},"eos_token":"</s>",` +
			`"added_tokens_decoder":{"0":{"content":"<unk>","special":true},"1":{"content":"<s>","special":true},"2":{"content":"</s>","special":true},"267":{"content":"<|x|>","special":false},"268":{"content":"▁a▁b","special":false}},` +
			`"chat_template":[{"name":"default","template":"D"},{"name":"tool use","template":"T"}]}`,
	}
	m.config = strings.Replace(m.config, `"eos_token_id":[258,259],"bos_token_id":257`, `"eos_token_id":2,"bos_token_id":1,"pad_token_id":99999`, 1)
	return m
}

// tinyFallback is a llama whose tokenizer.json is SentencePiece's in kind.
func tinyFallback() *tiny {
	m := tinyLlama()
	var b strings.Builder
	b.WriteString(`{"version":"1.0","added_tokens":[{"id":0,"content":"<unk>","special":true,"normalized":false,"single_word":false,"lstrip":false,"rstrip":false},{"id":1,"content":"<s>","special":true,"normalized":false,"single_word":false,"lstrip":false,"rstrip":false},` +
		`{"id":2,"content":"</s>","special":true,"normalized":false,"single_word":false,"lstrip":false,"rstrip":false},{"id":271,"content":"<add>","special":false,"normalized":false,"single_word":false,"lstrip":false,"rstrip":false}],` +
		`"normalizer":{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]},"pre_tokenizer":null,` +
		`"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"pair":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"<s>","type_id":1}},{"Sequence":{"id":"B","type_id":1}}],"special_tokens":{"<s>":{"id":"<s>","ids":[1],"tokens":["<s>"]}}},` +
		`"decoder":{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]},` +
		`"model":{"type":"BPE","dropout":null,"unk_token":"<unk>","fuse_unk":true,"byte_fallback":true,"vocab":{"<unk>":0,"<s>":1,"</s>":2`)
	for i := range 256 {
		fmt.Fprintf(&b, `,"<0x%02X>":%d`, i, i+3)
	}
	for i := range 12 {
		fmt.Fprintf(&b, `,"%c":%d`, 'a'+i, 259+i)
	}
	b.WriteString(`},"merges":[]}}`)
	m.files = map[string]string{
		"tokenizer.json":        b.String(),
		"tokenizer_config.json": `{"tokenizer_class":"PreTrainedTokenizerFast","bos_token":"<s>","eos_token":"</s>","unk_token":"<unk>"}`,
		"chat_template.jinja":   "{{ 'x' }}\n",
	}
	return m
}

// tinyTemplates is a llama whose texts are put between tokens by a template,
// of which the last is not the one that ends a turn, and that has three chat
// templates.
func tinyTemplates() *tiny {
	m := tinyLlama()
	text := tokenizerJSON(`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`, `"ignore_merges":true,`)
	text = strings.Replace(text, `"post_processor":null`, `"post_processor":{"type":"Sequence","processors":[{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":false,"use_regex":true},`+
		`{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<|begin|>","type_id":0}},{"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"<|end|>","type_id":0}}],`+
		`"pair":[{"SpecialToken":{"id":"<|begin|>","type_id":0}},{"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"<|end|>","type_id":0}},{"Sequence":{"id":"B","type_id":1}},{"SpecialToken":{"id":"<|end|>","type_id":0}}],`+
		`"special_tokens":{"<|begin|>":{"id":"<|begin|>","ids":[260],"tokens":["<|begin|>"]},"<|end|>":{"id":"<|end|>","ids":[258],"tokens":["<|end|>"]}}}]}`, 1)
	text = strings.Replace(text, `"special":false}],`, `"special":false},{"id":260,"content":"<|begin|>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true},`+
		`{"id":261,"content":"<|turn|>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}],`, 1)
	m.files = map[string]string{
		"tokenizer.json":                         text,
		"tokenizer_config.json":                  `{"tokenizer_class":"PreTrainedTokenizerFast","eos_token":"<|turn|>","add_prefix_space":false}`,
		"chat_template.jinja":                    "main",
		"additional_chat_templates/rag-2.jinja":  "second",
		"additional_chat_templates/tool.s.jinja": "third",
	}
	return m
}
