package function

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// maxWalk bounds how many files and folders fileset looks at.
const maxWalk = 200_000

func init() {
	registerScoped(Doc{"fileset", "fileset(folder, pattern)", "The files of a folder whose path below it matches: * and ? within a name, ** any folders, [a-z], {this,that}. .git is left out.", `fileset("notes", "**/*.md")`, `["a.md", "deep/b.md"]`},
		func(s scope) function.Function {
			return function.New(&function.Spec{
				Params: []function.Parameter{{Name: "folder", Type: cty.String}, {Name: "pattern", Type: cty.String}},
				Type:   function.StaticReturnType(cty.Set(cty.String)),
				Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
					pattern, err := compileGlob(args[1].AsString())
					if err != nil {
						return cty.NilVal, function.NewArgError(1, err)
					}
					names, err := s.glob(args[0].AsString(), pattern)
					if err != nil {
						return cty.NilVal, function.NewArgError(0, err)
					}
					if len(names) == 0 {
						return cty.SetValEmpty(cty.String), nil
					}
					return cty.SetVal(names), nil
				},
			})
		})
}

// glob lists the regular files below a folder that match. A folder that is not
// there has none.
func (s scope) glob(folder string, pattern *regexp.Regexp) ([]cty.Value, error) {
	local, err := s.local(folder)
	if err != nil {
		return nil, err
	}
	root, err := s.open()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	top := filepath.ToSlash(local)
	if st, err := root.Stat(local); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, explain(folder, err)
	} else if !st.IsDir() {
		return nil, fmt.Errorf("%s is no folder", folder)
	}
	var out []cty.Value
	seen := 0
	err = fs.WalkDir(root.FS(), top, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return explain(name, err)
		}
		if seen++; seen > maxWalk {
			return fmt.Errorf("%s holds more than %d files and folders; name a smaller folder", folder, maxWalk)
		}
		if e.IsDir() {
			if e.Name() == ".git" {
				return fs.SkipDir
			}
			return nil
		}
		below := name
		if top != "." {
			below = strings.TrimPrefix(strings.TrimPrefix(name, top), "/")
		}
		if !pattern.MatchString(below) {
			return nil
		}
		// Links count by what they lead to; those that lead nowhere or out of
		// the folder are no files of it.
		if st, err := root.Stat(filepath.FromSlash(name)); err == nil && st.Mode().IsRegular() {
			out = append(out, cty.StringVal(below))
		}
		return nil
	})
	return out, err
}

// compileGlob turns a pattern into a regular expression over slash paths.
func compileGlob(pattern string) (*regexp.Regexp, error) {
	if pattern == "" || len(pattern) > 1000 {
		return nil, errors.New("the pattern must have 1 to 1000 characters")
	}
	if path.IsAbs(pattern) || !filepath.IsLocal(strings.ReplaceAll(pattern, "**", "x")) {
		return nil, fmt.Errorf("the pattern %q must stay below the folder", pattern)
	}
	var out strings.Builder
	out.WriteString(`^`)
	braces := 0
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; c {
		case '*':
			switch {
			case strings.HasPrefix(pattern[i:], "**/") && (i == 0 || pattern[i-1] == '/'):
				out.WriteString(`(?:[^/]+/)*`)
				i += 2
			case pattern[i:] == "**" && (i == 0 || pattern[i-1] == '/'):
				out.WriteString(`.*`)
				i++
			default:
				out.WriteString(`[^/]*`)
			}
		case '?':
			out.WriteString(`[^/]`)
		case '[':
			end := strings.IndexByte(pattern[i+1:], ']')
			if end <= 0 {
				return nil, fmt.Errorf("the pattern %q has a [ without characters or without ]", pattern)
			}
			class := pattern[i+1 : i+1+end]
			negated := class[0] == '!' || class[0] == '^'
			if negated {
				class = class[1:]
			}
			if class == "" || strings.ContainsAny(class, `/[\`) {
				return nil, fmt.Errorf("the pattern %q has a class of wrong characters", pattern)
			}
			if negated {
				out.WriteString(`[^/` + escapeClass(class) + `]`)
			} else {
				out.WriteString(`[` + escapeClass(class) + `]`)
			}
			i += end + 1
		case '{':
			braces++
			out.WriteString(`(?:`)
		case '}':
			if braces == 0 {
				return nil, fmt.Errorf("the pattern %q has a } without {", pattern)
			}
			braces--
			out.WriteByte(')')
		case ',':
			if braces > 0 {
				out.WriteByte('|')
			} else {
				out.WriteByte(',')
			}
		case '\\':
			if i++; i == len(pattern) {
				return nil, fmt.Errorf("the pattern %q ends with a backslash", pattern)
			}
			out.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		default:
			out.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	if braces > 0 {
		return nil, fmt.Errorf("the pattern %q has a { without }", pattern)
	}
	out.WriteString(`$`)
	re, err := regexp.Compile(out.String())
	if err != nil {
		return nil, fmt.Errorf("the pattern %q has a class of wrong characters", pattern)
	}
	return re, nil
}

// escapeClass leaves a class only its ranges.
func escapeClass(class string) string {
	return strings.NewReplacer(`^`, `\^`, `&`, `\&`, `~`, `\~`, `:`, `\:`).Replace(class)
}
