package cli

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/term"

	"github.com/llama-pajamas/pj/runtime/infer"
)

// typist is a person who writes lines.
type typist struct {
	out     bytes.Buffer
	lines   []string
	prompts []string
	onWrite func()
}

func (p *typist) Write(b []byte) (int, error) {
	if p.onWrite != nil {
		p.onWrite()
	}
	return p.out.Write(b)
}

func (p *typist) String() string { return p.out.String() }

func (p *typist) ReadLine() (string, error) {
	if len(p.lines) == 0 {
		return "", io.EOF
	}
	line := p.lines[0]
	p.lines = p.lines[1:]
	if pasted, ok := strings.CutPrefix(line, "paste:"); ok {
		return pasted, term.ErrPasteIndicator
	}
	return line, nil
}

func (p *typist) SetPrompt(s string) { p.prompts = append(p.prompts, s) }

func newTestTalk(t *testing.T, o runOptions) (*app, *talk) {
	a := newApp("pj", strings.NewReader(""), io.Discard, io.Discard)
	m, err := a.openModel(t.Context(), "../../examples/models/nano-qwen3moe", o.runFlags)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	s, err := infer.NewSampler(infer.SampleOptions{})
	require.NoError(t, err)
	talk, err := newTalk(m, o, s)
	require.NoError(t, err)
	return a, talk
}

func TestConverse(t *testing.T) {
	a, talk := newTestTalk(t, runOptions{max: 24, system: "Be brief."})
	p := &typist{lines: []string{"What is the capital of France?", "", "What is\\", "3 + 4?", "paste:What is", "3 + 4?"}}
	require.NoError(t, a.converse(t.Context(), talk, p, readKeys(strings.NewReader(""))))
	require.Contains(t, p.String(), "Paris")
	require.Len(t, talk.messages, 7)
	require.Equal(t, "What is\n3 + 4?", talk.messages[3].Content)
	require.Equal(t, talk.messages[3], talk.messages[5])
	require.Contains(t, p.prompts, "  ")
	require.Equal(t, talk.seq.Len(), len(talk.known), "what is known is in the sequence")

	p = &typist{lines: []string{"/clear", "/exit", "not asked"}}
	require.NoError(t, a.converse(t.Context(), talk, p, readKeys(strings.NewReader(""))))
	require.Len(t, talk.messages, 1)
	require.Equal(t, []string{"not asked"}, p.lines)
}

// What was said before is not read again, and gives the same answer as if it
// were.
func TestTalkGoesOn(t *testing.T) {
	nothing := func(string) error { return nil }
	ask := func(talk *talk, text string) *answer {
		g, err := talk.ask(t.Context(), text, nothing, nothing)
		require.NoError(t, err)
		return g
	}
	_, talk := newTestTalk(t, runOptions{max: 24})
	ask(talk, "Hello!")
	second := ask(talk, "What is the capital of France?")
	require.Less(t, second.Prompt, 25)
	require.NoError(t, talk.seq.Truncate(0))
	talk.known = nil
	talk.messages = talk.messages[:2]
	again := ask(talk, "What is the capital of France?")
	require.Greater(t, again.Prompt, second.Prompt)
	require.Equal(t, second.said, again.said)
}

func TestConverseFull(t *testing.T) {
	a, talk := newTestTalk(t, runOptions{max: 24, runFlags: runFlags{context: 12}})
	p := &typist{lines: []string{"What is the capital of France, and why is it not another town?"}}
	require.NoError(t, a.converse(t.Context(), talk, p, readKeys(strings.NewReader(""))))
	require.Contains(t, p.String(), "the context is full")
}

// Ctrl-C ends the answer, not the conversation.
func TestConverseStop(t *testing.T) {
	a, talk := newTestTalk(t, runOptions{raw: true, max: 2000})
	in, typed := io.Pipe()
	k := readKeys(in)
	p := &typist{lines: []string{"The old man looked at the", "/exit"}}
	once := true
	p.onWrite = func() {
		if once {
			once = false
			_, err := typed.Write([]byte{ctrlC})
			require.NoError(t, err)
			time.Sleep(20 * time.Millisecond)
		}
	}
	require.NoError(t, a.converse(t.Context(), talk, p, k))
	require.Contains(t, p.String(), "(stopped)")
	require.Empty(t, p.lines)
	require.Less(t, talk.seq.Len(), 2000)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p = &typist{lines: []string{"more"}}
	require.ErrorIs(t, a.converse(ctx, talk, p, k), context.Canceled)
}

func TestKeys(t *testing.T) {
	in, typed := io.Pipe()
	k := readKeys(in)
	write := func(s string) {
		_, err := typed.Write([]byte(s))
		require.NoError(t, err)
	}
	write("ab\x03")
	buf := make([]byte, 2)
	n, err := k.Read(buf)
	require.NoError(t, err)
	require.Equal(t, "ab", string(buf[:n]))
	n, err = k.Read(buf)
	require.NoError(t, err)
	require.Equal(t, "\x03", string(buf[:n]), "a key like others where no answer is given")
	require.NoError(t, typed.Close())
	_, err = k.Read(buf)
	require.ErrorIs(t, err, io.EOF)
}
