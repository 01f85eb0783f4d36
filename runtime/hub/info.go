package hub

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// File is a file of a repository.
type File struct {
	Name string // with slashes
	Size int64  // -1 if the hub does not say
	// SHA256 is the content's, of a file in large file storage; of others the
	// hub knows only git's hash.
	SHA256   string
	BlobSHA1 string // SHA-1 of "blob SIZE\x00" and the content, as git has it; "" where SHA256 is known
}

// id is the name of the file's content in the cache, "" if unknown.
func (f *File) id() string {
	if f.SHA256 != "" {
		return f.SHA256
	}
	return f.BlobSHA1
}

// info is the hub's description of a revision.
type info struct {
	SHA      string    `json:"sha"`
	Siblings []sibling `json:"siblings"`
}

type sibling struct {
	Name   string `json:"rfilename"`
	Size   *int64 `json:"size"`
	BlobID string `json:"blobId"`
	LFS    *struct {
		SHA256 string `json:"sha256"`
		Size   *int64 `json:"size"`
	} `json:"lfs"`
}

// parseInfo reads the hub's description of a revision: its commit and its files,
// by name. Everything that becomes a path is checked.
func parseInfo(data []byte) (commit string, files []File, err error) {
	var in info
	if err := json.Unmarshal(data, &in); err != nil {
		return "", nil, fmt.Errorf("the hub's description cannot be read (%w): check HF_ENDPOINT", err)
	}
	if !commitHash.MatchString(in.SHA) {
		return "", nil, fmt.Errorf("the hub's description names the commit %q, which is none: check HF_ENDPOINT", in.SHA)
	}
	for _, s := range in.Siblings {
		f, err := s.file()
		if err != nil {
			return "", nil, err
		}
		files = append(files, f)
	}
	slices.SortFunc(files, func(a, b File) int { return strings.Compare(a.Name, b.Name) })
	for i := 1; i < len(files); i++ {
		if files[i].Name == files[i-1].Name {
			return "", nil, fmt.Errorf("the hub lists the file %q twice: check HF_ENDPOINT", files[i].Name)
		}
	}
	return in.SHA, files, nil
}

func (s *sibling) file() (File, error) {
	if err := checkName(s.Name); err != nil {
		return File{}, err
	}
	f := File{Name: s.Name, Size: -1}
	size := s.Size
	if s.LFS != nil {
		if !sha256Hex.MatchString(s.LFS.SHA256) {
			return File{}, fmt.Errorf("the hub lists %q with the SHA-256 %q, which is none: check HF_ENDPOINT", s.Name, s.LFS.SHA256)
		}
		f.SHA256 = s.LFS.SHA256
		if s.LFS.Size != nil {
			size = s.LFS.Size
		}
	} else if s.BlobID != "" {
		if !sha1Hex.MatchString(s.BlobID) {
			return File{}, fmt.Errorf("the hub lists %q with the git hash %q, which is none: check HF_ENDPOINT", s.Name, s.BlobID)
		}
		f.BlobSHA1 = s.BlobID
	}
	if size != nil {
		if *size < 0 {
			return File{}, fmt.Errorf("the hub lists %q with %d bytes: check HF_ENDPOINT", s.Name, *size)
		}
		f.Size = *size
	}
	return f, nil
}

// checkName accepts what is a path inside a folder, on every system.
func checkName(name string) error {
	why := ""
	switch {
	case name == "":
		return errors.New("the repository lists a file without a name: it is not safe to read")
	case strings.ContainsRune(name, '\\'):
		why = "holds a backslash"
	case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		why = "holds a control character"
	case strings.HasPrefix(name, "/"):
		why = "is an absolute path"
	case slices.Contains(strings.Split(name, "/"), ".."):
		why = "leaves the folder"
	case path.Clean(name) != name || name == ".":
		why = "is no plain path"
	case !filepath.IsLocal(filepath.FromSlash(name)), runtime.GOOS == "windows" && strings.Contains(name, ":"):
		why = "cannot be a file on this system"
	default:
		return nil
	}
	return fmt.Errorf("the repository lists the file %q, which %s: it is not safe to read", name, why)
}
