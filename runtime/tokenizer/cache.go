package tokenizer

import (
	"hash/maphash"
	"sync/atomic"
)

const (
	cacheSlots = 1 << 15
	cacheWord  = 48 // bytes of the longest word that is kept
)

// cache remembers the tokens of words: each has one slot, which the next one
// with the same hash takes over. It may be used by several goroutines.
type cache struct {
	seed  maphash.Seed
	slots []atomic.Pointer[cached]
}

type cached struct {
	word string
	ids  []int32
}

func newCache() *cache {
	return &cache{maphash.MakeSeed(), make([]atomic.Pointer[cached], cacheSlots)}
}

func (c *cache) slot(word string) *atomic.Pointer[cached] {
	return &c.slots[maphash.String(c.seed, word)%cacheSlots]
}
