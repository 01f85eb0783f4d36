package model

import (
	"math"
	"strconv"
	"strings"

	"github.com/llama-pajamas/pj/runtime/gguf"
)

// general are the keys that say what a model is called and where it is from.
type general struct {
	sampling []gguf.KV

	name, author, version, organization    string
	finetune, basename, description, size  string
	license, licenseName, licenseLink      string
	sourceURL, sourceDOI, sourceUUID, repo string
	baseModels, datasets                   []origin
	hasBaseModels, hasDatasets             bool
	tags, languages                        []string
}

// origin is a model or data set that the model is made of.
type origin struct {
	name, author, version, organization string
	description, url, doi, uuid, repo   string
}

// guess fills what is not known yet from a model's name.
func (g *general) guess(id string, parameters int64) {
	p := partsOf(id, parameters)
	orElse(&g.name, title(p.full))
	orElse(&g.organization, title(p.organization))
	orElse(&g.basename, p.basename)
	orElse(&g.finetune, p.finetune)
	orElse(&g.version, p.version)
	orElse(&g.size, p.size)
}

func orElse(s *string, v string) {
	if *s == "" {
		*s = v
	}
}

// kvs are the keys in the order of llama.cpp's converter.
func (g *general) kvs(architecture string) []gguf.KV {
	k := kvList{
		{Key: "general.architecture", Value: architecture},
		{Key: "general.type", Value: "model"},
	}
	k = append(k, g.sampling...)
	for _, f := range []struct{ key, value string }{
		{"name", g.name}, {"author", g.author}, {"version", g.version}, {"organization", g.organization},
		{"finetune", g.finetune}, {"basename", g.basename}, {"description", g.description}, {"size_label", g.size},
		{"license", g.license}, {"license.name", g.licenseName}, {"license.link", g.licenseLink},
		{"source.url", g.sourceURL}, {"source.doi", g.sourceDOI}, {"source.uuid", g.sourceUUID}, {"source.repo_url", g.repo},
	} {
		k.string("general."+f.key, f.value)
	}
	if g.hasBaseModels {
		k.origins("general.base_model.", g.baseModels)
	}
	if g.hasDatasets {
		k.origins("general.dataset.", g.datasets)
	}
	k.strings("general.tags", g.tags)
	k.strings("general.languages", g.languages)
	return k
}

// kvList gathers keys; like the converter it leaves empty ones out.
type kvList []gguf.KV

func (k *kvList) string(key, v string) {
	if v != "" {
		*k = append(*k, gguf.KV{Key: key, Value: v})
	}
}

func (k *kvList) strings(key string, v []string) {
	if len(v) > 0 {
		*k = append(*k, gguf.KV{Key: key, Value: v})
	}
}

func (k *kvList) origins(prefix string, list []origin) {
	*k = append(*k, gguf.KV{Key: prefix + "count", Value: uint32(len(list))})
	for i, o := range list {
		p := prefix + strconv.Itoa(i) + "."
		k.string(p+"name", o.name)
		k.string(p+"author", o.author)
		k.string(p+"version", o.version)
		k.string(p+"organization", o.organization)
		k.string(p+"description", o.description)
		k.string(p+"url", o.url)
		k.string(p+"doi", o.doi)
		k.string(p+"uuid", o.uuid)
		k.string(p+"repo_url", o.repo)
	}
}

// modelSizes are what a size label is made of.
type modelSizes struct{ total, shared, expert, experts int64 }

// sizesOf counts weights: those that every token uses, and those of one expert.
func sizesOf(tensors []Tensor) modelSizes {
	var s modelSizes
	sum, stacks := int64(0), int64(0)
	for i := range tensors {
		t := &tensors[i]
		n := t.Elements()
		s.total += n
		if strings.Contains(t.Name, "_exps.") && len(t.Dims) >= 3 {
			s.expert += n / t.Dims[2]
			sum += t.Dims[2]
			stacks++
		} else {
			s.shared += n
		}
	}
	if stacks > 0 {
		s.experts = sum / stacks
	}
	return s
}

// label is "7.6B", or "128x1.8B" for a model with experts: what one expert and
// the shared part have.
func (s modelSizes) label() string {
	if s.experts > 0 {
		return strconv.FormatInt(s.experts, 10) + "x" + rounded(s.shared+s.expert)
	}
	return rounded(s.total)
}

// rounded writes a count with two digits at least.
func rounded(n int64) string {
	x, unit := float64(n)*1e-3, "K"
	switch {
	case float64(n) > 1e12:
		x, unit = float64(n)*1e-12, "T"
	case float64(n) > 1e9:
		x, unit = float64(n)*1e-9, "B"
	case float64(n) > 1e6:
		x, unit = float64(n)*1e-6, "M"
	}
	digits := len(strings.TrimLeft(strconv.FormatFloat(math.RoundToEven(x), 'f', 0, 64), "0"))
	return strconv.FormatFloat(x, 'f', max(2-digits, 0), 64) + unit
}
