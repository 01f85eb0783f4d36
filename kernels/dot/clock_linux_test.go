package dot

import (
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// clock is a clock of the thread's own time, so that others on the machine
// don't count.
func clock(b *testing.B) func() time.Duration {
	runtime.LockOSThread()
	b.Cleanup(runtime.UnlockOSThread)
	return func() time.Duration {
		var t unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
			b.Fatal(err)
		}
		return time.Duration(t.Nano())
	}
}
