package tokenizer

import (
	"math"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// uses of special tokens, in the order in which llama.cpp's converter writes
// them. Two more, eot and eom, come from a template that ends in another token
// than eos.
var uses = []string{"bos", "eos", "unk", "sep", "pad", "cls", "mask"}

// processor is a post_processor of a tokenizer.json: what is put around a text.
type processor struct {
	Type       string           `json:"type"`
	Single     []templatePart   `json:"single"`
	Pair       []templatePart   `json:"pair"`
	Cls        jsontext.Value   `json:"cls"`
	Sep        jsontext.Value   `json:"sep"`
	Processors []jsontext.Value `json:"processors"`
}

// templatePart is a special token or a text.
type templatePart struct {
	SpecialToken struct {
		ID string `json:"id"`
	} `json:"SpecialToken"`
	Sequence struct {
		ID string `json:"id"`
	} `json:"Sequence"`
}

// around gathers which tokens are put around a text, and which are meant by
// their uses.
type around struct {
	tokens map[string]string // by use; as tokenizer_config.json says, corrected
	known  bool              // tokenizer_config.json is there
	uses   []string
	add    []Add
}

func (a *around) setAdd(use string, value bool) {
	for i := range a.add {
		if a.add[i].Use == use {
			a.add[i].Value = value
			return
		}
	}
	a.add = append(a.add, Add{use, value})
}

// special finds the ids of the special tokens, the tokens that are put around a
// text, and the chat templates.
func (l *loader) special() error {
	a := &around{tokens: map[string]string{}, known: l.config != nil, uses: append([]string(nil), uses...)}
	if l.config != nil {
		for _, use := range uses {
			a.tokens[use] = l.config.token(use + "_token")
		}
	}
	if l.json != nil {
		a.process(&l.json.processor)
		l.normalizing(l.json.normalizer)
	}
	if l.config != nil {
		if err := l.readTemplates(); err != nil {
			return err
		}
		for _, use := range a.uses {
			if v, ok := l.config.bool("add_" + use + "_token"); ok {
				a.setAdd(use, v)
			}
			l.byText(use, a.tokens[use])
		}
	}
	l.v.Add = a.add
	return l.byConfig(a.uses)
}

// byText sets the id of a use by its token, which has to be an added one.
func (l *loader) byText(use, text string) {
	if l.json == nil || text == "" {
		return
	}
	for _, t := range l.json.added {
		if t.Content == text {
			l.set(use, t.ID)
			return
		}
	}
}

// byConfig sets the ids that config.json has and nothing else said.
func (l *loader) byConfig(uses []string) error {
	if len(l.o.Config) == 0 {
		return nil
	}
	var fields map[string]jsontext.Value
	if err := json.Unmarshal(l.o.Config, &fields); err != nil {
		return l.errorf("config.json", "not a JSON object (%w): correct the file", plainJSON(err))
	}
	for _, use := range uses {
		key := use + "_token_id"
		v := fields[key]
		if len(v) == 0 || v.Kind() != '0' {
			continue // a list names several, of which none is the one
		}
		id, err := strconv.ParseInt(string(v), 10, 64)
		if err != nil {
			continue
		}
		if id < 0 || id > math.MaxUint32 {
			return l.errorf("config.json", "%s is %d, which is no token's id: correct the file", key, id)
		}
		l.set(use, id)
	}
	return nil
}

// set sets the id of a use unless it is set.
func (l *loader) set(use string, id int64) {
	if _, ok := l.v.ID(use); ok || id < 0 || id > math.MaxUint32 {
		return
	}
	if l.v.Model == SentencePiece && id >= int64(len(l.v.Tokens)) {
		return
	}
	l.v.Special = append(l.v.Special, Special{use, uint32(id)})
}

// process follows the post-processor as llama.cpp's converter does: roughly,
// and right for the simple templates that models have.
func (a *around) process(p *processor) {
	if a.known {
		if a.tokens["bos"] == "" {
			a.tokens["bos"] = a.tokens["cls"]
		}
		if a.tokens["eos"] == "" {
			a.tokens["eos"] = a.tokens["sep"]
		}
	}
	steps := []processor{*p}
	if p.Processors != nil {
		steps = steps[:0]
		for _, raw := range p.Processors {
			var step processor
			if json.Unmarshal(raw, &step) == nil {
				steps = append(steps, step)
			}
		}
	}
	for i := range steps {
		switch steps[i].Type {
		case "RobertaProcessing":
			a.roberta(&steps[i])
		case "TemplateProcessing":
			a.template(&steps[i])
		}
	}
}

func (a *around) roberta(p *processor) {
	for _, use := range []string{"bos", "eos", "sep"} {
		a.setAdd(use, true)
	}
	if !a.known {
		return
	}
	for use, v := range map[string]jsontext.Value{"cls": p.Cls, "sep": p.Sep} {
		var pair []jsontext.Value
		if a.tokens[use] == "" && json.Unmarshal(v, &pair) == nil && len(pair) > 0 {
			a.tokens[use] = tokenText(pair[0])
		}
	}
}

// template follows a template for one text, and for two.
func (a *around) template(p *processor) {
	first, last := "", ""
	if n := len(p.Single); n > 1 {
		if first = p.Single[0].SpecialToken.ID; first != "" {
			a.leading(first)
		}
		if last = p.Single[n-1].SpecialToken.ID; last != "" {
			a.trailing(last)
		}
	}
	a.between(p.Pair, first, last)
}

// leading takes the token before a text.
func (a *around) leading(token string) {
	switch {
	case !a.known:
		a.tokens["bos"] = token
	case token != a.tokens["bos"] && token != a.tokens["cls"]:
		for _, use := range []string{"bos", "cls"} {
			if a.tokens[use] == "" {
				a.tokens[use] = token
			}
		}
	}
	a.setAdd("bos", token == a.tokens["bos"] || token == a.tokens["cls"])
}

// trailing takes the token behind a text. Where eos is another one, that ends a
// turn or a message.
func (a *around) trailing(token string) {
	if a.known && token != a.tokens["eos"] {
		for _, use := range []string{"eot", "eom"} {
			if _, taken := a.tokens[use]; !taken {
				a.uses = append(a.uses, use)
				a.tokens[use] = a.tokens["eos"]
				break
			}
		}
	}
	a.tokens["eos"] = token
	a.setAdd("eos", true)
}

// between looks for a separator between two texts.
func (a *around) between(pair []templatePart, first, last string) {
	if len(pair) > 0 && first != "" && pair[0].SpecialToken.ID == first {
		pair = pair[1:]
	}
	if n := len(pair); n > 0 && last != "" && pair[n-1].SpecialToken.ID == last {
		pair = pair[:n-1]
	}
	n := len(pair)
	if n < 3 || pair[0].Sequence.ID != "A" || pair[n-1].Sequence.ID != "B" {
		return
	}
	middle := pair[1 : n-1]
	separates := func(p templatePart) bool {
		id := p.SpecialToken.ID
		return id != "" && (id == a.tokens["sep"] || id == a.tokens["eos"])
	}
	add := separates(middle[0]) && last == "" || len(middle) == 2 && separates(middle[1])
	a.setAdd("sep", add)
	if add && a.known && a.tokens["sep"] == "" {
		a.tokens["sep"] = a.tokens["eos"]
	}
}

// normalizing takes what is done to a text before it is split.
func (l *loader) normalizing(v jsontext.Value) {
	var n struct {
		Type         string           `json:"type"`
		Lowercase    *bool            `json:"lowercase"`
		StripAccents *bool            `json:"strip_accents"`
		Normalizers  []jsontext.Value `json:"normalizers"`
	}
	if len(v) == 0 || json.Unmarshal(v, &n) != nil {
		return
	}
	yes := true
	switch n.Type {
	case "Lowercase":
		l.v.Lowercase = &yes
	case "StripAccents":
		l.v.StripAccents = &yes
	case "BertNormalizer":
		if n.Lowercase != nil {
			l.v.Lowercase = n.Lowercase
		}
		if n.StripAccents != nil {
			l.v.StripAccents = n.StripAccents
		}
	case "Sequence":
		for _, v := range n.Normalizers {
			l.normalizing(v)
		}
	}
}
