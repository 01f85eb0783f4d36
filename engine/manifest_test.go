package engine

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/cache"
)

var goodManifest = Manifest{Files: []ManifestFile{
	{Name: "", Size: 100, Pieces: []Piece{{ID: cache.OutputID{1}, Size: 10}, {ID: cache.OutputID{2}, Offset: 32, Size: 68}}},
}}

func TestManifestRoundTrip(t *testing.T) {
	for _, m := range []Manifest{
		goodManifest,
		{Files: []ManifestFile{{Size: math.MaxInt64}}},
		{Files: []ManifestFile{{Name: "-00001-of-00002", Size: 0}, {Name: "-00002-of-00002", Size: 1}}},
		{Files: []ManifestFile{{Name: "config.json"}, {Name: ".hidden"}, {Name: "ü"}}},
	} {
		raw, err := m.Encode()
		require.NoError(t, err)
		again, err := DecodeManifest(raw)
		require.NoError(t, err)
		require.Equal(t, m, *again)
		raw2, err := again.Encode()
		require.NoError(t, err)
		require.Equal(t, raw, raw2)
	}
}

func TestManifestRefused(t *testing.T) {
	file := func(size int64, pieces ...Piece) Manifest {
		return Manifest{Files: []ManifestFile{{Size: size, Pieces: pieces}}}
	}
	names := func(names ...string) (m Manifest) {
		for _, n := range names {
			m.Files = append(m.Files, ManifestFile{Name: n})
		}
		return m
	}
	for name, tt := range map[string]struct {
		m    Manifest
		want string
	}{
		"no files":          {Manifest{}, "it has no files"},
		"beyond the end":    {file(10, Piece{Offset: 5, Size: 6}), "6 bytes at 5 do not fit file"},
		"overlap":           {file(10, Piece{Size: 6}, Piece{Offset: 5, Size: 1}), "1 bytes at 5 do not fit"},
		"backwards":         {file(10, Piece{Offset: 5, Size: 1}, Piece{Size: 1}), "do not fit"},
		"before the start":  {file(10, Piece{Offset: -1, Size: 1}), "do not fit"},
		"negative piece":    {file(10, Piece{Size: -1}), "do not fit"},
		"negative file":     {file(-1), "has -1 bytes"},
		"smallest number":   {file(math.MinInt64, Piece{Offset: 5, Size: 5}), "has -9223372036854775808 bytes"},
		"overflow":          {file(10, Piece{Offset: math.MaxInt64, Size: 1}), "do not fit"},
		"overflow of both":  {file(10, Piece{Offset: 1, Size: math.MaxInt64}), "do not fit"},
		"same name":         {names("a", "a"), "is there twice"},
		"folder":            {names("."), "is no name for a file"},
		"parent":            {names(".."), "is no name for a file"},
		"climbs":            {names("../a"), "is no name for a file"},
		"slash":             {names("a/b"), "is no name for a file"},
		"backslash":         {names(`a\b`), "is no name for a file"},
		"drive":             {names("c:a"), "is no name for a file"},
		"zero":              {names("a\x00"), "is no name for a file"},
		"file and folder":   {names("", "a"), "both a file and a folder"},
		"folder, then file": {names("a", ""), "both a file and a folder"},
		"shards and folder": {names("-1", "a"), "both a file and a folder"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tt.m.Encode()
			require.ErrorContains(t, err, tt.want)
		})
	}
	for raw, want := range map[string]string{
		``:                               "EOF",
		`null`:                           "it has no files",
		`{}`:                             "it has no files",
		`[]`:                             "cannot unmarshal",
		`{"files":[{"name":"a","x":1}]}`: "unknown field",
		`{"files":[{"name":""}]} {}`:     "something follows",
		`{"files":[{"name":""}]}x`:       "something follows",
		`{"files":[{"size":1e3}]}`:       "cannot unmarshal",
		`{"files":[{"size":9999999999999999999}]}`: "cannot unmarshal",
		`{"files":[{"pieces":[{"id":"ab"}]}]}`:     "want 64 hex digits",
	} {
		m, err := DecodeManifest([]byte(raw))
		require.ErrorContains(t, err, want, raw)
		require.Nil(t, m)
	}
}

func TestFilePath(t *testing.T) {
	for _, tt := range [][3]string{
		{"a/m.gguf", "", "a/m.gguf"},
		{"a/m.gguf", "-00001-of-00002", "a/m-00001-of-00002.gguf"},
		{"a.b/m", "-1", "a.b/m-1"},
		{"m", "config.json", "m/config.json"},
	} {
		require.Equal(t, filepath.FromSlash(tt[2]), filePath(filepath.FromSlash(tt[0]), tt[1]))
	}
}

// What is decoded is sound: no file leaves its place, no piece its file.
func FuzzDecodeManifest(f *testing.F) {
	raw, err := goodManifest.Encode()
	require.NoError(f, err)
	f.Add(raw)
	f.Add([]byte(`{"files":[{"name":"-00001-of-00002","size":1,"pieces":[]},{"name":"-00002-of-00002","size":0,"pieces":null}]}`))
	f.Add([]byte(`{"files":[{"name":"..","size":-9223372036854775808,"pieces":[{"offset":9223372036854775807,"size":1}]}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := DecodeManifest(raw)
		if err != nil {
			require.Nil(t, m)
			return
		}
		dir := filepath.FromSlash("out/folder")
		paths := map[string]bool{}
		for _, file := range m.Files {
			path := filePath(filepath.Join(dir, "a.gguf"), file.Name)
			rel, err := filepath.Rel(dir, path)
			require.NoError(t, err)
			require.NoError(t, CheckOutputPath(filepath.ToSlash(rel)))
			require.False(t, paths[path])
			paths[path] = true
			at := int64(0)
			for _, p := range file.Pieces {
				require.GreaterOrEqual(t, p.Offset, at)
				require.GreaterOrEqual(t, p.Size, int64(0))
				at = p.Offset + p.Size
				require.GreaterOrEqual(t, at, p.Offset)
			}
			require.GreaterOrEqual(t, file.Size, at)
		}
		again, err := m.Encode()
		require.NoError(t, err)
		m2, err := DecodeManifest(again)
		require.NoError(t, err)
		require.Equal(t, m, m2)
	})
}
