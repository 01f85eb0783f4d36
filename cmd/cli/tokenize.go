package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/llama-pajamas/pj/runtime/chat"
	"github.com/llama-pajamas/pj/runtime/hub"
	"github.com/llama-pajamas/pj/runtime/model"
	"github.com/llama-pajamas/pj/runtime/tokenizer"
)

// maxPrompt bounds the texts that are read whole.
const maxPrompt = 1 << 30

// tokenizeOptions are the flags of pj tokenize.
type tokenizeOptions struct {
	file, prompt, chat string
	hasPrompt          bool
	decode, plain      bool
}

// tokenizeResult is the JSON object of pj tokenize. Text is what was rendered of
// a chat, or decoded.
type tokenizeResult struct {
	IDs  []int32 `json:"ids"`
	Text *string `json:"text,omitempty"`
}

func (a *app) tokenizeCommand() *cobra.Command {
	var o tokenizeOptions
	c := &cobra.Command{
		Use:   "tokenize MODEL",
		Short: "Turn text into a model's tokens, or back",
		Long: `Prints the ids of a text's tokens, by the tokenizer of a GGUF file, a folder in the
hub's layout (its weights may be missing) or hf://OWNER/NAME. The text is a file's,
standard input's with -f -, or -p's. Special tokens in it are recognised, unless
--no-special takes them as plain text; none are added.

--chat renders a conversation through the model's chat template first: a JSON file with
a list of messages, or with an object of messages, tools and what else the template
asks for. A model without a template gets ChatML's. --decode takes ids, divided by
spaces or commas, and prints their text.`,
		Example: "  pj tokenize model.gguf -p \"Hello, world\"\n  pj tokenize Qwen3-30B-A3B/ --chat messages.json\n  pj tokenize model.gguf --decode -p \"9707 11 1879\"",
		Args:    takes("MODEL"),
		RunE: func(c *cobra.Command, args []string) error {
			o.hasPrompt = c.Flags().Changed("prompt")
			if err := o.check(); err != nil {
				return badInput(err)
			}
			t, err := a.tokenizerOf(c.Context(), args[0])
			if err != nil {
				return openError(c.Context(), err)
			}
			return a.tokenize(c.Context(), t, args[0], o)
		},
	}
	c.Flags().StringVarP(&o.file, "file", "f", "", "the text of a `FILE`; - is standard input")
	c.Flags().StringVarP(&o.prompt, "prompt", "p", "", "the `TEXT` itself")
	c.Flags().StringVar(&o.chat, "chat", "", "the conversation of a JSON `FILE`")
	c.Flags().BoolVar(&o.decode, "decode", false, "from ids to text")
	c.Flags().BoolVar(&o.plain, "no-special", false, "take special tokens in the text as plain text")
	return c
}

// check wants one source of text.
func (o *tokenizeOptions) check() error {
	n := 0
	for _, given := range []bool{o.file != "", o.hasPrompt, o.chat != ""} {
		if given {
			n++
		}
	}
	switch {
	case n == 0:
		return errors.New("name the text: -f FILE, -p TEXT or --chat FILE")
	case n > 1:
		return errors.New("more than one text: give one of -f, -p and --chat")
	case o.chat != "" && o.decode:
		return errors.New("--chat makes ids of a conversation, and --decode text of ids: leave one out")
	case o.chat != "" && o.plain:
		return errors.New("--chat needs special tokens: leave --no-special out")
	}
	return nil
}

// tokenizerOf opens the tokenizer of what a path or a reference to the hub
// names.
func (a *app) tokenizerOf(ctx context.Context, path string) (*tokenizer.Tokenizer, error) {
	if !strings.HasPrefix(path, "hf://") {
		return model.OpenTokenizer(ctx, path)
	}
	ref, err := hub.ParseRef(path)
	if err != nil {
		return nil, err
	}
	snapshot, err := a.newServices().Hub.Snapshot(ctx, ref, "")
	if err != nil {
		return nil, err
	}
	return model.OpenTokenizerFiles(ctx, snapshot)
}

func (a *app) tokenize(ctx context.Context, t *tokenizer.Tokenizer, path string, o tokenizeOptions) error {
	text := o.prompt
	if o.file != "" {
		b, err := a.readText(o.file)
		if err != nil {
			return badInput(err)
		}
		text = string(b)
	}
	if o.decode {
		return a.decodeTokens(t, path, text)
	}
	var r tokenizeResult
	if o.chat != "" {
		rendered, err := a.renderChat(ctx, t, path, o.chat)
		if err != nil {
			return err
		}
		text, r.Text = rendered, &rendered
	}
	r.IDs = t.Encode([]int32{}, text, tokenizer.EncodeOptions{Plain: o.plain})
	if a.flags.json {
		return a.printJSON(r)
	}
	line := make([]byte, 0, 6*len(r.IDs)+1)
	for i, id := range r.IDs {
		if i > 0 {
			line = append(line, ' ')
		}
		line = strconv.AppendInt(line, int64(id), 10)
	}
	return a.print(string(append(line, '\n')))
}

// readText reads a text whole, - for standard input.
func (a *app) readText(path string) ([]byte, error) {
	in := a.stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, maxPrompt+1))
	if err == nil && len(b) > maxPrompt {
		err = fmt.Errorf("%s: more than 1 GiB: divide it", path)
	}
	return b, err
}

// renderChat renders the conversation of a file.
func (a *app) renderChat(ctx context.Context, t *tokenizer.Tokenizer, path, file string) (string, error) {
	b, err := a.readText(file)
	if err != nil {
		return "", badInput(err)
	}
	r, err := chat.Parse(b)
	if err != nil {
		return "", badInput(fmt.Errorf("%s: %w", file, err))
	}
	template, err := chat.New(t.Vocab())
	if err != nil {
		return "", badInput(fmt.Errorf("%s: %w", path, err))
	}
	r.Now = time.Now()
	text, err := template.Render(ctx, r)
	if err != nil {
		return "", openError(ctx, fmt.Errorf("%s: %w", path, err))
	}
	return text, nil
}

// decodeTokens prints the text of ids.
func (a *app) decodeTokens(t *tokenizer.Tokenizer, path, text string) error {
	r := tokenizeResult{IDs: []int32{}}
	for _, word := range strings.FieldsFunc(text, func(c rune) bool { return strings.ContainsRune(" \t\r\n,[]", c) }) {
		id, err := strconv.ParseInt(word, 10, 32)
		if err != nil {
			return badInput(fmt.Errorf("%.40q is no id: give whole numbers, divided by spaces or commas", word))
		}
		if id < 0 || int(id) >= t.VocabSize() {
			return badInput(fmt.Errorf("there is no token %d: %s has %d, from 0 on", id, path, t.VocabSize()))
		}
		r.IDs = append(r.IDs, int32(id))
	}
	out := t.Decode(r.IDs, tokenizer.DecodeOptions{})
	if a.flags.json {
		out = strings.ToValidUTF8(out, "\uFFFD")
		r.Text = &out
		return a.printJSON(r)
	}
	return a.print(out)
}
