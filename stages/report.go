package stages

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/llama-pajamas/pj/engine"
)

type reportParams struct {
	Of   []engine.Ref `hcl:"of" ref:"artifact,validate" optional:"true" doc:"the artifacts and validations to report on; all that are built where it is not set"`
	Path string       `hcl:"path" path:"output" default:"report" doc:"the folder to write report.json and report.html to"`
}

var _ = register(&engine.Stage{
	Block: "report", Version: 1, Yields: "report", Params: &reportParams{},
	Doc: "What people and scripts read once a build is done: sizes, types, errors, verdicts and provenance, as report.json and one self-contained report.html.",
	Lower: func(_ context.Context, p *engine.Planner, b *engine.Block) error {
		return p.Conclude(b, b.Params.(*reportParams).Path)
	},
	Conclude: concludeReport,
})

func concludeReport(ctx context.Context, c *engine.Conclusion) error {
	var params reportParams
	if err := c.Decode(&params); err != nil {
		return err
	}
	r, err := newReport(ctx, c, params.Of)
	if err != nil {
		return err
	}
	raw, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return fmt.Errorf("report.json: %w", err)
	}
	if _, err := c.WriteFile("report.json", append(raw, '\n')); err != nil {
		return err
	}
	var page bytes.Buffer
	if err := writeReportHTML(&page, r); err != nil {
		return err
	}
	_, err = c.WriteFile("report.html", page.Bytes())
	return err
}

// reportScope are the artifacts and verdicts that a report is of.
type reportScope struct {
	all       bool
	artifacts map[string]bool
	verdicts  map[string]bool
}

// newReportScope names what a report is of: an artifact brings its verdicts
// along, a validation its candidate.
func newReportScope(c *engine.Conclusion, of []engine.Ref) (*reportScope, error) {
	s := &reportScope{all: len(of) == 0, artifacts: map[string]bool{}, verdicts: map[string]bool{}}
	named := map[string]bool{}
	for _, ref := range of {
		if _, ok := c.Artifact(ref.Address); ok {
			s.artifacts[ref.Address] = true
		}
		named[ref.Address] = true
	}
	for _, judged := range c.Plan.Conclusions {
		if judged.Stage != "validate" {
			continue
		}
		var params validateParams
		if err := json.Unmarshal(judged.Params, &params); err != nil {
			return nil, fmt.Errorf("%s: %w", judged.Address, err)
		}
		switch {
		case named[judged.Address]:
			s.verdicts[judged.Address] = true
			s.artifacts[params.Candidate.Address] = true
		case named[params.Candidate.Address]:
			s.verdicts[judged.Address] = true
		}
	}
	return s, nil
}
