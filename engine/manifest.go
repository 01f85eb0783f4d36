package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/llama-pajamas/pj/cache"
)

// ManifestOutput is the name of the output in which an artifact's action says
// what the artifact is made of.
const ManifestOutput = "manifest"

// Manifest says what the files of an artifact are made of.
type Manifest struct {
	Files []ManifestFile `json:"files"`
}

// ManifestFile is one file: blobs at ascending offsets, zeros between them.
type ManifestFile struct {
	// Name is "" for the artifact's path itself, "-00001-of-00002" for a shard
	// whose name has that before its suffix, else a file's name in a folder.
	Name   string  `json:"name"`
	Size   int64   `json:"size"`
	Pieces []Piece `json:"pieces"`
}

// Piece is a blob within a file.
type Piece struct {
	ID     cache.OutputID `json:"id"`
	Offset int64          `json:"offset"`
	Size   int64          `json:"size"`
}

// Encode gives the manifest's bytes.
func (m *Manifest) Encode() ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	return json.Marshal(m)
}

// DecodeManifest reads what Encode wrote.
func DecodeManifest(b []byte) (*Manifest, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var m Manifest
	err := d.Decode(&m)
	if err == nil {
		err = atEnd(d)
	}
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	return &m, nil
}

// atEnd refuses what follows a JSON document.
func atEnd(d *json.Decoder) error {
	if _, err := d.Token(); err != io.EOF {
		return errors.New("something follows the end of the document")
	}
	return nil
}

func (m *Manifest) check() error {
	if len(m.Files) == 0 {
		return fmt.Errorf("manifest: it has no files")
	}
	names := map[string]bool{}
	inFolder := m.Files[0].inFolder()
	for _, f := range m.Files {
		if f.inFolder() != inFolder {
			return fmt.Errorf("manifest: its path would be both a file and a folder: %q, %q", m.Files[0].Name, f.Name)
		}
		if names[f.Name] || f.Name == "." || strings.ContainsAny(f.Name, "/\\:") || strings.ContainsFunc(f.Name, unicode.IsControl) || strings.Contains(f.Name, "..") {
			return fmt.Errorf("manifest: %q is no name for a file, or is there twice", f.Name)
		}
		names[f.Name] = true
		if f.Size < 0 {
			return fmt.Errorf("manifest: file %q has %d bytes", f.Name, f.Size)
		}
		at := int64(0)
		for _, p := range f.Pieces {
			if p.Offset < at || p.Size < 0 || p.Size > f.Size-p.Offset {
				return fmt.Errorf("manifest: %d bytes at %d do not fit file %q of %d bytes", p.Size, p.Offset, f.Name, f.Size)
			}
			at = p.Offset + p.Size
		}
	}
	return nil
}

// inFolder says that the artifact's path is a folder, which has this file.
func (f *ManifestFile) inFolder() bool { return f.Name != "" && f.Name[0] != '-' }

// filePath is where a file of an artifact goes.
func filePath(artifact, name string) string {
	switch {
	case name == "":
		return artifact
	case name[0] == '-': // a shard
		ext := filepath.Ext(artifact)
		return strings.TrimSuffix(artifact, ext) + name + ext
	}
	return filepath.Join(artifact, name)
}
