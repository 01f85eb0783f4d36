// Package interop lets an unmodified llama.cpp judge the files that pj makes:
// whether it loads them, and what it computes from them. The engine comes as
// prebuilt libraries, which a small Python program drives (driver.py). The tests
// have the build tag interop, since they need both.
package interop

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:embed driver.py
var driver string

// RefusedError says that llama.cpp would not load a file.
type RefusedError struct {
	Path   string
	Reason string // from its log
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("llama.cpp refuses %s: %s", e.Path, e.Reason)
}

// Client is a running llama.cpp. Its methods may not be called concurrently.
type Client struct {
	// Llama and GGML are the versions of the libraries.
	Llama, GGML string
	// Model is what Load found.
	Model Model

	process *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
	stderr  *tail
	scratch string
	ended   bool // the process, and it has been waited for
}

// Model is a loaded model.
type Model struct {
	Vocab    int      `json:"vocab"`
	Layers   int      `json:"layers"`
	Warnings []string `json:"warnings"` // of llama.cpp's log
}

// Start runs the driver on the folder of the libraries, see Find. Cancelling ctx
// ends it.
func Start(ctx context.Context, libraries string) (*Client, error) {
	python, err := exec.LookPath("python3")
	if err != nil {
		return nil, fmt.Errorf("interop: %w: no python3 in PATH", ErrAbsent)
	}
	return startDriver(exec.CommandContext(ctx, python, "-c", driver, libraries))
}

// startDriver starts a program that answers as driver.py does.
func startDriver(cmd *exec.Cmd) (*Client, error) {
	scratch, err := os.MkdirTemp("", "pj-interop-")
	if err != nil {
		return nil, fmt.Errorf("interop: %w", err)
	}
	c := &Client{process: cmd, stderr: &tail{}, scratch: scratch}
	c.process.Stderr = c.stderr
	if err := c.start(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *Client) start() error {
	var err error
	if c.in, err = c.process.StdinPipe(); err != nil {
		return fmt.Errorf("interop: %w", err)
	}
	out, err := c.process.StdoutPipe()
	if err != nil {
		return fmt.Errorf("interop: %w", err)
	}
	c.out = bufio.NewReader(out)
	if err := c.process.Start(); err != nil {
		return fmt.Errorf("interop: start the driver: %w", err)
	}
	versions := struct{ Llama, GGML *string }{&c.Llama, &c.GGML}
	return c.answer(&versions)
}

// Close ends the program.
func (c *Client) Close() error {
	if c.in != nil {
		c.in.Close()
	}
	var err error
	if c.process.Process != nil && !c.ended {
		c.ended = true
		err = c.process.Wait()
	}
	return errors.Join(err, os.RemoveAll(c.scratch))
}

// ask sends one request and decodes its answer into result.
func (c *Client) ask(request map[string]any, result any) error {
	b, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("interop: %w", err)
	}
	if _, err := c.in.Write(append(b, '\n')); err != nil {
		return c.died(err)
	}
	return c.answer(result)
}

func (c *Client) answer(result any) error {
	line, err := c.out.ReadBytes('\n')
	if err != nil {
		return c.died(err)
	}
	var failure struct{ Error string }
	if err := json.Unmarshal(line, &failure); err != nil {
		return fmt.Errorf("interop: answer %.80q: %w", line, err)
	}
	if failure.Error != "" {
		return fmt.Errorf("interop: %s", failure.Error)
	}
	return json.Unmarshal(line, result)
}

// died explains why the pipes broke.
func (c *Client) died(err error) error {
	if c.ended {
		return fmt.Errorf("interop: the driver has ended: %w", err)
	}
	c.in.Close()
	c.ended = true
	state := c.process.Wait()
	return fmt.Errorf("interop: the driver ended (%w, %v): %s", err, state, strings.TrimSpace(c.stderr.String()))
}

// Load opens a GGUF file with room for a number of tokens, in place of the model
// before. The error is a *RefusedError where llama.cpp does not want the file.
func (c *Client) Load(path string, tokens int) error {
	var answer struct {
		Model
		Refused string
	}
	if err := c.ask(map[string]any{"op": "load", "path": path, "context": tokens, "threads": 1}, &answer); err != nil {
		return fmt.Errorf("%w (%s)", err, path)
	}
	if answer.Refused != "" {
		return &RefusedError{Path: path, Reason: answer.Refused}
	}
	c.Model = answer.Model
	return nil
}

// Logits runs the tokens and gives the logits of the last positions, all where
// last is 0. The KV cache is F32, and attention is the plain one.
func (c *Client) Logits(ids []int32, last int) ([][]float32, error) {
	file := filepath.Join(c.scratch, "logits.f32")
	var answer struct{ Rows, Vocab int }
	if err := c.ask(map[string]any{"op": "logits", "ids": ids, "last": last, "out": file}, &answer); err != nil {
		return nil, err
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("interop: %w", err)
	}
	if answer.Vocab < 1 || len(b) != 4*answer.Rows*answer.Vocab {
		return nil, fmt.Errorf("interop: %d bytes of logits, want %d rows of %d", len(b), answer.Rows, answer.Vocab)
	}
	rows := make([][]float32, answer.Rows)
	for i := range rows {
		rows[i], b = floats(b[:4*answer.Vocab]), b[4*answer.Vocab:]
	}
	return rows, nil
}

// floats decodes little-endian float32.
func floats(b []byte) []float32 {
	v := make([]float32, len(b)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return v
}

// Tokenize gives the ids of a text, special tokens in it recognised, none added.
func (c *Client) Tokenize(text string) ([]int32, error) {
	var answer struct{ IDs []int32 }
	err := c.ask(map[string]any{"op": "tokenize", "text": text, "special": true}, &answer)
	return answer.IDs, err
}

// Detokenize gives the text of ids; special tokens appear as they are written.
func (c *Client) Detokenize(ids []int32) (string, error) {
	var answer struct{ Base64 string }
	if err := c.ask(map[string]any{"op": "detokenize", "ids": ids}, &answer); err != nil {
		return "", err
	}
	b, err := base64.StdEncoding.DecodeString(answer.Base64)
	return string(b), err
}

// Greedy continues the ids with the likeliest tokens, at most count of them, to
// the end token inclusive.
func (c *Client) Greedy(ids []int32, count int) ([]int32, error) {
	var answer struct{ IDs []int32 }
	err := c.ask(map[string]any{"op": "greedy", "ids": ids, "count": count}, &answer)
	return answer.IDs, err
}

// tail keeps the end of what is written to it.
type tail struct{ bytes.Buffer }

func (t *tail) Write(b []byte) (int, error) {
	n, err := t.Buffer.Write(b)
	if extra := t.Len() - 4096; extra > 0 {
		t.Next(extra)
	}
	return n, err
}
