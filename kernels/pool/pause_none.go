//go:build (!amd64 && !arm64) || noasm

package pool

// pause idles for a few ns.
//
//go:noinline
func pause(n uint32) {
	for i := uint32(0); i < 8*n; i++ {
		_ = i
	}
}
