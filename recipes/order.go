package recipes

import (
	"sort"
	"strings"
)

// link resolves every expression of all modules.
func (l *loader) link() {
	for _, m := range l.modules {
		for _, n := range m.nodes {
			for _, e := range n.exprs {
				e.link()
			}
			if n.variable != nil {
				for _, c := range n.variable.checks {
					c.condition.link()
					c.message.link()
				}
			}
		}
	}
}

// dependencies are the nodes that a node's expressions refer to, by address.
func (n *node) dependencies() []*node {
	seen := map[*node]bool{}
	var out []*node
	for _, e := range n.exprs {
		for _, r := range e.refs {
			for _, t := range r.targets {
				if !seen[t.node] {
					seen[t.node] = true
					out = append(out, t.node)
				}
			}
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].address < out[j].address })
	return out
}

// order sorts the nodes of all modules so that each stands after what it
// depends on. The order depends on addresses alone, not on the order in the
// files. Cycles are reported; their nodes are marked bad.
//
// The walk keeps its own stack, since a chain of locals can be as long as the
// file.
func (l *loader) order() []*node {
	var all []*node
	for _, m := range l.modules {
		all = append(all, m.nodes...)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].address < all[j].address })
	const (
		unseen = iota
		open
		done
	)
	state := map[*node]int{}
	type frame struct {
		node *node
		deps []*node
	}
	var out []*node
	for _, start := range all {
		if state[start] != unseen {
			continue
		}
		stack := []frame{{start, start.dependencies()}}
		state[start] = open
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			if len(top.deps) == 0 {
				state[top.node] = done
				out = append(out, top.node)
				stack = stack[:len(stack)-1]
				continue
			}
			next := top.deps[0]
			top.deps = top.deps[1:]
			switch state[next] {
			case unseen:
				state[next] = open
				stack = append(stack, frame{next, next.dependencies()})
			case open:
				from := len(stack) - 1
				for stack[from].node != next {
					from--
				}
				var cycle []*node
				for _, f := range stack[from:] {
					cycle = append(cycle, f.node)
				}
				l.cycle(cycle)
			}
		}
	}
	return out
}

// cycle reports a cycle once: nodes that are in one already were named.
func (l *loader) cycle(nodes []*node) {
	fresh := true
	for _, n := range nodes {
		fresh = fresh && !n.bad
	}
	for _, n := range nodes {
		n.bad = true
	}
	if !fresh {
		return
	}
	var names []string
	for _, n := range nodes {
		names = append(names, n.address)
	}
	last, first := nodes[len(nodes)-1], nodes[0]
	at := last.rng
	for _, e := range last.exprs {
		for _, r := range e.refs {
			for _, t := range r.targets {
				if t.node == first {
					at = r.traversal.SourceRange()
				}
			}
		}
	}
	if len(names) > maxListed {
		names = append(append(names[:maxListed-1:maxListed-1], "…"), names[len(names)-1])
	}
	if len(nodes) == 1 {
		l.errorf(at, "Reference to itself", "%s refers to itself.", first.address)
		return
	}
	l.errorf(at, "Cycle", "These refer to each other in a circle: %s -> %s. One of them must do without the next.", strings.Join(names, " -> "), first.address)
}
