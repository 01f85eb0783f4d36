package engine

import (
	"fmt"
	"path/filepath"
	"strings"
)

// CheckOutputPath refuses a path that is not below the output folder on every
// system: absolute, climbing out, a drive, or the folder itself.
func CheckOutputPath(p string) error {
	clean := filepath.ToSlash(filepath.Clean(filepath.FromSlash(p)))
	switch {
	case p == "":
		return fmt.Errorf("the path is empty")
	case strings.ContainsAny(p, "\x00\\") || strings.Contains(p, ":"):
		return fmt.Errorf("the path %q has a character that not every system allows in a file name (\\ or :); use / between folders", p)
	case filepath.IsAbs(p) || strings.HasPrefix(p, "/"):
		return fmt.Errorf("the path %q is absolute; artifacts go below the output folder (pj build --output DIR moves that)", p)
	case clean == "." || clean == ".." || strings.HasPrefix(clean, "../"):
		return fmt.Errorf("the path %q leaves the output folder; artifacts go below it (pj build --output DIR moves that)", p)
	}
	return nil
}
