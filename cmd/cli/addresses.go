package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/llama-pajamas/pj/engine"
)

// checkAddresses refuses addresses of which the recipe has nothing.
func (j *job) checkAddresses(addresses []string) error {
	var names []string
	for _, b := range j.Program.Blocks {
		names = append(names, b.Address)
	}
	slices.Sort(names)
	for _, address := range addresses {
		near := func(name string) bool {
			return engine.AddressCovers(address, name) || engine.AddressCovers(name, address)
		}
		if slices.ContainsFunc(names, near) {
			continue
		}
		const most = 20
		list := strings.Join(names[:min(len(names), most)], ", ")
		if len(names) > most {
			list += ", …"
		}
		end := "."
		if n := nearestName(address, names); n != "" {
			end = "; did you mean " + n + "?"
		}
		return badInput(fmt.Errorf("the recipe has no %s%s It has %s", address, end, list))
	}
	return nil
}

// blocksOf are the blocks to plan so that the addresses can be built. Where they
// name less than these blocks make - actions, or a stage whose actions the
// artifacts decide on - part says what of the plan is wanted; else it is nil.
func (j *job) blocksOf(addresses []string) (blocks []string, part func(address string) bool) {
	wanted := map[string]bool{}
	narrow := false
	for _, address := range addresses {
		within := j.block(j.blockOf(address))
		if within != nil && within.Address != address { // actions
			narrow = true
			wanted[address] = true
			blocks = append(append(blocks, within.Address), j.artifactsOf(within.Address)...)
			continue
		}
		// A block, all instances of one, or a module; where it is none of them the
		// engine says so.
		blocks = append(blocks, address)
		for _, b := range j.Program.Blocks {
			switch {
			case !engine.AddressCovers(address, b.Address):
			case b.Stage.Block == "stage":
				narrow = true
				wanted[b.Address] = true
				blocks = append(blocks, j.artifactsOf(b.Address)...)
			default:
				j.need(b, wanted)
			}
		}
	}
	if !narrow {
		return blocks, nil
	}
	return blocks, func(address string) bool {
		for w := range wanted {
			if engine.AddressCovers(w, address) {
				return true
			}
		}
		return false
	}
}

// blockOf is the block that an address names or lies in.
func (j *job) blockOf(address string) string { return blockOf(address, j.isBlock) }

func (j *job) isBlock(address string) bool { return j.block(address) != nil }

// need adds a block and what it refers to.
func (j *job) need(b *engine.Block, to map[string]bool) {
	if to[b.Address] {
		return
	}
	to[b.Address] = true
	for _, r := range b.Refs {
		if other := j.block(r); other != nil {
			j.need(other, to)
		}
	}
}

// artifactsOf are the artifacts that a block goes into.
func (j *job) artifactsOf(address string) []string {
	var out []string
	for _, b := range j.Program.Blocks {
		needs := map[string]bool{}
		if j.need(b, needs); b.Stage.Block == "artifact" && needs[address] {
			out = append(out, b.Address)
		}
	}
	slices.Sort(out)
	return out
}
