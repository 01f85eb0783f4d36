package cli

import (
	"fmt"
	"strings"

	"github.com/llama-pajamas/pj/kernels/quant"
	"github.com/llama-pajamas/pj/runtime/arch"
)

// starter is a recipe to begin with.
type starter struct {
	source, name, file string
	architecture       string
	weights            *weights // nil: not known, as of a large mixture of experts
}

// recipe is the recipe's text, but for its layout.
func (s *starter) recipe() string {
	var b strings.Builder
	s.intro(&b)
	fmt.Fprintf(&b, "model %q {\nsource = %s\n", s.name, hclText(s.source))
	if s.weights != nil && s.weights.quantized {
		b.WriteString("requantize = true # it is quantized already: quantizing it again loses more than doing it once\n")
	}
	b.WriteString("}\n\n")
	s.policy(&b)
	fmt.Fprintf(&b, "stage \"quantize\" \"balanced\" {\nmodel = model.%s\npolicy = policy.balanced\n}\n\n", s.name)
	fmt.Fprintf(&b, "artifact \"gguf\" \"balanced\" {\nfrom = stage.quantize.balanced\npath = %s\n}\n", hclText(s.file+"-balanced.gguf"))
	return b.String()
}

// intro says what the recipe is about.
func (s *starter) intro(b *strings.Builder) {
	if w := s.weights; w == nil {
		b.WriteString("# A starter recipe: put your model's folder, GGUF file or hf://OWNER/NAME as source.\n")
	} else {
		what := s.architecture
		if what == "" {
			what = "a model"
		}
		fmt.Fprintf(b, "# %s, %s weights", what, strings.TrimSpace(strings.Split(countText(w.parameters()), "(")[0]))
		if w.experts > 0 {
			fmt.Fprintf(b, ", %d experts in a layer", w.experts)
		}
		b.WriteString(".\n")
	}
	b.WriteString("#\n# pj plan   what this recipe makes, and how large it becomes\n# pj build  makes it\n# pj docs   what else a recipe can say, for example: pj docs policy\n\n")
}

// policy is the part that depends on the architecture.
func (s *starter) policy(b *strings.Builder) {
	b.WriteString("policy \"balanced\" {\n")
	switch {
	case s.has(arch.Expert, func(t *weight) bool { return t.Type.Name == "mxfp4" }):
		fmt.Fprintf(b, "# The experts%s stay as they were published, in MXFP4; the rest gets 8 bits.\nmix = \"Q8_0\"\npreserve = true\n", s.share(arch.Expert))
		s.rule(b, "The router decides which experts run. It is small, and its mistakes are not.", `role == "router"`, "q8_0", arch.Router)
	case s.weights == nil || s.has(arch.Expert, func(*weight) bool { return true }):
		b.WriteString("# What no rule below covers gets the type that llama-quantize would choose.\nmix = \"Q4_K_M\"\n")
		s.rule(b, "The router decides which experts run. It is small, and its mistakes are not.", `role == "router"`, "q8_0", arch.Router)
		attention := []string{arch.AttentionQ, arch.AttentionK, arch.AttentionV, arch.AttentionOutput}
		s.rule(b, "Every token goes through attention"+s.share(attention...)+".", `contains(["attention_q", "attention_k", "attention_v", "attention_output"], role)`, "q8_0", attention...)
		if s.has(arch.SharedExpert, func(*weight) bool { return true }) {
			s.rule(b, "Every token goes through the shared experts too"+s.share(arch.SharedExpert)+".", `role == "shared_expert"`, "q8_0", arch.SharedExpert)
		}
		s.rule(b, "The experts"+s.share(arch.Expert)+" decide the size.", `role == "expert"`, "INT4", arch.Expert)
	default:
		b.WriteString("# The type that llama-quantize would choose for each tensor; `pj docs mixes` lists others.\nmix = \"Q4_K_M\"\n")
	}
	b.WriteString("}\n\n")
}

// rule writes a rule where its type fits the tensors that it is for.
func (s *starter) rule(b *strings.Builder, comment, when, typ string, roles ...string) {
	block := int64(32) // of INT4 where 256 does not divide a row
	if t, ok := quant.Lookup(typ); ok {
		block = int64(t.Block)
	}
	for _, role := range roles {
		if s.has(role, func(t *weight) bool { return t.cols()%block != 0 }) {
			return
		}
	}
	fmt.Fprintf(b, "\n# %s\ntensor {\nwhen = %s\ntype = %q\n}\n", comment, when, typ)
}

// has reports whether the model has a tensor of a role with a property.
func (s *starter) has(role string, property func(*weight) bool) bool {
	if s.weights == nil {
		return false
	}
	for i := range s.weights.tensors {
		if t := &s.weights.tensors[i]; t.Role == role && property(t) {
			return true
		}
	}
	return false
}

// share is how much of the weights some roles are, in parentheses.
func (s *starter) share(roles ...string) string {
	if s.weights == nil {
		return ""
	}
	n := int64(0)
	for i := range s.weights.tensors {
		for _, r := range roles {
			if s.weights.tensors[i].Role == r {
				n += s.weights.tensors[i].Elements
			}
		}
	}
	return fmt.Sprintf(" (%.3g %% of the weights)", float64(n)*100/float64(max(s.weights.parameters(), 1)))
}

// hclText writes a text as HCL does.
func hclText(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "${", "$${", "%{", "%%{", "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(s) + `"`
}
