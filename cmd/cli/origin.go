package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"github.com/llama-pajamas/pj/cache"
	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/recipes"
	"github.com/llama-pajamas/pj/runtime/gguf"
	"github.com/llama-pajamas/pj/stages"
)

// origin is what a file says of how it was made.
type origin struct {
	recipe map[string]any         // in HCL's JSON syntax
	locks  map[string]pinned      // by address
	stages map[string]int         // versions by stage
	where  map[string]string      // the sources that were found, by address
	bodies map[string]sourceValue // where each source stands in the recipe
}

// pinned is an entry of pj.lock.
type pinned struct {
	Source   string `json:"source"`
	Revision string `json:"revision"`
	Digest   string `json:"digest"`
	// ID is what a local model's folder was called, which its name follows from.
	ID string `json:"id"`
}

// sourceValue is the attribute of the recipe that names a source by its digest.
type sourceValue struct {
	body      map[string]any
	attribute string
	list      bool
}

var errNoProvenance = errors.New("it does not say how it was made: pj writes recipe and pins (pj.recipe, pj.lock) into the files that it makes")

var errSensitive = errors.New("it was made from sensitive values, of which it has only hashes: build it from the recipe itself, with those values")

func readProvenance(f *gguf.File) (*origin, error) {
	p := &origin{where: map[string]string{}, bodies: map[string]sourceValue{}}
	for key, into := range map[string]any{stages.KeyRecipe: &p.recipe, stages.KeyLock: &p.locks, stages.KeyStages: &p.stages} {
		text, ok := f.String(key)
		if !ok {
			return nil, errNoProvenance
		}
		if key == stages.KeyRecipe && recipes.HoldsSensitive(text) {
			return nil, errSensitive
		}
		if err := json.Unmarshal([]byte(text), into); err != nil {
			return nil, fmt.Errorf("its %s cannot be read: %w", key, err)
		}
	}
	for _, address := range p.addresses() {
		v, ok := p.find(address)
		if !ok {
			return nil, fmt.Errorf("its recipe has no %s that is %s, which its pj.lock names", address, shortDigest(p.locks[address].Digest))
		}
		p.bodies[address] = v
	}
	return p, nil
}

// find looks for the attribute that holds the digest of a block.
func (p *origin) find(address string) (sourceValue, bool) {
	body := p.recipe
	for _, part := range strings.Split(address, ".") {
		next, ok := body[part].(map[string]any)
		if !ok {
			return sourceValue{}, false
		}
		body = next
	}
	digest := p.locks[address].Digest
	for name, v := range body {
		if v == digest {
			return sourceValue{body, name, false}, true
		}
		if list, ok := v.([]any); ok && len(list) == 1 && list[0] == digest {
			return sourceValue{body, name, true}, true
		}
	}
	return sourceValue{}, false
}

// otherStages says which stages this program has in another version.
func (p *origin) otherStages(c *engine.Catalog) []string {
	have := map[string]int{}
	for _, s := range c.Stages() {
		have[s.ID()] = s.Version
	}
	var out []string
	for id, version := range p.stages {
		if have[id] != version {
			out = append(out, fmt.Sprintf("The file was made by version %d of %s, and this program has version %d: it may make other bytes.", version, id, have[id]))
		}
	}
	sort.Strings(out)
	return out
}

// findSources puts into the recipe where each source lies: as given, of the hub
// at the pinned revision, or where this machine knows it. In folder it makes
// links to models whose folder is called otherwise.
func (p *origin) findSources(ctx context.Context, records cache.Records, given []string, folder string) error {
	paths, err := p.givenSources(given)
	if err != nil {
		return err
	}
	for n, address := range p.addresses() {
		l := p.locks[address]
		if paths[address] == nil && l.Revision != "" {
			p.where[address] = l.Source + " at " + prefix(l.Revision, 12)
			p.set(address, []string{l.Source})
			continue
		}
		if paths[address] == nil {
			raw, err := records.Records(ctx, modelsBucket, []string{l.Digest})
			if err != nil {
				return fmt.Errorf("cache records: %w", err)
			}
			if len(raw[0]) > 0 {
				paths[address] = strings.Split(string(raw[0]), "\n")
			}
			if !allThere(paths[address]) {
				return fmt.Errorf("it was made from %s with the content %s, and this machine does not know where that is: say it with --source %s=PATH", address, shortDigest(l.Digest), address)
			}
		}
		p.where[address] = strings.Join(paths[address], ", ")
		if l.ID != "" && len(paths[address]) == 1 {
			link, err := linkNamed(l.ID, paths[address][0], filepath.Join(folder, "sources", strconv.Itoa(n)))
			if err != nil {
				return err
			}
			paths[address] = []string{link}
		}
		p.set(address, paths[address])
	}
	return nil
}

// linkNamed is a folder that goes by the name id: the folder itself, or a link
// to it below a new folder.
func linkNamed(id, path, below string) (string, error) {
	link := filepath.Join(below, id)
	if strings.Contains(id, "/") {
		// It was read out of the hub's cache.
		link = filepath.Join(below, "models--"+strings.ReplaceAll(id, "/", "--"), "snapshots", "local")
	} else if filepath.Base(path) == id || id != filepath.Base(id) {
		return path, nil
	}
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		return "", err
	}
	return link, os.Symlink(path, link)
}

func allThere(paths []string) bool {
	for _, path := range paths {
		if there, err := exists(path); err != nil || !there {
			return false
		}
	}
	return len(paths) > 0
}

// givenSources reads --source.
func (p *origin) givenSources(given []string) (map[string][]string, error) {
	out := map[string][]string{}
	for _, g := range given {
		address, path, ok := strings.Cut(g, "=")
		if _, known := p.locks[address]; !ok || !known {
			if there, _ := exists(g); len(p.locks) != 1 || ok && !there {
				return nil, fmt.Errorf("--source %s: want ADDRESS=PATH with one of %s", g, strings.Join(p.addresses(), ", "))
			}
			address, path = p.addresses()[0], g
		}
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("--source: %w", err)
		}
		abs, err := filepath.Abs(path)
		if err != nil {
			return nil, err
		}
		out[address] = append(out[address], abs)
	}
	return out, nil
}

// set writes paths into the recipe.
func (p *origin) set(address string, paths []string) {
	v := p.bodies[address]
	if !v.list {
		v.body[v.attribute] = literal(paths[0])
		return
	}
	list := make([]any, len(paths))
	for i, path := range paths {
		list[i] = literal(path)
	}
	v.body[v.attribute] = list
}

// literal is a string that HCL's JSON syntax does not take for a template.
func literal(s string) string {
	return strings.NewReplacer("${", "$${", "%{", "%%{").Replace(s)
}

func (p *origin) recipeJSON() ([]byte, error) { return json.MarshalIndent(p.recipe, "", "  ") }
