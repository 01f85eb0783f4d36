package safetensors

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"io"
	"os"
	"testing"

	"github.com/llama-pajamas/pj/internal/sharedtest"
	"github.com/stretchr/testify/require"
)

// raw is a file with this header and this many bytes of data.
func raw(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, data)...)
}

func parse(b []byte) (*Header, error) {
	return ParseHeader(bytes.NewReader(b), int64(len(b)), "x.safetensors")
}

func unzip(t testing.TB, path string) io.Reader {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	z, err := gzip.NewReader(bytes.NewReader(b))
	require.NoError(t, err)
	return z
}

// realFile is a file whose data is not there.
type realFile struct {
	File   string
	Header string
	Size   int64 `json:"file_size"`
	start  []byte
}

func (f *realFile) ReadAt(b []byte, off int64) (int, error) {
	return bytes.NewReader(f.start).ReadAt(b, off)
}

// realFiles are the true headers of a model.
func realFiles(t testing.TB, model string) []*realFile {
	t.Helper()
	d := json.NewDecoder(unzip(t, sharedtest.Path(t, "shapes/"+model+"/headers.jsonl.gz")))
	var out []*realFile
	for {
		f := &realFile{}
		if err := d.Decode(f); err == io.EOF {
			return out
		} else {
			require.NoError(t, err)
		}
		f.start = raw(f.Header, 0)
		out = append(out, f)
	}
}
