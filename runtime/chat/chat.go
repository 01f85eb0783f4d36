// Package chat lays out conversations as the text that a model was trained on,
// by the template that comes with the model.
package chat

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/llama-pajamas/pj/runtime/chat/jinja"
	"github.com/llama-pajamas/pj/runtime/tokenizer"
)

// ChatML is the template of models that have none.
const ChatML = `{% for message in messages %}<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}`

// Message is one turn of a conversation.
type Message struct{ Role, Content string }

// Request is a conversation with what else a template may ask for.
type Request struct {
	Messages []Message
	// Vars are more variables, as jinja.FromJSON makes them: tools,
	// enable_thinking, reasoning_effort and the like. Its messages, if there
	// are any, are instead of Messages.
	Vars map[string]any
	// AddGenerationPrompt begins the assistant's next turn.
	AddGenerationPrompt bool
	// Now is what a template takes for the time.
	Now time.Time
}

// Template is a model's template. It may be used by several goroutines.
type Template struct {
	// Standard says that the model has none, and this is ChatML.
	Standard bool

	plain  *jinja.Template
	tools  *jinja.Template // for requests with tools; nil: plain is for all
	tokens map[string]any
}

// tokenNames are the variables for special tokens, by their use.
var tokenNames = map[string]string{
	"bos": "bos_token", "eos": "eos_token", "unk": "unk_token", "sep": "sep_token", "pad": "pad_token", "cls": "cls_token", "mask": "mask_token",
}

// New reads the templates of a vocabulary; a damaged one is an error that names
// its line.
func New(v *tokenizer.Vocab) (*Template, error) {
	t := &Template{tokens: map[string]any{}}
	for use, name := range tokenNames {
		if id, ok := v.ID(use); ok && int(id) < len(v.Tokens) {
			t.tokens[name] = v.Tokens[id]
		}
	}
	for _, source := range v.Templates {
		var to **jinja.Template
		switch source.Name {
		case "", "default":
			to = &t.plain
		case "tool_use":
			to = &t.tools
		default:
			continue
		}
		parsed, err := jinja.Parse(source.Text)
		if err != nil {
			return nil, fmt.Errorf("the model's chat template: %w", err)
		}
		*to = parsed
	}
	if t.plain == nil {
		standard, err := jinja.Parse(ChatML)
		if err != nil {
			return nil, err
		}
		t.plain, t.Standard = standard, true
	}
	return t, nil
}

// Render is the text of a conversation. An error that the template raises
// itself, such as for roles out of order, is a *jinja.Error.
func (t *Template) Render(ctx context.Context, r *Request) (string, error) {
	vars := map[string]any{"tools": nil, "documents": nil, "add_generation_prompt": r.AddGenerationPrompt}
	for k, v := range t.tokens {
		vars[k] = v
	}
	list := &jinja.List{}
	for _, m := range r.Messages {
		d := jinja.NewDict()
		d.Set("role", m.Role)
		d.Set("content", m.Content)
		list.Items = append(list.Items, d)
	}
	vars["messages"] = list
	for k, v := range r.Vars {
		vars[k] = v
	}
	use := t.plain
	if tools, ok := vars["tools"].(*jinja.List); ok && len(tools.Items) > 0 && t.tools != nil {
		use = t.tools
	}
	out, err := use.Render(ctx, vars, r.Now)
	if err != nil {
		if ctx.Err() != nil {
			return "", err
		}
		return "", fmt.Errorf("the model's chat template: %w", err)
	}
	return out, nil
}

// Parse reads a conversation from JSON: a list of messages, or an object with
// messages and other variables of templates, such as tools and
// add_generation_prompt. For a list, the next turn is the assistant's.
func Parse(b []byte) (*Request, error) {
	v, err := jinja.FromJSON(b)
	if err != nil {
		return nil, fmt.Errorf("no JSON: %w", err)
	}
	r := &Request{Vars: map[string]any{}, AddGenerationPrompt: true}
	switch v := v.(type) {
	case *jinja.List:
		r.Vars["messages"] = v
	case *jinja.Dict:
		for k, value := range v.All() {
			r.Vars[fmt.Sprint(k)] = value
		}
	default:
		return nil, errors.New("neither a list of messages nor an object with messages")
	}
	list, ok := r.Vars["messages"].(*jinja.List)
	if !ok {
		return nil, errors.New("messages is missing, or no list")
	}
	for i, m := range list.Items {
		d, ok := m.(*jinja.Dict)
		if !ok {
			return nil, fmt.Errorf("message %d is no object with role and content", i+1)
		}
		if role, _ := d.Get("role"); role == nil {
			return nil, fmt.Errorf("message %d has no role", i+1)
		} else if _, ok := role.(string); !ok {
			return nil, fmt.Errorf("the role of message %d is no string", i+1)
		}
	}
	return r, nil
}
