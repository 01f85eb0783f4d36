package npy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// header is the dictionary before the data.
type header struct {
	descr   string
	fortran bool
	shape   []int64
}

// readHeader reads up to the data and gives the dictionary's text.
func readHeader(r io.Reader) (string, error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil || string(head[:6]) != magic {
		if err != nil && !isEnd(err) {
			return "", err
		}
		return "", errors.New("not a .npy file: save the array with numpy.save")
	}
	width := 4
	switch head[6] {
	case 1:
		width = 2
	case 2, 3:
	default:
		return "", fmt.Errorf("version %d of the format .npy, and 1 to 3 are read", head[6])
	}
	var size [4]byte
	if _, err := io.ReadFull(r, size[:width]); err != nil {
		return "", ended(err)
	}
	n := binary.LittleEndian.Uint32(size[:])
	if n > maxHeader {
		return "", fmt.Errorf("the header claims to have %d bytes, and %d is the most that is read", n, maxHeader)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return "", ended(err)
	}
	return string(text), nil
}

func isEnd(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

func ended(err error) error {
	if isEnd(err) {
		return errors.New("the file ends within its header")
	}
	return err
}

// parser reads the header's Python dictionary.
type parser struct{ rest string }

func parseHeader(text string) (*header, error) {
	h := &header{}
	p := &parser{text}
	seen := map[string]bool{}
	err := p.dict(func(key string) error {
		if seen[key] {
			return fmt.Errorf("%q is there twice", key)
		}
		seen[key] = true
		var err error
		switch key {
		case "descr":
			h.descr, err = p.str()
			if err != nil && strings.HasPrefix(p.rest, "[") {
				return errors.New("the array is one of records: save a plain array of floats")
			}
		case "fortran_order":
			h.fortran, err = p.boolean()
		case "shape":
			h.shape, err = p.tuple()
		default:
			return fmt.Errorf("unknown entry %q", key)
		}
		return err
	})
	if err == nil && len(seen) < 3 {
		err = errors.New("descr, fortran_order or shape is missing")
	}
	if err != nil {
		return nil, fmt.Errorf("the header cannot be read: %w", err)
	}
	return h, nil
}

// take skips white space and then a text, if it is there.
func (p *parser) take(s string) bool {
	p.rest = strings.TrimLeft(p.rest, " \t\r\n")
	var ok bool
	p.rest, ok = strings.CutPrefix(p.rest, s)
	return ok
}

func (p *parser) need(s string) error {
	if p.take(s) {
		return nil
	}
	return fmt.Errorf("%q is expected before %q", s, p.rest[:min(len(p.rest), 20)])
}

func (p *parser) dict(entry func(key string) error) error {
	if err := p.need("{"); err != nil {
		return err
	}
	for !p.take("}") {
		key, err := p.str()
		if err != nil {
			return err
		}
		if err := p.need(":"); err != nil {
			return err
		}
		if err := entry(key); err != nil {
			return err
		}
		if !p.take(",") {
			if err := p.need("}"); err != nil {
				return err
			}
			break
		}
	}
	if p.take(""); p.rest != "" {
		return errors.New("more follows its end")
	}
	return nil
}

// str reads a text in single or double quotes, without escapes.
func (p *parser) str() (string, error) {
	for _, quote := range []string{"'", `"`} {
		if !p.take(quote) {
			continue
		}
		s, rest, ok := strings.Cut(p.rest, quote)
		if !ok || strings.ContainsRune(s, '\\') {
			return "", errors.New("a text does not end")
		}
		p.rest = rest
		return s, nil
	}
	return "", fmt.Errorf("a text is expected before %q", p.rest[:min(len(p.rest), 20)])
}

func (p *parser) boolean() (bool, error) {
	switch {
	case p.take("True"):
		return true, nil
	case p.take("False"):
		return false, nil
	}
	return false, errors.New("fortran_order is neither True nor False")
}

func (p *parser) tuple() ([]int64, error) {
	if err := p.need("("); err != nil {
		return nil, err
	}
	shape := []int64{}
	for !p.take(")") {
		digits := len(p.rest) - len(strings.TrimLeft(p.rest, "0123456789"))
		n, err := strconv.ParseInt(p.rest[:digits], 10, 64)
		if err != nil || len(shape) == 64 {
			return nil, errors.New("the shape is no tuple of numbers")
		}
		p.rest = strings.TrimPrefix(p.rest[digits:], "L") // of Python 2
		shape = append(shape, n)
		if !p.take(",") {
			if err := p.need(")"); err != nil {
				return nil, err
			}
			break
		}
	}
	return shape, nil
}
