package cli

import (
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/stages"
)

func TestVersion(t *testing.T) {
	v := versionOf(&debug.BuildInfo{
		Main: debug.Module{Version: "v1.2.3"},
		Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789ab"}, {Key: "vcs.modified", Value: "true"},
			{Key: "vcs.time", Value: "2026-01-02T03:04:05Z"}},
	})
	require.Equal(t, "v1.2.3", v.Version)
	require.Contains(t, v.text("pj"), "pj v1.2.3\nrevision   0123456789ab, modified\n")
	require.Len(t, v.Stages, len(stages.Catalog().Stages()))
	v = versionOf(nil)
	require.Equal(t, "(devel)", v.Version)
	require.NotContains(t, v.text("pj"), "revision")
}
