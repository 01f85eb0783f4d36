// Package sharedtest finds the large test inputs, which lie in a folder beside
// the repository and not in it.
package sharedtest

import (
	"os"
	"path/filepath"
	"testing"
)

// Path is a path in the folder of large test inputs, with slashes. Where it is
// not there the test is skipped, loudly.
func Path(t testing.TB, path string) string {
	t.Helper()
	root, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		up := filepath.Dir(root)
		if up == root {
			t.Fatal("the test runs outside the module")
		}
		root = up
	}
	if err != nil {
		t.Fatal(err)
	}
	p := filepath.Join(root, "..", "shared", filepath.FromSlash(path))
	if _, err := os.Stat(p); err != nil {
		t.Skipf("SKIPPED: ../shared not found (%s): this test needs the large test inputs", path)
	}
	return p
}
