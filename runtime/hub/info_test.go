package hub_test

import (
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/runtime/hub"
)

var (
	commit1 = strings.Repeat("1a", 20)
	sum1    = strings.Repeat("2b", 32)
	blob1   = strings.Repeat("3c", 20)
)

func TestParseInfo(t *testing.T) {
	commit, files, err := hub.ParseInfo([]byte(`{"id": "a/b", "sha": "` + commit1 + `", "gated": "manual", "siblings": [
		{"rfilename": "model.safetensors", "size": 5, "blobId": "` + blob1 + `", "lfs": {"sha256": "` + sum1 + `", "size": 5000000000, "pointerSize": 135}},
		{"rfilename": "config.json", "size": 7, "blobId": "` + blob1 + `"},
		{"rfilename": "a folder/ä#?%.json"}]}`))
	require.NoError(t, err)
	require.Equal(t, commit1, commit)
	require.Equal(t, []hub.File{
		{Name: "a folder/ä#?%.json", Size: -1},
		{Name: "config.json", Size: 7, BlobSHA1: blob1},
		{Name: "model.safetensors", Size: 5000000000, SHA256: sum1},
	}, files)

	_, files, err = hub.ParseInfo([]byte(`{"sha": "` + commit1 + `"}`))
	require.NoError(t, err)
	require.Empty(t, files)
}

func TestParseInfoErrors(t *testing.T) {
	list := func(siblings string) string { return `{"sha": "` + commit1 + `", "siblings": [` + siblings + `]}` }
	for in, why := range map[string]string{
		``:                                       "cannot be read",
		`<html>`:                                 "cannot be read",
		`{"sha": "` + commit1:                    "cannot be read",
		`[]`:                                     "cannot be read",
		`{}`:                                     `commit ""`,
		`{"sha": "main"}`:                        `commit "main"`,
		`{"sha": "../../x"}`:                     "../../x",
		`{"sha": 5}`:                             "cannot be read",
		list(`{}`):                               "without a name",
		list(`{"rfilename": "x", "size": -1}`):   "-1 bytes",
		list(`{"rfilename": "x", "size": 1e30}`): "cannot be read",
		list(`{"rfilename": "x", "blobId": "../x"}`):          "git hash",
		list(`{"rfilename": "x", "lfs": {"sha256": "../x"}}`): "SHA-256",
		list(`{"rfilename": "x", "lfs": {}}`):                 "SHA-256",
		list(`{"rfilename": "x"}, {"rfilename": "x"}`):        "twice",
		list(`{"rfilename": "../x"}`):                         "leaves the folder",
		list(`{"rfilename": "a/../../x"}`):                    "leaves the folder",
		list(`{"rfilename": "/etc/passwd"}`):                  "absolute",
		list(`{"rfilename": "a\\b"}`):                         "backslash",
		list(`{"rfilename": "a\u0000b"}`):                     "control character",
	} {
		t.Run(in, func(t *testing.T) {
			_, _, err := hub.ParseInfo([]byte(in))
			require.ErrorContains(t, err, why)
		})
	}
}

func TestCheckName(t *testing.T) {
	for name, why := range map[string]string{
		"config.json": "", "a/b/c": "", "..x": "", "a..b": "", "x ": "", ".gitattributes": "", "a/.b": "",
		"": "without a name", ".": "no plain path", "./a": "no plain path", "a/": "no plain path", "a//b": "no plain path",
		"..": "leaves", "a/..": "leaves", "../a": "leaves", "/a": "absolute", `\a`: "backslash", `C:\a`: "backslash",
		"a\x00": "control", "a\nb": "control", "a\x7f": "control",
	} {
		err := hub.CheckName(name)
		if why == "" {
			require.NoError(t, err, name)
		} else {
			require.ErrorContains(t, err, why, name)
		}
	}
}

func FuzzInfo(f *testing.F) {
	f.Add([]byte(`{"sha": "` + commit1 + `", "siblings": [{"rfilename": "a/b", "size": 7, "blobId": "` + blob1 + `"}, {"rfilename": "c", "lfs": {"sha256": "` + sum1 + `", "size": 9}}]}`))
	f.Add([]byte(`{"sha": "` + commit1 + `", "siblings": [{"rfilename": "../b"}]}`))
	f.Add([]byte(`{"sha": null, "siblings": null}`))
	f.Add([]byte(`<html>`))
	f.Fuzz(func(t *testing.T, data []byte) {
		commit, files, err := hub.ParseInfo(data)
		if err != nil {
			return
		}
		require.Regexp(t, `^[0-9a-f]{40}([0-9a-f]{24})?$`, commit)
		for i, file := range files {
			require.True(t, i == 0 || files[i-1].Name < file.Name)
			require.Equal(t, "/s/"+file.Name, path.Join("/s", file.Name))
			require.NotContains(t, file.Name, `\`)
			require.GreaterOrEqual(t, file.Size, int64(-1))
			require.Regexp(t, `^([0-9a-f]{64})?$`, file.SHA256)
			require.Regexp(t, `^([0-9a-f]{40})?$`, file.BlobSHA1)
		}
	})
}
