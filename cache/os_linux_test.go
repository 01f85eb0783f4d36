package cache

import (
	"testing"

	"github.com/stretchr/testify/require"
)

const procLocks = `1: FLOCK  ADVISORY  WRITE 4711 fd:00:1234 0 EOF
1: -> FLOCK  ADVISORY  WRITE 4712 fd:00:1234 0 EOF
2: POSIX  ADVISORY  READ 5 fd:00:1234 0 EOF
3: FLOCK  ADVISORY  READ 6 fd:00:99 0 EOF
`

func TestParseLocks(t *testing.T) {
	require.Equal(t, []int{4711}, parseLocks(procLocks, 1234))
	require.Equal(t, []int{6}, parseLocks(procLocks, 99))
	require.Empty(t, parseLocks(procLocks, 34))
}

func FuzzParseLocks(f *testing.F) {
	f.Add(procLocks)
	f.Add(":\n: FLOCK x x - :1234")
	f.Fuzz(func(t *testing.T, table string) {
		for _, pid := range parseLocks(table, 1234) {
			require.Positive(t, pid)
		}
	})
}
