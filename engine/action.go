package engine

import "github.com/llama-pajamas/pj/cache"

// File is a file of the user's, or of a hub, that actions read.
type File struct {
	Path string `json:"path"` // where it is, or will be once fetched
	Size int64  `json:"size"`
	// Remote and SHA256 describe a file that may have to be fetched first.
	Remote string `json:"remote,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
	// Modified is when a file of this machine was written last, in nanoseconds
	// since 1970: what the plan says of its inside holds as long as that does.
	Modified int64 `json:"modified,omitempty"`
}

// Source is a byte range of a file: a tensor, or an expert's slice of one. It
// is known by the hash of its bytes.
type Source struct {
	Name   string `json:"name"` // "model.layers.0.mlp.experts.5.gate_proj.weight"
	File   int    `json:"file"` // index into Plan.Files
	Offset int64  `json:"offset"`
	Size   int64  `json:"size"`
}

// Input is one thing that an action reads: a Source, or an output of an
// earlier action. Exactly one of the two. The name is part of the key, a
// source's own name is not: content counts, wherever it lies. Consecutive
// inputs of one name are one component of the key.
type Input struct {
	Name   string `json:"name"`
	Source int    `json:"source"`           // index into Plan.Sources, -1 if none
	Action int    `json:"action"`           // index into Plan.Actions, -1 if none
	Output string `json:"output,omitempty"` // which output of that action
}

// Action is one step of the plan: stage, parameters and inputs are its key.
type Action struct {
	Address string  `json:"address"` // `stage.quantize.a["blk.0.attn_q.weight"]`
	Stage   string  `json:"stage"`   // Stage.ID
	Version int     `json:"version"`
	Params  Params  `json:"params"`
	Inputs  []Input `json:"inputs"`
	// Group names actions that run and commit as one batch ("" = alone).
	Group string `json:"group,omitempty"`
	// Origins say where a parameter comes from: "type" -> "policy.a rule 3 (recipe.hcl:31)".
	Origins map[string]string `json:"origins,omitempty"`
	// Work is the amount of work in bytes of input, for progress and order.
	Work int64 `json:"work"`
	// Memory is what the action needs at its peak, in bytes.
	Memory int64 `json:"memory"`
	// Fingerprint names the implementation where results are not bit-exact; it
	// is part of the key.
	Fingerprint string `json:"fingerprint,omitempty"`
}

// Status says what a build would do with an action.
type Status string

const (
	Cached  Status = "cached"
	New     Status = "new"
	Rebuild Status = "rebuild"
	Pending Status = "pending" // its key waits for evidence
)

// State is what is known of an action before it runs.
type State struct {
	Status Status
	Reason string
	ID     cache.ActionID // zero while an input's content is unknown
	Entry  *cache.Entry   // of a cached action
}
