package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/llama-pajamas/pj/runtime/mix"
	"github.com/llama-pajamas/pj/stages"
)

// versionResult is the JSON object of pj version.
type versionResult struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"` // of the source
	Modified bool   `json:"modified"`           // the source had changes that no revision has
	Time     string `json:"time,omitempty"`     // of the revision
	Go       string `json:"go"`
	Platform string `json:"platform"`
	LlamaCpp string `json:"llama_cpp"` // whose mixes are known
	// Stages are the versions that decide what is built anew.
	Stages map[string]int `json:"stages"`
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Say which version this is",
		Long: `Says which version of the program this is, and of what outputs depend on: each stage
has a version of its own, which changes only when its output does. A new release of
the program builds nothing anew as long as they stay.`,
		Example: "  pj version\n  pj version --json",
		Args:    takes(),
		RunE: func(*cobra.Command, []string) error {
			info, _ := debug.ReadBuildInfo()
			v := versionOf(info)
			if a.flags.json {
				return a.printJSON(v)
			}
			return a.print(v.text(a.name))
		},
	}
}

func versionOf(info *debug.BuildInfo) versionResult {
	v := versionResult{
		Version: "(devel)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
		LlamaCpp: mix.LlamaCpp, Stages: map[string]int{},
	}
	if info != nil {
		if info.Main.Version != "" {
			v.Version = info.Main.Version
		}
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				v.Revision = s.Value
			case "vcs.time":
				v.Time = s.Value
			case "vcs.modified":
				v.Modified = s.Value == "true"
			}
		}
	}
	for _, s := range stages.Catalog().Stages() {
		v.Stages[s.ID()] = s.Version
	}
	return v
}

func (v *versionResult) text(name string) string {
	text := name + " " + v.Version + "\n"
	if v.Revision != "" {
		text += "revision   " + v.Revision
		if v.Modified {
			text += ", modified"
		}
		text += "\n"
	}
	text += fmt.Sprintf("built by   %s for %s\n", v.Go, v.Platform)
	text += fmt.Sprintf("mixes of   llama.cpp %s\n", v.LlamaCpp)
	t := table{header: []string{"stage", ">version"}}
	for _, s := range stages.Catalog().Stages() {
		t.add(s.ID(), fmt.Sprint(s.Version))
	}
	return text + "\n" + t.String()
}
