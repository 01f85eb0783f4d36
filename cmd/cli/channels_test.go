package cli

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestChannels(t *testing.T) {
	for _, test := range []struct{ text, said, thought string }{
		{"plain, 1 < 2", "plain, 1 < 2", ""},
		{"<|channel|>analysis<|message|>They ask.<|end|><|start|>assistant<|channel|>final<|message|>Paris.", "Paris.", "They ask."},
		{"<|channel|>commentary to=functions.f <|constrain|>json<|message|>{}", "", "{}"},
		{"said at once<|end|><|start|>assistant<|channel|>final<|message|> more", "said at once more", ""},
		{"<think>\nhm\n</think>\n\nyes", "yes", "hm\n"},
		{"<think>\n\n</think>\n\nyes", "yes", ""},
		{"<thin", "<thin", ""},
		{"a <|chan", "a <|chan", ""},
		{"<|channel|>final", "", ""},
	} {
		for size := 1; size <= len(test.text); size++ {
			said, thought := "", ""
			c := &channels{say: func(s string) error { said += s; return nil }, think: func(s string) error { thought += s; return nil }}
			for at := 0; at < len(test.text); at += size {
				require.NoError(t, c.push(test.text[at:min(at+size, len(test.text))]))
			}
			require.NoError(t, c.flush())
			require.Equal(t, test.said, said, "%q by %d", test.text, size)
			require.Equal(t, test.thought, thought, "%q by %d", test.text, size)
			require.Equal(t, said, c.said.String())
			require.Equal(t, thought, c.thought.String())
		}
	}
}
