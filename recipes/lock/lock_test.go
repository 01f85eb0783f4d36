package lock

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/recipes/format"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run the test with -update")
	require.Equal(t, string(want), got)
}

func hex(c string) string { return strings.Repeat(c, 64) }

// example is a file in no order.
func example() *File {
	return &File{
		Models: []Model{
			{Address: "module.m.model.base", Source: "../base.gguf", Digest: "blake3:" + hex("b")},
			{Address: "model.qwen3", Source: "hf://Qwen/Qwen3-30B-A3B", Revision: strings.Repeat("0123456789", 4), Digest: "blake3:" + hex("a"), Files: []FileHash{
				{Name: "tokenizer.json", Size: 11422654, SHA256: hex("2")},
				{Name: "config.json", Size: 963, SHA256: hex("1")},
			}},
			{Address: `model.x["a ${b}"]`, Source: "./with \"quotes\"\tand %{ more"},
		},
		Modules: []Module{
			{Address: "module.ultra", Source: "git::https://git.example.org/recipes.git//qwen3/ultra?ref=v1.4.0", Commit: strings.Repeat("c0", 20), Digest: "blake3:" + hex("c")},
			{Address: "module.near", Source: "./near", Digest: "blake3:" + hex("d")},
		},
		Evidence: []Evidence{{Address: "stage.calibrate.balanced", Output: hex("e")}},
	}
}

func TestBytes(t *testing.T) {
	text := example().Bytes()
	golden(t, "testdata/example.golden.hcl", string(text))
	golden(t, "testdata/empty.golden.hcl", string((&File{}).Bytes()))
	formatted, problems := format.Format(text, Name)
	require.Empty(t, problems)
	require.Equal(t, string(formatted), string(text), "pj fmt has nothing to do")

	back, problems := Parse(text, Name)
	require.Empty(t, problems)
	require.Equal(t, example().Clone(), back)
	require.Equal(t, string(text), string(back.Bytes()))
}

func TestReadAndWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), Name)
	f, problems := Read(path)
	require.Empty(t, problems)
	require.True(t, f.Empty())
	require.Equal(t, Version, f.Version)

	f.Merge(example())
	require.False(t, f.Empty())
	require.NoError(t, f.Write(path))
	before, err := os.Stat(path)
	require.NoError(t, err)
	require.NoError(t, f.Clone().Write(path))
	after, err := os.Stat(path)
	require.NoError(t, err)
	require.True(t, os.SameFile(before, after), "an equal file is left alone")

	back, problems := Read(path)
	require.Empty(t, problems)
	require.Equal(t, f, back)

	back.SetEvidence(Evidence{Address: "stage.calibrate.x", Output: hex("f")})
	require.NoError(t, back.Write(path))
	last, err := os.Stat(path)
	require.NoError(t, err)
	require.False(t, os.SameFile(before, last), "a changed file is replaced")

	require.Error(t, f.Write(filepath.Join(path, "below")))
	_, problems = Read(filepath.Dir(path))
	require.ErrorContains(t, problems.Err(), "no regular file")
}

func TestSet(t *testing.T) {
	f := &File{}
	_, ok := f.FindModel("model.a")
	require.False(t, ok)
	f.SetModel(Model{Address: "model.b"})
	files := []FileHash{{Name: "z"}, {Name: "a"}}
	f.SetModel(Model{Address: "model.a", Files: files})
	f.SetModel(Model{Address: "model.b", Source: "x"})
	require.Equal(t, "z", files[0].Name, "the caller's list is left alone")
	require.Equal(t, []Model{{Address: "model.a", Files: []FileHash{{Name: "a"}, {Name: "z"}}}, {Address: "model.b", Source: "x"}}, f.Models)
	m, ok := f.FindModel("model.b")
	require.True(t, ok)
	require.Equal(t, "x", m.Source)

	f.SetModule(Module{Address: "module.a", Commit: "1"})
	f.SetModule(Module{Address: "module.a", Commit: "2"})
	mod, ok := f.FindModule("module.a")
	require.True(t, ok)
	require.Equal(t, "2", mod.Commit)
	f.SetEvidence(Evidence{Address: "stage.calibrate.a", Output: "1"})
	ev, ok := f.FindEvidence("stage.calibrate.a")
	require.True(t, ok)
	require.Equal(t, "1", ev.Output)

	c := f.Clone()
	c.Models[0].Files[0].Size = 7
	require.Zero(t, f.Models[0].Files[0].Size)

	f.Keep(func(address string) bool { return address == "model.b" })
	require.Equal(t, []Model{{Address: "model.b", Source: "x"}}, f.Models)
	require.Empty(t, f.Modules)
	require.Empty(t, f.Evidence)

	var none *File
	require.True(t, none.Empty())
	_, ok = none.FindModule("module.a")
	require.False(t, ok)
	require.Equal(t, &File{Version: Version}, none.Clone())
}

func TestDiff(t *testing.T) {
	require.Empty(t, Diff(example(), example().Clone()))
	require.Empty(t, Diff(nil, &File{}))
	require.Equal(t, []string{
		"model.qwen3: pinned: hf://Qwen/Qwen3-30B-A3B at 012345678901",
		`model.x["a ${b}"]: pinned: ./with "quotes"` + "\ufffdand %{ more",
		"module.m.model.base: pinned: ../base.gguf",
		"module.near: pinned: ./near",
		"module.ultra: pinned: git::https://git.example.org/recipes.git//qwen3/ultra?ref=v1.4.0 at c0c0c0c0c0c0",
		"stage.calibrate.balanced: evidence pinned: eeeeeeeeeeee",
	}, Diff(nil, example()))
	require.Contains(t, Diff(example(), nil), "stage.calibrate.balanced: evidence dropped")
	require.Contains(t, Diff(example(), nil), "module.near: dropped")

	now := example()
	now.SetModel(Model{Address: "model.qwen3", Source: "hf://Qwen/Qwen3-30B-A3B", Revision: strings.Repeat("9", 40), Digest: "blake3:" + hex("a")[:63] + "f", Files: []FileHash{
		{Name: "config.json", Size: 964, SHA256: hex("1")},
		{Name: "new.json", Size: 1, SHA256: hex("3")},
	}})
	now.SetModule(Module{Address: "module.near", Source: "./far", Commit: strings.Repeat("1", 40), Digest: "blake3:" + hex("0")})
	now.SetEvidence(Evidence{Address: "stage.calibrate.balanced", Output: hex("0")})
	now.Keep(func(address string) bool { return address != "module.m.model.base" })
	require.Equal(t, []string{
		"model.qwen3: revision 012345678901 -> 999999999999",
		"model.qwen3: digest blake3:" + hex("a") + " -> blake3:" + hex("a")[:63] + "f",
		"model.qwen3: file config.json: 963 -> 964 bytes",
		"model.qwen3: file new.json added",
		"model.qwen3: file tokenizer.json removed",
		"module.m.model.base: dropped",
		"module.near: source ./near -> ./far",
		"module.near: commit none -> 111111111111",
		"module.near: digest blake3:dddddddddddd -> blake3:000000000000",
		"stage.calibrate.balanced: evidence eeeeeeeeeeee -> 000000000000",
	}, Diff(example(), now))
}

func TestParseErrors(t *testing.T) {
	model := func(body string) string { return "version = 1\nmodel \"model.a\" {\n" + body + "\n}\n" }
	for name, c := range map[string]struct{ src, want string }{
		"empty":            {"", "x:1: Lock file without version"},
		"syntax":           {"version = \n", "x:1: Invalid expression"},
		"later":            {"version = 2\nfuture {}\n", "x:1: Lock file of a later version: Version 2 was written by a newer pj"},
		"version 0":        {"version = 0", "x:1: Unknown version"},
		"half":             {"version = 1.5", "x:1: Wrong type: version is a whole number"},
		"huge":             {"version = 1e300", "x:1: Wrong type"},
		"text":             {`version = "1"`, "x:1: Wrong type"},
		"attribute":        {"version = 1\nfoo = 2", "x:2: Unknown attribute"},
		"block":            {"version = 1\nfoo {\n}", "x:2: Unknown block"},
		"no label":         {"version = 1\nmodel {\n}", "x:2: Wrong labels"},
		"empty label":      {"version = 1\nmodel \"\" {\n}", "x:2: Wrong labels"},
		"two labels":       {"version = 1\nmodel \"a\" \"b\" {\n}", "x:2: Wrong labels"},
		"duplicate":        {model(`source = "x"`) + "model \"model.a\" {\n  source = \"x\"\n}\n", "x:5: Duplicate entry"},
		"no source":        {model(""), "x:2: Missing attribute: The model block has no source"},
		"empty source":     {model(`source = ""`), "x:3: Empty value"},
		"null":             {model(`source = null`), "x:3: Not a constant"},
		"number":           {model(`source = 1`), "x:3: Wrong type: source is a string"},
		"reference":        {model(`source = var.x`), "x:3: Not a constant"},
		"template":         {model(`source = "a${1}"`), "x:3: Not a constant"},
		"for":              {model(`source = [for a in [1, 2] : [for b in [1, 2] : b]]`), "x:3: Not a constant"},
		"model attribute":  {model("source = \"x\"\ncommit = \"y\""), "x:4: Unknown attribute: A model block of a lock file has source, revision, digest, no commit"},
		"digest":           {model("source = \"x\"\ndigest = \"sha256:00\""), "x:4: Wrong value: digest must be \"blake3:\""},
		"inner block":      {model("source = \"x\"\nfoo {\n}"), "x:4: Unknown block: A model of a lock file has file blocks"},
		"file size":        {model("source = \"x\"\nfile \"a\" {\n sha256 = \"" + hex("0") + "\"\n}"), "x:4: Missing attribute: The file block has no size"},
		"file negative":    {model("source = \"x\"\nfile \"a\" {\n size = -1\n sha256 = \"" + hex("0") + "\"\n}"), "x:5: Not a constant"},
		"file hash":        {model("source = \"x\"\nfile \"a\" {\n size = 1\n sha256 = \"" + hex("G") + "\"\n}"), "x:6: Wrong value: sha256 must be 64"},
		"file twice":       {model("source = \"x\"\nfile \"a\" {\n size = 1\n sha256 = \"" + hex("0") + "\"\n}\nfile \"a\" {\n}"), "x:8: Duplicate entry"},
		"file block":       {model("source = \"x\"\nfile \"a\" {\n size = 1\n sha256 = \"" + hex("0") + "\"\nb {\n}\n}"), "x:7: Unknown block"},
		"module digest":    {"version = 1\nmodule \"a\" {\n  source = \"x\"\n}\n", "x:2: Missing attribute: The module block has no digest"},
		"module commit":    {"version = 1\nmodule \"a\" {\n  source = \"x\"\n  commit = \"v1\"\n  digest = \"blake3:" + hex("0") + "\"\n}\n", "x:4: Wrong value: commit must be a whole commit"},
		"module block":     {"version = 1\nmodule \"a\" {\n  source = \"x\"\n digest = \"blake3:" + hex("0") + "\"\n file \"x\" {\n}\n}\n", "x:5: Unknown block"},
		"evidence":         {"version = 1\nevidence \"a\" {\n  output = \"00\"\n}\n", "x:3: Wrong value: output must be 64"},
		"evidence nothing": {"version = 1\nevidence \"a\" {\n}\n", "x:2: Missing attribute"},
		"conflict":         {"version = 1\n<<<<<<< ours\n=======\n>>>>>>> theirs\n", "x:2: Lock file with a merge conflict"},
		"deep":             {"version = " + strings.Repeat("[", 1000), "x:1: Nested too deep"},
		"large":            {strings.Repeat("#", maxBytes+1), "x: Lock file too large"},
	} {
		t.Run(name, func(t *testing.T) {
			f, problems := Parse([]byte(c.src), "x")
			require.Nil(t, f)
			require.ErrorContains(t, problems.Err(), c.want)
		})
	}
}

// TestParseReportsAll: every problem at once, in the order of the file.
func TestParseReportsAll(t *testing.T) {
	_, problems := Parse([]byte("version = 1\nb = 1\na = 2\nmodel \"m\" {\n  digest = \"x\"\n}\nfoo {\n}\n"), "x")
	var lines []int
	for _, p := range problems {
		lines = append(lines, p.Line)
	}
	require.Equal(t, []int{2, 3, 4, 5, 7}, lines)
}

func FuzzParse(f *testing.F) {
	f.Add(example().Bytes())
	f.Add((&File{}).Bytes())
	for _, s := range []string{"", "version = 1", "version = 9", "version = 1\nmodel \"a\" {\n source = \"\\u0041${\"\n}\n", "<<<<<<< a", "version = 1\nevidence \"a\" {}\n", "version = 1\nmodule a { source = \"x\" }\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		file, problems := Parse(src, "x")
		if problems.HasErrors() {
			if file != nil {
				t.Fatal("a file with errors")
			}
			return
		}
		text := file.Bytes()
		back, problems := Parse(text, "x")
		if problems.HasErrors() {
			t.Fatalf("%v\n%q\n%q", problems, src, text)
		}
		require.Equal(t, file, back)
		require.Equal(t, string(text), string(back.Bytes()))
		require.Empty(t, Diff(file, back))
		formatted, problems := format.Format(text, "x")
		require.Empty(t, problems)
		require.Equal(t, string(text), string(formatted))
	})
}
