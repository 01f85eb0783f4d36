package recipes

import (
	"context"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDiagnostics renders what each recipe of testdata/diagnostics is told.
func TestDiagnostics(t *testing.T) {
	files, err := filepath.Glob("testdata/diagnostics/*.hcl*")
	require.NoError(t, err)
	require.Greater(t, len(files), 30)
	sort.Strings(files)
	for _, file := range files {
		if strings.HasSuffix(file, ".golden") {
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			load := func() string {
				r, ds := Load(context.Background(), Options{Path: file, Catalog: testCatalog()})
				require.NotEmpty(t, ds)
				for _, d := range ds {
					require.NotContains(t, d.Summary+d.Detail, "swordfish", "a sensitive value")
					require.NotContains(t, d.Summary+d.Detail, "hush-hush", "a sensitive value")
					require.NotEmpty(t, d.Summary)
					if d.File != "" && d.Line > 0 {
						require.Contains(t, r.Files, d.File)
						require.LessOrEqual(t, d.Line, strings.Count(string(r.Files[d.File]), "\n")+1, "%v", d)
						require.Positive(t, d.Column)
						require.GreaterOrEqual(t, d.EndLine, d.Line)
					}
				}
				return render(r, ds)
			}
			got := load()
			require.Equal(t, got, load(), "the same again")
			golden := file + ".golden"
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(got), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err, "run the test with -update")
			require.Equal(t, string(want), got)
		})
	}
}
