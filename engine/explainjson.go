package engine

import (
	"encoding/json"
	"fmt"
	"slices"
)

// deepDifference finds where two JSON objects or lists first differ: the way
// there ("policy.p.tensor[1].type") and what stands there, "" where nothing
// does. It is false where they are no two of a kind.
func deepDifference(before, after string) (path, x, y string, ok bool) {
	var a, b any
	if json.Unmarshal([]byte(before), &a) != nil || json.Unmarshal([]byte(after), &b) != nil {
		return "", "", "", false
	}
	for {
		step, nextA, nextB := stepApart(a, b)
		if step == "" {
			break
		}
		path += step
		a, b = nextA, nextB
	}
	if path == "" {
		return "", "", "", false
	}
	if path[0] == '.' {
		path = path[1:]
	}
	return path, compact(a), compact(b), true
}

// stepApart goes one step towards the first difference of two values; ""
// where there is no step that both could take.
func stepApart(a, b any) (step string, x, y any) {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok {
			return "", nil, nil
		}
		var names []string
		for name := range a {
			names = append(names, name)
		}
		for name := range b {
			if _, both := a[name]; !both {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		for _, name := range names {
			if compact(a[name]) != compact(b[name]) {
				return "." + name, a[name], b[name]
			}
		}
	case []any:
		b, ok := b.([]any)
		if !ok {
			return "", nil, nil
		}
		for i := range max(len(a), len(b)) {
			x, y = nil, nil
			if i < len(a) {
				x = a[i]
			}
			if i < len(b) {
				y = b[i]
			}
			if compact(x) != compact(y) {
				return fmt.Sprintf("[%d]", i), x, y
			}
		}
	}
	return "", nil, nil
}

// compact is a decoded value as JSON, a string without quotes, nil as "".
func compact(v any) string {
	if v == nil {
		return ""
	}
	if s, ok := v.(string); ok {
		return s
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(raw)
}
