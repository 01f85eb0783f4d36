package infer

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/llama-pajamas/pj/runtime/tokenizer"
)

// GenerateOptions steer a generation.
type GenerateOptions struct {
	Max    int      // tokens; 0: as many as there is room for
	Stop   []string // texts that end it; they are not given out
	Decode tokenizer.DecodeOptions
	// IgnoreEnd goes on behind the token that ends an answer.
	IgnoreEnd bool
}

// Why a generation ended.
const (
	EndToken = "end"    // the model ended it
	EndStop  = "stop"   // a text that ends it came
	EndMax   = "length" // it has as many tokens as were asked for
	EndFull  = "full"   // the context is full
)

// Generation is what came of one.
type Generation struct {
	Text   string
	Tokens []int32 // without the one that ended it
	Last   int32   // that one; -1 where there is none
	End    string
	Prompt int // tokens that were read
	// PromptTime is until the first token is chosen, Time from there on.
	PromptTime, Time time.Duration
}

// Generate appends a prompt to a sequence and lets the model go on. Text is
// given to emit as it comes, in whole characters; an error of emit ends it.
// Where ctx ends, what came so far is returned with its error.
func Generate(ctx context.Context, s *Sequence, prompt []int32, t *tokenizer.Tokenizer, sampler *Sampler, o GenerateOptions, emit func(text string) error) (*Generation, error) {
	g := &Generation{Prompt: len(prompt), Last: -1}
	if len(prompt) == 0 {
		return g, errors.New("the prompt is empty: write something")
	}
	start := time.Now()
	out := holder{stop: o.Stop, emit: emit}
	stream := t.NewStream(o.Decode, prompt...)
	sampler.Accept(prompt...)
	var next int32
	var picked error
	pick := func(_, _ int, logits []float32) error {
		next, picked = sampler.Sample(logits)
		return picked
	}
	part := []Part{{Seq: s, Tokens: prompt, Want: Last}}
	one := make([]int32, 1)
	err := s.c.Decode(ctx, part, pick)
	for err == nil {
		if g.PromptTime == 0 {
			g.PromptTime = time.Since(start)
			start = time.Now()
		}
		if t.IsEOG(next) && !o.IgnoreEnd {
			g.End, g.Last = EndToken, next
			break
		}
		g.Tokens = append(g.Tokens, next)
		sampler.Accept(next)
		if err = out.push(stream.Push(next)); err != nil || out.stopped {
			g.End = EndStop
			break
		}
		if len(g.Tokens) == o.Max {
			g.End = EndMax
			break
		}
		if s.Len() == s.c.Tokens() {
			g.End = EndFull
			break
		}
		one[0] = next
		part[0].Tokens = one
		err = s.c.Decode(ctx, part, pick)
	}
	g.Time = time.Since(start)
	if err == nil && !out.stopped {
		err = out.push(stream.Flush())
	}
	if err == nil {
		err = out.flush()
	}
	g.Text = out.text.String()
	return g, err
}

// holder gives text out, but for what may be the start of a stop.
type holder struct {
	stop    []string
	emit    func(string) error
	text    strings.Builder // given out
	held    string
	stopped bool
}

func (h *holder) push(text string) error {
	if h.stopped || text == "" {
		return nil
	}
	h.held += text
	end := len(h.held)
	for _, s := range h.stop {
		if s == "" {
			continue
		}
		if at := strings.Index(h.held, s); at >= 0 {
			h.stopped = true
			end = min(end, at)
		}
	}
	if h.stopped {
		h.held = h.held[:end]
		return nil
	}
	for _, s := range h.stop {
		for n := min(len(s)-1, len(h.held)); n > 0; n-- {
			if strings.HasSuffix(h.held, s[:n]) {
				end = min(end, len(h.held)-n)
				break
			}
		}
	}
	return h.give(end)
}

func (h *holder) flush() error { return h.give(len(h.held)) }

func (h *holder) give(n int) error {
	text := h.held[:n]
	h.held = h.held[n:]
	if text == "" {
		return nil
	}
	h.text.WriteString(text)
	if h.emit == nil {
		return nil
	}
	return h.emit(text)
}
