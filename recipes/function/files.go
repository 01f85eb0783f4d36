package function

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// maxFile is how large a file a function reads.
const maxFile = 16 << 20

func init() {
	registerScoped(Doc{"file", "file(path)", "The text of a file of the recipe's folder, at most 16 MiB of UTF-8.", `file("prompt.txt")`, `"Say hello.\n"`},
		func(s scope) function.Function {
			return ofPath(cty.String, func(name string) (cty.Value, error) {
				src, err := s.readText(name)
				return cty.StringVal(src), err
			})
		})
	registerScoped(Doc{"fileexists", "fileexists(path)", "Whether the recipe's folder has a file.", `fileexists("missing.txt")`, "false"},
		func(s scope) function.Function {
			return ofPath(cty.Bool, func(name string) (cty.Value, error) {
				exists, err := s.exists(name)
				return cty.BoolVal(exists), err
			})
		})
	register(Doc{"basename", "basename(path)", "The last part of a path.", `basename("models/qwen3.gguf")`, `"qwen3.gguf"`},
		ofPath(cty.String, func(name string) (cty.Value, error) { return cty.StringVal(path.Base(slashes(name))), nil }))
	register(Doc{"dirname", "dirname(path)", "A path without its last part.", `dirname("models/qwen3.gguf")`, `"models"`},
		ofPath(cty.String, func(name string) (cty.Value, error) { return cty.StringVal(path.Dir(slashes(name))), nil }))
}

// ofPath gives a function of one path.
func ofPath(result cty.Type, f func(name string) (cty.Value, error)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}},
		Type:   function.StaticReturnType(result),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			v, err := f(args[0].AsString())
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			return v, nil
		},
	})
}

// slashes is a path as it is written in recipes.
func slashes(name string) string { return filepath.ToSlash(name) }

// local gives the path below the recipe's folder that a path names. What lies
// elsewhere is refused: a recipe is complete in its folder. Paths that begin
// with path.module are absolute; they are fine where that is the folder.
func (s scope) local(name string) (string, error) {
	native := filepath.FromSlash(name)
	if name == "" || strings.ContainsRune(name, 0) {
		return "", errors.New("the path is empty or holds a NUL")
	}
	if filepath.IsAbs(native) {
		dir, err := filepath.Abs(s.dir)
		if err != nil {
			return "", err
		}
		relative, err := filepath.Rel(dir, native)
		if err != nil || !filepath.IsLocal(relative) {
			return "", fmt.Errorf("%s is not below the recipe's folder; name a file there by its relative path, or by path.module", name)
		}
		native = relative
	}
	native = filepath.Clean(native)
	if !filepath.IsLocal(native) {
		return "", fmt.Errorf("%s leaves the recipe's folder; move the file there, or pass its text as a variable", name)
	}
	return native, nil
}

// open opens the folder. What is opened in it cannot leave it, by symbolic
// links either.
func (s scope) open() (*os.Root, error) {
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return nil, fmt.Errorf("the recipe's folder cannot be opened: %w", cause(err))
	}
	return root, nil
}

// read reads a file of the recipe's folder.
func (s scope) read(name string) ([]byte, error) {
	local, err := s.local(name)
	if err != nil {
		return nil, err
	}
	root, err := s.open()
	if err != nil {
		return nil, err
	}
	defer root.Close()
	// Before it is opened: to open a pipe would wait for its writer.
	if st, err := root.Stat(local); err != nil {
		return nil, explain(name, err)
	} else if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", name)
	}
	f, err := root.Open(local)
	if err != nil {
		return nil, explain(name, err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", name, cause(err))
	}
	if len(raw) > maxFile {
		return nil, fmt.Errorf("%s has more than %d MiB; large texts belong into a dataset block", name, maxFile>>20)
	}
	return raw, nil
}

// readText reads a text of the recipe's folder.
func (s scope) readText(name string) (string, error) {
	raw, err := s.read(name)
	if err != nil {
		return "", err
	}
	if !utf8.Valid(raw) {
		return "", fmt.Errorf("%s is no UTF-8 text; binary files can be hashed by filesha256", name)
	}
	return string(raw), nil
}

func (s scope) exists(name string) (bool, error) {
	local, err := s.local(name)
	if err != nil {
		return false, err
	}
	root, err := s.open()
	if err != nil {
		return false, err
	}
	defer root.Close()
	st, err := root.Stat(local)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return false, nil
	case err != nil:
		return false, explain(name, err)
	case !st.Mode().IsRegular():
		return false, fmt.Errorf("%s is no regular file", name)
	}
	return true, nil
}

// explain words an error of opening name.
func explain(name string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s does not exist in the recipe's folder", name)
	case strings.Contains(err.Error(), "escapes"):
		return fmt.Errorf("%s leads out of the recipe's folder by a symbolic link; copy the file there", name)
	}
	return fmt.Errorf("%s cannot be read: %w", name, cause(err))
}

// cause drops the path, which may be of this machine, from an error.
func cause(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
