package model

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// Files is a folder, or a hub's snapshot that is fetched as it is read. Names
// use slashes.
type Files interface {
	// Names lists the files, in any order.
	Names() []string
	Size(name string) (int64, error)
	// ReadAt reads as io.ReaderAt does.
	ReadAt(ctx context.Context, name string, p []byte, off int64) (int, error)
	// Path is where the file is, or will be once it is fetched.
	Path(name string) string
}

// templateDir is the one folder inside a model's that matters.
const templateDir = "additional_chat_templates"

// dir is a folder. Files stay open, since headers and tokenizers take several
// reads each.
type dir struct {
	path  string
	names []string

	mu   sync.Mutex
	open map[string]*os.File
}

// Dir lists a folder's files. Close it when no more is read.
func Dir(path string) (*Folder, error) {
	d := &dir{path: path, open: map[string]*os.File{}}
	for _, sub := range []string{"", templateDir} {
		entries, err := os.ReadDir(filepath.Join(path, sub))
		if err != nil {
			if sub != "" && errors.Is(err, fs.ErrNotExist) {
				continue
			}
			return nil, err
		}
		for _, e := range entries {
			if !e.IsDir() {
				d.names = append(d.names, filepath.ToSlash(filepath.Join(sub, e.Name())))
			}
		}
	}
	slices.Sort(d.names)
	return &Folder{d}, nil
}

// Folder is a Files of a folder.
type Folder struct{ *dir }

// Names lists the folder's files, and those of its additional_chat_templates.
func (d *dir) Names() []string { return slices.Clone(d.names) }

// Path is where the file is.
func (d *dir) Path(name string) string { return filepath.Join(d.path, filepath.FromSlash(name)) }

// Size is the file's size in bytes.
func (d *dir) Size(name string) (int64, error) {
	info, err := os.Stat(d.Path(name))
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, fmt.Errorf("%s: not a file", d.Path(name))
	}
	return info.Size(), nil
}

// ReadAt reads from the file at an offset.
func (d *dir) ReadAt(ctx context.Context, name string, p []byte, off int64) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	f, err := d.file(name)
	if err != nil {
		return 0, err
	}
	return f.ReadAt(p, off)
}

func (d *dir) file(name string) (*os.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f := d.open[name]; f != nil {
		return f, nil
	}
	f, err := os.Open(d.Path(name))
	if err != nil {
		return nil, err
	}
	d.open[name] = f
	return f, nil
}

// Close closes the files that were read; they open again when read again.
func (d *dir) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var errs []error
	for name, f := range d.open {
		errs = append(errs, f.Close())
		delete(d.open, name)
	}
	return errors.Join(errs...)
}

// maxSmall bounds the files that are read whole: the largest tokenizer.json has
// some 30 MB.
const maxSmall = 256 << 20

// readAll reads a small file that is no git-lfs pointer.
func readAll(ctx context.Context, files Files, name string) ([]byte, error) {
	size, err := files.Size(name)
	if err != nil {
		return nil, err
	}
	if size > maxSmall {
		return nil, fmt.Errorf("%s: %d bytes, which is too large for what its name says", files.Path(name), size)
	}
	b := make([]byte, size)
	for at := 0; at < len(b); {
		n, err := files.ReadAt(ctx, name, b[at:], int64(at))
		at += n
		if err != nil && at < len(b) {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, fmt.Errorf("%s: %w", files.Path(name), err)
		}
	}
	return b, checkPointer(files.Path(name), b)
}

// fileAt is one file of a Files as an io.ReaderAt.
type fileAt struct {
	ctx   context.Context
	files Files
	name  string
}

func (f fileAt) ReadAt(p []byte, off int64) (int, error) {
	return f.files.ReadAt(f.ctx, f.name, p, off)
}
