package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// maxSkip is how much of a file is read and dropped to get at a range, on a
// server that does not send ranges.
const maxSkip = 16 << 20

// ReadAt reads from the local copy of a file, or where there is none its range
// from the hub, as io.ReaderAt does. Requests are for 1 MiB at least, and what
// they bring is kept in memory, so that a header takes one or two. Bytes of
// files that are not local are not checked against a hash.
func (s *Snapshot) ReadAt(ctx context.Context, name string, p []byte, off int64) (int, error) {
	f, err := s.file(name)
	if err != nil {
		return 0, err
	}
	t := s.target(name)
	if err := ctx.Err(); err != nil {
		return 0, t.wrap(err)
	}
	if off < 0 {
		return 0, t.fail(nil, "negative offset %d", off)
	}
	if r := s.open(f); r != nil {
		defer r.Close()
		n, err := r.ReadAt(p, off)
		if err != nil && !errors.Is(err, io.EOF) {
			err = t.wrap(err)
		}
		return n, err
	}
	switch {
	case s.Local:
		return 0, t.fail(ErrOffline, "the file is gone from %s: fetch it again with the network", s.dir())
	case f.Size < 0:
		return 0, s.noSize(name)
	case off >= f.Size && len(p) > 0:
		return 0, io.EOF
	}
	want := p[:min(int64(len(p)), max(0, f.Size-off))]
	n, err := s.readRemote(ctx, f, want, off)
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

// readRemote fills p, which lies inside the file, from what is kept and from the
// hub.
func (s *Snapshot) readRemote(ctx context.Context, f *File, p []byte, off int64) (int, error) {
	r := s.ranges.file(f.Name)
	n := s.ranges.copy(r, p, off)
	for n < len(p) {
		got, err := s.readMore(ctx, f, r, p[n:], off+int64(n))
		n += got
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// readMore gets the next piece that is not kept, and copies what it and those
// behind it have of p.
func (s *Snapshot) readMore(ctx context.Context, f *File, r *fileRanges, p []byte, off int64) (int, error) {
	select {
	case <-ctx.Done():
		return 0, s.target(f.Name).wrap(ctx.Err())
	case <-r.turn:
	}
	defer func() { r.turn <- struct{}{} }()
	// The request before may have brought it.
	if n := s.ranges.copy(r, p, off); n > 0 {
		return n, nil
	}
	until := s.ranges.plan(r, off, off+int64(len(p)), f.Size)
	if inside := min(int64(len(p)), until-off); inside >= direct {
		return s.readRange(ctx, f, p[:inside], off)
	}
	data := make([]byte, until-off)
	n, err := s.readRange(ctx, f, data, off)
	if n > 0 {
		s.ranges.keep(r, off, data[:n:n])
	}
	return copy(p, data[:n]), err
}

// readRange reads a range from the hub, in as many requests as it takes.
func (s *Snapshot) readRange(ctx context.Context, f *File, dst []byte, off int64) (int, error) {
	retry := s.c.patient()
	n := 0
	for n < len(dst) {
		before := n
		err := s.stream(ctx, f, off+int64(n), off+int64(len(dst)), maxSkip, func(b []byte) error {
			n += copy(dst[n:], b)
			return nil
		})
		if err == nil {
			continue
		}
		if err := retry.next(ctx, s.target(f.Name), err, int64(n-before)); err != nil {
			return n, err
		}
	}
	return n, nil
}

// streamBuffer is how much of a body is read at a time.
const streamBuffer = 256 << 10

// stream asks once for the bytes [off, end) of a file and hands them to sink in
// order. It returns nil after at least one byte, where the server may have sent
// fewer than asked for. skip is how much may be dropped where the server does
// not send ranges.
func (s *Snapshot) stream(ctx context.Context, f *File, off, end, skip int64, sink func(b []byte) error) error {
	t := s.target(f.Name)
	byteRange := ""
	if off > 0 || end < f.Size {
		byteRange = fmt.Sprintf("bytes=%d-%d", off, end-1)
	}
	a, err := s.c.send(ctx, t, "GET", s.c.fileURL(s.Ref.Repo, s.Commit, f.Name), byteRange)
	if err != nil {
		return err
	}
	defer a.close()
	pos, until, err := a.span(t, f.Size, off, end)
	if err != nil {
		return err
	}
	if off-pos > skip {
		return t.fail(nil, "%s does not send ranges of files, and this one begins %d bytes into the file: fetch the whole file first, or set HF_ENDPOINT to a server that does", a.host(), off)
	}
	buf := make([]byte, min(streamBuffer, until-pos))
	for pos < until {
		n, err := a.watch.read(a.Body, buf[:min(int64(len(buf)), until-pos)])
		from := max(0, off-pos)
		pos += int64(n)
		if from < int64(n) {
			if err := sink(buf[from:n]); err != nil {
				return err
			}
		}
		if err != nil && pos < until {
			return s.c.netError(ctx, t, a.watch, a.host(), err)
		}
	}
	if a.ContentLength < 0 && pos == f.Size {
		if n, _ := a.watch.read(a.Body, make([]byte, 1)); n > 0 {
			return t.wrongAnswer(a.host(), "sends more than the %d bytes that the hub lists", f.Size)
		}
	}
	return nil
}

// span is the range of the file that a body holds, up to end, checked against
// what was asked for and what is known of the file.
func (a *answer) span(t target, size, off, end int64) (from, until int64, err error) {
	if enc := a.Header.Get("Content-Encoding"); enc != "" && enc != "identity" {
		return 0, 0, t.wrongAnswer(a.host(), "encodes the file as %q, which was not asked for", enc)
	}
	if a.StatusCode == 200 {
		switch {
		case a.ContentLength == size:
		case isPage(a.Header, nil):
			return 0, 0, t.pageError(a.host())
		case a.ContentLength >= 0:
			return 0, 0, t.wrongAnswer(a.host(), "sends %d bytes where the hub lists %d", a.ContentLength, size)
		}
		return 0, end, nil
	}
	var last int64
	var total string
	header := a.Header.Get("Content-Range")
	if _, err := fmt.Sscanf(header, "bytes %d-%d/%s", &from, &last, &total); err != nil {
		return 0, 0, t.wrongAnswer(a.host(), "sends a part of the file and does not say which (Content-Range %q)", header)
	}
	if total != "*" && total != fmt.Sprint(size) {
		return 0, 0, t.wrongAnswer(a.host(), "has a file of %s bytes where the hub lists %d", total, size)
	}
	if from != off || last < from || last >= size || (a.ContentLength >= 0 && a.ContentLength != last-from+1) {
		return 0, 0, t.wrongAnswer(a.host(), "was asked for the bytes %d to %d and sends %d bytes as %q", off, end-1, a.ContentLength, header)
	}
	return from, min(last+1, end), nil
}
