package lock

import (
	"fmt"
	"strings"
	"unicode"
)

// shortHex is how much of a commit or hash a line shows.
const shortHex = 12

// Diff says what changed from one lock file to another, a line each, by kind
// and address: "model.qwen3: revision 0123456789ab -> ba9876543210". It is
// empty where both pin the same. nil counts as an empty file.
func Diff(before, after *File) []string {
	before, after = before.Clone(), after.Clone()
	var out []string
	both(before.Models, after.Models, Model.key, func(key string, a, b *Model) {
		switch {
		case a == nil:
			out = append(out, fmt.Sprintf("%s: pinned: %s%s", key, b.Source, at(b.Revision)))
		case b == nil:
			out = append(out, key+": dropped")
		default:
			out = append(out, changed(key, "source", a.Source, b.Source)...)
			out = append(out, changed(key, "revision", a.Revision, b.Revision)...)
			out = append(out, changed(key, "digest", a.Digest, b.Digest)...)
			out = append(out, changedFiles(key, a.Files, b.Files)...)
		}
	})
	both(before.Modules, after.Modules, Module.key, func(key string, a, b *Module) {
		switch {
		case a == nil:
			out = append(out, fmt.Sprintf("%s: pinned: %s%s", key, b.Source, at(b.Commit)))
		case b == nil:
			out = append(out, key+": dropped")
		default:
			out = append(out, changed(key, "source", a.Source, b.Source)...)
			out = append(out, changed(key, "commit", a.Commit, b.Commit)...)
			out = append(out, changed(key, "digest", a.Digest, b.Digest)...)
		}
	})
	both(before.Evidence, after.Evidence, Evidence.key, func(key string, a, b *Evidence) {
		switch {
		case a == nil:
			out = append(out, fmt.Sprintf("%s: evidence pinned: %s", key, short(b.Output)))
		case b == nil:
			out = append(out, key+": evidence dropped")
		default:
			out = append(out, changed(key, "evidence", a.Output, b.Output)...)
		}
	})
	for i, line := range out {
		out[i] = strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return unicode.ReplacementChar // it could steer a terminal
			}
			return r
		}, line)
	}
	return out
}

// changedFiles says which files changed; their sizes only where the hash is
// the same, which no honest hub does.
func changedFiles(key string, before, after []FileHash) []string {
	var out []string
	both(before, after, FileHash.key, func(name string, a, b *FileHash) {
		what := "file " + name
		switch {
		case a == nil:
			out = append(out, fmt.Sprintf("%s: %s added", key, what))
		case b == nil:
			out = append(out, fmt.Sprintf("%s: %s removed", key, what))
		case a.SHA256 != b.SHA256:
			out = append(out, changed(key, what, a.SHA256, b.SHA256)...)
		case a.Size != b.Size:
			out = append(out, fmt.Sprintf("%s: %s: %d -> %d bytes", key, what, a.Size, b.Size))
		}
	})
	return out
}

// both walks two sorted lists together; where one lacks a key its entry is nil.
func both[T any](a, b []T, key func(T) string, visit func(key string, a, b *T)) {
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && key(a[0]) < key(b[0]):
			visit(key(a[0]), &a[0], nil)
			a = a[1:]
		case len(a) == 0 || key(b[0]) < key(a[0]):
			visit(key(b[0]), nil, &b[0])
			b = b[1:]
		default:
			visit(key(a[0]), &a[0], &b[0])
			a, b = a[1:], b[1:]
		}
	}
}

func changed(key, what, before, after string) []string {
	if before == after {
		return nil
	}
	a, b := short(before), short(after)
	if a == b {
		a, b = before, after
	}
	return []string{fmt.Sprintf("%s: %s %s -> %s", key, what, a, b)}
}

func at(commit string) string {
	if commit == "" {
		return ""
	}
	return " at " + short(commit)
}

// short cuts hashes; other texts stay whole.
func short(s string) string {
	if s == "" {
		return "none"
	}
	prefix, hex, found := strings.Cut(s, ":")
	if !found {
		prefix, hex = "", s
	}
	if len(hex) < 40 || !isHex(hex, len(hex)) {
		return s
	}
	if found {
		prefix += ":"
	}
	return prefix + hex[:shortHex]
}
