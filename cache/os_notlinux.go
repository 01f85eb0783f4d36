//go:build !linux

package cache

const mapAll = 0

// lockHolders cannot be told here; the index's pid file has to do.
func lockHolders(string) []int { return nil }
