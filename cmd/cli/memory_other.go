//go:build !linux

package cli

// peakMemory is the most memory that this process had of the system, in bytes.
func peakMemory() int64 { return goMemory() }

// availableMemory is not known here.
func availableMemory() int64 { return 0 }
