package quant

import (
	"os"
	"os/exec"
	"regexp"
	"testing"
)

// TestNoFusedMultiplyAdd reads the compiled package: where x*y+z became one
// instruction, which rounds once, results would differ between machines. The
// cure is to write float32(x*y) + z.
func TestNoFusedMultiplyAdd(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles for other machines")
	}
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("needs the go command")
	}
	for _, m := range []struct{ arch, level, multiply, fused string }{
		{"arm64", "", `\tFMUL[SD]\t`, `\tFN?M(ADD|SUB)[SD]\t.*`},
		{"amd64", "v3", `\tMULS[SD]\t`, `\tVFN?M(ADD|SUB)\w+\t.*`},
	} {
		cmd := exec.Command(goTool, "build", "-gcflags=-S", ".")
		cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+m.arch, "GOAMD64="+m.level, "CGO_ENABLED=0")
		if m.level == "" {
			cmd.Env = append(cmd.Env, "GOAMD64=v1")
		}
		listing, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", m.arch, err, listing)
		}
		if n := len(regexp.MustCompile(m.multiply).FindAll(listing, -1)); n < 50 {
			t.Fatalf("%s: %d multiplications; is this the listing?", m.arch, n)
		}
		line := regexp.MustCompile(`\(\S+\)` + m.fused)
		for _, l := range line.FindAll(listing, -1) {
			t.Errorf("%s: fused: %s", m.arch, l)
		}
	}
}
