package cli

import (
	"context"
	"fmt"
	"sort"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/spf13/cobra"

	"github.com/llama-pajamas/pj/cache"
	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/internal/diag"
)

func (a *app) explainCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "explain [RECIPE] ADDRESS",
		Short: "Say why an action, tensor or artifact is as it is, and why it would run",
		Long: `Explains one action, tensor or artifact: the rule that decided, with its lines of
the recipe; what it reads; what its key is made of, with the values of the last
build where they were others; and whether it is new, cached or built again.

ADDRESS is an action's or block's address, or a tensor's name.`,
		Example: `  pj explain artifact.gguf.small
  pj explain 'stage.quantize.small["blk.0.attn_q.weight"]'
  pj explain recipe.hcl blk.0.ffn_down_exps.weight`,
		Args: takes("[RECIPE]", "ADDRESS"),
		RunE: func(c *cobra.Command, args []string) error { return a.runExplain(c.Context(), args) },
	}
}

// explained is what an address stands for.
type explained struct {
	Address  string               `json:"address"`
	Artifact *artifactJSON        `json:"artifact,omitempty"`
	Tensors  []*engine.TensorPlan `json:"tensors"`
	Actions  []explainedAction    `json:"actions"`
	// Diagnostics are those of the recipe.
	Diagnostics diag.Diagnostics `json:"diagnostics"`

	plan *planned
}

type explainedAction struct {
	Address string           `json:"address"`
	Stage   string           `json:"stage"`
	Version int              `json:"version"`
	Status  engine.Status    `json:"status"`
	Reason  string           `json:"reason"`
	ID      *cache.ActionID  `json:"id"`
	Key     []keyPart        `json:"key"`
	Inputs  []explainedInput `json:"inputs"`

	origins map[string]string
}

// keyPart is one component of a key, and what it was in the last build where
// there was one.
type keyPart struct {
	Name  string  `json:"name"`
	Value *string `json:"value"` // null: not known yet, or no longer part of it
	Last  *string `json:"last"`  // null: it was not part of it, or there was no build
}

type explainedInput struct {
	Name    string          `json:"name"`
	Content *cache.OutputID `json:"content"`
	Source  string          `json:"source,omitempty"`
	File    string          `json:"file,omitempty"`
	Offset  int64           `json:"offset,omitempty"`
	Size    int64           `json:"size,omitempty"`
	Action  string          `json:"action,omitempty"`
	Output  string          `json:"output,omitempty"`
}

func (a *app) runExplain(ctx context.Context, args []string) error {
	address := args[len(args)-1]
	j, release, err := a.newJob(ctx, args[:len(args)-1], jobOptions{})
	if err != nil {
		return err
	}
	defer release()
	plan, err := j.lower(ctx, j.known)
	if err != nil {
		return err
	}
	e := find(plan, address)
	if block := j.blockOf(address); e == nil && j.isBlock(block) {
		// One that nothing uses is not in the plan.
		blocks, _ := j.blocksOf([]string{block})
		if plan, err = j.lowerQuietly(ctx, j.known, blocks); err != nil {
			return err
		}
		e = find(plan, address)
	}
	if e == nil {
		return badInput(unknownAddress(plan, address))
	}
	if e.plan, err = a.resolve(ctx, j.known, plan, j.isBlock); err != nil {
		return err
	}
	if err := e.fill(ctx, j.known); err != nil {
		return err
	}
	if a.flags.json {
		e.Diagnostics = append(diag.Diagnostics{}, a.diagnostics...)
		return a.printJSON(e)
	}
	return a.print(a.explainView(e, j.Files))
}

// find looks for what an address or a tensor's name stands for; nil where the
// plan has none.
func find(plan *engine.Plan, address string) *explained {
	e := &explained{Address: address, Tensors: []*engine.TensorPlan{}, Actions: []explainedAction{}}
	wanted := map[int]bool{}
	for i, act := range plan.Actions {
		if engine.AddressCovers(address, act.Address) {
			wanted[i] = true
		}
	}
	for _, art := range plan.Artifacts {
		if art.Address == address {
			e.Artifact = &artifactJSON{
				Address: art.Address, Path: art.Path, Format: art.Format, Bytes: art.Bytes, BytesMin: art.BytesMin, BytesMax: art.BytesMax,
				BitsPerWeight: art.BitsPerWeight, Elements: art.Elements, Notes: art.Notes,
			}
		}
	}
	for i := range plan.Tensors {
		t := &plan.Tensors[i]
		switch {
		case t.Artifact == address || madeBy(t, wanted):
			e.Tensors = append(e.Tensors, t)
		case t.Name == address || fmt.Sprintf("%s[%q]", t.Artifact, t.Name) == address:
			e.Tensors = append(e.Tensors, t)
			for _, act := range t.Actions {
				wanted[act] = true
			}
		}
	}
	if len(wanted) == 0 && len(e.Tensors) == 0 && e.Artifact == nil {
		return nil
	}
	for i := range plan.Actions {
		if wanted[i] {
			e.Actions = append(e.Actions, explainedAction{Address: plan.Actions[i].Address})
		}
	}
	return e
}

func madeBy(t *engine.TensorPlan, actions map[int]bool) bool {
	for _, a := range t.Actions {
		if actions[a] {
			return true
		}
	}
	return false
}

// unknownAddress names what there is that is spelled most like it.
func unknownAddress(plan *engine.Plan, address string) error {
	best, least := "", len(address)/2+1
	consider := func(s string) {
		if d := levenshtein.Distance(address, s, nil); d < least {
			best, least = s, d
		}
	}
	for _, a := range plan.Artifacts {
		consider(a.Address)
	}
	for _, a := range plan.Actions {
		for _, w := range wholes(a.Address) {
			consider(w)
		}
	}
	for _, t := range plan.Tensors {
		consider(t.Name)
	}
	if best != "" {
		return fmt.Errorf("the plan has no %s; did you mean %s?", address, best)
	}
	return fmt.Errorf("the plan has no %s; it is the address of a block or action, or a tensor's name, as pj plan -v lists them", address)
}

// fill says of each action what is known of it.
func (e *explained) fill(ctx context.Context, known *engine.Known) error {
	at := map[string]int{}
	for i, a := range e.plan.Actions {
		at[a.Address] = i
	}
	indexes := make([]int, len(e.Actions))
	for n, a := range e.Actions {
		indexes[n] = at[a.Address]
	}
	all, err := known.Explain(ctx, e.plan.Plan, hashWhilePlanning, indexes)
	if err != nil {
		return inputError(err)
	}
	for n, i := range indexes {
		act, x := e.plan.Actions[i], all[n]
		out := explainedAction{
			Address: act.Address, Stage: stageName(act.Stage), Version: act.Version, Status: x.Status, Reason: x.Reason,
			Key: keyParts(x.Key, x.Last), Inputs: []explainedInput{}, origins: act.Origins,
		}
		if !x.ID.IsZero() {
			out.ID = &x.ID
		}
		for k, in := range act.Inputs {
			input := explainedInput{Name: in.Name}
			if !x.Inputs[k].IsZero() {
				input.Content = &x.Inputs[k]
			}
			if in.Source >= 0 {
				s := e.plan.Sources[in.Source]
				input.Source, input.File, input.Offset, input.Size = s.Name, e.plan.Files[s.File].Path, s.Offset, s.Size
			} else {
				input.Action, input.Output = e.plan.Actions[in.Action].Address, in.Output
			}
			out.Inputs = append(out.Inputs, input)
		}
		e.Actions[n] = out
	}
	return nil
}

// keyParts puts a key beside that of the last build.
func keyParts(key, last []cache.Component) []keyPart {
	out := []keyPart{}
	was := map[string][]string{}
	for _, c := range last {
		was[c.Name] = append(was[c.Name], c.Value)
	}
	for _, c := range key {
		p := keyPart{Name: c.Name}
		if c.Value != "" {
			p.Value = &c.Value
		}
		if w := was[c.Name]; len(w) > 0 {
			p.Last = &w[0]
			was[c.Name] = w[1:]
		}
		out = append(out, p)
	}
	var gone []string
	for name, values := range was {
		if len(values) > 0 {
			gone = append(gone, name)
		}
	}
	sort.Strings(gone)
	for _, name := range gone {
		for _, v := range was[name] {
			out = append(out, keyPart{Name: name, Last: &v})
		}
	}
	return out
}

// place is the file and line that a tensor's rule names, if it names one.
func place(rule string) (file string, line int) {
	at := strings.LastIndexByte(rule, ':')
	if at < 0 {
		return "", 0
	}
	if _, err := fmt.Sscanf(rule[at+1:], "%d", &line); err != nil {
		return "", 0
	}
	return rule[:at], line
}
