package cli

import (
	"os"
	"runtime/debug"
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

// Of the garbage collector's setting while a plan is made: hardly anything of a
// plan becomes garbage, so that looking for it often only takes time.
const planGC = 400

// collectRarely and collectAsUsual set how much the heap may grow before it is
// searched for garbage, unless the user did.
func collectRarely() { collectAt(planGC) }

func collectAsUsual() { collectAt(100) }

func collectAt(percent int) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}

// bytesOf words a size.
func bytesOf(n int64) string { return bytesize.Format(n) }
