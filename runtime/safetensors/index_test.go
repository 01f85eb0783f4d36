package safetensors

import (
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/llama-pajamas/pj/internal/sharedtest"
	"github.com/stretchr/testify/require"
)

func TestParseIndex(t *testing.T) {
	for text, want := range map[string]*Index{
		`{"metadata":{"total_size":12},"weight_map":{"a":"x.safetensors","b":"x.safetensors"}}`: {
			map[string]string{"a": "x.safetensors", "b": "x.safetensors"}, 12},
		` { "weight_map" : { "a\u0062" : "sub/x.safetensors" } , "other" : [ {"a":[1,-2.5e3,"]",true,false,null]}, {} , [] ] } `: {
			map[string]string{"ab": "sub/x.safetensors"}, 0},
		`{"weight_map":{"a":"x"},"metadata":{"total_size":1.6e10,"mergekit_version":"0.1","extra":{"total_size":5}}}`: {
			map[string]string{"a": "x"}, 16e9},
		`{"weight_map":{"a":"x"},"metadata":{}}`:                                    {map[string]string{"a": "x"}, 0},
		`{"weight_map":{"a":"x"},"metadata":null}`:                                  {map[string]string{"a": "x"}, 0},
		`{"weight_map":{"a":"x"},"metadata":{"total_size":9223372036854775807}}`:    {map[string]string{"a": "x"}, 1<<63 - 1},
		`{"weight_map":{"a":"..x..safetensors"},"metadata":{"total_size":13.0}}`:    {map[string]string{"a": "..x..safetensors"}, 13},
		`{"weight_map":{"a":"x"},"metadata":{"total_parameters":1,"total_size":2}}`: {map[string]string{"a": "x"}, 2},
	} {
		got, err := ParseIndex([]byte(text), "i.json")
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
}

func TestParseIndexErrors(t *testing.T) {
	file := func(name string) string { return `{"weight_map":{"a":` + name + `}}` }
	size := func(n string) string { return `{"weight_map":{"a":"x"},"metadata":{"total_size":` + n + `}}` }
	for text, want := range map[string]string{
		``:                          "found the end instead of a JSON object",
		`[]`:                        "found '[' instead of a JSON object",
		`{}`:                        "weight_map is missing or empty",
		`{"weight_map":{}}`:         "weight_map is missing or empty",
		`{"weight_map":[]}`:         "weight_map: at byte 14: found '[' instead of '{'",
		`{"weight_map":{"a":"x"}`:   "found the end instead of ',' or '}'",
		`{"weight_map":{"a":"x"}}}`: "found '}' after the end of the object",
		`{"weight_map":{"a":"x"},"weight_map":{"a":"x"}}`:         `"weight_map" is there twice`,
		`{"weight_map":{"a":"x","a":"x"}}`:                        `tensor "a" is there twice`,
		`{"weight_map":{"a":"x","a":"y"}}`:                        `tensor "a" is there twice`,
		`{"weight_map":{"a":"x"},}`:                               "found '}' after a comma",
		`{"weight_map":{"a":"x"},"b":nil}`:                        "b: at byte 28: found 'n' instead of a value",
		`{"weight_map":{"a":"x"},"b":}`:                           "found '}' instead of a value",
		`{"weight_map":{"a":"x"},"b":[1,]}`:                       "found ']' after a comma",
		`{"weight_map":{"a":"x"},"b":[1}`:                         "found '}' instead of ',' or ']'",
		`{"weight_map":{"a":"x"},"b":` + strings.Repeat("[", 100): "nested more than 64 deep",
		file(`1`):                                `tensor "a": at byte 19: found '1' instead of '"'`,
		file(`null`):                             `tensor "a": at byte 19: found 'n'`,
		file(`""`):                               `tensor "a": its file "" is no path within the model's folder`,
		file(`"."`):                              `its file "." is no path`,
		file(`"../x"`):                           `its file "../x" is no path`,
		file(`"a/../../x"`):                      `is no path within`,
		file(`"/etc/x"`):                         `is no path within`,
		file(`"..\\x"`):                          `is no path within`,
		file(`"C:x"`):                            `is no path within`,
		file(`"a\u0000"`):                        `is no path within`,
		size(`-1`):                               `metadata: total_size: found "-1" instead of a size in bytes`,
		size(`"12"`):                             `instead of a size in bytes`,
		size(`1.5`):                              `instead of a size in bytes`,
		size(`1e99`):                             `instead of a size in bytes`,
		size(`[]`):                               `instead of a size in bytes`,
		size(`1,"total_size":2`):                 `metadata: "total_size" is there twice`,
		`{"weight_map":{"a":"x"},"metadata":[]}`: "metadata: at byte 35: found '[' instead of a JSON object",
		`{"weight_map":{"a":"x"},"metadata":nul}`: "metadata: at byte 35: found 'n' instead of a value",
	} {
		_, err := ParseIndex([]byte(text), "i.json")
		require.ErrorContains(t, err, want, text)
		require.ErrorContains(t, err, "i.json: ", text)
	}
}

// The scanner agrees with encoding/json on the true index, and the index with
// the headers.
func TestTrueIndex(t *testing.T) {
	data, err := io.ReadAll(unzip(t, sharedtest.Path(t, "shapes/Qwen3-30B-A3B/model.safetensors.index.json.gz")))
	require.NoError(t, err)
	var want struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	require.NoError(t, json.Unmarshal(data, &want))
	idx, err := ParseIndex(data, "x")
	require.NoError(t, err)
	require.Equal(t, want.WeightMap, idx.WeightMap)
	total := int64(0)
	for _, f := range realFiles(t, "Qwen3-30B-A3B") {
		h, err := ParseHeader(f, f.Size, f.File)
		require.NoError(t, err)
		for _, x := range h.Tensors {
			if idx.WeightMap[x.Name] != f.File {
				t.Fatalf("%s: index says %q, it is in %q", x.Name, idx.WeightMap[x.Name], f.File)
			}
			total += x.Size
		}
	}
	require.Equal(t, total, idx.TotalSize)

	for _, path := range []string{"shapes/gpt-oss-20b/model.safetensors.index.json", "shapes/mlx-Qwen3-14B-4bit/model.safetensors.index.json"} {
		data, err := os.ReadFile(sharedtest.Path(t, path))
		require.NoError(t, err)
		idx, err := ParseIndex(data, path)
		require.NoError(t, err)
		require.Positive(t, idx.TotalSize)
	}
}

func FuzzParseIndex(f *testing.F) {
	f.Add([]byte(`{"metadata":{"total_size":12},"weight_map":{"a":"x.safetensors","b\u0061":"y"}}`))
	f.Add([]byte(`{"weight_map":{"a":"x"},"metadata":null,"b":[1,-2.5e3,"\n",true,{"c":[[]]}]}`))
	f.Add([]byte(`{"weight_map":{"a":"../x"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		idx, err := ParseIndex(b, "x")
		if err != nil {
			return
		}
		// What is accepted is JSON, and encoding/json reads the same map.
		var want struct {
			WeightMap map[string]string `json:"weight_map"`
		}
		var top map[string]json.RawMessage
		if err := json.Unmarshal(b, &top); err != nil {
			t.Fatalf("accepted what is not JSON: %v", err)
		}
		if err := json.Unmarshal(top["weight_map"], &want.WeightMap); err != nil {
			t.Fatal(err)
		}
		require.Equal(t, want.WeightMap, idx.WeightMap)
		if idx.TotalSize < 0 {
			t.Fatal(idx.TotalSize)
		}
	})
}
