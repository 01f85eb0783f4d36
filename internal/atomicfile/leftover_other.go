//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package atomicfile

import (
	"os"
	"time"
)

// hold does nothing: an open file cannot be removed here, and age tells the rest.
func hold(string) (release func(), ok bool) { return func() {}, true }

// removeAbandoned removes a file that was not written to for a day. One that is
// open stays.
func removeAbandoned(path string) {
	if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() && time.Since(info.ModTime()) > 24*time.Hour {
		os.Remove(path)
	}
}
