package interop

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
)

// ErrAbsent says that this machine cannot run a stock llama.cpp.
var ErrAbsent = errors.New("no stock llama.cpp on this machine")

// The npm package of prebuilt libraries; driver.py knows the layout of this
// version's structs (llama.cpp 0.5.0).
const (
	npmPackage = "@node-llama-cpp/linux-x64"
	npmVersion = "3.22.1"
	npmSHA256  = "0d953e1503d5ab4608d8ed5b739132308c81ac05ffeb760d2a7f30e08a9f90e0"

	// FolderVariable names the environment variable with the package's folder.
	FolderVariable = "PJ_LLAMACPP_DIR"
)

// Find gives the folder of the libraries: below $PJ_LLAMACPP_DIR, or where an
// earlier call put them, in the user's cache folder; else it fetches them with
// npm. The error wraps ErrAbsent where they cannot be had.
func Find(ctx context.Context) (string, error) {
	if dir := os.Getenv(FolderVariable); dir != "" {
		found, err := libraries(dir)
		if err == nil && found == "" {
			err = fs.ErrNotExist
		}
		if err != nil {
			return "", fmt.Errorf("interop: no libllama.so below %s, the folder that %s names: %w", dir, FolderVariable, err)
		}
		return found, nil
	}
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return "", fmt.Errorf("interop: %w: %s is for Linux on x86-64", ErrAbsent, npmPackage)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("interop: %w: %w", ErrAbsent, err)
	}
	dir := filepath.Join(cache, "pj-interop", "node-llama-cpp-linux-x64-"+npmVersion)
	if found, err := libraries(dir); err == nil && found != "" {
		return found, nil
	}
	if err := install(ctx, dir); err != nil {
		return "", err
	}
	return libraries(dir)
}

// libraries gives the folder of libllama below dir, "" where there is none.
func libraries(dir string) (string, error) {
	var found string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if ok, _ := path.Match("libllama.*so*", d.Name()); ok && !d.IsDir() {
			found = filepath.Dir(p)
			return filepath.SkipAll
		}
		return nil
	})
	return found, err
}

// install fetches the package and unpacks it as dir.
func install(ctx context.Context, dir string) error {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return fmt.Errorf("interop: %w: set %s, or install npm", ErrAbsent, FolderVariable)
	}
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return fmt.Errorf("interop: %w", err)
	}
	scratch, err := os.MkdirTemp(parent, "new-")
	if err != nil {
		return fmt.Errorf("interop: %w", err)
	}
	defer os.RemoveAll(scratch)
	cmd := exec.CommandContext(ctx, npm, "pack", "--silent", "--ignore-scripts", "--pack-destination", scratch, npmPackage+"@"+npmVersion)
	cmd.Dir = scratch
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("interop: %w: npm cannot fetch %s: %w: %s", ErrAbsent, npmPackage, err, bytes.TrimSpace(out))
	}
	archives, err := filepath.Glob(filepath.Join(scratch, "*.tgz"))
	if err != nil || len(archives) != 1 {
		return fmt.Errorf("interop: npm pack wrote %d archives: %s", len(archives), bytes.TrimSpace(out))
	}
	archive, err := os.ReadFile(archives[0])
	if err != nil {
		return fmt.Errorf("interop: %w", err)
	}
	if sum := sha256.Sum256(archive); hex.EncodeToString(sum[:]) != npmSHA256 {
		return fmt.Errorf("interop: %s@%s has SHA-256 %x, want %s", npmPackage, npmVersion, sum, npmSHA256)
	}
	if err := unpack(archive, filepath.Join(scratch, "files")); err != nil {
		return fmt.Errorf("interop: unpack %s: %w", npmPackage, err)
	}
	// Another process may have been faster; its folder is as good.
	if err := os.Rename(filepath.Join(scratch, "files"), dir); err != nil && !errors.Is(err, fs.ErrExist) {
		if found, _ := libraries(dir); found == "" {
			return fmt.Errorf("interop: %w", err)
		}
	}
	return nil
}

// unpack writes the libraries of a gzipped tar archive, and its licence.
func unpack(archive []byte, dir string) error {
	z, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		name := path.Base(h.Name)
		if h.Typeflag != tar.TypeReg || name != "LICENSE" && !(strings.HasPrefix(name, "lib") && strings.Contains(name, ".so")) {
			continue
		}
		if err := writeFrom(filepath.Join(dir, name), r); err != nil {
			return err
		}
	}
}

func writeFrom(path string, r io.Reader) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}
