package source

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"

	"github.com/zeebo/blake3"

	"github.com/llama-pajamas/pj/recipes/lock"
)

const (
	// maxFiles and maxBytes bound a module. It holds a recipe and the small files
	// that the recipe reads; models are sources of their own.
	maxFiles = 20_000
	maxBytes = 1 << 30
)

// kinds of a digest's entries.
const (
	fileKind = 'f'
	linkKind = 'l'
)

// digest is "blake3:…" over the files below a folder, or over one file: for
// each, by its slash path in the order of bytes, the path's length and bytes,
// the kind, the content's length and bytes; a symbolic link's content is what
// it says. Lengths are 64-bit little-endian. Modes and times do not count,
// git's folder and lock files neither.
func digest(ctx context.Context, dir string) (string, error) {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", fmt.Errorf("the module's folder cannot be read: %w", err)
	}
	type file struct{ name, path string }
	var files []file
	err = filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch {
		case strings.EqualFold(e.Name(), ".git") && p != dir:
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		case e.IsDir() || e.Name() == lock.Name:
			return ctx.Err()
		}
		if len(files) == maxFiles {
			return fmt.Errorf("it holds more than %d files; a module's folder has a recipe and what it reads, nothing else", maxFiles)
		}
		name, err := filepath.Rel(dir, p)
		if name == "." {
			name = path.Base(filepath.ToSlash(p))
		}
		files = append(files, file{filepath.ToSlash(name), p})
		return err
	})
	if err != nil {
		return "", fmt.Errorf("the module's folder %s cannot be read: %w", dir, err)
	}
	sort.Slice(files, func(i, j int) bool { return files[i].name < files[j].name })
	h := blake3.New()
	total := int64(0)
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		n, err := addFile(h, f.name, f.path)
		if err != nil {
			return "", fmt.Errorf("the module's file %s cannot be read: %w", f.path, err)
		}
		if total += n; total > maxBytes {
			return "", fmt.Errorf("the module's folder %s has more than %d MiB; keep models and outputs elsewhere", dir, maxBytes>>20)
		}
	}
	return "blake3:" + hex.EncodeToString(h.Sum(nil)), nil
}

// addFile adds an entry and gives its size.
func addFile(h io.Writer, name, at string) (int64, error) {
	st, err := os.Lstat(at)
	if err != nil {
		return 0, err
	}
	switch {
	case st.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(at)
		if err != nil {
			return 0, err
		}
		content := filepath.ToSlash(target)
		entry(h, name, linkKind, int64(len(content)))
		_, err = io.WriteString(h, content)
		return int64(len(content)), err
	case !st.Mode().IsRegular():
		return 0, fmt.Errorf("it is no regular file")
	case st.Size() > maxBytes:
		return st.Size(), nil // the caller refuses it
	}
	f, err := os.Open(at)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	entry(h, name, fileKind, st.Size())
	n, err := io.Copy(h, io.LimitReader(f, st.Size()+1))
	if err == nil && n != st.Size() {
		err = fmt.Errorf("it changed while it was read")
	}
	return n, err
}

func entry(h io.Writer, name string, kind byte, size int64) {
	var b []byte
	b = binary.LittleEndian.AppendUint64(b, uint64(len(name)))
	b = append(b, name...)
	b = append(b, kind)
	b = binary.LittleEndian.AppendUint64(b, uint64(size))
	_, _ = h.Write(b)
}
