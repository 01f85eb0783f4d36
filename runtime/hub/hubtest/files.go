package hubtest

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Repo is a repository's content at a revision, by name with slashes.
type Repo map[string]File

// File is a file of a repository.
type File struct {
	Data []byte // its first bytes
	Size int64  // if larger than len(Data), zeros follow
	// LFS says that the file is in large file storage: known by its SHA-256 and
	// served by the storage's host.
	LFS bool
}

// Text is a small file, which the hub itself serves.
func Text(s string) File { return File{Data: []byte(s)} }

// Weights is a file in large file storage.
func Weights(data []byte) File { return File{Data: data, LFS: true} }

// Sparse is a file in large file storage that begins with head and goes on with
// zeros, which take no memory. Beyond 64 MiB its SHA-256 is not the real one, so
// that it can be read but not fetched.
func Sparse(head []byte, size int64) File { return File{Data: head, Size: size, LFS: true} }

// Dir is a folder's files. Those with the usual endings of weights, and large
// ones, are in large file storage.
func Dir(t testing.TB, dir string) Repo {
	t.Helper()
	const large = 10 << 20
	repo := Repo{}
	err := filepath.WalkDir(dir, func(at string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, at)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(at)
		if err != nil {
			return err
		}
		f := File{Data: data, LFS: len(data) > large}
		switch path.Ext(at) {
		case ".safetensors", ".gguf", ".bin":
			f.LFS = true
		}
		repo[filepath.ToSlash(rel)] = f
		return nil
	})
	require.NoError(t, err)
	return repo
}

func (f File) size() int64 { return max(f.Size, int64(len(f.Data))) }

// maxHashed bounds what of a sparse file is hashed.
const maxHashed = 64 << 20

// SHA256 is the hash under which a file in large file storage is listed.
func (f File) SHA256() string { return f.sum(sha256.New()) }

// BlobSHA1 is git's hash of a file that is not in large file storage.
func (f File) BlobSHA1() string {
	h := sha1.New()
	fmt.Fprintf(h, "blob %d\x00", f.size())
	return f.sum(h)
}

func (f File) sum(h hash.Hash) string {
	if _, err := io.Copy(h, io.NewSectionReader(f, 0, min(f.size(), maxHashed))); err != nil {
		panic(err) // ReadAt does not fail
	}
	if f.size() > maxHashed {
		fmt.Fprintf(h, "and so on to %d", f.size())
	}
	return hex.EncodeToString(h.Sum(nil))
}

// ID is the name of the file's content in a cache.
func (f File) ID() string {
	if f.LFS {
		return f.SHA256()
	}
	return f.BlobSHA1()
}

// ReadAt reads the file's content.
func (f File) ReadAt(p []byte, off int64) (int, error) {
	if off >= f.size() {
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), f.size()-off))
	clear(p[:n])
	if off < int64(len(f.Data)) {
		copy(p[:n], f.Data[off:])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
