package stages

import (
	"runtime"
	"sort"

	"github.com/llama-pajamas/pj/engine"
)

// reportReasons is how many reasons a report lists.
const reportReasons = 50

// newReportRun is what the build did to get there.
func newReportRun(c *engine.Conclusion) reportRun {
	res := c.Result
	run := reportRun{
		Program: c.Program, Machine: reportMachine{runtime.GOOS, runtime.GOARCH, runtime.NumCPU()},
		Seconds: res.Elapsed.Seconds(), Actions: len(c.Plan.Actions), Executed: res.Executed,
		HashedBytes: res.HashedBytes, HashSeconds: res.HashTime.Seconds(), StoreSeconds: res.StoreTime.Seconds(),
		Stages: []reportStage{}, Reasons: []reportReason{}, Artifacts: []reportAssembling{},
	}
	stages := map[string]int{}
	for i, a := range c.Plan.Actions {
		at, ok := stages[a.Stage]
		if !ok {
			at = len(run.Stages)
			stages[a.Stage] = at
			run.Stages = append(run.Stages, reportStage{Stage: a.Stage})
		}
		s := &run.Stages[at]
		s.Actions++
		if took, ran := res.Ran[i]; ran {
			s.Executed++
			s.Seconds += took.Seconds()
		}
		if res.States[i].Status == engine.Cached {
			run.Cached++
		}
	}
	sort.Slice(run.Stages, func(i, j int) bool { return run.Stages[i].Stage < run.Stages[j].Stage })
	run.Reasons = reasonsOf(c)
	for _, a := range res.Artifacts {
		run.Artifacts = append(run.Artifacts, reportAssembling{a.Address, a.Written, a.Methods})
	}
	return run
}

// reasonsOf groups the actions that had to run by why.
func reasonsOf(c *engine.Conclusion) []reportReason {
	out := []reportReason{}
	type key struct {
		status engine.Status
		reason string
	}
	index := map[key]int{}
	for i, s := range c.Result.States {
		if s.Status == engine.Cached {
			continue
		}
		k := key{s.Status, s.Reason}
		at, ok := index[k]
		if !ok {
			at = len(out)
			index[k] = at
			out = append(out, reportReason{Status: s.Status, Reason: s.Reason, Example: c.Plan.Actions[i].Address})
		}
		out[at].Actions++
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].Actions > out[j].Actions })
	return out[:min(len(out), reportReasons)]
}
