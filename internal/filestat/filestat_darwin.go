package filestat

import (
	"io/fs"
	"syscall"
)

func (id *ID) fill(info fs.FileInfo) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		id.Ctime = st.Ctimespec.Sec*1e9 + st.Ctimespec.Nsec
		id.Inode, id.Device = st.Ino, uint64(st.Dev)
	}
}
