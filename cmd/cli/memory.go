package cli

import (
	"runtime/metrics"

	"github.com/llama-pajamas/pj/internal/bytesize"
)

// goMemory is what the Go runtime has of the system, in bytes.
func goMemory() int64 {
	sample := []metrics.Sample{{Name: "/memory/classes/total:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return int64(sample[0].Value.Uint64())
}

// bytesOf words a size.
func bytesOf(n int64) string { return bytesize.Format(n) }
