package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"

	"github.com/llama-pajamas/pj/runtime/infer"
)

// ctrlC is what a terminal in raw mode gives for it.
const ctrlC = 3

// keys are a terminal's input, read all the time, so that Ctrl-C is seen while
// the model answers.
type keys struct {
	mu     sync.Mutex
	more   *sync.Cond
	typed  []byte
	err    error
	cancel func() // of the answer that is being given; nil: none
}

func readKeys(r io.Reader) *keys {
	k := &keys{}
	k.more = sync.NewCond(&k.mu)
	go func() {
		buf := make([]byte, 256)
		for {
			n, err := r.Read(buf)
			k.add(buf[:n], err)
			if err != nil {
				return
			}
		}
	}()
	return k
}

func (k *keys) add(b []byte, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range b {
		if c == ctrlC && k.cancel != nil {
			k.cancel()
			k.typed = k.typed[:0]
			continue
		}
		k.typed = append(k.typed, c)
	}
	k.err = err
	k.more.Broadcast()
}

// Read waits for keys.
func (k *keys) Read(p []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for len(k.typed) == 0 && k.err == nil {
		k.more.Wait()
	}
	if len(k.typed) == 0 {
		return 0, k.err
	}
	n := copy(p, k.typed)
	k.typed = k.typed[:copy(k.typed, k.typed[n:])]
	return n, nil
}

// during lets Ctrl-C call cancel; nil: it is a key like others.
func (k *keys) during(cancel func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.cancel = cancel
}

// chat talks with a person at a terminal.
func (a *app) chat(ctx context.Context, t *talk) error {
	in, ok := a.stdin.(*os.File)
	out, ok2 := a.stdout.(*os.File)
	if !ok || !ok2 || !isTerminal(out) {
		return badInput(errors.New("a chat needs a terminal for what is said, too: give the text with -p, or from a pipe"))
	}
	old, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return err
	}
	defer term.Restore(int(in.Fd()), old)
	k := readKeys(in)
	screen := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{k, out}, a.ink(bold, "> "))
	if w, h, err := term.GetSize(int(out.Fd())); err == nil {
		_ = screen.SetSize(w, h) // a line that is too long looks odd, no more
	}
	screen.SetBracketedPasteMode(true)
	defer screen.SetBracketedPasteMode(false)
	_, _ = io.WriteString(screen, a.ink(dim, t.m.Architecture+". /clear forgets what was said, /exit or Ctrl-C leaves.")+"\n")
	return a.converse(ctx, t, screen, k)
}

// lines is where a person writes.
type lines interface {
	io.Writer
	ReadLine() (string, error)
	SetPrompt(string)
}

// converse answers until the person leaves.
func (a *app) converse(ctx context.Context, t *talk, s lines, k *keys) error {
	say := func(text string) error {
		_, err := io.WriteString(s, text)
		return err
	}
	for {
		text, err := readText(s, a.ink(bold, "> "))
		if errors.Is(err, io.EOF) {
			return say("\n")
		}
		if err != nil {
			return err
		}
		switch strings.TrimSpace(text) {
		case "":
			continue
		case "/exit":
			return nil
		case "/clear":
			t.clear()
			continue
		}
		answer, cancel := context.WithCancel(ctx)
		k.during(cancel)
		g, err := t.ask(answer, text, say, func(text string) error { return say(a.ink(dim, text)) })
		k.during(nil)
		stopped := answer.Err() != nil
		cancel()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case stopped:
			err = say(a.ink(dim, " (stopped)"))
		case errors.Is(err, infer.ErrFull):
			err = say(a.ink(red, err.Error()+"; /clear forgets what was said"))
		case err == nil && g.End == infer.EndFull:
			err = say(a.ink(dim, " (the context is full; /clear forgets what was said)"))
		}
		if err != nil {
			return err
		}
		if err := say("\n\n"); err != nil {
			return err
		}
	}
}

// readText reads a line, and those after it while they end in a backslash.
func readText(s lines, prompt string) (string, error) {
	defer s.SetPrompt(prompt)
	var all strings.Builder
	for {
		line, err := s.ReadLine()
		if err != nil && !errors.Is(err, term.ErrPasteIndicator) {
			return "", err
		}
		pasted := errors.Is(err, term.ErrPasteIndicator)
		if before, more := strings.CutSuffix(line, "\\"); more || pasted {
			all.WriteString(before + "\n")
			s.SetPrompt("  ")
			continue
		}
		all.WriteString(line)
		return all.String(), nil
	}
}
