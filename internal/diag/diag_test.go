package diag

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestClip(t *testing.T) {
	require.Equal(t, "short", Clip("short"))
	many := strings.Repeat("a line of a list that may be long\n", 1000)
	require.Equal(t, many, Clip(many))

	long := "tensor \"" + strings.Repeat("ö", 1<<20) + "\" is there twice"
	short := Clip("first\n" + long + "\nlast")
	require.Less(t, len(short), 5000)
	require.True(t, strings.HasPrefix(short, "first\ntensor \"ö"), short)
	require.Contains(t, short, " characters …] ö")
	require.True(t, strings.HasSuffix(short, "ö\" is there twice\nlast"), short)
	require.Equal(t, "x: "+Clip(long), Errorf(Range{}, "x", "%s", long).Error())
}
