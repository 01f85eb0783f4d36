package cli

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// storyCommands are what stories in scripts need besides the usual.
func storyCommands(more map[string]func(*testscript.TestScript, bool, []string)) map[string]func(*testscript.TestScript, bool, []string) {
	out := map[string]func(*testscript.TestScript, bool, []string){
		"model": scriptModel, "flip": scriptFlip, "summary": scriptSummary, "ran": scriptRan,
		"mark": scriptMark, "untouched": scriptUntouched, "same": scriptSame, "touch": scriptTouch,
	}
	maps.Copy(out, more)
	return out
}

// scriptModel copies an example model: model nano-qwen3moe m.
func scriptModel(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: model NAME FOLDER")
	}
	ts.Check(copyModel(ts.Getenv("MODELS")+"/"+args[0], ts.MkAbs(args[1])))
}

// scriptFlip changes one byte of a file, at an offset or in a tensor of a
// safetensors file: flip m/model.safetensors lm_head.weight. With -t the file
// keeps the time of its last change, as where rsync or tar wrote it.
func scriptFlip(ts *testscript.TestScript, neg bool, args []string) {
	keep := len(args) > 0 && args[0] == "-t"
	if keep {
		args = args[1:]
	}
	if neg || len(args) != 2 {
		ts.Fatalf("usage: flip [-t] FILE OFFSET|TENSOR")
	}
	path := ts.MkAbs(args[0])
	info, err := os.Stat(path)
	ts.Check(err)
	ts.Check(flip(path, args[1]))
	if keep {
		ts.Check(os.Chtimes(path, info.ModTime(), info.ModTime()))
	}
}

// flip changes the lowest bit of one byte of a file.
func flip(path, where string) error {
	at, err := strconv.ParseInt(where, 0, 64)
	if err != nil {
		if at, err = tensorOffset(path, where); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		return err
	}
	b[0] ^= 1
	if _, err := f.WriteAt(b, at); err != nil {
		return err
	}
	return f.Close()
}

// tensorOffset is where a tensor's data begins in a safetensors file.
func tensorOffset(path, tensor string) (int64, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	n := int64(binary.LittleEndian.Uint64(b))
	var header map[string]struct {
		Offsets [2]int64 `json:"data_offsets"`
	}
	if err := json.Unmarshal(b[8:8+n], &header); err != nil {
		return 0, err
	}
	t, ok := header[tensor]
	if !ok {
		return 0, fmt.Errorf("%s has no tensor %s", path, tensor)
	}
	return 8 + n + t.Offsets[0], nil
}

// lastJSON is what the last command printed.
func lastJSON(ts *testscript.TestScript) *told {
	out := &told{}
	if err := json.Unmarshal([]byte(ts.ReadFile("stdout")), out); err != nil {
		ts.Fatalf("standard output is not what plan and build print with --json: %v", err)
	}
	return out
}

// scriptSummary checks numbers of the summary that --json printed:
// summary executed=0 actions=72.
func scriptSummary(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: summary NAME=NUMBER...")
	}
	var out struct{ Summary map[string]float64 }
	if err := json.Unmarshal([]byte(ts.ReadFile("stdout")), &out); err != nil {
		ts.Fatalf("standard output is no summary: %v", err)
	}
	for _, arg := range args {
		name, want, _ := strings.Cut(arg, "=")
		got, ok := out.Summary[name]
		if !ok {
			ts.Fatalf("the summary has no %s", name)
		}
		if fmt.Sprint(got) != want {
			ts.Fatalf("%s is %v, want %s; ran: %q", name, got, want, lastJSON(ts).executed())
		}
	}
}

// scriptRan checks which actions ran, by their addresses: ran 'artifact.gguf.a'.
func scriptRan(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: ran ADDRESS...")
	}
	got := strings.Join(lastJSON(ts).executed(), "\n")
	if want := strings.Join(args, "\n"); got != want {
		ts.Fatalf("ran:\n%s\nwant:\n%s", got, want)
	}
}

// scriptMark remembers which file this is and when it was written.
func scriptMark(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: mark FILE")
	}
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	marks(ts)[args[0]] = info
}

// scriptUntouched checks that a file is the one that was marked.
func scriptUntouched(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: [!] untouched FILE")
	}
	was, ok := marks(ts)[args[0]]
	if !ok {
		ts.Fatalf("%s was not marked", args[0])
	}
	now, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	same := os.SameFile(was, now) && was.ModTime().Equal(now.ModTime()) && was.Size() == now.Size()
	switch {
	case same && neg:
		ts.Fatalf("%s was not written again", args[0])
	case !same && !neg:
		ts.Fatalf("%s was written again", args[0])
	}
}

// scriptTouch sets a file's time to now.
func scriptTouch(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: touch FILE")
	}
	now := time.Now()
	ts.Check(os.Chtimes(ts.MkAbs(args[0]), now, now))
}

type marksKey struct{}

func marks(ts *testscript.TestScript) map[string]os.FileInfo {
	return ts.Value(marksKey{}).(map[string]os.FileInfo)
}

// scriptSame compares the bytes of two files.
func scriptSame(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: [!] same FILE FILE")
	}
	a, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	b, err := os.ReadFile(ts.MkAbs(args[1]))
	ts.Check(err)
	switch same := bytes.Equal(a, b); {
	case same && neg:
		ts.Fatalf("%s and %s are equal", args[0], args[1])
	case !same && !neg:
		ts.Fatalf("%s and %s differ", args[0], args[1])
	}
}
