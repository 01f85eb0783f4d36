package recipes

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const variablesRecipe = `
variable "s" {
  type    = string
  default = "default"
}
variable "n" {
  type    = number
  default = 1
}
variable "l" {
  type    = list(string)
  default = []
}
variable "o" {
  type    = object({ a = number, b = optional(string, "b") })
  default = { a = 1 }
}
variable "any" { default = "x" }
variable "strict" {
  default  = "fallback"
  nullable = false
}
output "all" { value = [var.s, var.n, var.l, var.o, var.any, var.strict] }
`

func TestPrecedence(t *testing.T) {
	dir := write(t, map[string]string{
		"a.pjvars": `s = "hcl"
l = ["x", "y"]
o = { a = 2, b = "c" }
`,
		"b.json": `{"s": "json", "n": 12345678901234567890, "any": [1, {"x": null}]}`,
		"c.yaml": "s: yaml\nn: 0.1\nl: [p, q]\nstrict: null\n",
		"d.yml":  "s: yml\n",
		"e.hcl":  `s = "hcl too"`,
	})
	file := func(name string) Var { return Var{File: filepath.Join(dir, name)} }
	for name, c := range map[string]struct {
		env  []string
		vars []Var
		want string
	}{
		"defaults":              {nil, nil, `["default",1,[],{"a":1,"b":"b"},"x","fallback"]`},
		"environment":           {[]string{"PATH=/", "PJ_VAR_s=env", "PJ_VAR_l=[\"e\"]", "PJ_VAR_nothing=1"}, nil, `["env",1,["e"],{"a":1,"b":"b"},"x","fallback"]`},
		"flag over environment": {[]string{"PJ_VAR_s=env"}, []Var{{Name: "s", Value: "flag"}}, `["flag",1,[],{"a":1,"b":"b"},"x","fallback"]`},
		"file over environment": {[]string{"PJ_VAR_s=env"}, []Var{file("a.pjvars")}, `["hcl",1,["x","y"],{"a":2,"b":"c"},"x","fallback"]`},
		"the last wins":         {nil, []Var{{Name: "s", Value: "flag"}, file("a.pjvars"), file("b.json")}, `["json",12345678901234567890,["x","y"],{"a":2,"b":"c"},[1,{"x":null}],"fallback"]`},
		"flag after file":       {nil, []Var{file("b.json"), {Name: "s", Value: "flag"}, {Name: "n", Value: "7"}}, `["flag",7,[],{"a":1,"b":"b"},[1,{"x":null}],"fallback"]`},
		"yaml":                  {nil, []Var{file("c.yaml")}, `["yaml",0.1,["p","q"],{"a":1,"b":"b"},"x","fallback"]`},
		"yml and hcl":           {nil, []Var{file("e.hcl"), file("d.yml")}, `["yml",1,[],{"a":1,"b":"b"},"x","fallback"]`},
		"an object on the line": {nil, []Var{{Name: "o", Value: "{a = 5}"}, {Name: "any", Value: "[text]"}}, `["default",1,[],{"a":5,"b":"b"},"[text]","fallback"]`},
	} {
		r := mustLoad(t, variablesRecipe, func(o *Options) { o.Env, o.Vars = c.env, c.vars })
		require.Equal(t, c.want, string(r.Program.Outputs["all"]), name)
	}
}

func TestWrongVariables(t *testing.T) {
	dir := write(t, map[string]string{
		"unknown.json": `{"s": "x", "nn": 1}`, "broken.json": `{"s": `, "list.json": `[1]`, "two.json": `{} {}`, "expr.hcl": "s = upper(\"x\")",
		"broken.yaml": "a: [", "x.toml": "", "deep.json": `{"s":` + string(repeat('[', 300)) + string(repeat(']', 300)) + `}`,
		"keys.yaml": "s: {1: x}\n", "nan.yaml": "n: .nan\n", "bomb.yaml": bomb(), "types.json": `{"n": "many"}`,
		"empty.json": " \n", "twice.json": `{"s": "a", "s": "b"}`, "twice.yaml": "s: a\n---\ns: b\n", "date.yaml": "s: 2026-01-02\n",
	})
	file := func(name string) []Var { return []Var{{File: filepath.Join(dir, name)}} }
	for name, c := range map[string]struct {
		vars []Var
		want string
	}{
		"unknown":             {[]Var{{Name: "nn", Value: "1"}}, "Did you mean n?"},
		"wrong type":          {[]Var{{Name: "n", Value: "many"}}, "does not fit its type number"},
		"no expression":       {[]Var{{Name: "l", Value: "[1"}}, "Value cannot be read"},
		"refers":              {[]Var{{Name: "l", Value: "[var.s]"}}, "can't refer to anything"},
		"deep":                {[]Var{{Name: "l", Value: string(repeat('[', 300))}}, "Nested too deep"},
		"broken JSON":         {file("broken.json"), "Variables cannot be read"},
		"JSON without object": {file("list.json"), "must hold an object"},
		"two values":          {file("two.json"), "after the first"},
		"an expression":       {file("expr.hcl"), "constants only"},
		"broken YAML":         {file("broken.yaml"), "Variables cannot be read"},
		"another suffix":      {file("x.toml"), "by its suffix"},
		"deep JSON":           {file("deep.json"), "nest at most"},
		"keys that are none":  {file("keys.yaml"), "keys are strings"},
		"not a number":        {file("nan.yaml"), "no number"},
		"a bomb":              {file("bomb.yaml"), "Variables cannot be read"},
		"wrong type in JSON":  {file("types.json"), "does not fit its type number"},
		"no file":             {file("nowhere.json"), "no such file"},
		"where it comes from": {[]Var{{Name: "n", Value: "many"}}, "The value of var.n (--var n) does not fit"},
		"an empty file":       {file("empty.json"), "a file that sets nothing holds {}"},
		"a name twice":        {file("twice.json"), "duplicate object member name"},
		"two documents":       {file("twice.yaml"), "a second document"},
		"a date":              {file("date.yaml"), `s: a date is written in quotes: "2026-01-02"`},
	} {
		_, ds := loadText(t, variablesRecipe, func(o *Options) { o.Vars = c.vars })
		require.ErrorContains(t, ds.Err(), c.want, name)
	}
	r, ds := loadText(t, variablesRecipe, func(o *Options) { o.Vars = file("unknown.json") })
	require.NoError(t, ds.Err())
	require.Len(t, ds, 1, "a file may serve several recipes: a warning")
	require.Contains(t, render(r, ds), "Unknown variable nn")
}

func TestWrongVariableOfTheEnvironment(t *testing.T) {
	text := variablesRecipe + `
variable "checked" {
  default = "good"
  validation {
    condition     = var.checked == "good"
    error_message = "It is good."
  }
}
`
	_, ds := loadText(t, text, func(o *Options) { o.Env = []string{"PJ_VAR_n=many", "PJ_VAR_checked=bad"} })
	require.Len(t, ds, 2)
	require.Contains(t, ds[0].Detail, "The value of var.n (environment variable PJ_VAR_n) does not fit its type number")
	require.Contains(t, ds[1].Detail, "It is good. (environment variable PJ_VAR_checked) (checked at")
}

// bomb is a YAML file whose aliases stand for a billion values.
func bomb() string {
	s := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'k'; c++ {
		s += string(c) + ": &" + string(c) + " ["
		for range 10 {
			s += "*" + string(c-1) + ","
		}
		s += "]\n"
	}
	return s
}

func repeat(b byte, n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = b
	}
	return out
}

func TestSensitiveFileIsNotShown(t *testing.T) {
	dir := write(t, map[string]string{"v.json": `{"secret": "swordfish"}`, "v.hcl": "secret = [\"swordfish\"]"})
	text := "variable \"secret\" {\n type = string\n sensitive = true\n}\n"
	r := mustLoad(t, text, func(o *Options) { o.Vars = []Var{{File: filepath.Join(dir, "v.json")}} })
	require.Len(t, r.Files, 1)
	r, ds := loadText(t, text, func(o *Options) { o.Vars = []Var{{File: filepath.Join(dir, "v.hcl")}} })
	require.Error(t, ds.Err())
	require.NotContains(t, render(r, ds), "swordfish")
}

func TestVariables(t *testing.T) {
	r := mustLoad(t, variablesRecipe+"variable \"secret\" {\n default = \"hush\"\n sensitive = true\n description = \"not shown\"\n}\n", func(o *Options) {
		o.Vars = []Var{{Name: "s", Value: "given"}}
	})
	vs := r.Variables()
	require.Len(t, vs, 7)
	require.Equal(t, "s", vs[0].Name)
	require.Equal(t, "string", vs[0].Type)
	require.False(t, vs[0].Required)
	require.Equal(t, json.RawMessage(`"default"`), vs[0].Default)
	require.Equal(t, json.RawMessage(`"given"`), vs[0].Value)
	require.Equal(t, "object({a=number,b=string})", vs[3].Type)
	require.Equal(t, "any", vs[4].Type)
	require.False(t, vs[5].Nullable)
	require.Equal(t, 2, vs[0].Range.Line)
	raw, err := json.Marshal(vs[6])
	require.NoError(t, err)
	require.JSONEq(t, `{"name":"secret","type":"any","description":"not shown","required":false,"sensitive":true,"nullable":true}`, string(raw))
}
