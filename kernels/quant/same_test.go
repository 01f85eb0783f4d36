package quant

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/digests.txt anew")

// TestDigests notices any change of an encoder's output, on any machine.
func TestDigests(t *testing.T) {
	const rows, cols = 8, 512
	x, w := randomRows(1, rows, cols), randomImportance(2, cols)
	var out strings.Builder
	for _, q := range encoders() {
		for effort, name := range effortNames {
			if testing.Short() && Effort(effort) == Best {
				continue
			}
			sum := sha256.New()
			for _, importance := range [][]float32{nil, w} {
				sum.Write(encode(t, q, x, Options{Cols: cols, Importance: importance, Effort: Effort(effort)}))
			}
			fmt.Fprintf(&out, "%s %s %x\n", q, name, sum.Sum(nil))
		}
	}
	path := filepath.Join("testdata", "digests.txt")
	if *update {
		if testing.Short() {
			t.Fatal("-update needs all efforts; leave out -short")
		}
		if err := os.WriteFile(path, []byte(out.String()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{}
	for _, line := range strings.Split(strings.TrimSpace(string(golden)), "\n") {
		want[line] = true
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	for _, line := range lines {
		if !want[line] {
			t.Errorf("not in %s: %s", path, line)
		}
	}
	if !testing.Short() && len(want) != len(lines) {
		t.Errorf("%s has %d lines, not %d; write it anew with -update", path, len(want), len(lines))
	}
}

// TestSameBits quantizes rows in one call, row by row, in ever other company
// and from several goroutines.
func TestSameBits(t *testing.T) {
	const rows, cols = 6, 512
	x, w := randomRows(3, rows, cols), randomImportance(4, cols)
	for _, q := range encoders() {
		for effort := Fast; effort <= Best; effort++ {
			if testing.Short() && effort == Best {
				continue
			}
			for _, importance := range [][]float32{nil, w} {
				opt := Options{Cols: cols, Importance: importance, Effort: effort}
				whole := encode(t, q, x, opt)
				parts := make([]byte, len(whole))
				size := int(q.RowBytes(cols))
				var all sync.WaitGroup
				for first := 0; first < rows; first += 2 {
					all.Go(func() {
						// The second row first, so that no row follows its neighbour.
						for _, row := range [2]int{first + 1, first} {
							if err := q.Quantize(parts[row*size:][:size], x[row*cols:][:cols], opt); err != nil {
								t.Error(err)
							}
						}
					})
				}
				all.Wait()
				if !bytes.Equal(whole, parts) {
					t.Errorf("%s %s, importance %t: rows alone and together differ", q, effortNames[effort], importance != nil)
				}
			}
		}
	}
}

// TestInputsStay wants an encoder to leave its arguments alone and to write
// all of its blocks and nothing else.
func TestInputsStay(t *testing.T) {
	const cols = 512
	x, w := randomRows(5, 2, cols), randomImportance(6, cols)
	x1, w1 := append([]float32(nil), x...), append([]float32(nil), w...)
	for _, q := range encoders() {
		size := int(q.RowBytes(int64(len(x))))
		var got [2][]byte
		for i, fill := range []byte{0x00, 0xff} {
			got[i] = bytes.Repeat([]byte{fill}, size+64)
			if err := q.Quantize(got[i], x, Options{Cols: cols, Importance: w, Effort: Normal}); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got[i][size:], bytes.Repeat([]byte{fill}, 64)) {
				t.Errorf("%s wrote beyond its blocks", q)
			}
		}
		if !bytes.Equal(got[0][:size], got[1][:size]) {
			t.Errorf("%s leaves what was in its blocks", q)
		}
	}
	for i := range x {
		if x[i] != x1[i] {
			t.Fatalf("weight %d changed", i)
		}
	}
	for i := range w {
		if w[i] != w1[i] {
			t.Fatalf("importance %d changed", i)
		}
	}
}
