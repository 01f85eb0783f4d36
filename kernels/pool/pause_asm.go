//go:build (amd64 || arm64) && !noasm

package pool

// pause idles for about n times 10 to 40 ns, and leaves the core to its other
// hardware thread.
//
//go:noescape
func pause(n uint32)
