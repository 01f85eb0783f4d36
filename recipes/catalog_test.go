package recipes

import (
	"fmt"

	"github.com/llama-pajamas/pj/engine"
	"github.com/llama-pajamas/pj/internal/diag"
)

// The tests' own catalog: blocks like the real ones, and one stage that has
// every kind of field.

type modelParams struct {
	Source       string `hcl:"source" doc:"a folder, a GGUF or hf://OWNER/NAME"`
	Architecture string `hcl:"architecture" optional:"true" doc:"what the files must say they are"`
	Requantize   bool   `hcl:"requantize" default:"false" doc:"allow sources that are quantized already"`
}

type datasetParams struct {
	Files    []string `hcl:"files" doc:"the files, in order"`
	Field    string   `hcl:"field" optional:"true" doc:"the field of JSON lines to read"`
	Template string   `hcl:"template" default:"none" enum:"none,chat" doc:"how conversations become text"`
}

type calibrateParams struct {
	Model            engine.Ref            `hcl:"model" ref:"model" doc:"the model to run"`
	Text             map[string]engine.Ref `hcl:"text" ref:"dataset" doc:"texts by domain"`
	Mix              map[string]float64    `hcl:"mix" optional:"true" doc:"the share of each domain"`
	SamplesPerExpert int                   `hcl:"samples_per_expert" default:"64" doc:"tokens that each expert sees at least"`
	MinCoverage      float64               `hcl:"min_coverage" default:"0.99" doc:"share of experts that must be seen"`
	Tokens           int64                 `hcl:"tokens" default:"100000" doc:"tokens in all"`
}

type imatrixParams struct {
	File string `hcl:"file" doc:"an importance matrix"`
}

type quantizeParams struct {
	Model  engine.Ref `hcl:"model" ref:"model,weights" doc:"what to quantize"`
	Policy engine.Ref `hcl:"policy" ref:"policy" doc:"the precision of every part"`
	Effort string     `hcl:"effort" default:"normal" enum:"fast,normal,best" doc:"how hard to search"`
}

type ggufParams struct {
	From      engine.Ref `hcl:"from" ref:"weights" doc:"the weights"`
	Path      string     `hcl:"path" path:"output" doc:"the file to write"`
	Experts   string     `hcl:"experts" default:"stacked" enum:"stacked,tiered" doc:"how experts are laid out"`
	Collapse  string     `hcl:"collapse" default:"max" enum:"max,min,mean,weighted" doc:"how experts of different types become one"`
	Alignment int        `hcl:"alignment" default:"32" doc:"alignment of tensors"`
	Threads   int        `hcl:"threads" default:"0" canon:"-" doc:"workers"`
}

type mlxParams struct {
	From engine.Ref `hcl:"from" ref:"weights" doc:"the weights"`
	Path string     `hcl:"path" path:"output" doc:"the folder to write"`
}

type validateParams struct {
	Baseline   engine.Ref `hcl:"baseline" ref:"model,artifact" doc:"what to compare with"`
	Candidate  engine.Ref `hcl:"candidate" ref:"artifact" doc:"what to judge"`
	Perplexity *struct {
		Text        engine.Ref `hcl:"text" ref:"dataset" doc:"the text"`
		MaxIncrease *float64   `hcl:"max_increase" optional:"true" doc:"the increase that is allowed"`
	} `hcl:"perplexity,block" doc:"perplexity on a text"`
	KL *struct {
		Text    engine.Ref `hcl:"text" ref:"dataset" doc:"the text"`
		MaxMean *float64   `hcl:"max_mean" optional:"true" doc:"the mean divergence that is allowed"`
	} `hcl:"kl_divergence,block" doc:"KL divergence against the baseline"`
	Router *struct {
		MinTopK float64 `hcl:"min_top_k_agreement" doc:"the share of experts chosen alike"`
	} `hcl:"router,block" doc:"agreement of the router"`
	Memory []struct {
		Context     int          `hcl:"context" doc:"tokens in use"`
		MaxResident engine.Bytes `hcl:"max_resident" doc:"the memory that is allowed"`
	} `hcl:"memory,block" doc:"memory of a run"`
}

type reportParams struct {
	Of   []engine.Ref `hcl:"of" ref:"validate" doc:"the validations to report"`
	Path string       `hcl:"path" path:"output" default:"report" doc:"the folder to write"`
}

type level2 struct {
	Name string `hcl:"name" doc:"a name"`
}

// allParams has every kind of field.
type allParams struct {
	Text     string                  `hcl:"text" optional:"true" doc:"a text"`
	Flag     bool                    `hcl:"flag" optional:"true"`
	Count    int                     `hcl:"count" optional:"true"`
	Big      int64                   `hcl:"big" optional:"true"`
	Ratio    float64                 `hcl:"ratio" optional:"true"`
	Size     engine.Bytes            `hcl:"size" default:"2GiB"`
	Maybe    *int                    `hcl:"maybe" optional:"true"`
	Texts    []string                `hcl:"texts" default:"[\"a\",\"b\"]"`
	Counts   []int                   `hcl:"counts" optional:"true"`
	Sizes    []engine.Bytes          `hcl:"sizes" optional:"true"`
	Shares   map[string]float64      `hcl:"shares" optional:"true"`
	Lists    map[string][]string     `hcl:"lists" optional:"true"`
	Ref      *engine.Ref             `hcl:"ref" ref:"stage calibrate,model" optional:"true"`
	Refs     []engine.Ref            `hcl:"refs" ref:"artifact,model" optional:"true"`
	RefMap   map[string]engine.Ref   `hcl:"ref_map" ref:"model" optional:"true"`
	RefLists map[string][]engine.Ref `hcl:"ref_lists" ref:"model" optional:"true"`
	Choices  []string                `hcl:"choices" enum:"red,green" optional:"true"`
	Workers  int                     `hcl:"workers" default:"4" canon:"-"`
	Path     string                  `hcl:"path" path:"output" optional:"true"`
	One      struct {
		Depth int    `hcl:"depth" default:"3"`
		Note  string `hcl:"note" optional:"true"`
	} `hcl:"one,block" optional:"true"`
	Must struct {
		Name string `hcl:"name"`
	} `hcl:"must,block" doc:"a block that has to be there"`
	Many []struct {
		Name  string   `hcl:"name"`
		Inner []level2 `hcl:"inner,block"`
	} `hcl:"many,block"`
	_ int // a field without a tag is none of the block's
}

func testCatalog() *engine.Catalog {
	c := engine.NewCatalog(
		&engine.Stage{Block: "model", Version: 1, Yields: "model", Params: &modelParams{}},
		&engine.Stage{Block: "dataset", Version: 1, Yields: "dataset", Params: &datasetParams{}, Check: func(b *engine.Block) error {
			if len(b.Params.(*datasetParams).Files) == 0 {
				return diag.Errorf(b.Attrs["files"], "Empty dataset", "A dataset reads at least one file.")
			}
			return nil
		}},
		&engine.Stage{Block: "stage", Name: "calibrate", Version: 1, Yields: "evidence", Params: &calibrateParams{}},
		&engine.Stage{Block: "stage", Name: "imatrix", Version: 1, Yields: "evidence", Params: &imatrixParams{}},
		&engine.Stage{Block: "stage", Name: "quantize", Version: 1, Yields: "weights", Params: &quantizeParams{}},
		&engine.Stage{Block: "stage", Name: "all", Version: 1, Yields: "weights", Params: &allParams{}, Check: func(b *engine.Block) error {
			if b.Params.(*allParams).Must.Name == "wrong" {
				return fmt.Errorf("the name is wrong")
			}
			return nil
		}},
		&engine.Stage{Block: "artifact", Name: "gguf", Version: 1, Yields: "file", Params: &ggufParams{}},
		&engine.Stage{Block: "artifact", Name: "mlx", Version: 1, Yields: "file", Params: &mlxParams{}},
		&engine.Stage{Block: "validate", Version: 1, Yields: "verdict", Params: &validateParams{}},
		&engine.Stage{Block: "report", Version: 1, Yields: "report", Params: &reportParams{}},
	)
	c.Types = []string{"f32", "f16", "bf16", "q8_0", "q6_k", "q5_k", "q4_k", "q3_k", "q2_k", "iq4_nl", "mxfp4", "INT8", "INT4", "INT3", "INT2", "FP16", "FP8"}
	c.Mixes = []string{"Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q4_K_S", "Q3_K_M", "Q2_K", "MXFP4_MOE"}
	c.OtherTypes = map[string]string{"e4m3": "a type of KV caches, for kv rules", "int3": "a type of KV caches, for kv rules", "mlx_affine4_g64": "a type of MLX's, which GGUF files cannot hold"}
	c.KVTypes = []string{"f16", "q8_0", "q4_0", "e4m3", "int3", "int2", "INT8", "INT4", "INT3", "INT2", "FP8"}
	return c
}
