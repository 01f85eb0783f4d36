// Package hubtest is a hub for tests, inside the process: it answers as the real
// one does, with redirects to a storage on a second host, ETags and the headers
// of linked files, and can be told to fail in the ways that networks and servers
// do.
package hubtest

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/llama-pajamas/pj/runtime/hub"
)

// Hub is the server, or two of them: the hub and its storage.
type Hub struct {
	URL string // for HF_ENDPOINT

	hub, storage *httptest.Server

	mu       sync.Mutex
	repos    map[string]*repo
	renamed  map[string]string
	log      []*Request
	failures []*Failure
	canned   []canned
	lies     map[string]int64
	cuts     []*cut
	flips    []*flip
	etag     ETagForm
	noRange  bool
	noBlobs  bool
	inPlace  bool
	down     bool
}

// entry is a file with its hashes, which are worth keeping.
type entry struct {
	File
	id   string // of the content
	blob string // git's of what the repository itself holds
}

type repo struct {
	commits  map[string]map[string]*entry
	branches map[string]string
	token    string
	gated    bool
}

// Request is what was asked and answered.
type Request struct {
	Host       string // "hub" or "storage"
	Method     string
	Path       string // as it was escaped
	Range      string
	Authorized bool // it had an Authorization header
	UserAgent  string
	Status     int
	Bytes      int64 // of the answer's body
}

// New starts a hub with repositories ("org/name"), whose branch main holds the
// given files. It stops when the test ends.
func New(t testing.TB, repos map[string]Repo) *Hub {
	t.Helper()
	h := &Hub{repos: map[string]*repo{}, renamed: map[string]string{}, lies: map[string]int64{}}
	for name, files := range repos {
		h.Branch(name, "main", files)
	}
	h.hub = httptest.NewServer(h.handler("hub", h.serveHub))
	h.storage = httptest.NewServer(h.handler("storage", h.serveStorage))
	h.URL = h.hub.URL
	t.Cleanup(func() {
		for _, s := range []*httptest.Server{h.hub, h.storage} {
			s.CloseClientConnections()
			s.Close()
		}
	})
	return h
}

// Options are those of a client of this hub, with a cache that goes with the
// test and pauses that no test waits for.
func (h *Hub) Options(t testing.TB) hub.Options {
	t.Helper()
	return hub.Options{Endpoint: h.URL, CacheDir: t.TempDir(), Pause: time.Microsecond, Seed: 1}
}

// Branch makes a branch or tag hold files and returns its commit, which depends
// on nothing else than the files.
func (h *Hub) Branch(name, branch string, files Repo) (commit string) {
	sum := sha1.New()
	entries := map[string]*entry{}
	for _, file := range slices.Sorted(maps.Keys(files)) {
		e := &entry{File: files[file], id: files[file].ID()}
		e.blob = e.id
		if e.LFS {
			e.blob = Text(fmt.Sprintf("version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n", e.id, e.size())).BlobSHA1()
		}
		entries[file] = e
		fmt.Fprintf(sum, "%q %s\n", file, e.id)
	}
	commit = hex.EncodeToString(sum.Sum(nil))
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.repos[name]
	if r == nil {
		r = &repo{commits: map[string]map[string]*entry{}, branches: map[string]string{}}
		h.repos[name] = r
	}
	r.commits[commit] = entries
	r.branches[branch] = commit
	return commit
}

// Commit is what a branch or tag of a repository is; "" if there is none.
func (h *Hub) Commit(name, branch string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r := h.repos[name]; r != nil {
		return r.branches[branch]
	}
	return ""
}

// Rename makes requests for a name be redirected to another.
func (h *Hub) Rename(from, to string) { h.set(func() { h.renamed[from] = to }) }

// Gated makes everybody see the repository's list, and only the token its files.
func (h *Hub) Gated(name, token string) {
	h.set(func() { h.repos[name].token, h.repos[name].gated = token, true })
}

// Private hides the repository from all but the token.
func (h *Hub) Private(name, token string) { h.set(func() { h.repos[name].token = token }) }

// Failure makes requests fail.
type Failure struct {
	Status int
	Times  int         // how often; < 0 for ever
	Host   string      // "hub" or "storage"; "" for both
	Path   string      // what the path contains; "" for any
	Header http.Header // of the answer
	// Before, if not nil, is called before the answer.
	Before func()
}

// Fail makes the next requests fail with a status.
func (h *Hub) Fail(status, times int) { h.FailWith(Failure{Status: status, Times: times}) }

// FailWith is Fail for some requests only, or with headers.
func (h *Hub) FailWith(f Failure) { h.set(func() { h.failures = append(h.failures, &f) }) }

type cut struct {
	after int64
	times int
	stall bool
}

// CutAfter cuts the connection of the next files' bodies that are longer than n
// bytes after n bytes; times < 0 for all.
func (h *Hub) CutAfter(n int64, times int) {
	h.set(func() { h.cuts = append(h.cuts, &cut{after: n, times: times}) })
}

// StallAfter sends n bytes of the next files' bodies and then nothing more,
// until the client goes away.
func (h *Hub) StallAfter(n int64, times int) {
	h.set(func() { h.cuts = append(h.cuts, &cut{after: n, times: times, stall: true}) })
}

type flip struct {
	name  string
	at    int64
	times int
}

// WrongByte changes the byte at an offset of a file in the next answers that
// hold it; times < 0 for all.
func (h *Hub) WrongByte(name string, at int64, times int) {
	h.set(func() { h.flips = append(h.flips, &flip{name: name, at: at, times: times}) })
}

// NoRange makes the servers ignore Range headers.
func (h *Hub) NoRange(on bool) { h.set(func() { h.noRange = on }) }

// ListBlobs(false) leaves sizes and hashes out of listings, as some mirrors do.
func (h *Hub) ListBlobs(on bool) { h.set(func() { h.noBlobs = !on }) }

// List makes listings claim another size of a file.
func (h *Hub) List(name string, size int64) { h.set(func() { h.lies[name] = size }) }

// Redirect(false) makes the hub serve the files of the storage itself.
func (h *Hub) Redirect(on bool) { h.set(func() { h.inPlace = !on }) }

// Down cuts every connection without an answer.
func (h *Hub) Down(on bool) { h.set(func() { h.down = on }) }

type canned struct{ path, contentType, body string }

// Answer replaces the hub's answers (not the storage's) to requests whose path
// contains a text.
func (h *Hub) Answer(path, contentType, body string) {
	h.set(func() { h.canned = append(h.canned, canned{path, contentType, body}) })
}

// HTML makes the hub answer its API with a web page, as a network's login does.
func (h *Hub) HTML() {
	h.Answer("/api/", "text/html; charset=utf-8", "<!doctype html><title>Log in</title>")
}

// ETagForm is how the hub writes ETags.
type ETagForm int

// The forms of ETags.
const (
	ETagStrong ETagForm = iota // "x"
	ETagWeak                   // W/"x"
	ETagBare                   // x
	ETagNone                   // no ETag, no X-Linked-Etag
)

// ETag chooses the form of ETags.
func (h *Hub) ETag(form ETagForm) { h.set(func() { h.etag = form }) }

func (h *Hub) set(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f()
}

// Requests are those so far, in the order in which they came.
func (h *Hub) Requests() []Request {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := make([]Request, len(h.log))
	for i, r := range h.log {
		list[i] = *r
	}
	return list
}

// Bytes is how much the bodies of all answers so far had.
func (h *Hub) Bytes() int64 {
	n := int64(0)
	for _, r := range h.Requests() {
		n += r.Bytes
	}
	return n
}

// Forget empties the list of requests.
func (h *Hub) Forget() { h.set(func() { h.log = nil }) }

// Wait returns once the storage and the hub have sent n bytes, or ctx ends.
func (h *Hub) Wait(ctx context.Context, n int64) error {
	for h.Bytes() < n {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
	}
	return nil
}

// storageURL is the address of a content, with a signature that runs out.
func (h *Hub) storageURL(id, name string) string {
	return h.storage.URL + "/contents/" + id + "?" + url.Values{"name": {name}, "signature": {signature}}.Encode()
}
