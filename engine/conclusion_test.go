package engine

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCheckText(t *testing.T) {
	limit := 0.0625
	require.Equal(t, "3293280", Check{Value: 3293280}.ValueText())
	require.Equal(t, "0.0442943", Check{Value: 0.04429431}.ValueText())
	require.Equal(t, "NaN", Check{Value: math.NaN()}.ValueText())
	require.Empty(t, Check{Bound: "<="}.LimitText())
	require.Equal(t, "<= 0.0625", Check{Bound: "<=", Limit: &limit}.LimitText())
}
