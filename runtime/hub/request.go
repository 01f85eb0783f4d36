package hub

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// maxHops bounds the redirects of a request. The hub uses three at most: for a
// renamed repository, to its own cache of small files, to the storage.
const maxHops = 10

// errStalled is why a request was cut here.
var errStalled = errors.New("nothing arrived for too long")

// answer is a response after redirects, its body watched for stalls.
type answer struct {
	*http.Response
	// linked are the headers of all hops that the hub itself answered: the first
	// hop has the file's own size and ETag, the storage those of its object.
	linked http.Header
	// atHub is false if the last hop was another host.
	atHub bool
	watch *watch
}

func (a *answer) host() string { return a.Request.URL.Host }

func (a *answer) close() {
	a.watch.stop()
	a.Body.Close()
}

// watch cancels a request whose server sends nothing.
type watch struct {
	ctx    context.Context // of the request
	cancel context.CancelCauseFunc
	timer  *time.Timer
	limit  time.Duration
}

func newWatch(ctx context.Context, limit time.Duration) *watch {
	w := &watch{limit: limit}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	w.timer = time.AfterFunc(limit, func() { w.cancel(errStalled) })
	return w
}

func (w *watch) stop() {
	w.timer.Stop()
	w.cancel(nil)
}

// read is one read of a body, under the watch. Time between reads, the
// caller's, does not count.
func (w *watch) read(body io.Reader, p []byte) (int, error) {
	w.timer.Reset(w.limit)
	n, err := body.Read(p)
	w.timer.Stop()
	return n, err
}

// send asks for an address and follows redirects; byteRange is "" for all. What
// it returns besides an answer of status 200 or 206 is an error about t.
func (c *Client) send(ctx context.Context, t target, method string, u *url.URL, byteRange string) (_ *answer, err error) {
	w := newWatch(ctx, c.stall)
	defer func() {
		if err != nil {
			w.stop()
		}
	}()
	linked := http.Header{}
	// Once another host was involved, the token stays here.
	trusted := true
	for range maxHops {
		req, err := http.NewRequestWithContext(w.ctx, method, u.String(), nil)
		if err != nil {
			return nil, t.fail(nil, "the address of the request cannot be built: check HF_ENDPOINT")
		}
		req.Header.Set("User-Agent", c.agent)
		// Lengths and ranges are those of the file, not of a compressed form.
		req.Header.Set("Accept-Encoding", "identity")
		if byteRange != "" {
			req.Header.Set("Range", byteRange)
		}
		trusted = trusted && u.Scheme == c.endpoint.Scheme && strings.EqualFold(u.Host, c.endpoint.Host)
		if trusted && c.token != "" {
			req.Header.Set("Authorization", "Bearer "+c.token)
		}
		resp, err := c.http.Do(req)
		if err != nil {
			return nil, c.netError(ctx, t, w, u.Host, err)
		}
		c.log.Debug("hub request", "method", method, "host", u.Host, "path", u.Path, "range", byteRange, "status", resp.StatusCode)
		if trusted {
			for key, values := range resp.Header {
				if linked.Get(key) == "" {
					linked[key] = values
				}
			}
		}
		a := &answer{Response: resp, linked: linked, atHub: trusted, watch: w}
		switch {
		case resp.StatusCode == http.StatusOK, resp.StatusCode == http.StatusPartialContent:
			return a, nil
		case isRedirect(resp.StatusCode):
			u, err = next(t, u, resp)
			drain(resp.Body)
			if err != nil {
				return nil, err
			}
		default:
			err := c.status(t, a)
			drain(resp.Body)
			return nil, err
		}
		// A HEAD wants what the hub says of the file; the storage knows less.
		if method == http.MethodHead && linked.Get("X-Linked-Size") != "" && linked.Get("X-Linked-Etag") != "" {
			return a, nil
		}
	}
	return nil, t.fail(ErrUnreachable, "more than %d redirects, which looks like a loop: check HF_ENDPOINT and the proxy", maxHops)
}

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// next is where a redirect leads. The address is not quoted in errors: it may
// hold a signature that opens the file to whoever has it.
func next(t target, from *url.URL, resp *http.Response) (*url.URL, error) {
	to, err := from.Parse(resp.Header.Get("Location"))
	switch {
	case resp.Header.Get("Location") == "" || err != nil || to.Host == "" || (to.Scheme != "http" && to.Scheme != "https"):
		return nil, t.fail(nil, "%s redirects (%d) to no usable address: check HF_ENDPOINT and the proxy", from.Host, resp.StatusCode)
	case from.Scheme == "https" && to.Scheme == "http":
		return nil, t.fail(nil, "%s redirects to %s without encryption, which is not followed: check HF_ENDPOINT and the proxy", from.Host, to.Host)
	}
	to.Fragment = ""
	return to, nil
}

// drain lets the connection be used again.
func drain(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, 64<<10)
	body.Close()
}

// netError is what became of a request without an answer, or of a body that was
// cut. The HTTP client's own error quotes the address, signature included, so it
// is taken apart.
func (c *Client) netError(ctx context.Context, t target, w *watch, host string, err error) error {
	if ctx.Err() != nil {
		return t.wrap(ctx.Err())
	}
	if context.Cause(w.ctx) == errStalled {
		return &temporary{err: t.fail(ErrUnreachable, "%s sent nothing for %s", host, w.limit)}
	}
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err
	}
	why := c.hideToken(err.Error())
	var cert *tls.CertificateVerificationError
	if errors.As(err, &cert) {
		return t.fail(ErrUnreachable, "%s: %s: check the clock, the proxy and the certificates of this machine", host, why)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		why = "the connection was cut"
	}
	return &temporary{err: t.fail(ErrUnreachable, "%s: %s", host, why)}
}

// apiURL is where the hub describes a revision.
func (c *Client) apiURL(repo, revision string) *url.URL {
	u := c.address("/api/models/"+repo+"/revision/"+revision, "/api/models/"+repo+"/revision/"+url.PathEscape(revision))
	u.RawQuery = "blobs=true"
	return u
}

// fileURL is where the hub has a file.
func (c *Client) fileURL(repo, commit, name string) *url.URL {
	parts := strings.Split(name, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	base := "/" + repo + "/resolve/" + commit + "/"
	return c.address(base+name, base+strings.Join(parts, "/"))
}

func (c *Client) address(path, escaped string) *url.URL {
	u := *c.endpoint
	u.RawPath = u.EscapedPath() + escaped
	u.Path += path
	return &u
}

// pageError is for an answer that is a web page where data was due.
func (t target) pageError(host string) error {
	return t.fail(nil, "%s answered with a web page, not with data: a network's login page or a proxy is in the way, or HF_ENDPOINT is no hub", host)
}

func isPage(h http.Header, body []byte) bool {
	return strings.HasPrefix(strings.ToLower(h.Get("Content-Type")), "text/html") || strings.HasPrefix(strings.TrimSpace(string(body[:min(len(body), 64)])), "<")
}

// maxInfo bounds the description of a repository: the hub takes some 200 bytes
// for a file.
const maxInfo = 64 << 20

// get reads a whole answer of at most maxInfo bytes.
func (c *Client) get(ctx context.Context, t target, u *url.URL, r *retry) ([]byte, error) {
	for {
		data, err := c.getOnce(ctx, t, u)
		if err == nil {
			return data, nil
		}
		if err := r.next(ctx, t, err, 0); err != nil {
			return nil, err
		}
	}
}

func (c *Client) getOnce(ctx context.Context, t target, u *url.URL) ([]byte, error) {
	a, err := c.send(ctx, t, http.MethodGet, u, "")
	if err != nil {
		return nil, err
	}
	defer a.close()
	data, err := io.ReadAll(io.LimitReader(readerFunc(func(p []byte) (int, error) { return a.watch.read(a.Body, p) }), maxInfo+1))
	if err != nil {
		return nil, c.netError(ctx, t, a.watch, a.host(), err)
	}
	if len(data) > maxInfo {
		return nil, t.fail(nil, "%s describes the repository in more than %d MiB: check HF_ENDPOINT", a.host(), maxInfo>>20)
	}
	if isPage(a.Header, data) {
		return nil, t.pageError(a.host())
	}
	return data, nil
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// wrongAnswer is for a server that breaks the protocol.
func (t target) wrongAnswer(host, format string, args ...any) error {
	return t.fail(ErrCorrupt, "%s %s: check HF_ENDPOINT and the proxy", host, fmt.Sprintf(format, args...))
}
