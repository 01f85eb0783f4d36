package engine

import (
	"encoding/json"
	"time"

	"github.com/llama-pajamas/pj/cache"
)

// Result is what a build did.
type Result struct {
	Plan   *Plan   // the last wave's, whole
	States []State // before the build, by action; with the entry it left
	// Contents are the content ids of the plan's sources, zero where they are
	// not known.
	Contents []cache.OutputID
	// Ran says of each action that it ran, and how long.
	Ran      map[int]time.Duration
	Executed int // stage runs
	// Artifacts in the plan's order.
	Artifacts []ArtifactResult
	Verdicts  []Verdict
	// Measured are the values of validations by address, for the recipe's outputs.
	Measured map[string]json.RawMessage
	Reports  []string // files of reports, absolute
	Elapsed  time.Duration
	// HashedBytes were read to learn what sources hold; HashTime is the time
	// that took, over all workers.
	HashedBytes int64
	HashTime    time.Duration
	// StoreTime was spent on writing blobs and the index, over all workers.
	StoreTime time.Duration
}

// ArtifactResult is an artifact that exists.
type ArtifactResult struct {
	Address string         `json:"address"`
	Files   []ArtifactFile `json:"files"`
	Bytes   int64          `json:"bytes"`
	// Written is false where the files were there already.
	Written bool `json:"written"`
	// Methods count the pieces by how they came into the file: reflink,
	// copy_file_range, copy.
	Methods map[string]int `json:"methods,omitempty"`
}

// ArtifactFile is one file of an artifact.
type ArtifactFile struct {
	Path   string `json:"path"` // absolute
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Passed reports whether every validation passed.
func (r *Result) Passed() bool {
	for _, v := range r.Verdicts {
		if !v.Passed {
			return false
		}
	}
	return true
}
