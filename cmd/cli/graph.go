package cli

import (
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/llama-pajamas/pj/recipes"
)

// graphResult is the JSON object of pj graph.
type graphResult struct {
	Nodes []graphNode    `json:"nodes"`
	Edges []recipes.Edge `json:"edges"`
}

// graphNode is a block of the recipe.
type graphNode struct {
	Address string `json:"address"`
	Kind    string `json:"kind"` // "model", "policy", "stage", …
	Used    bool   `json:"used"` // what the recipe makes needs it
}

func (a *app) graphCommand() *cobra.Command {
	var form string
	c := &cobra.Command{
		Use:   "graph [RECIPE]",
		Short: "Draw which block of a recipe needs which",
		Long: `Draws the blocks of a recipe and what each of them refers to, as Graphviz DOT, a
Mermaid flowchart, or JSON. Arrows lead from a block to what it needs. Blocks that
nothing needs are dashed.`,
		Example: "  pj graph | dot -Tsvg > recipe.svg\n  pj graph --format mermaid",
		Args:    takes("[RECIPE]"),
		RunE: func(c *cobra.Command, args []string) error {
			if form == "" {
				form = "dot"
				if a.flags.json {
					form = "json"
				}
			}
			if form != "dot" && form != "mermaid" && form != "json" {
				return badInput(fmt.Errorf("--format %s: write dot, mermaid or json", form))
			}
			if a.flags.json && form != "json" {
				return badInput(errors.New("--json and --format " + form + " exclude each other"))
			}
			r, err := a.loadOne(c.Context(), args)
			if err != nil {
				return err
			}
			g := graphOf(r)
			switch form {
			case "json":
				return a.printJSON(g)
			case "mermaid":
				return a.print(g.mermaid())
			}
			return a.print(g.dot())
		},
	}
	c.Flags().StringVar(&form, "format", "", "`dot`, mermaid or json (default dot)")
	mustComplete(c, "format", "dot", "mermaid", "json")
	return c
}

// graphOf lists the blocks and policies of a recipe, sorted by address.
func graphOf(r *recipes.Recipe) *graphResult {
	g := &graphResult{Nodes: []graphNode{}, Edges: append([]recipes.Edge{}, r.Graph()...)}
	seen := map[string]bool{}
	add := func(address, kind string, used bool) {
		if !seen[address] {
			seen[address] = true
			g.Nodes = append(g.Nodes, graphNode{address, kind, used})
		}
	}
	used := map[string]bool{}
	for _, b := range r.Program.Blocks {
		add(b.Address, b.Stage.Block, b.Used)
		used[b.Address] = b.Used
	}
	// Policies are used where something that is used needs them, directly or
	// through another policy.
	for again := true; again; {
		again = false
		for _, e := range g.Edges {
			if used[e.From] && !used[e.To] {
				used[e.To], again = true, true
			}
		}
	}
	for address := range r.Program.Policies {
		add(address, "policy", used[address])
	}
	for _, e := range g.Edges {
		for _, address := range []string{e.From, e.To} {
			add(address, kindOf(address), used[address])
		}
	}
	sort.Slice(g.Nodes, func(i, j int) bool { return g.Nodes[i].Address < g.Nodes[j].Address })
	return g
}

// kindOf is the kind of the block that an address names.
func kindOf(address string) string {
	for {
		rest, inModule := strings.CutPrefix(address, "module.")
		if !inModule {
			break
		}
		_, inner, found := strings.Cut(rest, ".")
		if !found {
			return "module"
		}
		address = inner
	}
	kind, _, _ := strings.Cut(address, ".")
	return kind
}

func (g *graphResult) dot() string {
	shapes := map[string]string{"model": "cylinder", "dataset": "folder", "policy": "note", "artifact": "box3d", "validate": "diamond", "report": "tab"}
	var b strings.Builder
	b.WriteString("digraph recipe {\n  rankdir = LR\n  node [shape = box, fontname = \"sans-serif\"]\n")
	for _, n := range g.Nodes {
		var attrs []string
		if s := shapes[n.Kind]; s != "" {
			attrs = append(attrs, "shape = "+s)
		}
		if !n.Used {
			attrs = append(attrs, "style = dashed")
		}
		b.WriteString("  " + dotQuote(n.Address))
		if len(attrs) > 0 {
			b.WriteString(" [" + strings.Join(attrs, ", ") + "]")
		}
		b.WriteString("\n")
	}
	for _, e := range g.Edges {
		b.WriteString("  " + dotQuote(e.From) + " -> " + dotQuote(e.To) + "\n")
	}
	b.WriteString("}\n")
	return b.String()
}

// dotQuote writes a text as DOT does.
func dotQuote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

func (g *graphResult) mermaid() string {
	shapes := map[string][2]string{
		"model": {"[(", ")]"}, "dataset": {"[/", "/]"}, "policy": {"[[", "]]"}, "artifact": {"([", "])"}, "validate": {"{", "}"}, "report": {">", "]"},
	}
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	ids := make(map[string]string, len(g.Nodes))
	dashed := ""
	for i, n := range g.Nodes {
		id := "n" + strconv.Itoa(i)
		ids[n.Address] = id
		shape, ok := shapes[n.Kind]
		if !ok {
			shape = [2]string{"[", "]"}
		}
		b.WriteString("  " + id + shape[0] + `"` + strings.NewReplacer(`"`, "#quot;", "<", "#lt;", ">", "#gt;").Replace(n.Address) + `"` + shape[1] + "\n")
		if !n.Used {
			dashed += "  style " + id + " stroke-dasharray: 4\n"
		}
	}
	for _, e := range g.Edges {
		b.WriteString("  " + ids[e.From] + " --> " + ids[e.To] + "\n")
	}
	return b.String() + dashed
}
