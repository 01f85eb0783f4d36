package gguf

import (
	"fmt"
	"math"
)

// maxShards is what the key split.count, a uint16, can say.
const maxShards = math.MaxUint16

// SplitPath is the name of shard i (from 0) of n, as llama.cpp looks for it.
func SplitPath(prefix string, i, n int) string {
	return fmt.Sprintf("%s-%05d-of-%05d.gguf", prefix, i+1, n)
}

// Split spreads a model over shards as llama-gguf-split --split-max-size does:
// tensors keep their order, and a new shard starts where the data of the next
// tensor, padded, would bring a shard's data above maxBytes. Headers do not
// count. A tensor larger than maxBytes is an error.
//
// The first shard has all keys; the later ones have only split.no,
// split.tensors.count and split.count, and general.alignment where the model
// has it, since each file is read by its own. split.* keys among kvs are
// replaced. A model that fits one shard gives one, with these keys too.
func Split(kvs []KV, tensors []TensorInfo, alignment, maxBytes int64) ([]Shard, error) {
	kvs = withoutSplit(kvs)
	l, err := layOut(kvs, tensors, alignment)
	if err != nil {
		return nil, err
	}
	if len(tensors) > math.MaxInt32 {
		return nil, fmt.Errorf("%d tensors: a split model can have %d", len(tensors), math.MaxInt32)
	}
	shards := []Shard{{}}
	filled := int64(0)
	for i, size := range l.sizes {
		size = pad(size, l.alignment)
		if size > maxBytes {
			return nil, fmt.Errorf("tensor %q takes %d bytes, more than the %d that a shard may hold: allow at least %d",
				tensors[i].Name, size, maxBytes, largest(l))
		}
		if filled += size; filled > maxBytes {
			shards = append(shards, Shard{Start: i})
			filled = size
		}
		shards[len(shards)-1].End = i + 1
	}
	if len(shards) > maxShards {
		return nil, fmt.Errorf("%d shards of at most %d bytes: a split model can have %d: allow larger shards", len(shards), maxBytes, maxShards)
	}
	for i := range shards {
		s := &shards[i]
		if i == 0 {
			s.KVs = kvs
		} else if l.alignment != DefaultAlignment {
			s.KVs = []KV{{KeyAlignment, uint32(l.alignment)}}
		}
		// The order in which llama-gguf-split leaves them.
		s.KVs = append(s.KVs[:len(s.KVs):len(s.KVs)],
			KV{KeySplitNo, uint16(i)},
			KV{KeySplitTensorsCount, int32(len(tensors))},
			KV{KeySplitCount, uint16(len(shards))},
		)
		if s.Header, err = EncodeHeader(s.KVs, tensors[s.Start:s.End], 0); err != nil {
			return nil, fmt.Errorf("shard %d of %d: %w", i+1, len(shards), err)
		}
	}
	return shards, nil
}

// largest is the size of the largest tensor's data, padded.
func largest(l *layout) int64 {
	most := int64(0)
	for _, s := range l.sizes {
		most = max(most, pad(s, l.alignment))
	}
	return most
}
