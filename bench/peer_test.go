//go:build bench

package bench

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// order is a question to a process that times kernels.
type order struct {
	Op         string `json:"op"` // quantize, or dequantize what was quantized last
	Name       string `json:"name"`
	Type       int    `json:"type"`
	Effort     int    `json:"effort"`
	Rows       int    `json:"rows"`
	Importance bool   `json:"importance"`
	Calls      int    `json:"calls"`
	Out        string `json:"out"` // a file for the blocks
}

type answer struct {
	Seconds float64 `json:"seconds"`
}

// peer times kernels: in this process, or in another that is asked.
type peer interface {
	ask(t *testing.T, o order) float64
}

// process is a peer that is asked by lines of JSON.
type process struct {
	to   io.WriteCloser
	from *bufio.Reader
}

func start(t *testing.T, env []string, name string, args ...string) *process {
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stderr = os.Stderr
	to, err := cmd.StdinPipe()
	require.NoError(t, err)
	from, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		to.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	})
	return &process{to, bufio.NewReader(from)}
}

func (p *process) ask(t *testing.T, o order) float64 {
	line, err := json.Marshal(o)
	require.NoError(t, err)
	_, err = fmt.Fprintf(p.to, "%s\n", line)
	require.NoError(t, err)
	reply, err := p.from.ReadBytes('\n')
	require.NoError(t, err, "no answer to %s", line)
	var a answer
	require.NoError(t, json.Unmarshal(reply, &a))
	return a.Seconds
}
