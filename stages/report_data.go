package stages

import "github.com/llama-pajamas/pj/engine"

// reportVersion is the version of report.json.
const reportVersion = 1

// report is report.json; docs/report.md describes every field. What differs
// between two builds of the same is under "run", and nowhere else.
type report struct {
	Version   int              `json:"version"`
	Address   string           `json:"address"`
	Artifacts []reportArtifact `json:"artifacts"`
	Models    []reportModel    `json:"models"`
	Verdicts  []engine.Verdict `json:"verdicts"`
	Run       reportRun        `json:"run"`
}

type reportArtifact struct {
	Address string       `json:"address"`
	Path    string       `json:"path"`
	Format  string       `json:"format"`
	Model   string       `json:"model"`
	Files   []reportFile `json:"files"`

	Bytes         int64   `json:"bytes"`
	ResidentBytes int64   `json:"resident_bytes"`
	ResidentNote  string  `json:"resident_note,omitempty"`
	SourceBytes   int64   `json:"source_bytes"`
	SourceRatio   float64 `json:"source_ratio"`
	Weights       int64   `json:"weights"`
	BitsPerWeight float64 `json:"bits_per_weight"`
	RelativeRMSE  float64 `json:"relative_rmse"`

	Types  map[string]*reportPart `json:"types"`
	Roles  map[string]*reportPart `json:"roles"`
	Layers []reportLayer          `json:"layers"`

	Tensors   []reportTensor   `json:"tensors"`
	Worst     []reportWorst    `json:"worst"`
	Asked     []reportAsked    `json:"asked"`
	Fallbacks []reportFallback `json:"fallbacks"`
	Notes     []string         `json:"notes"`

	Provenance *provenance `json:"provenance"`
}

type reportFile struct {
	Path   string `json:"path"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// reportPart is a part of an artifact: the tensors of one type or role.
type reportPart struct {
	Tensors       int     `json:"tensors"`
	Weights       int64   `json:"weights"`
	Bytes         int64   `json:"bytes"`
	BitsPerWeight float64 `json:"bits_per_weight"`
	RelativeRMSE  float64 `json:"relative_rmse"`

	sum measurement
}

type reportLayer struct {
	Layer int `json:"layer"`
	reportPart
}

type reportTensor struct {
	Name                 string   `json:"name"`
	Role                 string   `json:"role"`
	Layer                int      `json:"layer"`
	Shape                []int64  `json:"shape"`
	Weights              int64    `json:"weights"`
	Type                 string   `json:"type"`
	Bytes                int64    `json:"bytes"`
	SourceType           string   `json:"source_type"`
	Rule                 string   `json:"rule"`
	Asked                string   `json:"asked,omitempty"`
	Fallback             string   `json:"fallback,omitempty"`
	RelativeRMSE         float64  `json:"relative_rmse"`
	WeightedRelativeRMSE *float64 `json:"weighted_relative_rmse,omitempty"`
	MaxAbsError          float64  `json:"max_abs_error"`

	sum measurement
}

type reportWorst struct {
	Name         string      `json:"name"`
	Type         string      `json:"type"`
	RelativeRMSE float64     `json:"relative_rmse"`
	Rows         []reportRow `json:"rows"`
}

type reportRow struct {
	Expert       *int    `json:"expert,omitempty"`
	Row          int64   `json:"row"`
	RelativeRMSE float64 `json:"relative_rmse"`
}

type reportAsked struct {
	Asked   string `json:"asked"`
	Type    string `json:"type"`
	Tensors int    `json:"tensors"`
}

type reportFallback struct {
	Reason  string `json:"reason"`
	Tensors int    `json:"tensors"`
	Example string `json:"example"`
}

type reportModel struct {
	Address      string `json:"address"`
	Source       string `json:"source"`
	Revision     string `json:"revision,omitempty"`
	Architecture string `json:"architecture"`
	Bytes        int64  `json:"bytes"`
}

// reportRun is what this build did, on this machine.
type reportRun struct {
	Program      string             `json:"program"`
	Machine      reportMachine      `json:"machine"`
	Seconds      float64            `json:"seconds"`
	Actions      int                `json:"actions"`
	Executed     int                `json:"executed"`
	Cached       int                `json:"cached"`
	HashedBytes  int64              `json:"hashed_bytes"`
	HashSeconds  float64            `json:"hash_seconds"`
	StoreSeconds float64            `json:"store_seconds"`
	Stages       []reportStage      `json:"stages"`
	Reasons      []reportReason     `json:"reasons"`
	Artifacts    []reportAssembling `json:"artifacts"`
}

type reportMachine struct {
	OS         string `json:"os"`
	Arch       string `json:"arch"`
	Processors int    `json:"processors"`
}

type reportStage struct {
	Stage    string  `json:"stage"`
	Actions  int     `json:"actions"`
	Executed int     `json:"executed"`
	Seconds  float64 `json:"seconds"`
}

type reportReason struct {
	Status  engine.Status `json:"status"`
	Reason  string        `json:"reason"`
	Actions int           `json:"actions"`
	Example string        `json:"example"`
}

type reportAssembling struct {
	Address string         `json:"address"`
	Written bool           `json:"written"`
	Methods map[string]int `json:"methods,omitempty"`
}
