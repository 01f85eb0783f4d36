package lock

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"github.com/llama-pajamas/pj/internal/atomicfile"
)

const header = "# Written by pj; keep it in git.\n"

// attribute is "name = value"; empty texts are not written.
type attribute struct{ name, value string }

// Bytes gives the file's one text: entries sorted by kind and address, each a
// block of one attribute a line, as pj fmt would write it.
func (f *File) Bytes() []byte {
	sorted := f.Clone()
	var b bytes.Buffer
	b.WriteString(header)
	fmt.Fprintf(&b, "version = %d\n", Version)
	for _, m := range sorted.Models {
		fmt.Fprintf(&b, "\nmodel %s {\n", quote(m.Address))
		attributes(&b, "  ", attribute{"source", quote(m.Source)}, optional("revision", m.Revision), optional("digest", m.Digest))
		for _, h := range m.Files {
			fmt.Fprintf(&b, "\n  file %s {\n", quote(h.Name))
			attributes(&b, "    ", attribute{"size", strconv.FormatInt(h.Size, 10)}, attribute{"sha256", quote(h.SHA256)})
			b.WriteString("  }\n")
		}
		b.WriteString("}\n")
	}
	for _, m := range sorted.Modules {
		fmt.Fprintf(&b, "\nmodule %s {\n", quote(m.Address))
		attributes(&b, "  ", attribute{"source", quote(m.Source)}, optional("commit", m.Commit), attribute{"digest", quote(m.Digest)})
		b.WriteString("}\n")
	}
	for _, e := range sorted.Evidence {
		fmt.Fprintf(&b, "\nevidence %s {\n", quote(e.Address))
		attributes(&b, "  ", attribute{"output", quote(e.Output)})
		b.WriteString("}\n")
	}
	return b.Bytes()
}

// attributes writes attributes with their "=" in one column.
func attributes(b *bytes.Buffer, indent string, list ...attribute) {
	width := 0
	for _, a := range list {
		if a.value != "" {
			width = max(width, len(a.name))
		}
	}
	for _, a := range list {
		if a.value != "" {
			fmt.Fprintf(b, "%s%-*s = %s\n", indent, width, a.name, a.value)
		}
	}
}

func optional(name, value string) attribute {
	if value == "" {
		return attribute{}
	}
	return attribute{name, quote(value)}
}

// quote writes a text as an HCL string.
func quote(s string) string {
	return string(hclwrite.TokensForValue(cty.StringVal(s)).Bytes())
}

// Write writes the file at path, which is there whole or as before. A file that
// already has this text is not touched.
func (f *File) Write(path string) error {
	text := f.Bytes()
	old, err := os.ReadFile(path)
	if err == nil && bytes.Equal(old, text) {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("write the lock file: %w", err)
	}
	if err := atomicfile.WriteFile(path, text); err != nil {
		return fmt.Errorf("write the lock file: %w", err)
	}
	return nil
}
