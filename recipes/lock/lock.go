// Package lock is pj.lock.hcl: what a recipe's sources were when they were
// pinned. It lies beside the root recipe, is kept in git, and holds one block
// an entry, so that two branches that pin different things merge without a
// conflict.
package lock

import (
	"cmp"
	"slices"
)

const (
	// Name is the file's name, beside the root recipe.
	Name = "pj.lock.hcl"
	// Version is the version of the layout that is written. A file of a later
	// version is not read, since what it adds could change a build.
	Version = 1
)

// File is what a lock file holds. Addresses are unique in each list. Parse,
// Read and the Set functions keep the lists sorted by address.
type File struct {
	Version  int
	Models   []Model
	Modules  []Module
	Evidence []Evidence
}

// Model pins a model's source.
type Model struct {
	Address  string // "model.qwen3", "module.m.model.base"
	Source   string // as the recipe says it, evaluated
	Revision string // the hub's commit, "" for folders and GGUF files
	Digest   string // "blake3:…" over tensors and metadata, "" where not known yet
	Files    []FileHash
}

// FileHash pins one file of a hub.
type FileHash struct {
	Name   string
	Size   int64  // bytes
	SHA256 string // 64 hexadecimal digits
}

// Module pins a module's source.
type Module struct {
	Address string // "module.ultra"
	Source  string // as written
	Commit  string // of git, "" for a folder
	Digest  string // "blake3:…" over its files
}

// Evidence pins what a calibration measured, which may differ between machines.
type Evidence struct {
	Address string // "stage.calibrate.balanced"
	Output  string // the OutputID, 64 hexadecimal digits
}

// FindModel gives a model's entry.
func (f *File) FindModel(address string) (Model, bool) {
	return find(f, func(f *File) []Model { return f.Models }, Model.key, address)
}

// FindModule gives a module's entry.
func (f *File) FindModule(address string) (Module, bool) {
	return find(f, func(f *File) []Module { return f.Modules }, Module.key, address)
}

// FindEvidence gives the entry of a stage's evidence.
func (f *File) FindEvidence(address string) (Evidence, bool) {
	return find(f, func(f *File) []Evidence { return f.Evidence }, Evidence.key, address)
}

// SetModel puts an entry in, for the one of its address.
func (f *File) SetModel(m Model) {
	m.Files = sortedCopy(m.Files, FileHash.key)
	f.Models = set(f.Models, m, Model.key)
}

// SetModule puts an entry in, for the one of its address.
func (f *File) SetModule(m Module) { f.Modules = set(f.Modules, m, Module.key) }

// SetEvidence puts an entry in, for the one of its address.
func (f *File) SetEvidence(e Evidence) { f.Evidence = set(f.Evidence, e, Evidence.key) }

// Merge puts the entries of another file in; where both have an address the
// other's entry holds.
func (f *File) Merge(other *File) {
	if other == nil {
		return
	}
	for _, m := range other.Models {
		f.SetModel(m)
	}
	for _, m := range other.Modules {
		f.SetModule(m)
	}
	for _, e := range other.Evidence {
		f.SetEvidence(e)
	}
}

// Keep drops the entries whose address the function refuses: those of blocks
// that the recipe has no more.
func (f *File) Keep(wanted func(address string) bool) {
	f.Models = slices.DeleteFunc(f.Models, func(m Model) bool { return !wanted(m.Address) })
	f.Modules = slices.DeleteFunc(f.Modules, func(m Module) bool { return !wanted(m.Address) })
	f.Evidence = slices.DeleteFunc(f.Evidence, func(e Evidence) bool { return !wanted(e.Address) })
}

// Clone is a sorted copy that shares nothing with f. Of two entries of one
// address it has the later.
func (f *File) Clone() *File {
	out := &File{Version: Version}
	if f == nil {
		return out
	}
	out.Models = sortedCopy(f.Models, Model.key)
	for i, m := range out.Models {
		out.Models[i].Files = sortedCopy(m.Files, FileHash.key)
	}
	out.Modules = sortedCopy(f.Modules, Module.key)
	out.Evidence = sortedCopy(f.Evidence, Evidence.key)
	return out
}

// Empty reports whether nothing is pinned.
func (f *File) Empty() bool {
	return f == nil || len(f.Models)+len(f.Modules)+len(f.Evidence) == 0
}

func (m Model) key() string    { return m.Address }
func (m Module) key() string   { return m.Address }
func (e Evidence) key() string { return e.Address }
func (h FileHash) key() string { return h.Name }

// find is linear: the lists may be filled by hand, in any order.
func find[T any](f *File, list func(*File) []T, key func(T) string, address string) (T, bool) {
	var none T
	if f == nil {
		return none, false
	}
	for _, e := range list(f) {
		if key(e) == address {
			return e, true
		}
	}
	return none, false
}

func set[T any](list []T, e T, key func(T) string) []T {
	return sortedCopy(append(slices.Clone(list), e), key)
}

// sortedCopy sorts by key; of several of one key it keeps the last.
func sortedCopy[T any](list []T, key func(T) string) []T {
	if len(list) == 0 {
		return nil
	}
	out := slices.Clone(list)
	slices.Reverse(out)
	slices.SortStableFunc(out, func(a, b T) int { return cmp.Compare(key(a), key(b)) })
	return slices.CompactFunc(out, func(a, b T) bool { return key(a) == key(b) })
}
