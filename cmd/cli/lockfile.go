package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/llama-pajamas/pj/cache"
	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/internal/atomicfile"
	"github.com/llama-pajamas/pj/internal/diag"
	"github.com/llama-pajamas/pj/recipes/lock"
	"github.com/llama-pajamas/pj/recipes/source"
)

// digester gives the digest of a model's content, "" where it is not known.
type digester func(m engine.ModelPlan) (string, error)

// knownDigests are those of the models whose whole content was read.
func knownDigests(contents []cache.OutputID) digester {
	return func(m engine.ModelPlan) (string, error) {
		ids := make([]cache.OutputID, len(m.Sources))
		for i, s := range m.Sources {
			if ids[i] = contents[s]; ids[i].IsZero() {
				return "", nil
			}
		}
		return engine.ContentDigest(ids), nil
	}
}

// readDigests are those of all models whose files are on this machine: they are
// read for it.
func (j *job) readDigests(ctx context.Context, plan *engine.Plan) digester {
	return func(m engine.ModelPlan) (string, error) {
		if !allHere(plan, m) {
			return "", nil
		}
		return j.digest(ctx, plan, m)
	}
}

// pins is what the lock file should hold once this plan is built. Where digest
// is nil, or knows none, the one that was pinned before stays.
func (j *job) pins(plan *engine.Plan, digest digester) (*lock.File, error) {
	next := j.lock.Clone()
	known := map[string]bool{}
	for _, b := range j.Program.Blocks {
		known[b.Address] = true
	}
	for _, m := range j.Program.Modules {
		known[m.Address] = true
		next.SetModule(source.Pin(m))
	}
	next.Keep(func(address string) bool { return known[address] })
	for _, m := range plan.Models {
		pin := lock.Model{Address: m.Address, Source: m.Source, Revision: m.Revision}
		old, _ := j.lock.FindModel(m.Address)
		if old.Source != m.Source || old.Revision != m.Revision {
			old = lock.Model{}
		}
		pin.Digest = old.Digest
		if err := pinFiles(&pin, plan, m, old); err != nil {
			return nil, err
		}
		if digest != nil {
			known, err := digest(m)
			if err != nil {
				return nil, err
			}
			if known != "" {
				pin.Digest = known
			}
		}
		next.SetModel(pin)
	}
	return next, nil
}

// digest names a model's content, which may have to be read for it.
func (j *job) digest(ctx context.Context, plan *engine.Plan, m engine.ModelPlan) (string, error) {
	p := j.newProgress()
	defer p.stop()
	p.begin("reading "+m.Address, j.unreadOf(ctx, plan, m))
	digest, err := j.known.ModelDigest(ctx, plan, m, p.add)
	return digest, inputError(err)
}

// unreadOf is how much of a model was not read yet.
func (j *job) unreadOf(ctx context.Context, plan *engine.Plan, m engine.ModelPlan) (n int64) {
	contents, err := j.known.Contents(ctx, plan)
	if err != nil {
		return 0
	}
	for _, s := range m.Sources {
		if contents[s].IsZero() {
			n += plan.Sources[s].Size
		}
	}
	return n
}

// smallFile is the largest file that is hashed to pin it, where the hub knows
// no SHA-256 of it.
const smallFile = 64 << 20

// pinFiles puts the files of a hub's model into its entry: by the hash that the
// hub gives, else by what the file here has, else as they were pinned before.
func pinFiles(pin *lock.Model, plan *engine.Plan, m engine.ModelPlan, old lock.Model) error {
	before := map[string]lock.FileHash{}
	for _, f := range old.Files {
		before[f.Name] = f
	}
	for _, i := range m.Files {
		f := plan.Files[i]
		_, name, ok := strings.Cut(f.Remote, "#")
		if !ok {
			continue
		}
		hash := lock.FileHash{Name: name, Size: f.Size, SHA256: f.SHA256}
		if here, _ := exists(f.Path); hash.SHA256 == "" && here && f.Size <= smallFile {
			sum, err := sha256Of(f.Path)
			if err != nil {
				return err
			}
			hash.SHA256 = sum
		}
		if was := before[name]; hash.SHA256 == "" && was.Size == f.Size {
			hash.SHA256 = was.SHA256
		}
		if hash.SHA256 != "" {
			pin.Files = append(pin.Files, hash)
		}
	}
	return nil
}

func sha256Of(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// allHere reports whether all files of a model are on this machine.
func allHere(plan *engine.Plan, m engine.ModelPlan) bool {
	for _, i := range m.Files {
		if here, err := exists(plan.Files[i].Path); err != nil || !here {
			return false
		}
	}
	return true
}

// checkFrozen refuses a plan that the lock file would have to change for.
func (j *job) checkFrozen(ctx context.Context, plan *engine.Plan) error {
	if !j.flags.frozen {
		return nil
	}
	next, err := j.pins(plan, j.readDigests(ctx, plan))
	if err != nil {
		return err
	}
	// A hub's revision pins a model well enough; its digest is known once it is
	// fetched.
	for _, m := range next.Clone().Models {
		if old, ok := j.lock.FindModel(m.Address); ok && old.Digest == "" && m.Revision != "" {
			m.Digest = ""
			next.SetModel(m)
		}
	}
	changes := lock.Diff(j.lock, next)
	if len(changes) == 0 {
		return nil
	}
	return &exitError{exitRefused, fmt.Errorf("--frozen forbids to change %s, and the recipe needs other pins:\n  %s\nRun %s lock to pin them", j.lockPath, strings.Join(changes, "\n  "), j.name)}
}

// moving reports whether a source may be another one tomorrow if it isn't
// pinned.
func (j *job) moving(plan *engine.Plan) bool {
	return slices.ContainsFunc(plan.Models, func(m engine.ModelPlan) bool { return m.Revision != "" }) ||
		slices.ContainsFunc(j.Program.Modules, func(m engine.Module) bool { return m.Commit != "" })
}

// probeLock fails where the lock file will have to be written once everything is
// built and cannot be: better now than then.
func (j *job) probeLock(plan *engine.Plan) error {
	if j.flags.frozen || j.flags.requireCached {
		return nil
	}
	next, err := j.pins(plan, nil)
	if err != nil || len(lock.Diff(j.lock, next)) == 0 {
		return err
	}
	if err := atomicfile.Probe(filepath.Dir(j.lockPath)); err != nil {
		return fmt.Errorf("%s cannot be written, and would have to be once the build is done: make its folder writable, or put a copy of the recipe elsewhere: %w", j.lockPath, err)
	}
	return nil
}

// saveLock writes the lock file where what it pins changed.
func (j *job) saveLock(plan *engine.Plan, digest digester) error {
	if j.flags.frozen {
		return nil
	}
	next, err := j.pins(plan, digest)
	if err != nil {
		return err
	}
	changes := lock.Diff(j.lock, next)
	if len(changes) == 0 {
		return nil
	}
	for _, m := range next.Models {
		old, ok := j.lock.FindModel(m.Address)
		if ok && old.Source == m.Source && old.Revision == m.Revision && old.Digest != "" && old.Digest != m.Digest {
			j.diagnose(diag.Diagnostics{diag.Warnf(diag.Range{File: j.lockPath}, "Model changed",
				"%s is not what %s pinned: its content is another one. The lock file pins what is there now; git can bring the old pin back, and --frozen refuses such a change.", m.Address, j.lockPath)}, nil)
		}
	}
	if err := next.Write(j.lockPath); err != nil {
		return err
	}
	j.lock = next
	if !j.flags.json {
		for _, c := range changes {
			j.note("%s: %s", lock.Name, c)
		}
	}
	return nil
}
