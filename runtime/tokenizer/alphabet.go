package tokenizer

import "unicode/utf8"

// Byte-level vocabularies write each byte as a printable character: those of
// Latin-1 that are printable stand for themselves, the others follow from
// U+0100 on.
var (
	letterOf [256]rune
	byteOf   [0x144]int16 // by character; -1 where it is none of the alphabet
)

func init() {
	for i := range byteOf {
		byteOf[i] = -1
	}
	next := rune(0x100)
	for b := range 256 {
		r := rune(b)
		if !(r >= '!' && r <= '~' || r >= 0xa1 && r <= 0xac || r >= 0xae && r <= 0xff) {
			r = next
			next++
		}
		letterOf[b], byteOf[r] = r, int16(b)
	}
}

// appendLetters appends the letters of bytes.
func appendLetters(dst []byte, s string) []byte {
	for i := range len(s) {
		dst = utf8.AppendRune(dst, letterOf[s[i]])
	}
	return dst
}

// bytesOf are the bytes that letters stand for; ok is false where one is none
// of the alphabet's.
func bytesOf(s string) (string, bool) {
	out := make([]byte, 0, len(s))
	for _, r := range s {
		if r < 0 || int(r) >= len(byteOf) || byteOf[r] < 0 {
			return s, false
		}
		out = append(out, byte(byteOf[r]))
	}
	return string(out), true
}
