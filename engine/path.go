package engine

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode"
)

// CheckOutputPath refuses a path that is not below the output folder on every
// system: absolute, climbing out, a drive, or the folder itself.
func CheckOutputPath(p string) error {
	clean := filepath.ToSlash(filepath.Clean(filepath.FromSlash(p)))
	switch {
	case p == "":
		return fmt.Errorf("the path is empty")
	case strings.ContainsAny(p, "\\:") || strings.ContainsFunc(p, unicode.IsControl):
		return fmt.Errorf("the path %q has a character that not every system allows in a file name (\\, : or a control character); use / between folders", p)
	case filepath.IsAbs(p) || strings.HasPrefix(p, "/"):
		return fmt.Errorf("the path %q is absolute; artifacts go below the output folder (pj build --output DIR moves that)", p)
	case clean == "." || clean == ".." || strings.HasPrefix(clean, "../"):
		return fmt.Errorf("the path %q leaves the output folder; artifacts go below it (pj build --output DIR moves that)", p)
	}
	return nil
}

// CheckOutputLinks refuses a path below dir that symbolic links lead out of it.
// A link where the file itself is to be is fine: it is replaced.
func CheckOutputLinks(dir, p string) error {
	home, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil // not there yet, so no link in it is
	}
	at := home
	for _, name := range strings.Split(filepath.ToSlash(filepath.Clean(filepath.FromSlash(p))), "/") {
		at = filepath.Join(at, name)
		info, err := os.Lstat(at)
		if err != nil {
			return nil
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			continue
		}
		to, err := filepath.EvalSymlinks(at)
		if err != nil {
			return nil // leads nowhere: what makes the folder says so
		}
		if info, err := os.Stat(to); err != nil || !info.IsDir() {
			return nil
		}
		if rel, err := filepath.Rel(home, to); err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
			return fmt.Errorf("the path %q leaves the output folder: %s is a symbolic link to %s; remove it, or say where artifacts go with pj build --output DIR", p, at, to)
		}
		at = to
	}
	return nil
}

// outputFile is where a file below the output folder goes. Its folder is made.
func outputFile(dir, p string) (string, error) {
	if err := CheckOutputPath(p); err != nil {
		return "", err
	}
	if err := CheckOutputLinks(dir, p); err != nil {
		return "", err
	}
	path := filepath.Join(dir, filepath.FromSlash(p))
	return path, makeFolder(filepath.Dir(path))
}

// makeFolder makes a folder that files are to be written to.
func makeFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("the folder %s cannot be made: %w; choose another output folder (pj build --output DIR), or move away what is in its place", dir, err)
	}
	return nil
}
