package tokenizer

import (
	"testing"

	"github.com/llama-pajamas/pj/runtime/gguf"
	"github.com/stretchr/testify/require"
)

// processed is the small tokenizer with a post_processor and settings; its
// added tokens are 6 <|end|>, 7 a▁b, 8 <s>, 9 </s>.
func processed(processor, settings string) folder {
	f := small().with("tokenizer.json", `"post_processor":null`, `"post_processor":`+processor)
	f = f.with("tokenizer.json", `"special":false}]`, `"special":false},{"id":8,"content":"<s>","special":true},{"id":9,"content":"</s>","special":true}]`)
	f["tokenizer_config.json"] = settings
	if settings == "" {
		delete(f, "tokenizer_config.json")
	}
	return f
}

const (
	partS     = `{"SpecialToken":{"id":"<s>","type_id":0}}`
	partEnd   = `{"SpecialToken":{"id":"</s>","type_id":0}}`
	partA     = `{"Sequence":{"id":"A","type_id":0}}`
	partB     = `{"Sequence":{"id":"B","type_id":1}}`
	oneTemp   = `{"type":"TemplateProcessing","single":[` + partS + `,` + partA + `],"pair":[` + partS + `,` + partA + `,` + partB + `]}`
	twoTemp   = `{"type":"TemplateProcessing","single":[` + partS + `,` + partA + `,` + partEnd + `],"pair":[` + partS + `,` + partA + `,` + partEnd + `,` + partEnd + `,` + partB + `,` + partEnd + `]}`
	sepTemp   = `{"type":"TemplateProcessing","single":[` + partA + `],"pair":[` + partA + `,` + partEnd + `,` + partB + `]}`
	robertaPP = `{"type":"RobertaProcessing","sep":["</s>",9],"cls":["<s>",8]}`
)

func TestPostProcessors(t *testing.T) {
	for name, c := range map[string]struct {
		processor, settings string
		special             []Special
		add                 []Add
	}{
		"none": {"null", `{"bos_token":"<s>","eos_token":"</s>","add_bos_token":true,"add_eos_token":false}`, []Special{{"bos", 8}, {"eos", 9}}, []Add{{"bos", true}, {"eos", false}}},
		"bos":  {oneTemp, `{"bos_token":"<s>","eos_token":"</s>"}`, []Special{{"bos", 8}, {"eos", 9}}, []Add{{"bos", true}}},
		"settings win": {oneTemp, `{"bos_token":"<s>","eos_token":"</s>","add_bos_token":false}`,
			[]Special{{"bos", 8}, {"eos", 9}}, []Add{{"bos", false}}},
		"bos unnamed":  {oneTemp, `{"eos_token":"</s>"}`, []Special{{"bos", 8}, {"eos", 9}, {"cls", 8}}, []Add{{"bos", true}}},
		"bos another":  {oneTemp, `{"bos_token":"<|end|>","cls_token":"<|end|>"}`, []Special{{"bos", 6}, {"cls", 6}}, []Add{{"bos", false}}},
		"both":         {twoTemp, `{"bos_token":"<s>","eos_token":"</s>"}`, []Special{{"bos", 8}, {"eos", 9}, {"sep", 9}}, []Add{{"bos", true}, {"eos", true}, {"sep", true}}},
		"turn":         {twoTemp, `{"bos_token":"<s>","eos_token":"<|end|>"}`, []Special{{"bos", 8}, {"eos", 9}, {"sep", 9}, {"eot", 6}}, []Add{{"bos", true}, {"eos", true}, {"sep", true}}},
		"no settings":  {twoTemp, "", nil, []Add{{"bos", true}, {"eos", true}, {"sep", true}}},
		"empty":        {twoTemp, "{}", nil, []Add{{"bos", true}, {"eos", true}, {"sep", true}}},
		"separator":    {sepTemp, `{"eos_token":"</s>"}`, []Special{{"eos", 9}, {"sep", 9}}, []Add{{"sep", true}}},
		"no separator": {sepTemp, `{"eos_token":"<|end|>"}`, []Special{{"eos", 6}}, []Add{{"sep", false}}},
		"Roberta":      {robertaPP, `{"unk_token":"<|end|>"}`, []Special{{"unk", 6}, {"sep", 9}, {"cls", 8}}, []Add{{"bos", true}, {"eos", true}, {"sep", true}}},
		"cls":          {"null", `{"cls_token":"<s>","sep_token":"</s>"}`, []Special{{"bos", 8}, {"eos", 9}, {"sep", 9}, {"cls", 8}}, nil},
		"sequence":     {`{"type":"Sequence","processors":[{"type":"ByteLevel"},` + oneTemp + `]}`, `{"bos_token":"<s>"}`, []Special{{"bos", 8}}, []Add{{"bos", true}}},
	} {
		t.Run(name, func(t *testing.T) {
			v := load(t, processed(c.processor, c.settings), Options{})
			require.Equal(t, c.special, v.Special)
			require.Equal(t, c.add, v.Add)
		})
	}
}

func TestNormalizers(t *testing.T) {
	v := load(t, small().with("tokenizer.json", `"normalizer":null`, `"normalizer":{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Lowercase"},{"type":"BertNormalizer","strip_accents":false}]}`), Options{})
	require.True(t, *v.Lowercase)
	require.False(t, *v.StripAccents)
	v = load(t, small().with("tokenizer.json", `"normalizer":null`, `"normalizer":{"type":"StripAccents"}`), Options{})
	require.Nil(t, v.Lowercase)
	require.True(t, *v.StripAccents)
	kvs := v.KVs()
	require.Equal(t, gguf.KV{Key: "tokenizer.ggml.normalizer.strip_accents", Value: true}, kvs[len(kvs)-1])
}

func TestTemplates(t *testing.T) {
	const bare = `{"eos_token":"<|end|>"}`
	for name, c := range map[string]struct {
		files map[string]string
		want  []Template
	}{
		"settings before files": {map[string]string{"tokenizer_config.json": `{"chat_template":"own"}`, "chat_template.jinja": "file"}, []Template{{"", "own"}}},
		"said to be none":       {map[string]string{"tokenizer_config.json": `{"chat_template":null}`, "chat_template.jinja": "file"}, nil},
		"list":                  {map[string]string{"tokenizer_config.json": `{"chat_template":[{"name":"default","template":"d"},{"name":"rag"},{"name":"tool-use","template":"t"}]}`}, []Template{{"default", "d"}, {"tool-use", "t"}}},
		"file":                  {map[string]string{"tokenizer_config.json": bare, "chat_template.jinja": "a\r\nb\rc\n"}, []Template{{"", "a\nb\nc\n"}}},
		"files": {map[string]string{"tokenizer_config.json": bare, "chat_template.jinja": "main", "additional_chat_templates/z.jinja": "Z", "additional_chat_templates/b.c.jinja": "B", "additional_chat_templates/readme.txt": "no"},
			[]Template{{"default", "main"}, {"b.c", "B"}, {"z", "Z"}}},
		"JSON file":   {map[string]string{"tokenizer_config.json": bare, "chat_template.json": `{"chat_template":"j"}`}, []Template{{"", "j"}}},
		"no settings": {map[string]string{"chat_template.jinja": "main"}, nil},
		"odd":         {map[string]string{"tokenizer_config.json": `{"chat_template":7}`}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			f := folder{"tokenizer.json": smallJSON}
			for n, text := range c.files {
				f[n] = text
			}
			require.Equal(t, c.want, load(t, f, Options{}).Templates)
		})
	}
}

func TestKVs(t *testing.T) {
	yes := true
	v := &Vocab{
		Model: SentencePiece, Pre: "default", Tokens: []string{"a", "b"}, Types: []Type{Normal, Control}, Scores: []float32{1, 2},
		Special: []Special{{"bos", 1}, {"cls", 0}, {"sep", 1}}, Add: []Add{{"bos", true}, {"mask", true}}, AddSpacePrefix: &yes,
		Templates: []Template{{"default", "d"}, {"tool use", "t"}, {"rag", "r"}, {"tool.use", "again"}, {"empty", ""}}, Lowercase: &yes,
	}
	require.Equal(t, []gguf.KV{
		{Key: "tokenizer.ggml.add_space_prefix", Value: true},
		{Key: "tokenizer.ggml.model", Value: "llama"},
		{Key: "tokenizer.ggml.pre", Value: "default"},
		{Key: "tokenizer.ggml.tokens", Value: []string{"a", "b"}},
		{Key: "tokenizer.ggml.scores", Value: []float32{1, 2}},
		{Key: "tokenizer.ggml.token_type", Value: []int32{1, 3}},
		{Key: "tokenizer.ggml.bos_token_id", Value: uint32(1)},
		{Key: "tokenizer.ggml.seperator_token_id", Value: uint32(1)},
		{Key: "tokenizer.ggml.add_bos_token", Value: true},
		{Key: "tokenizer.chat_template.tool_use", Value: "t"},
		{Key: "tokenizer.chat_template.rag", Value: "r"},
		{Key: "tokenizer.chat_templates", Value: []string{"rag", "tool_use"}},
		{Key: "tokenizer.chat_template", Value: "d"},
		{Key: "tokenizer.ggml.normalizer.lowercase", Value: true},
	}, v.KVs())
}
