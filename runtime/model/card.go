package model

import (
	"fmt"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"
)

// cardFile is the model's page, whose front matter is YAML.
const cardFile = "README.md"

// card is a page's front matter. Scalars are taken as they are written, so that
// a version 1.0 stays one and the language no is none of true and false.
type card map[string]yaml.Node

// parseCard reads the front matter; path stands for the file in errors. A page
// without it is empty.
func parseCard(b []byte, path string) (card, error) {
	lines := strings.Split(strings.ReplaceAll(string(b), "\r\n", "\n"), "\n")
	if lines[0] != "---" {
		return nil, nil
	}
	end := 1
	for end < len(lines) && lines[end] != "---" {
		end++
	}
	// Some pages have tabs, which YAML forbids.
	text := strings.ReplaceAll(strings.Join(lines[1:end], "\n"), "\t", "  ")
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		return nil, fmt.Errorf("%s: the YAML between the lines --- cannot be read (%w): correct it, or remove the file", path, err)
	}
	c := card{}
	if len(doc.Content) == 1 && doc.Content[0].Kind == yaml.MappingNode {
		fields := doc.Content[0].Content
		for i := 0; i+1 < len(fields); i += 2 {
			c[fields[i].Value] = *fields[i+1]
		}
	}
	return c, nil
}

// text is a field that holds one value.
func (c card) text(key string) string {
	n, ok := c[key]
	if !ok || n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		return ""
	}
	return n.Value
}

// list is a field that holds one value or several.
func (c card) list(key string) []string {
	var out []string
	n := c[key]
	for _, e := range n.Content {
		if n.Kind == yaml.SequenceNode && e.Kind == yaml.ScalarNode {
			out = append(out, e.Value)
		}
	}
	if s := c.text(key); s != "" {
		out = append(out, s)
	}
	return out
}

// apply takes what a page says.
func (g *general) apply(c card, parameters int64) {
	for _, prefix := range []string{"", "model_"} {
		for _, f := range []struct {
			to  *string
			key string
		}{
			{&g.name, "name"}, {&g.author, "author"}, {&g.version, "version"}, {&g.organization, "organization"},
			{&g.description, "description"}, {&g.finetune, "finetune"}, {&g.basename, "basename"}, {&g.size, "size_label"},
			{&g.sourceURL, "url"}, {&g.sourceDOI, "doi"}, {&g.sourceUUID, "uuid"}, {&g.repo, "repo_url"},
		} {
			orElse(f.to, c.text(prefix+f.key))
		}
	}
	orElse(&g.author, c.text("model_creator"))
	orElse(&g.basename, c.text("model_type"))
	g.baseModels, g.hasBaseModels = c.origins(parameters, "base_model", "base_models", "base_model_sources")
	g.datasets, g.hasDatasets = c.origins(parameters, "datasets", "dataset", "dataset_sources")
	g.license = strings.Join(c.list("license"), ",")
	g.licenseName = c.text("license_name")
	g.licenseLink = c.text("license_link")
	g.tags = append(c.list("tags"), c.list("pipeline_tag")...)
	g.languages = append(c.list("languages"), c.list("language")...)
}

// origins are the models or data sets of the first key that is there.
func (c card) origins(parameters int64, keys ...string) ([]origin, bool) {
	for _, key := range keys {
		n, ok := c[key]
		if !ok {
			continue
		}
		entries := n.Content
		if n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
			entries = []*yaml.Node{&n}
		} else if n.Kind != yaml.SequenceNode {
			entries = nil
		}
		var out []origin
		for _, e := range entries {
			if e.Kind == yaml.MappingNode {
				out = append(out, described(e))
			} else {
				out = append(out, named(e.Value, parameters))
			}
		}
		return out, true
	}
	return nil, false
}

var hubURL = regexp.MustCompile(`^https?://huggingface\.co/([^/]+/[^/]+)$`)

// named is an origin that is given by its name on the hub, or its address.
func named(id string, parameters int64) origin {
	if strings.HasPrefix(id, "http://") || strings.HasPrefix(id, "https://") || strings.HasPrefix(id, "ssh://") {
		o := origin{}
		if m := hubURL.FindStringSubmatch(id); m != nil {
			o = named(m[1], parameters)
		}
		o.repo = id
		return o
	}
	p := partsOf(id, parameters)
	o := origin{name: title(p.full), organization: title(p.organization), version: p.version}
	if p.organization != "" {
		o.repo = "https://huggingface.co/" + p.organization + "/" + p.full
	}
	return o
}

// described is an origin whose page spells it out.
func described(n *yaml.Node) origin {
	c := card{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		c[n.Content[i].Value] = *n.Content[i+1]
	}
	return origin{
		name: c.text("name"), author: c.text("author"), version: c.text("version"), organization: c.text("organization"),
		description: c.text("description"), url: c.text("url"), doi: c.text("doi"), uuid: c.text("uuid"), repo: c.text("repo_url"),
	}
}
