package jinja

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// globals are the functions that every template has.
var globals = map[string]any{
	"range":           &function{"range", rangeOf},
	"dict":            &function{"dict", dictOf},
	"namespace":       &function{"namespace", namespaceOf},
	"raise_exception": &function{"raise_exception", raise},
	"strftime_now":    &function{"strftime_now", func(r *renderer, a *args) (any, error) { return strftime(r.now, text(a.or(0, "format", ""))) }},
	"joiner":          &function{"joiner", joiner},
	"cycler":          &function{"cycler", cycler},
}

func rangeOf(r *renderer, a *args) (any, error) {
	var b [3]int64
	if len(a.list) == 0 || len(a.list) > 3 {
		return nil, errors.New("range wants one to three whole numbers")
	}
	for i := range a.list {
		n, err := a.int(i, "", 0)
		if err != nil || n > 1<<40 || n < -1<<40 {
			return nil, errors.New("range wants one to three whole numbers")
		}
		b[i] = n
	}
	start, end, by := b[0], b[1], b[2]
	switch len(a.list) {
	case 1:
		start, end, by = 0, b[0], 1
	case 2:
		by = 1
	}
	if by == 0 {
		return nil, errors.New("range: the step is 0")
	}
	l := &List{Items: []any{}}
	for i := start; by > 0 && i < end || by < 0 && i > end; i += by {
		if len(l.Items) == maxRange {
			return nil, fmt.Errorf("range has more than %d numbers", maxRange)
		}
		l.Items = append(l.Items, i)
	}
	return l, r.spend(len(l.Items))
}

func dictOf(_ *renderer, a *args) (any, error) {
	d := NewDict()
	if len(a.list) > 0 {
		switch v := a.list[0].(type) {
		case *Dict:
			for i, k := range v.keys {
				d.Set(k, v.values[i])
			}
		case *List:
			for _, item := range v.Items {
				pair, ok := item.(*List)
				if !ok || len(pair.Items) != 2 {
					return nil, errors.New("dict wants pairs")
				}
				d.Set(pair.Items[0], pair.Items[1])
			}
		default:
			return nil, errors.New("dict wants a dictionary or pairs")
		}
	}
	for _, n := range a.named {
		d.Set(n.name, n.value)
	}
	return d, nil
}

func namespaceOf(r *renderer, a *args) (any, error) {
	d, err := dictOf(r, a)
	if err != nil {
		return nil, err
	}
	return &namespace{d.(*Dict)}, nil
}

func raise(_ *renderer, a *args) (any, error) {
	return nil, errRaised{text(a.or(0, "message", ""))}
}

// errRaised is what a template says itself.
type errRaised struct{ message string }

func (e errRaised) Error() string { return e.message }

func joiner(_ *renderer, a *args) (any, error) {
	sep, used := text(a.or(0, "sep", ", ")), false
	return &function{"joiner", func(*renderer, *args) (any, error) {
		if !used {
			used = true
			return "", nil
		}
		return sep, nil
	}}, nil
}

func cycler(_ *renderer, a *args) (any, error) {
	if len(a.list) == 0 {
		return nil, errors.New("cycler wants values")
	}
	i, d := 0, NewDict()
	d.Set("next", &function{"next", func(*renderer, *args) (any, error) {
		v := a.list[i]
		i = (i + 1) % len(a.list)
		d.Set("current", a.list[i])
		return v, nil
	}})
	d.Set("reset", &function{"reset", func(*renderer, *args) (any, error) {
		i = 0
		d.Set("current", a.list[0])
		return nil, nil
	}})
	d.Set("current", a.list[0])
	return &namespace{d}, nil
}

// strftime writes a time as C does, in English.
func strftime(t time.Time, format string) (any, error) {
	if len(format) > 1<<12 {
		return nil, errLarge
	}
	layouts := map[byte]string{
		'Y': "2006", 'y': "06", 'm': "01", 'd': "02", 'e': "_2", 'H': "15", 'I': "03", 'M': "04", 'S': "05", 'p': "PM", 'B': "January", 'b': "Jan", 'h': "Jan",
		'A': "Monday", 'a': "Mon", 'j': "002", 'Z': "MST", 'z': "-0700", 'F': "2006-01-02", 'T': "15:04:05", 'D': "01/02/06", 'R': "15:04", 'f': "000000",
		'c': "Mon Jan _2 15:04:05 2006", 'x': "01/02/06", 'X': "15:04:05",
	}
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		plain := format[i] == '-' && i+1 < len(format) // without zeros before
		if plain {
			i++
		}
		layout, ok := layouts[format[i]]
		s := ""
		switch {
		case format[i] == '%':
			s = "%"
		case format[i] == 'n':
			s = "\n"
		case format[i] == 't':
			s = "\t"
		case format[i] == 'w':
			s = fmt.Sprint(int(t.Weekday()))
		case format[i] == 'f':
			s = fmt.Sprintf("%06d", t.Nanosecond()/1000)
		case ok:
			s = t.Format(layout)
		default:
			return nil, fmt.Errorf("strftime_now: %%%c is not known here", format[i])
		}
		if plain {
			if s = strings.TrimLeft(s, "0 "); s == "" {
				s = "0"
			}
		}
		b.WriteString(s)
	}
	return b.String(), nil
}
