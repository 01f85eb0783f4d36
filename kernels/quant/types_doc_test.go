package quant

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTypesPage wants docs/types.md to have every type: a row of the table, and
// a section whose picture adds up to the block.
func TestTypesPage(t *testing.T) {
	raw, err := os.ReadFile("../../docs/types.md")
	require.NoError(t, err)
	page := string(raw)
	rows := 0
	_, table, _ := strings.Cut(page, "## All types")
	for _, line := range strings.Split(table, "\n") {
		if strings.HasPrefix(line, "| `") {
			rows++
		}
	}
	require.Equal(t, len(All()), rows)
	sections := map[string]string{}
	for _, s := range strings.Split(page, "\n### ")[1:] {
		name, body, _ := strings.Cut(s, "\n")
		sections[name] = body
	}
	for _, q := range All() {
		loses := ""
		if q.Error != 0 {
			loses = strconv.FormatFloat(q.Error*100, 'g', 4, 64) + " %"
		}
		row := fmt.Sprintf("| `%s` | %v | %d | %d | %s | ", q, q.BitsPerWeight(), q.Block, q.Bytes, loses)
		require.True(t, strings.Contains(page, row), row)

		weights, unit := fmt.Sprintf("%d weights", q.Block), "bytes"
		if q.Block == 1 {
			weights = "A weight"
		}
		if q.Bytes == 1 {
			unit = "byte"
		}
		name, size, bytes := q.Name, fmt.Sprintf("%s in %d %s, %v bits per weight.", weights, q.Bytes, unit, q.BitsPerWeight()), q.Bytes
		if q.MLX != nil && q.MLX.Mode == "affine" {
			name, size, bytes = "mlx_affineB_gG", "G·B/8 + 4 bytes, B + 32/G bits per weight", 4
		}
		section := sections[name]
		require.Contains(t, section, size, name)
		if q.Quantize != nil {
			require.Contains(t, section, "**When:**", name)
		}
		require.Equal(t, bytes, pictureBytes(section), name)
		delete(sections, name)
		if name != q.Name {
			sections[name] = section // many types share it
		}
	}
	delete(sections, "mlx_affineB_gG")
	require.Empty(t, sections)
}

// pictureBytes adds up the sizes in a picture's last row.
func pictureBytes(section string) (sum int) {
	for _, size := range regexp.MustCompile(`│ (\d+) B `).FindAllStringSubmatch(strings.ReplaceAll(section, "│", "││"), -1) {
		n, _ := strconv.Atoi(size[1])
		sum += n
	}
	return sum
}
