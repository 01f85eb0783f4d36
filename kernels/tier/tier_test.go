package tier

import (
	"testing"

	"github.com/stretchr/testify/require"
)

type impl struct {
	Tier
	id int
}

func TestChoice(t *testing.T) {
	impls := []impl{{Tier{"best", true}, 0}, {Tier{"absent", false}, 1}, {Tier{"good", true}, 2}}
	scalar := impl{Scalar, 3}
	all := Available(impls, &scalar)
	require.Equal(t, []*impl{&impls[0], &impls[2], &scalar}, all)
	for name, want := range map[string]int{"": 0, "best": 0, "absent": 0, "good": 2, "scalar": 3, "other": 0} {
		require.Equal(t, want, Choose(all, name).id, name)
	}
	t.Setenv("PJ_KERNELS", "good")
	require.Equal(t, 2, Pick(all).id)
	require.Equal(t, []*impl{&scalar}, Available(nil, &scalar))
}
