package function

import (
	"fmt"
	"go/build"
	"math/big"
	"os"
	"sort"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"
)

const folder = "testdata/folder"

// eval evaluates an expression with the functions of the test folder.
func eval(expression string, variables map[string]cty.Value) (cty.Value, error) {
	e, problems := hclsyntax.ParseExpression([]byte(expression), "x", hcl.InitialPos)
	if problems.HasErrors() {
		return cty.NilVal, problems
	}
	v, problems := e.Value(&hcl.EvalContext{Functions: Functions(folder), Variables: variables})
	if problems.HasErrors() {
		return cty.NilVal, problems
	}
	return v, nil
}

// show writes a value as an expression on one line.
func show(v cty.Value) string {
	ty := v.Type()
	if v.IsNull() {
		return "null"
	}
	switch {
	case ty.IsMapType() || ty.IsObjectType():
		var parts []string
		for it := v.ElementIterator(); it.Next(); {
			k, e := it.Element()
			key := k.AsString()
			if !hclsyntax.ValidIdentifier(key) {
				key = show(k)
			}
			parts = append(parts, key+" = "+show(e))
		}
		if len(parts) == 0 {
			return "{}"
		}
		return "{ " + strings.Join(parts, ", ") + " }"
	case ty.IsListType() || ty.IsSetType() || ty.IsTupleType():
		var parts []string
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			parts = append(parts, show(e))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return string(hclwrite.TokensForValue(v).Bytes())
}

func TestDocs(t *testing.T) {
	docs := Docs()
	require.True(t, sort.SliceIsSorted(docs, func(i, j int) bool { return docs[i].Name < docs[j].Name }))
	require.Len(t, Functions(folder), len(docs))
	for _, d := range docs {
		t.Run(d.Name, func(t *testing.T) {
			require.NotEmpty(t, d.Summary)
			require.True(t, strings.HasSuffix(d.Summary, "."), "a sentence")
			require.True(t, strings.HasPrefix(d.Signature, d.Name+"("), d.Signature)
			require.Contains(t, d.Example, d.Name+"(")
			v, err := eval(d.Example, nil)
			require.NoError(t, err)
			require.Equal(t, d.Result, show(v))
			if _, err := eval(d.Result, nil); err != nil {
				t.Fatalf("the result is no expression: %v", err)
			}
			require.NotContains(t, d.Result, d.Name+"(")
		})
	}
}

// TestNames holds the list of what exists, so that nothing goes by accident.
func TestNames(t *testing.T) {
	want := strings.Fields(`
		abs ceil floor log max min parseint pow signum sum
		chomp endswith format formatlist indent join lower regex regexall replace split startswith strcontains strrev substr
		templatestring title trim trimprefix trimsuffix trimspace upper
		alltrue anytrue chunklist coalesce coalescelist compact concat contains distinct element flatten index keys length
		lookup matchkeys merge one range reverse setintersection setproduct setsubtract setunion slice sort transpose values zipmap
		base64encode base64decode csvdecode jsondecode jsonencode yamldecode yamlencode urlencode
		sha256 filesha256 file fileexists fileset templatefile basename dirname
		can try tobool tolist tomap tonumber toset tostring type bytes humanbytes`)
	sort.Strings(want)
	var got []string
	for _, d := range Docs() {
		got = append(got, d.Name)
	}
	require.Equal(t, want, got)
}

// TestNothingFromOutside: no clock, no randomness, no environment, no network.
func TestNothingFromOutside(t *testing.T) {
	pkg, err := build.ImportDir(".", 0)
	require.NoError(t, err)
	for _, path := range pkg.Imports {
		require.NotContains(t, []string{"time", "math/rand", "math/rand/v2", "crypto/rand", "net", "net/http", "os/exec", "os/user"}, path)
	}
	for _, name := range pkg.GoFiles {
		src, err := os.ReadFile(name)
		require.NoError(t, err)
		require.NotRegexp(t, `os\.(Getenv|Environ|LookupEnv|Getwd|Hostname)`, string(src))
	}
}

func TestRegisterTwice(t *testing.T) {
	require.Panics(t, func() { register(Doc{Name: "abs"}, sumFunc) })
}

func TestValues(t *testing.T) {
	for expression, want := range map[string]string{
		`abs(-0.5)`:                                "0.5",
		`ceil(-1.5)`:                               "-1",
		`floor(1.9999999)`:                         "1",
		`max([3, 9, 4]...)`:                        "9",
		`parseint("zz", 36)`:                       "1295",
		`parseint("-101", 2)`:                      "-5",
		`signum(0)`:                                "0",
		`sum([0.1, 0.2])`:                          "0.3",
		`sum(toset([2, 2, 3]))`:                    "5",
		`sum(["1", 2])`:                            "3",
		`endswith("a", "")`:                        "true",
		`startswith("a", "ab")`:                    "false",
		`strcontains("", "x")`:                     "false",
		`indent(0, "a\nb")`:                        `"a\nb"`,
		`join(", ", ["a"], ["b"])`:                 `"a, b"`,
		`join(",", [])`:                            `""`,
		`split("", "abc")`:                         `["a", "b", "c"]`,
		`split(",", "")`:                           `[""]`,
		`strrev("añ👍🏽")`:                           `"👍🏽ña"`,
		`substr("hello", -3, -1)`:                  `"llo"`,
		`substr("hello", 9, 2)`:                    `""`,
		`replace("a.b.c", ".", "-")`:               `"a-b-c"`,
		`replace("abc", "/b*/", "x")`:              `"xaxcx"`,
		`replace("abc", "/", "x")`:                 `"abc"`,
		`replace("a/b", "/", "-")`:                 `"a-b"`,
		`replace("aab", "/(?P<n>a)+/", "[$${n}]")`: `"[a]b"`,
		`regex("(?P<l>\\d+)", "blk.12")`:           `{ l = "12" }`,
		`regexall("x", "abc")`:                     "[]",
		`format("%s %v %q %t %5.2f|%-4s|%%", "a", 1.5, "q", true, 2.345, "x")`: `"a 1.5 \"q\" true  2.34|x   |%"`,
		`format("%#v", { a = [1] })`:                        `"{\"a\":[1]}"`,
		`format("%[2]s%[1]s", "a", "b")`:                    `"ba"`,
		`formatlist("%s-%s", "x", ["a", "b"])`:              `["x-a", "x-b"]`,
		`formatlist("%s", [])`:                              "[]",
		`alltrue([])`:                                       "true",
		`anytrue([])`:                                       "false",
		`alltrue([true, null])`:                             "false",
		`alltrue(["true", true])`:                           "true",
		`chunklist(["a", "b", "c"], 0)`:                     `[["a", "b", "c"]]`,
		`coalesce(null, 0, 1)`:                              "0",
		`coalesce("", "a", 1)`:                              `"a"`,
		`coalesce([null, ["a"]]...)`:                        `["a"]`,
		`coalescelist([], [], ["a"])`:                       `["a"]`,
		`contains([1, 2], 2)`:                               "true",
		`contains(toset(["a"]), "b")`:                       "false",
		`distinct([])`:                                      "[]",
		`distinct([1, 2, 1.0])`:                             "[1, 2]",
		`distinct([{ a = 1 }, { a = 1 }])`:                  "[{ a = 1 }]",
		`element(["a", "b", "c"], -1)`:                      `"c"`,
		`flatten([])`:                                       "[]",
		`index([1, 2, 3], 3)`:                               "2",
		`keys(tomap({}))`:                                   "[]",
		`length("añ👍🏽")`:                                    "3",
		`length([])`:                                        "0",
		`length({})`:                                        "0",
		`length(toset([1, 1]))`:                             "1",
		`length(tomap({ a = 1 }))`:                          "1",
		`lookup({ a = 1 }, "a")`:                            "1",
		`lookup({ a = 1 }, "a", "x")`:                       "1",
		`lookup(tomap({ a = 1 }), "b", "7")`:                "7",
		`lookup({ a = 1 }, "b", null)`:                      "null",
		`matchkeys(["x", "y"], [1, 2], ["2"])`:              `["y"]`,
		`matchkeys([], [], [])`:                             "[]",
		`merge()`:                                           "{}",
		`merge({ a = 1 }, null, { b = "x" })`:               `{ a = 1, b = "x" }`,
		`one([])`:                                           "null",
		`one(toset([7]))`:                                   "7",
		`range(3)`:                                          "[0, 1, 2]",
		`range(3, 0)`:                                       "[3, 2, 1]",
		`setproduct([], ["a"])`:                             "[]",
		`sort(toset(["b", "a"]))`:                           `["a", "b"]`,
		`transpose({})`:                                     "{}",
		`zipmap(["a"], [["x"]])`:                            `{ a = ["x"] }`,
		`base64decode(base64encode("ü"))`:                   `"ü"`,
		`csvdecode("a,b\n")`:                                "[]",
		`jsondecode("[1e3, 0.1, null]")`:                    "[1000, 0.1, null]",
		`jsonencode("<&>")`:                                 `"\"\\u003c\\u0026\\u003e\""`,
		`jsonencode({ b = 0.1, a = null })`:                 `"{\"a\":null,\"b\":0.1}"`,
		`jsondecode(jsonencode([12345678901234567890123]))`: "[12345678901234567890123]",
		`urlencode("ü/?")`:                                  `"%C3%BC%2F%3F"`,
		`yamlencode(["a", { b = null }])`:                   `"- \"a\"\n- \"b\": null\n"`,
		`tobool(null)`:                                      "null",
		`tonumber("0x10") == null ? 1 : 2`:                  "",
		`try(1, 2)`:                                         "1",
		`can(1)`:                                            "true",
		`type(null)`:                                        `"any"`,
		`type({ a = [1, "x"] })`:                            `"object({a=tuple([number,string])})"`,
		`type(toset(["a"]))`:                                `"set(string)"`,
		`bytes("45 GB")`:                                    "45000000000",
		`bytes("512")`:                                      "512",
		`bytes(512)`:                                        "512",
		`humanbytes(bytes("2 KiB"))`:                        `"2.05 kB"`,
		`basename("a/b/")`:                                  `"b"`,
		`dirname("a")`:                                      `"."`,
	} {
		v, err := eval(expression, nil)
		if want == "" {
			require.Error(t, err, expression)
			continue
		}
		require.NoError(t, err, expression)
		require.Equal(t, want, show(v), expression)
	}
}

func TestErrors(t *testing.T) {
	for expression, want := range map[string]string{
		`ceil("x")`:                             "a number is required",
		`sum([])`:                               "an empty list has no sum",
		`sum("a")`:                              "a list or a set is wanted, not a string",
		`sum([1, "a"])`:                         "every element must be a number",
		`sum([1, null])`:                        "every element must be a number",
		`parseint("9", 8)`:                      "cannot parse",
		`log(0, 2)`:                             "only numbers greater than 0",
		`log(2, 1)`:                             "the base must be",
		`log(2, -1)`:                            "the base must be",
		`pow(0, -1)`:                            "0 has no negative power",
		`pow(0, -1.5)`:                          "0 has no negative power",
		`pow(-2, 0.5)`:                          "only whole powers",
		`indent(-1, "a")`:                       "between 0 and 1000 spaces",
		`join(",", [null])`:                     "null",
		`regex("(", "a")`:                       "missing closing",
		`regex("x", "a")`:                       "did not match",
		`replace("a", "/(/", "b")`:              "a pattern is wanted",
		`format("%d", "a")`:                     "a number is required",
		`format("%s")`:                          "not enough arguments",
		`formatlist("%s%s", ["a"], ["b", "c"])`: "length",
		`alltrue("a")`:                          "list of bool required",
		`chunklist([1], -1)`:                    "positive",
		`coalesce()`:                            "at least one value",
		`coalesce(null, "")`:                    "every value is null or an empty text",
		`coalesce(1, [2])`:                      "all arguments must have one type",
		`element([], 0)`:                        "empty list",
		`index(["a"], "b")`:                     "ask with contains first",
		`index({}, "b")`:                        "a list is wanted, not an object",
		`length(1)`:                             "a collection or a text is wanted, not a number",
		`length(null)`:                          "must not be null",
		`lookup({ a = 1, c = 2 }, "b")`:         `there is no "b" and no default is given; it has a, c`,
		`lookup(tomap({ a = 1 }), "b")`:         `there is no "b" and no default is given; it has a`,
		`lookup(tomap({}), "b")`:                "it is empty",
		`lookup({}, "b", 1, 2)`:                 "at most three arguments",
		`lookup([], "b")`:                       "a map or an object is wanted",
		`lookup(tomap({ a = 1 }), "b", [])`:     "the default must be a number",
		`matchkeys(["x"], [], [])`:              "as many keys (0) as values (1)",
		`one([1, 2])`:                           "the list has 2 elements",
		`one(tolist([1, 2]))`:                   "the list has 2 elements",
		`one("a")`:                              "a list or a set is wanted",
		`range(2000)`:                           "1024",
		`slice([1], 0, 2)`:                      "end index",
		`base64decode("?")`:                     "no Base64",
		`base64decode("/w==")`:                  "no UTF-8",
		`jsondecode("{")`:                       "EOF",
		`yamldecode("a: [")`:                    "no YAML",
		`try(jsondecode("{"), regex("x", "a"))`: "no expression has a value: x:1",
		`try()`:                                 "at least one expression",
		`tonumber("a")`:                         "number",
		`bytes("4 X")`:                          "unknown unit",
		`humanbytes(1.5)`:                       "whole number",
		`humanbytes(1e30)`:                      "whole number",
		`templatestring("$${x", {})`:            "template:1",
		`templatestring("x", [])`:               "the variables are an object, not a tuple",
		`templatestring("x", { "a b" = 1 })`:    `"a b" is no name`,
		`templatestring("$${[1]}", {})`:         "the template gives no text",
		`templatestring("$${null}", {})`:        "the template gives null",
	} {
		_, err := eval(expression, nil)
		require.ErrorContains(t, err, want, expression)
		require.NotContains(t, err.Error(), "panic", expression)
	}
}

// TestLimits: short expressions that would take all memory or time.
func TestLimits(t *testing.T) {
	variables := map[string]cty.Value{
		"long":  cty.StringVal(strings.Repeat("a\n", 100_000)),
		"many":  cty.StringVal(strings.Repeat(",", 2*maxParts)),
		"deep":  cty.StringVal(strings.Repeat("[", 5_000_000)),
		"zeros": cty.StringVal(strings.Repeat("0", 6000) + "e999999999"),
	}
	for expression, want := range map[string]string{
		`floor("1e999999999")`:          "beyond all measure",
		`ceil("1e999999999")`:           "beyond all measure",
		`tostring(tonumber("1e99999"))`: "beyond all measure",
		`tonumber("1e-99999")`:          "beyond all measure",
		`tonumber(zeros)`:               "digits",
		`format("%d", "1e999999999")`:   "beyond all measure",
		`format("%999999999s", "a")`:    "at most 1000",
		`format("%.999999999f", 1)`:     "at most 1000",
		`format(join("", [for i in range(1000) : "%[1]s%[1]s"]), long)`: "could have more than",
		`format("%v%d", [1, ["1e999999999"]], 1)`:                       "beyond all measure",
		`formatlist("%f", ["1", "1e999999999"])`:                        "beyond all measure",
		`tolist([1, tonumber("1e1000") * tonumber("1e1000")])`:          "beyond all measure",
		`jsonencode({ a = tonumber("1e1000") * tonumber("1e1000") })`:   "beyond all measure",
		`pow(10, 10000)`:      "beyond all measure",
		`pow(2, 1e300)`:       "beyond all measure",
		`pow(1.5, 1e9)`:       "beyond all measure",
		`pow(0.5, 1e12)`:      "beyond all measure",
		`pow(2, 100000.5)`:    "beyond all measure",
		`pow(2, 1e100 + 0.5)`: "beyond all measure",
		`parseint(join("", [for i in range(1000) : "9"]), 10)`: "digits",
		`indent(1001, "a")`:          "between 0 and 1000",
		`indent(1000, long)`:         "more than 16 MiB",
		`join(long, range(1000))`:    "more than 16 MiB",
		`split(",", many)`:           "more than 1048576 elements",
		`replace(long, "", long)`:    "more than 16 MiB",
		`replace(long, "/./", long)`: "more than 16 MiB",
		`replace(long, "/[^x]*/", "$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0")`: "more than 16 MiB",
		`replace(many, "/,/", "")`:                                      "matches more than",
		`regexall("(((((((((((((((((((((,)))))))))))))))))))))", many)`: "more than 1048576 elements",
		`setproduct(range(1000), range(1000), range(1000), range(1000), range(1000), range(1000), range(1000))`: "more than 1048576 elements",
		`csvdecode(many)`:                       "more than 1048576 elements",
		`jsondecode(deep)`:                      "at most 256 deep",
		`jsondecode("[1e999999999]")`:           "beyond all measure",
		`yamldecode(deep)`:                      "YAML",
		`templatestring(deep2, {})`:             "Nested too deep",
		`templatestring("$${1e999999999}", {})`: "Number too large",
		`templatestring(join("", [for i in range(100) : "$${x}"]), { x = long })`: "more than 16 MiB",
	} {
		variables["deep2"] = cty.StringVal("${" + strings.Repeat("(", 50_000))
		_, err := eval(expression, variables)
		require.ErrorContains(t, err, want, expression)
	}
	// A commit may look like such a number.
	for _, expression := range []string{`toset(["5e12345"])`, `format("%s", "5e12345")`, `jsondecode("[\"5e12345\"]")`, `tostring("5e12345")`} {
		_, err := eval(expression, nil)
		require.NoError(t, err, expression)
	}
}

// TestNestedTry: each level evaluates the next once, not twice.
func TestNestedTry(t *testing.T) {
	const depth = 60
	v, err := eval(strings.Repeat("try(can(", depth)+"1"+strings.Repeat("), 2)", depth), nil)
	require.NoError(t, err)
	require.Equal(t, cty.True, v)
}

// TestLongLists: what is quadratic in other languages.
func TestLongLists(t *testing.T) {
	list := make([]cty.Value, 20_000)
	for i := range list {
		list[i] = cty.StringVal(fmt.Sprint(i % 10_000))
	}
	variables := map[string]cty.Value{"l": cty.ListVal(list)}
	v, err := eval("length(distinct(l)) + length(matchkeys(l, l, slice(l, 0, 10000)))", variables)
	require.NoError(t, err)
	require.Equal(t, "30000", show(v))
}

func TestPowers(t *testing.T) {
	for expression, want := range map[string]string{
		`log(1000, 10)`:       "3",
		`log(8, 2)`:           "3",
		`log(0.125, 2)`:       "-3",
		`log(50, 10)`:         "1.6989700043360188",
		`log(16, 2)`:          "4",
		`log(2, 0.5)`:         "-1",
		`log(1, 7)`:           "0",
		`pow(3, 50)`:          "717897987691852588770249",
		`pow(10, -2)`:         "0.01",
		`pow(2, 0.5)`:         "1.4142135623730951",
		`pow(2, -0.5)`:        "0.7071067811865476",
		`pow(1024, 0.1)`:      "2",
		`pow(10, 2.5)`:        "316.22776601683796",
		`pow(-2, 3)`:          "-8",
		`pow(-1, 1e50)`:       "1",
		`pow(-1, pow(3, 60))`: "-1",
		`pow(1, 1e300)`:       "1",
		`pow(0, 1e300)`:       "0",
		`pow(0, 0)`:           "1",
		`pow(0, 0.5)`:         "0",
		`pow(1.5, 2)`:         "2.25",
	} {
		v, err := eval(expression, nil)
		require.NoError(t, err, expression)
		got := v.AsBigFloat()
		wanted, _, err := big.ParseFloat(want, 10, 512, big.ToNearestEven)
		require.NoError(t, err)
		if strings.Contains(want, ".") && len(want) > 10 {
			// Rounded to 53 bits, as the expected decimal means it.
			a, _ := got.Float64()
			b, _ := wanted.Float64()
			require.Equal(t, b, a, expression)
			continue
		}
		require.Zero(t, got.Cmp(wanted), "%s = %s", expression, got.Text('g', 30))
	}
}

// TestUnknown: values that are not known yet give unknown values or what is
// certain, never an error.
func TestUnknown(t *testing.T) {
	variables := map[string]cty.Value{
		"u": cty.UnknownVal(cty.String), "n": cty.UnknownVal(cty.Number), "b": cty.UnknownVal(cty.Bool),
		"l": cty.UnknownVal(cty.List(cty.String)), "m": cty.UnknownVal(cty.Map(cty.String)), "d": cty.DynamicVal,
	}
	for _, expression := range []string{
		"abs(n)", "floor(n)", "log(n, 2)", "pow(2, n)", "sum([n, 1])", "sum(l)", "signum(n)", `parseint(u, 10)`, `format("%s", u)`, "format(u)", `formatlist("%s", l)`,
		"indent(n, u)", `join(u, l)`, `split(u, "a")`, "replace(u, u, u)", "regexall(u, u)", "startswith(u, u)",
		"alltrue([true, b])", "anytrue([false, b])", "coalesce(u, \"a\")", "contains(l, u)", "distinct(l)", "index(l, u)", "length(l)", "length(u)", "length(d)",
		"lookup(m, u)", "lookup({ a = 1 }, u)", "lookup(m, \"a\", \"b\")", "matchkeys(l, l, l)", "one(l)", "transpose({ a = l })", "setproduct(l, l)",
		"jsondecode(u)", "yamldecode(u)", "csvdecode(u)", "jsonencode(u)", "sha256(u)", "file(u)", "fileset(u, u)", "templatefile(u, {})", "templatestring(\"$${x}\", { x = u })",
		"try(u)", "can(u)", "type(d)", "bytes(u)", "humanbytes(n)", "tonumber(u)", "tolist(l)",
	} {
		v, err := eval(expression, variables)
		require.NoError(t, err, expression)
		require.False(t, v.IsWhollyKnown(), expression)
	}
	for expression, want := range map[string]string{
		"alltrue([false, b])": "false", "anytrue([true, b])": "true", "length([u, u])": "2", "length({ a = u })": "1",
		`coalesce("a", u)`: `"a"`, "type(u)": `"string"`, "lookup({ a = 1 }, \"a\", u)": "1",
	} {
		v, err := eval(expression, variables)
		require.NoError(t, err, expression)
		require.Equal(t, want, show(v), expression)
	}
}

// TestMarks: what is made of a marked value is marked.
func TestMarks(t *testing.T) {
	mark := func(v cty.Value) cty.Value { return v.Mark("secret") }
	variables := map[string]cty.Value{
		"s": mark(cty.StringVal("prompt.txt")), "n": mark(cty.NumberIntVal(3)),
		"l": cty.ListVal([]cty.Value{mark(cty.StringVal("a")), cty.StringVal("b")}),
		"o": cty.ObjectVal(map[string]cty.Value{"a": mark(cty.StringVal("x"))}),
	}
	for _, expression := range []string{
		"floor(n)", "log(n, 3)", "pow(n, n)", "sum([n, 1])", `format("%s", s)`, `formatlist("%s", l)`, "indent(n, s)", `join("", l)`, "split(\".\", s)", "replace(s, \".\", \"-\")",
		"regexall(\".\", s)", "startswith(s, \"a\")", "contains(l, s)", "distinct(l)", "index(l, \"b\")", "lookup(o, \"a\")", "lookup({}, s, 1)", "matchkeys(l, l, l)", "one([s])",
		"coalesce(s, \"b\")", "setproduct([s], [1])", "jsonencode(o)", "yamlencode(o)", "sha256(s)", "file(s)", "fileexists(s)", "templatestring(\"$${x}\", { x = s })", "tolist([s])", "tostring(n)",
	} {
		v, err := eval(expression, variables)
		require.NoError(t, err, expression)
		require.True(t, v.ContainsMarked(), expression)
	}
}

// FuzzDecode: texts from outside give a value or an error.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		"", "a: 1", "[1, {a: b}]", "&a [*a]", "a: &x {b: 1}\nc:\n  <<: *x\n", "<<: [1]", "- !!binary aGk=", "0x1F", "010", "1_000", ".inf", "- - - -\n", "{\"a\": [1e5]}",
		"a: &a [1,1]\nb: &b [*a,*a]\nc: [*b,*b]\n", "--- 1\n--- 2\n", "? [a]\n: b", "a,b\n\"1\",2\n", "${x}", "%{ for a in [1] }${a}%{ endfor }",
	} {
		f.Add(s)
	}
	all := Functions(folder)
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 1<<12 {
			return
		}
		for _, name := range []string{"yamldecode", "jsondecode", "csvdecode", "base64decode", "bytes"} {
			_, err := all[name].Call([]cty.Value{cty.StringVal(s)})
			if err != nil && strings.Contains(err.Error(), "panic in function") {
				t.Fatalf("%s(%q): %v", name, s, err)
			}
		}
		if v, err := all["yamldecode"].Call([]cty.Value{cty.StringVal(s)}); err == nil {
			if _, err := all["jsonencode"].Call([]cty.Value{v}); err != nil {
				t.Fatalf("%q gives a value without JSON: %v", s, err)
			}
		}
		_, _ = compileGlob(s)
		if strings.Count(s, "for") < 3 { // nested loops take their product
			_, _ = render(s, "x", &hcl.EvalContext{Functions: all})
		}
	})
}
