package recipes

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// expression is an expression of a recipe with what it refers to.
type expression struct {
	hclsyntax.Expression
	mod  *module
	refs []reference
	// sees are names that the expression's place adds to the usual ones: the
	// attributes of a tensor.
	sees *vocabulary
	// each says that the expression belongs to a block with for_each.
	each bool
	bad  bool // something it refers to does not exist
}

// attribute is "name = expression" in a block.
type attribute struct {
	name string
	expr *expression
	rng  hcl.Range // of the name
}

// nested is a block inside a block, or at the top of a file.
type nested struct {
	name   string
	labels []string
	// labelRanges are the places of the labels.
	labelRanges []hcl.Range
	rng         hcl.Range // the header: type and labels
	body        hcl.Body
	content     *content // of blocks inside a block
}

// content is what a block holds.
type content struct {
	rng    hcl.Range // where the block says what it is: missing things are reported there
	attrs  map[string]*attribute
	blocks []*nested
	failed bool // something in it has no place there, and that is reported
}

// order lists the attributes as they stand in the file.
func (c *content) order() []*attribute {
	out := make([]*attribute, 0, len(c.attrs))
	for _, a := range c.attrs {
		out = append(out, a)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].rng.Start.Byte < out[j].rng.Start.Byte })
	return out
}

// shape is what a block may hold.
type shape struct {
	attrs  []string // allowed attributes
	any    bool     // any attribute is allowed
	blocks map[string]*shape
	labels int // of the block itself
}

// names lists everything the block may hold.
func (sh *shape) names() []string {
	names := append([]string{}, sh.attrs...)
	names = append(names, keys(sh.blocks)...)
	sort.Strings(names)
	return names
}

func (sh *shape) allows(attr string) bool {
	for _, a := range sh.attrs {
		if a == attr {
			return true
		}
	}
	return sh.any
}

// readBody takes a body apart. what names the block in messages: `stage
// "quantize" "a"`, "a recipe".
func (m *module) readBody(body hcl.Body, rng hcl.Range, what string, sh *shape) *content {
	c := &content{rng: rng, attrs: map[string]*attribute{}}
	before := m.errors
	if native, ok := body.(*hclsyntax.Body); ok {
		m.readNative(c, native, what, sh)
	} else {
		m.readJSON(c, body, what, sh)
	}
	for _, b := range c.blocks {
		if inner := sh.blocks[b.name]; inner.labels == 0 {
			b.content = m.readBody(b.body, b.rng, fmt.Sprintf("block %s of %s", b.name, what), inner)
		}
	}
	c.failed = m.errors > before
	return c
}

func (m *module) readNative(c *content, body *hclsyntax.Body, what string, sh *shape) {
	for _, a := range body.Attributes {
		switch {
		case sh.allows(a.Name):
			c.attrs[a.Name] = &attribute{a.Name, m.expr(a.Expr), a.NameRange}
		case sh.blocks[a.Name] != nil:
			m.errorf(a.NameRange, "A block is needed", "%s is a block: write %s { … } without an equals sign.", a.Name, a.Name)
		default:
			m.unknownName(a.NameRange, "attribute", a.Name, what, sh)
		}
	}
	for _, b := range body.Blocks {
		inner := sh.blocks[b.Type]
		switch {
		case inner != nil:
			n := &nested{name: b.Type, labels: b.Labels, labelRanges: b.LabelRanges, rng: b.DefRange(), body: b.Body}
			if m.checkLabels(n, inner) {
				c.blocks = append(c.blocks, n)
			}
		case sh.allows(b.Type) && !sh.any:
			m.errorf(b.TypeRange, "An attribute is needed", "%s is an attribute: write %s = … with an equals sign.", b.Type, b.Type)
		default:
			m.unknownName(b.TypeRange, "block", b.Type, what, sh)
		}
	}
}

func (m *module) readJSON(c *content, body hcl.Body, what string, sh *shape) {
	if sh.any {
		attrs, ds := body.JustAttributes()
		m.hcl(ds)
		for _, a := range attrs {
			if !hclsyntax.ValidIdentifier(a.Name) {
				m.errorf(a.NameRange, "Not a name", "%q cannot be a name: %s.", a.Name, nameForm)
				continue
			}
			c.attrs[a.Name] = &attribute{a.Name, m.expr(m.native(a.Expr)), a.NameRange}
		}
		return
	}
	schema := &hcl.BodySchema{}
	for _, a := range sh.attrs {
		schema.Attributes = append(schema.Attributes, hcl.AttributeSchema{Name: a})
	}
	for _, name := range keys(sh.blocks) {
		schema.Blocks = append(schema.Blocks, hcl.BlockHeaderSchema{Type: name, LabelNames: []string{"type", "name"}[2-sh.blocks[name].labels:]})
	}
	got, ds := body.Content(schema)
	for _, d := range ds {
		if name, ok := m.extraneous(d); ok {
			m.unknownName(*d.Subject, "attribute or block", name, what, sh)
		} else {
			m.hcl(hcl.Diagnostics{d})
		}
	}
	for _, a := range got.Attributes {
		c.attrs[a.Name] = &attribute{a.Name, m.expr(m.native(a.Expr)), a.NameRange}
	}
	for _, b := range got.Blocks {
		rng := b.TypeRange
		if n := len(b.LabelRanges); n > 0 {
			rng = b.LabelRanges[n-1]
		}
		n := &nested{name: b.Type, labels: b.Labels, labelRanges: b.LabelRanges, rng: rng, body: b.Body}
		if m.checkLabels(n, sh.blocks[b.Type]) {
			c.blocks = append(c.blocks, n)
		}
	}
}

// extraneous recognises the library's message on a property that the schema
// does not have, and gives the property's name.
func (m *module) extraneous(d *hcl.Diagnostic) (string, bool) {
	if d.Summary != "Extraneous JSON object property" || d.Subject == nil {
		return "", false
	}
	var name string
	r := *d.Subject
	if r.Start.Byte < 0 || r.End.Byte > len(m.source) || json.Unmarshal(m.source[r.Start.Byte:r.End.Byte], &name) != nil {
		return "", false
	}
	return name, true
}

func (m *module) unknownName(r hcl.Range, kind, name, what string, sh *shape) {
	names := sh.names()
	if len(names) == 0 {
		m.errorf(r, "Unknown "+kind, "There is nothing to set in %s.", what)
		return
	}
	m.errorf(r, "Unknown "+kind, "%q has no place in %s.%s It may have %s.", name, what, didYouMean(name, names), list(names, "and"))
}

const nameForm = "names begin with a letter or an underscore and go on with letters, digits, underscores and hyphens"

// checkLabels checks number and form of a block's labels.
func (m *module) checkLabels(n *nested, sh *shape) bool {
	if len(n.labels) != sh.labels {
		need := []string{"takes no label", "needs one label, its name", "needs two labels, its type and its name"}[sh.labels]
		example := strings.TrimSpace(n.name + " " + []string{"", `"NAME"`, `"TYPE" "NAME"`}[sh.labels])
		m.errorf(n.rng, "Wrong labels", "The block %s %s: %s { … }.", n.name, need, example)
		return false
	}
	for i, l := range n.labels {
		if !hclsyntax.ValidIdentifier(l) {
			m.errorf(n.labelRanges[i], "Not a name", "%q cannot be a name: %s.", l, nameForm)
			return false
		}
	}
	return true
}
