//go:build !linux

package cli

// peakMemory is the most memory that this process had of the system, in bytes.
func peakMemory() int64 { return goMemory() }
