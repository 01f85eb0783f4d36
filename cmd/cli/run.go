package cli

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/llama-pajamas/pj/runtime/chat"
	"github.com/llama-pajamas/pj/runtime/infer"
	"github.com/llama-pajamas/pj/runtime/tokenizer"
)

// runOptions are the flags of pj run.
type runOptions struct {
	runFlags
	prompt, file, system string
	raw, benchmark       bool
	max                  int
	sample               infer.SampleOptions
	seed                 int64
	stop, bias           []string
}

// runResult is the JSON object of pj run.
type runResult struct {
	Text                  string  `json:"text"`
	Thinking              string  `json:"thinking,omitempty"`
	IDs                   []int32 `json:"ids"`
	End                   string  `json:"end"`
	PromptTokens          int     `json:"prompt_tokens"`
	GeneratedTokens       int     `json:"generated_tokens"`
	PromptTokensPerSecond float64 `json:"prompt_tokens_per_second"`
	TokensPerSecond       float64 `json:"tokens_per_second"`
	LoadSeconds           float64 `json:"load_seconds"`
	KVBytes               int64   `json:"kv_bytes"`
	PeakMemoryBytes       int64   `json:"peak_memory_bytes"`
	Seed                  uint64  `json:"seed"`
}

func (a *app) runCommand() *cobra.Command {
	var o runOptions
	c := &cobra.Command{
		Use:   "run FILE",
		Short: "Chat with a model, or let it complete a text",
		Long: `Runs a GGUF file (of a split one any shard) or a folder in the hub's layout. In a
terminal it chats: a line that ends in \ goes on on the next, Ctrl-C stops an answer,
and once more leaves. With -p, -f or a pipe it answers once.

The text goes through the model's chat template, ChatML's where it has none; --raw
takes it as it is and goes on with it. What a model thinks, in channels or <think>,
is shown in a terminal, and no part of the answer. Weights are mapped and read as they are used, so that a model larger than the
memory runs too, as fast as the disk is.`,
		Example: "  pj run model.gguf\n  pj run model.gguf -p \"What is the capital of France?\"\n  echo \"def add(a, b):\" | pj run model.gguf --raw -n 40 --temp 0",
		Args:    takes("FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.run(c.Context(), args[0], o)
		},
	}
	f := c.Flags()
	f.StringVarP(&o.prompt, "prompt", "p", "", "answer `TEXT`")
	f.StringVarP(&o.file, "file", "f", "", "answer the text in `FILE`")
	f.IntVarP(&o.max, "predict", "n", 0, "generate at most `N` tokens (default: until the model ends, or the context is full)")
	f.Float32Var(&o.sample.Temperature, "temp", 0.8, "temperature `T`; 0 takes the most likely token")
	f.IntVar(&o.sample.TopK, "top-k", 40, "choose among the `K` most likely tokens; 0: all")
	f.Float32Var(&o.sample.TopP, "top-p", 0.95, "choose among the tokens that have the share `P` together")
	f.Float32Var(&o.sample.MinP, "min-p", 0.05, "leave out tokens below the share `P` of the most likely one")
	f.Float32Var(&o.sample.Repeat, "repeat-penalty", 1, "make the last 64 tokens less likely, by the factor `X`")
	f.StringArrayVar(&o.bias, "logit-bias", nil, "add to a token's logit, as `ID=X`; -inf excludes it")
	f.StringArrayVar(&o.stop, "stop", nil, "end the answer before `TEXT`")
	f.Int64Var(&o.seed, "seed", -1, "draw by the seed `N` (default: another each time)")
	f.StringVar(&o.system, "system", "", "the system's message")
	f.BoolVar(&o.raw, "raw", false, "no chat template")
	f.BoolVar(&o.benchmark, "benchmark", false, "say how fast it was, and how much memory it took")
	o.add(c)
	o.addContext(c)
	return c
}

// sampler makes what chooses tokens.
func (o *runOptions) sampler() (*infer.Sampler, error) {
	s := o.sample
	s.Seed = uint64(o.seed)
	for _, text := range o.bias {
		id, value, _ := strings.Cut(text, "=")
		token, err := strconv.ParseInt(id, 10, 32)
		v, err2 := strconv.ParseFloat(value, 32)
		if err != nil || err2 != nil || token < 0 {
			return nil, fmt.Errorf("--logit-bias %q: write ID=X, such as 42=-1.5", text)
		}
		if s.Bias == nil {
			s.Bias = map[int32]float32{}
		}
		s.Bias[int32(token)] = float32(v)
	}
	return infer.NewSampler(s)
}

// input is the text to answer; ok is false where a person is to be asked.
func (a *app) input(o *runOptions, prompted bool) (text string, ok bool, err error) {
	switch {
	case prompted && o.file != "":
		return "", true, errors.New("-p and -f exclude each other")
	case prompted:
		return o.prompt, true, nil
	case o.file != "":
		b, err := os.ReadFile(o.file)
		return string(b), true, err
	}
	if f, is := a.stdin.(*os.File); is && isTerminal(f) {
		return "", false, nil
	}
	b, err := io.ReadAll(a.stdin)
	return strings.TrimSuffix(string(b), "\n"), true, err
}

func (a *app) run(ctx context.Context, path string, o runOptions) error {
	text, once, err := a.input(&o, o.prompt != "")
	if err != nil {
		return badInput(err)
	}
	if o.seed < 0 {
		var b [8]byte
		_, _ = rand.Read(b[:]) // never fails
		o.seed = int64(binary.LittleEndian.Uint64(b[:]) >> 1)
	}
	if o.max < 0 {
		return badInput(errors.New("-n: give a number from 1 on"))
	}
	sampler, err := o.sampler()
	if err != nil {
		return badInput(err)
	}
	start := time.Now()
	m, err := a.openModel(ctx, path, o.runFlags)
	if err != nil {
		return err
	}
	defer m.Close()
	t, err := newTalk(m, o, sampler)
	if err != nil {
		return err
	}
	defer t.seq.Free()
	load := time.Since(start)
	if !once {
		return a.chat(ctx, t)
	}
	g, err := t.ask(ctx, text, a.emit(), func(text string) error {
		if !a.flags.json && isTerminal(a.stderr.under) {
			fmt.Fprint(a.stderr, a.paint(dim, text))
		}
		return nil
	})
	if err == nil && !a.flags.json && !strings.HasSuffix(g.said, "\n") {
		err = a.print("\n")
	}
	if err != nil {
		return runError(err)
	}
	r := result(g.Generation)
	r.Text, r.Thinking = g.said, g.thought
	r.LoadSeconds, r.KVBytes, r.PeakMemoryBytes, r.Seed = load.Seconds(), t.seq.Bytes(), peakMemory(), uint64(o.seed)
	if a.flags.json {
		return a.printJSON(r)
	}
	if o.benchmark {
		a.benchmark(r)
	}
	return nil
}

// runError marks what is the text's fault.
func runError(err error) error {
	if errors.Is(err, infer.ErrFull) {
		return badInput(err)
	}
	return err
}

// emit prints text as it comes, unless one object is to be printed in the end.
func (a *app) emit() func(string) error {
	if a.flags.json {
		return func(string) error { return nil }
	}
	return a.print
}

func result(g *infer.Generation) runResult {
	r := runResult{
		IDs: g.Tokens, End: g.End, PromptTokens: g.Prompt, GeneratedTokens: len(g.Tokens),
	}
	if r.IDs == nil {
		r.IDs = []int32{}
	}
	if s := g.PromptTime.Seconds(); s > 0 {
		r.PromptTokensPerSecond = float64(g.Prompt) / s
	}
	if s := g.Time.Seconds(); s > 0 && len(g.Tokens) > 0 {
		r.TokensPerSecond = float64(len(g.Tokens)) / s
	}
	return r
}

// benchmark says how fast it was.
func (a *app) benchmark(r runResult) {
	fmt.Fprintf(a.stderr, "\nload        %.3f s\nprompt      %d tokens, %.1f tokens/s\ngeneration  %d tokens, %.1f tokens/s\nKV cache    %s\npeak memory %s\n",
		r.LoadSeconds, r.PromptTokens, r.PromptTokensPerSecond, r.GeneratedTokens, r.TokensPerSecond, bytesOf(r.KVBytes), bytesOf(r.PeakMemoryBytes))
}

// talk is a conversation with a model.
type talk struct {
	m        *infer.Model
	c        *infer.Context
	seq      *infer.Sequence
	tok      *tokenizer.Tokenizer
	sampler  *infer.Sampler
	o        runOptions
	template *chat.Template // nil: texts are taken as they are
	messages []chat.Message
	known    []int32 // the sequence's tokens
}

func newTalk(m *infer.Model, o runOptions, s *infer.Sampler) (*talk, error) {
	tok, err := openTokenizer(m)
	if err != nil {
		return nil, err
	}
	c, err := newContext(m, o.runFlags, infer.ContextOptions{})
	if err != nil {
		return nil, err
	}
	t := &talk{m: m, c: c, seq: c.NewSequence(), tok: tok, sampler: s, o: o}
	if !o.raw {
		if t.template, err = chat.New(tok.Vocab()); err != nil {
			return nil, badInput(fmt.Errorf("%s: %w; --raw does without it", m.Path(), err))
		}
	}
	t.clear()
	return t, nil
}

// clear forgets what was said.
func (t *talk) clear() {
	t.messages = nil
	if t.o.system != "" {
		t.messages = append(t.messages, chat.Message{Role: "system", Content: t.o.system})
	}
}

// answer is what a model made of a text.
type answer struct {
	*infer.Generation
	said, thought string
}

// ask lets the model answer a text. What it says goes to say, what it thinks
// to think.
func (t *talk) ask(ctx context.Context, text string, say, think func(string) error) (*answer, error) {
	prompt, err := t.prompt(ctx, text)
	if err != nil {
		return nil, badInput(err)
	}
	// What is in the sequence already is not read again.
	same := 0
	for same < min(len(t.known), len(prompt)-1) && t.known[same] == prompt[same] {
		same++
	}
	if t.seq.Truncate(same) != nil { // some of it is gone
		same = 0
		if err := t.seq.Truncate(0); err != nil {
			return nil, err
		}
	}
	c := &channels{say: say, think: think}
	o := infer.GenerateOptions{Max: t.o.max, Stop: t.o.stop}
	emit := c.push
	if t.template == nil {
		o.Decode.SkipSpecial = true
		emit = say
	}
	g, err := infer.Generate(ctx, t.seq, prompt[same:], t.tok, t.sampler, o, emit)
	t.known = append(append(t.known[:0], prompt...), g.Tokens...)
	t.known = t.known[:min(len(t.known), t.seq.Len())]
	a := &answer{g, g.Text, ""}
	if t.template != nil {
		err = errors.Join(err, c.flush())
		a.said, a.thought = c.said.String(), c.thought.String()
		if len(g.Tokens) > 0 {
			t.messages = append(t.messages, chat.Message{Role: "user", Content: text}, chat.Message{Role: "assistant", Content: a.said})
		}
	}
	return a, err
}

// prompt are the tokens of the conversation so far and of a text.
func (t *talk) prompt(ctx context.Context, text string) ([]int32, error) {
	if text == "" {
		return nil, errors.New("the prompt is empty: write something")
	}
	if t.template == nil {
		return t.tok.Encode(nil, text, tokenizer.EncodeOptions{Around: true}), nil
	}
	rendered, err := t.template.Render(ctx, &chat.Request{
		Messages: append(t.messages[:len(t.messages):len(t.messages)], chat.Message{Role: "user", Content: text}), AddGenerationPrompt: true, Now: time.Now(),
	})
	if err != nil {
		return nil, err
	}
	return t.tok.Encode(nil, rendered, tokenizer.EncodeOptions{}), nil
}
