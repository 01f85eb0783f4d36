package cli

import (
	"runtime"
	"sort"

	"github.com/llama-pajamas/pj/engine"
)

// need is what a build of a plan would take, at most.
type need struct {
	memory int64 // of what runs at once, and of the program
	cache  int64 // bytes of new blobs
	files  int64 // bytes of artifacts
	fetch  int64 // bytes of files that are not here yet
}

// programMemory is what the program has resident besides its actions.
const programMemory = 48 << 20

// need estimates from the plan alone.
func (p *planned) need() need {
	n := need{memory: p.memory()}
	missing := func(action int) bool { return action < 0 || p.states[action].Status != engine.Cached }
	for _, t := range p.Tensors {
		size := max(t.Bytes, t.BytesMax)
		if len(t.Actions) == 0 {
			n.cache += size
			continue
		}
		for _, a := range t.Actions {
			if missing(a) {
				n.cache += size / int64(len(t.Actions))
			}
		}
	}
	for _, a := range p.Artifacts {
		if missing(a.Action) {
			n.files += max(a.Bytes, a.BytesMax)
		}
	}
	for _, f := range p.Files {
		if f.Remote == "" {
			continue
		}
		if there, err := exists(f.Path); err == nil && !there {
			n.fetch += f.Size
		}
	}
	return n
}

// memory is that of the largest units that may run at once, within the budget.
func (p *planned) memory() int64 {
	jobs := p.jobs
	if jobs <= 0 {
		jobs = runtime.GOMAXPROCS(0)
	}
	units := p.units()
	sort.Slice(units, func(i, k int) bool { return units[i] > units[k] })
	var sum int64
	for i, u := range units {
		if i == jobs || i > 0 && p.budget > 0 && sum+u > p.budget {
			break
		}
		sum += u
	}
	return programMemory + sum
}

// units are the memory needs of what runs as one.
func (p *planned) units() []int64 {
	var alone []int64
	groups := map[string]int64{}
	for i, a := range p.Actions {
		switch {
		case p.states[i].Status == engine.Cached:
		case a.Group == "":
			alone = append(alone, a.Memory)
		default:
			groups[a.Group] = max(groups[a.Group], a.Memory)
		}
	}
	for _, m := range groups {
		alone = append(alone, m)
	}
	return alone
}
