package safetensors

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/llama-pajamas/pj/internal/sharedtest"
	"github.com/stretchr/testify/require"
)

func TestParseHeader(t *testing.T) {
	// Out of order, with white space, escapes, fields in any order, an empty
	// tensor and a scalar.
	b := raw("{ \"b\\u0020\\n\\\"\" :\r\n{\"shape\" : [ 2 , 3 ],\t\"data_offsets\":[4,16],\"dtype\":\"BF16\"},"+
		`"__metadata__":{"format":"pt","é":"\u00e9\ud83d\ude00"},`+
		`"s":{"dtype":"F32","shape":[],"data_offsets":[0,4]},`+
		`"empty":{"dtype":"F64","shape":[3,0],"data_offsets":[4,4]}}    `, 16)
	h, err := parse(b)
	require.NoError(t, err)
	start := int64(len(b) - 16)
	require.Equal(t, &Header{
		Tensors: []Tensor{
			{Name: "s", DType: "F32", Shape: []int64{}, Offset: start, Size: 4},
			{Name: "empty", DType: "F64", Shape: []int64{3, 0}, Offset: start + 4},
			{Name: "b \n\"", DType: "BF16", Shape: []int64{2, 3}, Offset: start + 4, Size: 12},
		},
		Metadata:  map[string]string{"format": "pt", "é": "é😀"},
		DataStart: start,
	}, h)

	h, err = parse(raw(`{}`, 0))
	require.NoError(t, err)
	require.Empty(t, h.Tensors)
	require.Nil(t, h.Metadata)
}

func TestParseHeaderErrors(t *testing.T) {
	one := func(fields string) []byte { return raw(`{"w":{`+fields+`}}`, 8) }
	const good = `"dtype":"F32","shape":[2],"data_offsets":[0,8]`
	_, err := parse(one(good))
	require.NoError(t, err, "the base of the cases is good")
	two := func(a, b string, data int) []byte {
		return raw(`{"a":{"dtype":"U8",`+a+`},"b":{"dtype":"U8",`+b+`}}`, data)
	}
	for _, c := range []struct {
		name string
		file []byte
		want string
	}{
		{"empty", nil, "the file has 0 bytes, too few"},
		{"short", []byte("1234567"), "the file has 7 bytes, too few"},
		{"git-lfs", []byte("version https://git-lfs.github.com/spec/v1\noid sha256:1"), "run git lfs pull"},
		{"header too large", []byte("PK\x03\x04 zip file"), "the format allows 100000000"},
		{"header just too large", []byte("\x01\xe1\xf5\x05\x00\x00\x00\x00{}"), "the header claims 100000001 bytes"},
		{"header past the end", []byte("\x0a\x00\x00\x00\x00\x00\x00\x00{}"), "the header has 10 bytes, and the file ends after 2 of them (8 are missing): download it again"},
		{"empty header", raw("", 0), "not a JSON object"},
		{"array", raw("[]", 0), "not a JSON object"},
		{"null", raw("null", 0), "not a JSON object"},
		{"leading space", raw(" {}", 0), "not a JSON object"},
		{"not JSON", raw("{abc}", 0), `the header is not JSON: at byte 1: found 'a' instead of '"'`},
		{"no end", raw(`{"w":{`+good+`}`, 8), "found the end instead of ',' or '}'"},
		{"after the end", raw(`{} x`, 0), "found 'x' after the end of the object"},
		{"zero byte after the end", raw("{}\x00", 0), `found '\x00' after the end of the object`},
		{"no comma", raw(`{"a":{`+good+`}"b":{`+good+`}}`, 8), `found '"' instead of ',' or '}'`},
		{"comma at the end", raw(`{"a":{`+good+`},}`, 8), "found '}' after a comma"},
		{"no colon", raw(`{"a"{`+good+`}}`, 8), "found '{' instead of ':'"},
		{"string without end", raw(`{"abc`, 0), "a string has no end"},
		{"escape without end", raw(`{"abc\"`, 0), "a string has no end"},
		{"backslash at the end", raw(`{"abc\`, 0), "a string has no end"},
		{"bad escape", raw(`{"a\x":1}`, 0), "a bad string"},
		{"lone surrogate", raw(`{"a\ud800":1}`, 0), "a bad string"},
		{"control character", raw("{\"a\nb\":1}", 0), "a control character in a string"},
		{"not UTF-8", raw("{\"a\xff\":1}", 0), "not valid UTF-8"},
		{"duplicate name", raw(`{"w":{`+good+`},"w":{`+good+`}}`, 8), `"w" is there twice`},
		{"duplicate by escape", raw(`{"w":{`+good+`},"\u0077":{`+good+`}}`, 8), `"w" is there twice`},
		{"duplicate metadata", raw(`{"__metadata__":{},"__metadata__":{}}`, 0), `"__metadata__" is there twice`},
		{"metadata key twice", raw(`{"__metadata__":{"a":"","a":""}}`, 0), `__metadata__: "a" is there twice`},
		{"metadata number", raw(`{"__metadata__":{"a":1}}`, 0), `__metadata__: "a": at byte 21: found '1' instead of '"'`},
		{"metadata array", raw(`{"__metadata__":[]}`, 0), `__metadata__: at byte 16: found '[' instead of '{'`},
		{"tensor string", raw(`{"w":"x"}`, 0), `tensor "w": at byte 5: found '"' instead of '{'`},
		{"unknown field", one(good + `,"device":"cpu"`), `tensor "w": unknown field "device"`},
		{"field twice", one(good + `,"dtype":"F32"`), `tensor "w": dtype is there twice`},
		{"no dtype", one(`"shape":[2],"data_offsets":[0,8]`), `tensor "w": dtype, shape or data_offsets is missing`},
		{"no fields", one(``), `tensor "w": dtype, shape or data_offsets is missing`},
		{"dtype", one(`"dtype":"F4","shape":[16],"data_offsets":[0,8]`), `tensor "w": dtype "F4" is not known to this program: convert the model`},
		{"dtype number", one(`"dtype":32,"shape":[2],"data_offsets":[0,8]`), `tensor "w": dtype: at byte 14: found '3' instead of '"'`},
		{"negative dimension", one(`"dtype":"F32","shape":[-2],"data_offsets":[0,8]`), `tensor "w": shape: at byte 29: a negative number`},
		{"fraction", one(`"dtype":"F32","shape":[2.0],"data_offsets":[0,8]`), `tensor "w": shape: at byte 30: a number that is not a whole one`},
		{"exponent", one(`"dtype":"F32","shape":[2e0],"data_offsets":[0,8]`), "a number that is not a whole one"},
		{"leading zero", one(`"dtype":"F32","shape":[02],"data_offsets":[0,8]`), "a number that starts with 0"},
		{"string dimension", one(`"dtype":"F32","shape":["2"],"data_offsets":[0,8]`), `found '"' instead of a number`},
		{"huge dimension", one(`"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,8]`), "a number that is too large"},
		{"overflow", one(`"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]`), `tensor "w": shape [4294967296 4294967296] of F32 is too large`},
		{"overflow by dtype", one(`"dtype":"F64","shape":[2305843009213693951],"data_offsets":[0,8]`), `tensor "w": shape [2305843009213693951] of F64 is too large`},
		{"size", one(`"dtype":"F32","shape":[3],"data_offsets":[0,8]`), `tensor "w": shape [3] of F32 takes 12 bytes, but data_offsets [0,8] hold 8`},
		{"backwards", one(`"dtype":"F32","shape":[2],"data_offsets":[8,0]`), `tensor "w": data_offsets [8,0] end before they start`},
		{"one offset", one(`"dtype":"F32","shape":[2],"data_offsets":[8]`), `tensor "w": data_offsets: 1 numbers instead of 2`},
		{"three offsets", one(`"dtype":"F32","shape":[2],"data_offsets":[0,8,8]`), `tensor "w": data_offsets: 3 numbers instead of 2`},
		{"overlap", two(`"shape":[4],"data_offsets":[0,4]`, `"shape":[4],"data_offsets":[2,6]`, 6), `tensor "b": its data at offset 2 overlaps that of tensor "a", which ends at 4`},
		{"same place", two(`"shape":[4],"data_offsets":[0,4]`, `"shape":[4],"data_offsets":[0,4]`, 4), `tensor "b": its data at offset 0 overlaps that of tensor "a"`},
		{"hole", two(`"shape":[4],"data_offsets":[0,4]`, `"shape":[4],"data_offsets":[6,10]`, 10), `tensor "b": its data starts at offset 6, and nothing fills the 2 bytes before it`},
		{"hole at the start", one(`"dtype":"U8","shape":[4],"data_offsets":[4,8]`), `tensor "w": its data starts at offset 4, and nothing fills the 4 bytes`},
		{"truncated", two(`"shape":[4],"data_offsets":[0,4]`, `"shape":[4],"data_offsets":[4,8]`, 3), `the file is cut off: 5 bytes are missing, from tensor "a" on: download it again`},
		{"truncated later", two(`"shape":[4],"data_offsets":[0,4]`, `"shape":[4],"data_offsets":[4,8]`, 4), `the file is cut off: 4 bytes are missing, from tensor "b" on`},
		{"all missing, at the limit", raw(fmt.Sprintf(`{"a":{"dtype":"U8","shape":[%d],"data_offsets":[0,%[1]d]}}`, int64(math.MaxInt64)), 0), `the file is cut off: 9223372036854775807 bytes are missing, from tensor "a" on`},
		{"trailing bytes", one(`"dtype":"U8","shape":[4],"data_offsets":[0,4]`), "4 bytes follow the last tensor's data"},
		{"no tensors, trailing bytes", raw("{}", 1), "1 bytes follow the last tensor's data"},
	} {
		_, err := parse(c.file)
		require.ErrorContains(t, err, c.want, c.name)
		require.ErrorContains(t, err, "x.safetensors: ", c.name)
	}
}

// A header that is cut anywhere is an error and no panic.
func TestParseHeaderEveryCut(t *testing.T) {
	const header = `{"__metadata__":{"a":"b\n"},"a":{"dtype":"U8","shape":[2,2],"data_offsets":[0,4]}}`
	for n := range header {
		_, err := parse(raw(header[:n], 4))
		require.Error(t, err, n)
	}
	full := raw(header, 4)
	for n := range full {
		_, err := parse(full[:n])
		require.Error(t, err, n)
	}
}

var errBroken = errors.New("the disk is broken")

type brokenFile struct{}

func (brokenFile) ReadAt([]byte, int64) (int, error) { return 0, errBroken }

func TestReadErrors(t *testing.T) {
	_, err := ParseHeader(brokenFile{}, 100, "x")
	require.ErrorIs(t, err, errBroken)
	_, err = ParseHeader(bytes.NewReader([]byte{4, 0, 0, 0, 0, 0, 0, 0, '{'}), 100, "x")
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

func TestHostileHeaderAllocatesLittle(t *testing.T) {
	spaces := raw("{"+strings.Repeat(" ", 1<<20)+"}", 0)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := parse(spaces)
	runtime.ReadMemStats(&after)
	require.NoError(t, err)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(8<<20))
}

func TestDTypes(t *testing.T) {
	for dtype, want := range map[string]int{
		"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1,
		"U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1, "F8_E4M3": 1, "F8_E5M2": 1,
	} {
		n, ok := DTypeSize(dtype)
		require.True(t, ok, dtype)
		require.Equal(t, want, n, dtype)
	}
	for _, dtype := range []string{"", "f32", "F4", "Q4_K"} {
		_, ok := DTypeSize(dtype)
		require.False(t, ok, dtype)
	}
}

// The true headers of the flagship models.
func TestTrueHeaders(t *testing.T) {
	for model, want := range map[string]int{"Qwen3-30B-A3B": 18867, "gpt-oss-20b": 0} {
		n := 0
		for _, f := range realFiles(t, model) {
			h, err := ParseHeader(f, f.Size, f.File)
			require.NoError(t, err)
			n += len(h.Tensors)
			last := h.Tensors[len(h.Tensors)-1]
			require.Equal(t, f.Size, last.Offset+last.Size)
			for i := 1; i < len(h.Tensors); i++ {
				if h.Tensors[i-1].Offset+h.Tensors[i-1].Size != h.Tensors[i].Offset {
					t.Fatalf("%s: a gap before %s", f.File, h.Tensors[i].Name)
				}
			}
			_, err = ParseHeader(f, f.Size-1, f.File)
			require.ErrorContains(t, err, "1 bytes are missing")
		}
		if want > 0 {
			require.Equal(t, want, n)
		}
	}
}

// Files that the reference implementation wrote, small enough to have whole.
func TestSmallModels(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(sharedtest.Path(t, "models"), "*", "*.safetensors"))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		f, err := os.Open(path)
		require.NoError(t, err)
		info, err := f.Stat()
		require.NoError(t, err)
		h, err := ParseHeader(f, info.Size(), path)
		require.NoError(t, err)
		require.NotEmpty(t, h.Tensors)
		require.NoError(t, f.Close())
	}
}

func FuzzParseHeader(f *testing.F) {
	f.Add(raw(`{"__metadata__":{"format":"pt"},"a":{"dtype":"U8","shape":[2,2],"data_offsets":[0,4]},"b":{"dtype":"BF16","shape":[],"data_offsets":[4,6]}}`, 6))
	f.Add(raw(`{"\u0061\n":{"data_offsets":[0,0],"shape":[0],"dtype":"F32"}}  `, 0))
	f.Add(raw(`{"é":{"data_offsets":[9,0],"shape":[0.5,-1],"dtype":null}}`, 0))
	f.Add([]byte("version https://git-lfs"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := parse(b)
		if err != nil {
			return
		}
		next := h.DataStart
		var again []WriteTensor
		for _, x := range h.Tensors {
			if x.Offset != next || x.Size < 0 || x.Offset+x.Size > int64(len(b)) {
				t.Fatalf("tensor %q at %d, %d bytes, of %d", x.Name, x.Offset, x.Size, len(b))
			}
			next += x.Size
			again = append(again, WriteTensor{x.Name, x.DType, x.Shape, b[x.Offset : x.Offset+x.Size]})
		}
		var buf bytes.Buffer
		if err := Write(&buf, again, h.Metadata); err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		h2, err := parse(buf.Bytes())
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if len(h2.Tensors) != len(h.Tensors) || len(h2.Metadata) != len(h.Metadata) {
			t.Fatal("the round trip changed the file")
		}
	})
}
