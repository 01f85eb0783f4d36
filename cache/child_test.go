package cache_test

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/llama-pajamas/pj/cache"
	"github.com/llama-pajamas/pj/cache/cachetest"
)

// Tests that need another process start this program again with a role.
const (
	roleVar = "PJ_CACHE_TEST_ROLE"
	dirVar  = "PJ_CACHE_TEST_DIR"
	argVar  = "PJ_CACHE_TEST_ARG"
)

// roles are what a child process may do. Each prints lines; the parent reads
// them, and may kill the child at any time.
var roles = map[string]func(dir, arg string) error{
	"hold-bolt":  roleHoldBolt,
	"hold-index": roleHoldIndex,
	"commits":    roleCommits,
	"same-ids":   roleSameIDs,
	"lease":      roleLease,
	"claim":      roleClaim,
	"batch":      roleBatch,
}

func TestMain(m *testing.M) {
	name := os.Getenv(roleVar)
	if name == "" {
		slog.SetDefault(slog.New(slog.DiscardHandler))
		os.Exit(m.Run())
	}
	role, ok := roles[name]
	if !ok {
		fmt.Fprintln(os.Stderr, "unknown role", name)
		os.Exit(2)
	}
	if err := role(os.Getenv(dirVar), os.Getenv(argVar)); err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

type child struct {
	cmd   *exec.Cmd
	stdin io.Closer
	lines chan string
	kill  func() // ends the child as SIGKILL does, and waits until it is gone
}

// start runs a role in a process of its own; it is killed when the test ends.
func start(t *testing.T, role, dir, arg string) *child {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleVar+"="+role, dirVar+"="+dir, argVar+"="+arg)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	c := &child{cmd: cmd, stdin: stdin, lines: make(chan string, 100000)}
	go func() {
		defer close(c.lines)
		for s := bufio.NewScanner(stdout); s.Scan(); {
			c.lines <- s.Text()
		}
	}()
	c.kill = sync.OnceFunc(func() {
		cmd.Process.Kill()
		for range c.lines {
		}
		cmd.Wait()
	})
	t.Cleanup(c.kill)
	return c
}

// line waits for the child's next line.
func (c *child) line(t *testing.T) string {
	t.Helper()
	select {
	case s, ok := <-c.lines:
		require.True(t, ok, "the child process ended early")
		return s
	case <-time.After(30 * time.Second):
		t.Fatal("the child process says nothing")
		return ""
	}
}

// hold tells the parent that the child is ready, and waits for the end.
func hold() error {
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
	return nil
}

func roleHoldBolt(dir, _ string) error {
	db, err := bbolt.Open(filepath.Join(dir, "index.db"), 0o644, nil)
	if err != nil {
		return err
	}
	defer db.Close()
	return hold()
}

func roleHoldIndex(dir, _ string) error {
	l, err := cache.Open(dir, cache.Options{})
	if err != nil {
		return err
	}
	return l.HoldIndex(background, hold)
}

func roleLease(dir, _ string) error {
	l, err := cache.Open(dir, cache.Options{})
	if err != nil {
		return err
	}
	release, err := l.Lease(background)
	if err != nil {
		return err
	}
	defer release()
	return hold()
}

func roleClaim(dir, work string) error {
	l, err := cache.Open(dir, cache.Options{})
	if err != nil {
		return err
	}
	if _, ok, err := l.Claim(background, work, false); err != nil || !ok {
		return fmt.Errorf("claim: %v %w", ok, err)
	}
	return hold()
}

func roleBatch(dir, _ string) error {
	l, err := cache.Open(dir, cache.Options{})
	if err != nil {
		return err
	}
	b, err := l.Begin(background)
	if err != nil {
		return err
	}
	for _, size := range []int{1000, 5 << 20} {
		w, err := b.Create(0)
		if err != nil {
			return err
		}
		if _, err := w.Write(cachetest.Bytes(1, size)); err != nil {
			return err
		}
		if _, _, err := w.Close(); err != nil {
			return err
		}
	}
	return hold()
}

// crashSizes are the blobs of the n-th commit of roleCommits.
func crashSizes(n int) []int {
	if n%5 == 4 {
		return []int{100, 4<<20 + 1, 9000}
	}
	return []int{10, 5000 + n, 0, 20000}
}

func crashContent(n, i int) []byte { return cachetest.Bytes(uint64(n*10+i+1), crashSizes(n)[i]) }

// roleCommits commits from a number on and prints the number of each action
// that is committed.
func roleCommits(dir, from string) error {
	l, err := cache.Open(dir, cache.Options{})
	if err != nil {
		return err
	}
	first, err := strconv.Atoi(from)
	if err != nil {
		return err
	}
	for n := first; ; n++ {
		if err := commitCrash(l, n); err != nil {
			return err
		}
		fmt.Println(n)
	}
}

func commitCrash(l *cache.Local, n int) error {
	b, err := l.Begin(background)
	if err != nil {
		return err
	}
	defer b.Discard()
	outputs := make([]cache.Output, len(crashSizes(n)))
	errs := make([]error, len(outputs))
	var group sync.WaitGroup
	for i := range outputs {
		group.Go(func() {
			w, err := b.Create(0)
			if err == nil {
				w.Write(crashContent(n, i))
				outputs[i].Name = fmt.Sprint(i)
				outputs[i].ID, outputs[i].Size, err = w.Close()
			}
			errs[i] = err
		})
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return b.Commit(background, []cache.Commit{{ID: cachetest.Action(n), Entry: cache.Entry{Outputs: outputs}}})
}

const sameIDs = 30

// roleSameIDs commits actions 0 to sameIDs, with content of its own for odd ones.
func roleSameIDs(dir, seed string) error {
	l, err := cache.Open(dir, cache.Options{})
	if err != nil {
		return err
	}
	for n := range sameIDs {
		b, err := l.Begin(background)
		if err != nil {
			return err
		}
		content := fmt.Sprint("same ", n)
		if n%2 == 1 {
			content = fmt.Sprint(seed, " ", n)
		}
		w, err := b.Create(0)
		if err != nil {
			return err
		}
		io.WriteString(w, content)
		id, size, err := w.Close()
		if err != nil {
			return err
		}
		out := cache.Output{Name: "data", ID: id, Size: size}
		if err := b.Commit(background, []cache.Commit{{ID: cachetest.Action(n), Entry: cache.Entry{Outputs: []cache.Output{out}}}}); err != nil {
			return err
		}
		b.Discard()
	}
	fmt.Println("done")
	return nil
}
