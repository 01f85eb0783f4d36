package safetensors

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strconv"
	"strings"
)

// ParseIndex reads a model.safetensors.index.json; name stands for it in
// errors. Shards' names are relative paths with slashes that stay in the
// index's folder.
func ParseIndex(data []byte, name string) (*Index, error) {
	idx, err := parseIndex(&scanner{s: string(data)})
	if err != nil {
		return nil, fmt.Errorf("%s: %w; download the index again", name, err)
	}
	return idx, nil
}

func parseIndex(s *scanner) (*Index, error) {
	idx := &Index{}
	err := s.object(func(key string) (err error) {
		switch key {
		case "weight_map":
			idx.WeightMap, err = s.weightMap()
		case "metadata":
			idx.TotalSize, err = s.totalSize()
		default:
			err = s.skip(0)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := s.end(); err != nil {
		return nil, err
	}
	if len(idx.WeightMap) == 0 {
		return nil, errors.New("the index names no tensors: weight_map is missing or empty")
	}
	return idx, nil
}

// object reads an object; field is called at each value.
func (s *scanner) object(field func(key string) error) error {
	if s.peek() != '{' {
		return s.errorf("found %s instead of a JSON object", s.found())
	}
	s.pos++
	seen := map[string]bool{}
	for first := true; ; first = false {
		ok, err := s.more('}', first)
		if err != nil || !ok {
			return err
		}
		key, err := s.key()
		if err != nil {
			return err
		}
		if seen[key] {
			return fmt.Errorf("%q is there twice", key)
		}
		seen[key] = true
		if err := field(key); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
}

func (s *scanner) weightMap() (map[string]string, error) {
	// A pair is at least {"n":"f.safetensors"}; names are some 60 bytes long.
	m := make(map[string]string, (len(s.s)-s.pos)/100)
	good := "" // the last file name that was checked; most repeat it
	if err := s.expect('{'); err != nil {
		return nil, err
	}
	for first := true; ; first = false {
		ok, err := s.more('}', first)
		if err != nil || !ok {
			return m, err
		}
		tensor, err := s.key()
		if err != nil {
			return nil, err
		}
		file, err := s.str()
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", tensor, err)
		}
		if first || file != good {
			if !fs.ValidPath(file) || file == "." || strings.ContainsAny(file, "\\:\x00") {
				return nil, fmt.Errorf("tensor %q: its file %q is no path within the model's folder", tensor, file)
			}
			good = file
		}
		if _, dup := m[tensor]; dup {
			return nil, fmt.Errorf("tensor %q is there twice", tensor)
		}
		m[tensor] = good
	}
}

// totalSize reads the metadata object and returns its total_size, 0 if it has
// none. Some tools write it as a float.
func (s *scanner) totalSize() (int64, error) {
	if s.peek() == 'n' {
		return 0, s.skip(0)
	}
	total := int64(0)
	err := s.object(func(key string) error {
		s.peek()
		start := s.pos
		if err := s.skip(0); err != nil || key != "total_size" {
			return err
		}
		text := s.s[start:s.pos]
		if n, err := strconv.ParseInt(text, 10, 64); err == nil && n >= 0 {
			total = n
			return nil
		}
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || f < 0 || f != math.Trunc(f) || f >= 1<<53 {
			return fmt.Errorf("found %.40q instead of a size in bytes", text)
		}
		total = int64(f)
		return nil
	})
	return total, err
}
