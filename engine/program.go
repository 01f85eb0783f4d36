package engine

import (
	"encoding/json"

	"github.com/llama-pajamas/pj/internal/diag"
)

// Program is an evaluated recipe: every variable applied, every for_each
// expanded, every reference resolved. Package recipes makes it.
type Program struct {
	Path   string // the root recipe file, as the user named it
	Dir    string // its folder, absolute; artifacts go there unless told otherwise
	Blocks []*Block
	// Policies by address ("policy.ultra", `policy.x["a"]`, `module.m.policy.p`).
	Policies map[string]Policy
	Modules  []Module
	// Outputs are the root's output values that are known before anything runs,
	// as JSON; null where a value is measured.
	Outputs map[string]json.RawMessage
}

// Module is a recipe that the program includes from elsewhere.
type Module struct {
	Address string // "module.ultra"
	Source  string // as written
	Commit  string // git commit, "" for a path
	Digest  string // "blake3:…" over its files
}

// Block is one evaluated block. Blocks stand in the program in dependency
// order.
type Block struct {
	Stage   *Stage
	Address string // "stage.quantize.ultra", `artifact.gguf.x["stock"]`, "module.m.model.q"
	Params  any    // pointer to a filled struct of Stage.Params' type
	Range   diag.Range
	// Attrs are the places of the attributes' values, for diagnostics.
	Attrs map[string]diag.Range
	// Refs are the addresses that the block refers to, sorted.
	Refs []string
	// Base is the folder that relative input paths start from: the folder of
	// the file that declares the block, absolute.
	Base string
	// Used says that the block belongs to what the recipe builds (something
	// built refers to it, or it is an artifact, validate or report that counts).
	Used bool
	// Canonical is the block's body as JSON (HCL's JSON syntax): defaults
	// applied, references as "${address}", nothing that does not change an
	// output, keys sorted.
	Canonical json.RawMessage
}

// Policy decides the precision of tensors; package recipes implements it.
type Policy interface {
	Address() string
	Range() diag.Range
	// Mix is the llama-quantize mix that uncovered tensors take, canonical
	// spelling, "" if none.
	Mix() string
	// Default is the type of tensors that no rule covers ("" if the policy has
	// none), before the mix is asked.
	Default() string
	// Preserve keeps tensors that the source stores as MXFP4 as they are.
	Preserve() bool
	// Evidence is what the policy's rules and encoders go by; nil if none.
	Evidence() *Ref
	// Match finds the first rule that matches the tensor. It is fast enough to
	// be called for every expert of every layer, and safe for concurrent use.
	Match(t *TensorAttrs) (Decision, error)
	// KV evaluates the kv rules for one layer: rows of {context bound, age
	// bound, key type, value type}.
	KV(layer *TensorAttrs) ([]KVRule, error)
	// Rules describes the tensor rules, in order; Unmatched warnings come from
	// the caller, who knows which index never matched.
	Rules() []Rule
	// Canonical is the policy's body as JSON, as Block.Canonical.
	Canonical() json.RawMessage
}

// Rule is one tensor rule of a policy.
type Rule struct {
	Index  int    // from 1
	Label  string // "policy.ultra rule 3 (recipe.hcl:31)"
	Type   string // as written: "INT4", "q8_0"; "" where the rule only sets min, max or effort
	Min    string
	Max    string
	Effort string
	Range  diag.Range
}

// Decision is the outcome of a policy's rules for one tensor.
type Decision struct {
	// Rule is the rule that matched, nil if none did.
	Rule *Rule
	// Pending says that the outcome waits for evidence; Candidates are the
	// rules that may match (nil in the list: none of them).
	Pending    bool
	Candidates []*Rule
}

// KVRule is one row of a layer's KV cache table.
type KVRule struct {
	MaxContext int64 // tokens in use up to which the row holds; 0: no bound
	MinAge     int64 // distance from the newest token from which it holds; 0: none
	Key, Value string
	Rule       diag.Range
}

// TensorAttrs is what a rule's `when` can see of a tensor.
type TensorAttrs struct {
	Name       string
	Role       string // embedding, output, router, attention_q/k/v/output, expert, shared_expert, ffn, norm, other
	Layer      int    // -1 where the tensor belongs to none
	Layers     int
	Attention  string // full, sliding, ""
	Projection string // gate, up, down, ""
	Shape      []int64
	Elements   int64
	Expert     *ExpertAttrs // nil for tensors that are no expert's
	// LayerImportance and Sensitivity are nil until evidence gives them.
	LayerImportance *float64
	Sensitivity     *float64
	// Context and Age are never known here: kv rules compare them with constants.
}

// ExpertAttrs is what a rule can see of one expert. The measured fields hold
// only where Known.
type ExpertAttrs struct {
	Index      int
	Known      bool
	Share      float64 // fraction of the layer's tokens that use the expert
	RouteShare float64 // Share / top-k
	Rank       float64 // i/E within its layer by descending share; 0 = most used
	Importance float64
}
