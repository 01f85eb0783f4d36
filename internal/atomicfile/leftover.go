package atomicfile

import (
	"os"
	"path/filepath"
	"strings"
)

const (
	prefix = ".pj-"
	suffix = ".tmp"
)

// sweep removes what processes that were killed left in dir: hidden files that
// nobody writes any more. What cannot be removed stays, as it did no harm so far.
func sweep(dir string) {
	d, err := os.Open(dir)
	if err != nil {
		return
	}
	names, _ := d.Readdirnames(-1)
	d.Close()
	for _, name := range names {
		if len(name) == len(prefix)+16+len(suffix) && strings.HasPrefix(name, prefix) && strings.HasSuffix(name, suffix) {
			removeAbandoned(filepath.Join(dir, name))
		}
	}
}
