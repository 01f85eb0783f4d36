package cache

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"

	"go.etcd.io/bbolt"
)

// Records returns the values of keys in a bucket, nil where there is none.
func (l *Local) Records(ctx context.Context, bucket string, keys []string) ([][]byte, error) {
	if err := checkRecords(bucket, slices.Values(keys)); err != nil {
		return nil, err
	}
	var values [][]byte
	err := l.index.view(ctx, func(t *tx) error {
		values = make([][]byte, len(keys))
		if t.bolt == nil {
			return nil
		}
		b := t.bolt.Bucket([]byte(recordsPrefix + bucket))
		for i, key := range keys {
			if i%1024 == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			values[i] = unsealRecord(key, get(b, []byte(key)))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return values, nil
}

// PutRecords writes all pairs in one transaction; a nil value deletes.
func (l *Local) PutRecords(ctx context.Context, bucket string, pairs map[string][]byte) error {
	if err := checkRecords(bucket, maps.Keys(pairs)); err != nil {
		return err
	}
	if len(pairs) == 0 {
		return ctx.Err()
	}
	return l.explain(l.index.update(ctx, func(t *tx) error {
		b, err := t.bolt.CreateBucketIfNotExists([]byte(recordsPrefix + bucket))
		if err != nil {
			return err
		}
		for _, key := range slices.Sorted(maps.Keys(pairs)) {
			if value := pairs[key]; value == nil {
				err = b.Delete([]byte(key))
			} else {
				err = b.Put([]byte(key), sealRecord(key, value))
			}
			if err != nil {
				return fmt.Errorf("record %q of %s: %w", key, bucket, err)
			}
		}
		return nil
	}))
}

// checkRecords refuses names that the index cannot hold.
func checkRecords(bucket string, keys func(yield func(string) bool)) error {
	if bucket == "" {
		return fmt.Errorf("cache records: the bucket has no name")
	}
	for key := range keys {
		if key == "" || len(key) > bbolt.MaxKeySize {
			return fmt.Errorf("cache records %s: a key has %d bytes, 1 to %d are allowed", bucket, len(key), bbolt.MaxKeySize)
		}
	}
	return nil
}

// A record is stored behind a CRC-32C of key and value: a flipped bit in "what
// this file hashed to" would be believed.
func sealRecord(key string, value []byte) []byte {
	b := make([]byte, 4, 4+len(value))
	binary.LittleEndian.PutUint32(b, recordSum(key, value))
	return append(b, value...)
}

func unsealRecord(key string, stored []byte) []byte {
	if len(stored) < 4 || binary.LittleEndian.Uint32(stored) != recordSum(key, stored[4:]) {
		return nil
	}
	return append([]byte{}, stored[4:]...)
}

func recordSum(key string, value []byte) uint32 {
	return crc32.Update(crc32.Checksum([]byte(key), castagnoli), castagnoli, value)
}
