package source

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// object is an entry of a commit's tree.
type object struct {
	link bool
	id   string
	size int64
	path string // slash path
}

// maxLink is how long a symbolic link's target may be.
const maxLink = 4096

// export writes a commit's files below dir, which is new. The bytes are git's
// objects: no attribute, filter, line-end setting or hook has a say, which
// git archive and git worktree would let them.
func (r *repository) export(ctx context.Context, commit, dir string) error {
	objects, err := r.list(ctx, commit)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	var ids bytes.Buffer
	for _, o := range objects {
		ids.WriteString(o.id)
		ids.WriteByte('\n')
	}
	return r.git.run(ctx, &ids, func(out io.Reader) error {
		in := bufio.NewReaderSize(out, 64<<10)
		for _, o := range objects {
			if err := writeObject(root, o, in); err != nil {
				return fmt.Errorf("%s: %w", o.path, err)
			}
		}
		return nil
	}, "cat-file", "--batch")
}

// list reads the names and sizes of a commit's files. Submodules are left out.
func (r *repository) list(ctx context.Context, commit string) ([]object, error) {
	var out []object
	total := int64(0)
	err := r.git.run(ctx, nil, func(stdout io.Reader) error {
		in := bufio.NewReaderSize(stdout, 64<<10)
		for {
			row, err := in.ReadSlice(0)
			if errors.Is(err, io.EOF) && len(row) == 0 {
				return nil
			}
			if err != nil {
				return fmt.Errorf("git's list of files cannot be read: %w", err)
			}
			o, submodule, err := parseObject(string(row[:len(row)-1]))
			if err != nil {
				return err
			}
			if submodule {
				r.log.Warn("submodules of modules are not fetched", "remote", r.remote, "path", o.path)
				continue
			}
			if out = append(out, o); len(out) > maxFiles {
				return fmt.Errorf("the repository has more than %d files", maxFiles)
			}
			if o.size > maxBytes {
				total = maxBytes
			}
			if total += o.size; total > maxBytes {
				return fmt.Errorf("the repository's files have more than %d MiB; keep recipes in a repository of their own", maxBytes>>20)
			}
		}
	}, "ls-tree", "-r", "-z", "-l", "--full-tree", commit)
	return out, err
}

// parseObject reads a row of ls-tree: mode, type, id, size, tab, path.
func parseObject(row string) (o object, submodule bool, err error) {
	head, name, ok := strings.Cut(row, "\t")
	fields := strings.Fields(head)
	if !ok || len(fields) != 4 {
		return o, false, fmt.Errorf("git lists %q", row)
	}
	if err := checkPath(name); err != nil {
		return o, false, err
	}
	o.path, o.id = name, fields[2]
	switch mode := fields[0]; {
	case mode == "160000":
		return o, true, nil
	case mode == "120000":
		o.link = true
	case !strings.HasPrefix(mode, "100") || fields[1] != "blob":
		return o, false, fmt.Errorf("%s: its mode %s is unknown", name, mode)
	}
	if o.size, err = strconv.ParseInt(fields[3], 10, 64); err != nil || o.size < 0 || !isCommit(o.id) {
		return o, false, fmt.Errorf("git lists %q", row)
	}
	return o, false, nil
}

// checkPath refuses paths that could leave the folder, or that mean something
// else on this system.
func checkPath(name string) error {
	if path.Clean(name) != name || !filepath.IsLocal(filepath.FromSlash(name)) || hasGitPart(name) || len(name) > maxLink ||
		filepath.Separator != '/' && strings.ContainsAny(name, `\:`) {
		return fmt.Errorf("the repository has a file with the path %q, which is not safe to write", name)
	}
	return nil
}

// writeObject reads an object from git's batch output and writes its file.
func writeObject(root *os.Root, o object, in *bufio.Reader) error {
	head, err := in.ReadString('\n')
	if err != nil {
		return unexpected(err)
	}
	if want := fmt.Sprintf("%s blob %d\n", o.id, o.size); head != want {
		return fmt.Errorf("git gives %q instead of %q", strings.TrimSpace(head), strings.TrimSpace(want))
	}
	native := filepath.FromSlash(o.path)
	if dir := filepath.Dir(native); dir != "." {
		if err := root.MkdirAll(dir, 0o755); err != nil {
			return cause(err)
		}
	}
	if o.link {
		err = writeLink(root, native, o, in)
	} else {
		err = writeFile(root, native, o.size, in)
	}
	if errors.Is(err, fs.ErrExist) {
		err = errors.New("another file of the repository has the same name on this system")
	}
	if err != nil {
		return err
	}
	switch end, err := in.ReadByte(); {
	case err != nil:
		return unexpected(err)
	case end != '\n':
		return errors.New("git gives more than the size of the file")
	}
	return nil
}

func writeFile(root *os.Root, name string, size int64, in io.Reader) error {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o444)
	if err != nil {
		return cause(err)
	}
	_, err = io.CopyN(f, in, size)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	return unexpected(err)
}

// writeLink writes a symbolic link that stays in the tree: as many ".." as there
// are folders around it at most, and none after a name, since that name may be
// a link itself.
func writeLink(root *os.Root, name string, o object, in io.Reader) error {
	if o.size > maxLink {
		return errors.New("the symbolic link is too long")
	}
	raw := make([]byte, o.size)
	if _, err := io.ReadFull(in, raw); err != nil {
		return unexpected(err)
	}
	target := string(raw)
	parts := strings.Split(target, "/")
	up := 0
	for up < len(parts) && parts[up] == ".." {
		up++
	}
	bad := target == "" || path.IsAbs(target) || up > strings.Count(o.path, "/") || strings.ContainsAny(target, "\x00\\:") || hasGitPart(target)
	for _, p := range parts[up:] {
		bad = bad || p == ".."
	}
	if bad {
		return fmt.Errorf("the symbolic link to %q may lead out of the repository", target)
	}
	if err := root.Symlink(filepath.FromSlash(target), name); err != nil {
		return cause(err)
	}
	return nil
}

// unexpected turns the end of git's output into an error of its own; why it
// ended git says itself.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
