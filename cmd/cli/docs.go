package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/kernels/quant"
	"github.com/llama-pajamas/pj/recipes/function"
	"github.com/llama-pajamas/pj/stages"
)

func (a *app) docsCommand() *cobra.Command {
	var markdown bool
	c := &cobra.Command{
		Use:   "docs [TOPIC…]",
		Short: "Explain blocks, functions, types and mixes of recipes",
		Long: `Explains what recipes are made of: blocks with their attributes, the language,
functions, types of tensors and mixes. Without a topic it lists them.`,
		Example: "  pj docs\n  pj docs stage quantize\n  pj docs policy\n  pj docs function lookup\n  pj docs types",
		Args:    takes("[TOPIC]", "[NAME]"),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			return completeTopics(stages.Catalog(), args), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			catalog := stages.Catalog()
			if markdown {
				if len(args) > 0 {
					return badInput(fmt.Errorf("--markdown prints the whole reference: leave out %s", strings.Join(args, " ")))
				}
				return a.print(markdownReference(catalog))
			}
			p, err := findPage(catalog, args)
			if err != nil {
				return badInput(err)
			}
			if a.flags.json {
				return a.printJSON(p.data)
			}
			return a.print(p.text)
		},
	}
	c.Flags().BoolVar(&markdown, "markdown", false, "print the reference of all blocks, types and mixes in Markdown")
	return c
}

// findPage finds what the words mean.
func findPage(c *engine.Catalog, args []string) (docPage, error) {
	switch len(args) {
	case 0:
		return indexPage(c), nil
	case 1:
		return findWord(c, args[0])
	}
	kind, name := args[0], args[1]
	switch kind {
	case "function":
		for _, d := range function.Docs() {
			if d.Name == name {
				return functionPage(d), nil
			}
		}
		return docPage{}, unknownTopic("function", name, functionNames())
	case "type":
		if p, ok := typeOrWidth(name); ok {
			return p, nil
		}
		return docPage{}, unknownTopic("type", name, typeNames())
	}
	if names := c.Names(kind); names != nil {
		if s, ok := c.Stage(kind, name); ok {
			return blockPage(c, s), nil
		}
		return docPage{}, unknownTopic(kind, name, names)
	}
	return docPage{}, unknownTopic("kind of topic", kind, append(blockKinds(c), "function", "type"))
}

// findWord finds a topic of one word: its own, or a name that is known.
func findWord(c *engine.Catalog, word string) (docPage, error) {
	for _, p := range docPages(c) {
		if p.title == word {
			return p, nil
		}
	}
	if c.Names(word) != nil {
		return kindPage(c, word), nil
	}
	for _, kind := range blockKinds(c) {
		if s, ok := c.Stage(kind, word); ok {
			return blockPage(c, s), nil
		}
	}
	if slices.Contains(functionNames(), word) {
		return findPage(c, []string{"function", word})
	}
	if p, ok := typeOrWidth(word); ok {
		return p, nil
	}
	var names []string
	for _, p := range docPages(c) {
		names = append(names, strings.Split(p.title, " ")...)
	}
	names = append(append(append(names, functionNames()...), typeNames()...), "stage", "artifact")
	return docPage{}, unknownTopic("topic", word, names)
}

// typeOrWidth explains a type, or a name that stands for several.
func typeOrWidth(name string) (docPage, bool) {
	if t, ok := quant.Lookup(name); ok && t.Name == strings.ToLower(name) {
		return typePage(t), true
	}
	if p, ok := widthPage(name); ok {
		return p, true
	}
	t, ok := quant.Lookup(name)
	if !ok {
		return docPage{}, false
	}
	return typePage(t), true
}

// unknownTopic is the error for a name that is not known.
func unknownTopic(what, name string, names []string) error {
	near := suggestion(name, names)
	if near == "" {
		near = "."
	} else {
		near = "; " + strings.TrimPrefix(near, "; ")
	}
	return fmt.Errorf("there is no %s %q%s `pj docs` lists what there is", what, name, near)
}

// docPages lists all topics but functions and types, which are many.
func docPages(c *engine.Catalog) []docPage {
	var out []docPage
	for _, s := range c.Stages() {
		out = append(out, blockPage(c, s))
	}
	for _, g := range guidePages() {
		out = append(out, guidePage(g[0], g[1]))
	}
	return append(out, functionsPage(), typesPage(), mixesPage(), kvTypesPage(c))
}

// topicDoc is a topic in a list.
type topicDoc struct {
	Topic string `json:"topic"`
	Doc   string `json:"doc"`
}

func indexPage(c *engine.Catalog) docPage {
	return listPage("", "", docPages(c), "\nAlso: pj docs function NAME, pj docs type NAME.\n")
}

// kindPage lists the blocks of a kind.
func kindPage(c *engine.Catalog, kind string) docPage {
	var of []docPage
	for _, s := range c.Stages() {
		if s.Block == kind {
			of = append(of, blockPage(c, s))
		}
	}
	return listPage(kind, "", of, "")
}

func listPage(title, head string, of []docPage, tail string) docPage {
	t := table{header: []string{"topic", ""}}
	data := []topicDoc{}
	for _, p := range of {
		t.add(p.title, headline(p.doc))
		data = append(data, topicDoc{p.title, p.doc})
	}
	return docPage{title: title, text: head + t.String() + tail, data: struct {
		Topics []topicDoc `json:"topics"`
	}{data}}
}

// headline is a text's first sentence.
func headline(doc string) string {
	first, _, _ := strings.Cut(doc, ". ")
	return strings.TrimSuffix(first, ".")
}

func blockKinds(c *engine.Catalog) []string {
	var kinds []string
	for _, s := range c.Stages() {
		if !slices.Contains(kinds, s.Block) {
			kinds = append(kinds, s.Block)
		}
	}
	return kinds
}

func functionNames() []string {
	var names []string
	for _, d := range function.Docs() {
		names = append(names, d.Name)
	}
	return names
}

func typeNames() []string {
	var names []string
	for _, t := range quant.All() {
		names = append(names, t.Name)
	}
	return names
}

// completeTopics lists what may come next.
func completeTopics(c *engine.Catalog, args []string) []string {
	if len(args) == 1 {
		switch args[0] {
		case "function":
			return functionNames()
		case "type":
			return typeNames()
		}
		return c.Names(args[0])
	}
	if len(args) > 1 {
		return nil
	}
	out := append(blockKinds(c), "function", "type")
	for _, p := range docPages(c) {
		if !strings.Contains(p.title, " ") && !slices.Contains(out, p.title) {
			out = append(out, p.title)
		}
	}
	return out
}
