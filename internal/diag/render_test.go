package diag

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite golden files")

func TestRender(t *testing.T) {
	source := []byte("model \"q\" {\n\tsource = var.modle # naïve 模型\n}\n\n" +
		"locals {\n  long = \"" + strings.Repeat("abcdefghij", 20) + "\" + var.nothing + \"" + strings.Repeat("z", 50) + "\"\n}\n" +
		"block {\n  a = [\n    1,\n    2,\n    3,\n  ]\n}\n  x = \"e\u0301\u0301 \x1b[31m\" + y")
	at := func(l, c, el, ec int) Range {
		return Range{File: "recipe.hcl", Line: l, Column: c, EndLine: el, EndColumn: ec}
	}
	var out bytes.Buffer
	show := func(title string, d Diagnostic, src []byte, color bool, width int) {
		out.WriteString("=== " + title + "\n")
		Render(&out, d, src, color, width)
	}
	long := "A variable named \"modle\" is not declared. The recipe has context, model and precision; did you mean var.model?\n  second paragraph, indented, which is long enough to be wrapped once more"
	show("plain", Errorf(at(2, 11, 2, 20), "Unknown variable", "%s", long), source, false, 60)
	show("no width", Errorf(at(2, 11, 2, 20), "Unknown variable", "%s", long), source, false, 0)
	show("color", Warnf(at(2, 11, 2, 20), "Unknown variable", "short"), source, true, 60)
	show("no source", Errorf(at(2, 11, 2, 20), "Unknown variable", "short"), nil, false, 60)
	show("no place", Errorf(Range{}, "Nothing to build", "short"), source, false, 60)
	show("file alone", Errorf(Range{File: "recipe.hcl"}, "No file", ""), source, false, 60)
	show("long line", Errorf(at(6, 214, 6, 225), "Unknown variable", "short"), source, false, 70)
	show("many lines", Errorf(at(9, 7, 13, 4), "Wrong type", "short"), source, false, 70)
	show("two lines", Errorf(at(10, 5, 11, 6), "Wrong type", "short"), source, false, 70)
	show("empty range at the end", Errorf(at(7, 2, 7, 2), "Missing", "short"), source, false, 70)
	show("past the end", Errorf(at(400, 2, 400, 9), "Missing", "short"), source, false, 70)
	show("combining and control characters", Errorf(at(15, 8, 15, 9), "S\x1b[2J", "d\x07"), source, false, 70)
	show("wide characters", Errorf(at(2, 32, 2, 33), "Wide", ""), source, false, 70)

	const golden = "testdata/render.golden"
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(golden, out.Bytes(), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err, "run the test with -update")
	require.Equal(t, string(want), out.String())
}

// TestRenderLongLine checks that a line as long as a file takes no time.
func TestRenderLongLine(t *testing.T) {
	source := []byte(strings.Repeat("x", 1<<20))
	start := time.Now()
	var out bytes.Buffer
	Render(&out, Errorf(Range{"f", 1, 1 << 19, 1, 1<<19 + 5}, "Long", ""), source, false, 80)
	require.Less(t, time.Since(start), 2*time.Second)
	require.Contains(t, out.String(), " ^^^^^\n")
}

func FuzzRender(f *testing.F) {
	f.Add("a = 1\nb", 1, 1, 2, 2, 80)
	f.Add("\t\u0301x", 1, 3, 1, -4, 20)
	f.Fuzz(func(t *testing.T, source string, l, c, el, ec, width int) {
		if width > 1000 {
			width = 1000
		}
		var out bytes.Buffer
		Render(&out, Diagnostic{Summary: source, Detail: source, Range: Range{"f", l, c, el, ec}}, []byte(source), false, width)
		if strings.ContainsRune(out.String(), 0x1b) {
			t.Fatal("a control character came through")
		}
	})
}
