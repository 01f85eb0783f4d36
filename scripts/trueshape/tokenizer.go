package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
)

// tokenizer describes a byte-level BPE of a model's size. Its words are not the
// model's but all strings over eight letters, the short ones first, so that each
// of their parts is a word, too.
type tokenizer struct {
	words, merges int
	special       []string
	added         int // special ones included
	normalizer    any
	split         string
	ignoreMerges  bool
}

// letters are the first of the alphabet, with the space that begins words.
var letters = []string{"Ġ", "e", "t", "a", "o", "n", "i", "s"}

func writeTokenizer(path string, t tokenizer) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	w := bufio.NewWriterSize(f, 1<<20)
	var added []any
	for i := range t.added {
		text := fmt.Sprintf("<|added_%d|>", i)
		if i < len(t.special) {
			text = t.special[i]
		}
		added = append(added, map[string]any{"id": t.words + i, "content": text, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true})
	}
	level := map[string]any{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false}
	fmt.Fprintf(w, `{"version":"1.0","truncation":null,"padding":null,"added_tokens":%s,"normalizer":%s,"pre_tokenizer":%s,"post_processor":%s,"decoder":%s,`,
		jsonOf(added), jsonOf(t.normalizer),
		jsonOf(map[string]any{"type": "Sequence", "pretokenizers": []any{
			map[string]any{"type": "Split", "pattern": map[string]any{"Regex": t.split}, "behavior": "Isolated", "invert": false}, level,
		}}),
		jsonOf(level), jsonOf(level))
	fmt.Fprintf(w, `"model":{"type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":"","end_of_word_suffix":"","fuse_unk":false,"byte_fallback":false,"ignore_merges":%t,"vocab":{`, t.ignoreMerges)
	words := t.vocabulary()
	for i, word := range words {
		if i > 0 {
			w.WriteByte(',')
		}
		fmt.Fprintf(w, "%s:%d", jsonOf(joined(word)), i)
	}
	w.WriteString(`},"merges":[`)
	for i, m := range t.pairs(words) {
		if i > 0 {
			w.WriteByte(',')
		}
		fmt.Fprintf(w, "[%s,%s]", jsonOf(m[0]), jsonOf(m[1]))
	}
	w.WriteString("]}}\n")
	return w.Flush()
}

func jsonOf(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // only texts and numbers are given
	}
	return b
}

func joined(word []string) string {
	s := ""
	for _, c := range word {
		s += c
	}
	return s
}

// vocabulary is 256 bytes, then words of two letters, of three, and so on.
func (t *tokenizer) vocabulary() [][]string {
	var words [][]string
	for _, c := range byteLetters() {
		words = append(words, []string{c})
	}
	var last [][]string
	for _, c := range letters {
		last = append(last, []string{c})
	}
	for len(words) < t.words {
		var next [][]string
		for _, word := range last {
			for _, c := range letters {
				next = append(next, append(word[:len(word):len(word)], c))
			}
		}
		words, last = append(words, next[:min(len(next), t.words-len(words))]...), next
	}
	return words
}

// pairs are the merges: for each word its beginning and last letter, then other
// ways to put words together, as many as there have to be.
func (t *tokenizer) pairs(words [][]string) [][2]string {
	var out [][2]string
	for cut := 1; len(out) < t.merges; cut++ {
		for _, word := range words[256:] {
			if at := len(word) - cut; at > 0 && len(out) < t.merges {
				out = append(out, [2]string{joined(word[:at]), joined(word[at:])})
			}
		}
	}
	return out
}

// byteLetters are the characters that stand for the 256 bytes.
func byteLetters() []string {
	var plain, other []string
	next := 256
	for b := range 256 {
		if b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae {
			plain = append(plain, string(rune(b)))
			continue
		}
		other = append(other, string(rune(next)))
		next++
	}
	return append(plain, other...)
}
