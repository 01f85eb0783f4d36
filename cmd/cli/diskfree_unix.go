//go:build unix

package cli

import (
	"path/filepath"

	"golang.org/x/sys/unix"
)

// diskFree is how many bytes may still be written to a folder, or to the
// nearest one above it that is there.
func diskFree(folder string) (int64, bool) {
	for {
		var st unix.Statfs_t
		if unix.Statfs(folder, &st) == nil {
			return int64(uint64(st.Bavail) * uint64(st.Bsize)), true
		}
		up := filepath.Dir(folder)
		if up == folder {
			return 0, false
		}
		folder = up
	}
}
