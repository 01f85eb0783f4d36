package cache

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// mapAll makes bbolt read all of the index ahead.
const mapAll = syscall.MAP_POPULATE

// lockHolders asks the kernel which processes have locked a file. It finds
// readers too, and programs that leave no note of their pid.
func lockHolders(path string) []int {
	info, err := os.Stat(path)
	if err != nil {
		return nil
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	table, err := os.ReadFile("/proc/locks")
	if err != nil {
		return nil
	}
	return parseLocks(string(table), st.Ino)
}

// parseLocks reads lines like "1: FLOCK  ADVISORY  WRITE 4711 fd:00:1234 0 EOF";
// a line with "->" is a process that waits. The device is left out of the
// comparison: stacked file systems report another one than stat does.
func parseLocks(table string, inode uint64) []int {
	var pids []int
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) < 6 || f[1] != "FLOCK" || !strings.HasSuffix(f[5], fmt.Sprintf(":%d", inode)) {
			continue
		}
		if pid, err := strconv.Atoi(f[4]); err == nil && pid > 0 {
			pids = append(pids, pid)
		}
	}
	return pids
}
