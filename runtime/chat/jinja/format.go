package jinja

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// format is Python's text % values.
func (r *renderer) format(s string, values any) (any, error) {
	list := []any{values}
	if l, ok := values.(*List); ok && l.tuple {
		list = l.Items
	}
	dict, _ := values.(*Dict)
	var b strings.Builder
	used := 0
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		if i++; i < len(s) && s[i] == '%' {
			b.WriteByte('%')
			continue
		}
		var v any
		if dict != nil && i < len(s) && s[i] == '(' {
			end := strings.IndexByte(s[i:], ')')
			if end < 0 {
				return nil, errFormat
			}
			v, _ = dict.Get(s[i+1 : i+end])
			i += end + 1
		} else {
			if used == len(list) {
				return nil, errors.New("there are fewer values than places for them")
			}
			v = list[used]
			used++
		}
		from := i
		for i < len(s) && strings.IndexByte("-+ #0123456789.", s[i]) >= 0 {
			i++
		}
		if i == len(s) {
			return nil, errFormat
		}
		out, err := formatted(s[from:i], s[i], v)
		if err != nil {
			return nil, err
		}
		if b.WriteString(out); b.Len() > maxText {
			return nil, errLarge
		}
	}
	if dict == nil && used < len(list) {
		return nil, errors.New("there are more values than places for them")
	}
	return b.String(), nil
}

var errFormat = errors.New("the format is not one that is known here")

// formatted is one value in C's format; flags are those with width and
// precision.
func formatted(flags string, verb byte, v any) (string, error) {
	for _, f := range strings.FieldsFunc(flags, func(r rune) bool { return r < '0' || r > '9' }) {
		if n, err := strconv.Atoi(f); err != nil || n > 1000 {
			return "", errLarge
		}
	}
	f, i, whole, ok := number(v)
	switch verb {
	case 's':
		return fmt.Sprintf("%"+flags+"s", text(v)), nil
	case 'r', 'a':
		return fmt.Sprintf("%"+flags+"s", repr(v)), nil
	case 'd', 'i', 'x', 'X', 'o':
		if !ok {
			return "", wrongType("%d of ", v)
		}
		if !whole {
			i = int64(f)
		}
		if verb == 'i' {
			verb = 'd'
		}
		return fmt.Sprintf("%"+flags+string(verb), i), nil
	case 'f', 'F', 'e', 'E', 'g', 'G':
		if !ok {
			return "", wrongType("%f of ", v)
		}
		if !strings.Contains(flags, ".") && (verb == 'g' || verb == 'G') {
			flags += ".6"
		}
		return fmt.Sprintf("%"+flags+string(verb), f), nil
	}
	return "", errFormat
}

// braces is Python's text.format(values): {}, {0}, {name} and a format such as
// {:.2f} or {:>10}.
func (r *renderer) braces(s string, a *args) (any, error) {
	var b strings.Builder
	used := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case (c == '{' || c == '}') && i+1 < len(s) && s[i+1] == c:
			b.WriteByte(c)
			i++
		case c == '{':
			end := strings.IndexByte(s[i:], '}')
			if end < 0 {
				return nil, errFormat
			}
			name, spec, _ := strings.Cut(s[i+1:i+end], ":")
			i += end
			n, err := strconv.Atoi(name)
			if name == "" {
				n, err = used, nil
				used++
			}
			if err != nil {
				n = -1
			}
			v, ok := a.get(n, name)
			if !ok {
				return nil, fmt.Errorf("there is no value for {%s}", name)
			}
			out, err := r.braced(spec, v)
			if err != nil {
				return nil, err
			}
			if b.WriteString(out); b.Len() > maxText {
				return nil, errLarge
			}
		case c == '}':
			return nil, errFormat
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), nil
}

// braced is one value in the format [[fill]align][0][width][,][.precision][verb].
func (r *renderer) braced(spec string, v any) (string, error) {
	fill, align := " ", byte(0)
	if rs := []rune(spec); len(rs) > 1 && strings.ContainsRune("<>^", rs[1]) {
		fill, align, spec = string(rs[0]), byte(rs[1]), string(rs[2:])
	} else if spec != "" && strings.IndexByte("<>^", spec[0]) >= 0 {
		align, spec = spec[0], spec[1:]
	}
	if strings.HasPrefix(spec, "0") {
		fill, spec = "0", spec[1:]
		if align == 0 {
			align = '>'
		}
	}
	n := strings.IndexFunc(spec, func(r rune) bool { return r < '0' || r > '9' })
	if n < 0 {
		n = len(spec)
	}
	width, _ := strconv.Atoi(spec[:n])
	spec, comma := strings.CutPrefix(spec[n:], ",")
	out := text(v)
	_, _, whole, isNumber := number(v)
	if spec != "" {
		verb := spec[len(spec)-1]
		if verb >= '0' && verb <= '9' {
			spec, verb = spec+"g", 'g'
			if !isNumber {
				verb = 's'
			}
		}
		var err error
		if verb == '%' {
			f, _, _, _ := number(v)
			if out, err = formatted(spec[:len(spec)-1], 'f', f*100); err == nil {
				out += "%"
			}
		} else {
			out, err = formatted(spec[:len(spec)-1], verb, v)
		}
		if err != nil {
			return "", err
		}
	}
	if comma && (whole || isNumber) {
		out = thousands(out)
	}
	if align == 0 {
		align = '<'
		if isNumber {
			align = '>'
		}
	}
	if align == '^' { // unlike str.center, which puts more on the left at times
		n, _ := length(out)
		half, err := r.pad(out, int64(n+max(width-n, 0)/2), fill, true, false)
		if err != nil {
			return "", err
		}
		out, align = half.(string), '<'
	}
	padded, err := r.pad(out, int64(width), fill, align == '>', align == '<')
	if err != nil {
		return "", err
	}
	return padded.(string), nil
}

// thousands puts commas between groups of three digits.
func thousands(s string) string {
	digits, rest := s, ""
	if i := strings.IndexByte(s, '.'); i >= 0 {
		digits, rest = s[:i], s[i:]
	}
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits + rest
}
