package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRun(t *testing.T) {
	for name, c := range map[string]struct {
		in, out string
		ok      bool
	}{
		"passes and skips": {
			`{"Action":"start","Package":"p/a"}
{"Action":"output","Package":"p/a","Test":"TestOne","Output":"=== RUN   TestOne\n"}
{"Action":"pass","Package":"p/a","Test":"TestOne"}
{"Action":"output","Package":"p/a","Test":"TestTwo","Output":"=== RUN   TestTwo\n"}
{"Action":"output","Package":"p/a","Test":"TestTwo","Output":"    a_test.go:7: no compiler\n"}
{"Action":"output","Package":"p/a","Test":"TestTwo","Output":"--- SKIP: TestTwo (0.00s)\n"}
{"Action":"skip","Package":"p/a","Test":"TestTwo"}
{"Action":"pass","Package":"p/a","Elapsed":1.25}
{"Action":"skip","Package":"p/none"}
`,
			`ok    p/a                                                        1 tests     1.2s

SKIPPED, so that nothing is known of it here:
  p/a TestTwo: a_test.go:7: no compiler

1 tests passed, 0 failed, 1 skipped
`, true,
		},
		"fails": {
			`{"Action":"output","Package":"p/a","Test":"TestOne","Output":"    a_test.go:3: wrong\n"}
{"Action":"fail","Package":"p/a","Test":"TestOne"}
{"Action":"output","Package":"p/a","Output":"FAIL\n"}
{"Action":"fail","Package":"p/a","Elapsed":1}
`,
			`--- FAIL: p/a TestOne
    a_test.go:3: wrong
FAIL
FAIL  p/a

0 tests passed, 1 failed, 0 skipped
`, false,
		},
		"does not compile": {
			`go: a word of go itself
{"ImportPath":"p/a","Action":"build-output","Output":"a.go:1: bad\n"}
{"Action":"fail","Package":"p/a","Elapsed":0}
`,
			`go: a word of go itself
a.go:1: bad
FAIL  p/a

0 tests passed, 0 failed, 0 skipped
`, false,
		},
		"nothing": {"", "\n0 tests passed, 0 failed, 0 skipped\nno test ran\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			ok, err := run(strings.NewReader(c.in), &out)
			require.NoError(t, err)
			require.Equal(t, c.out, out.String())
			require.Equal(t, c.ok, ok)
		})
	}
}
