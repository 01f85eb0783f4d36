package hubtest

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// signature is what storage addresses end with; it must not show in errors.
const signature = "signed-f00dcafe"

// writer counts what is sent, and cuts it where it was told to.
type writer struct {
	http.ResponseWriter
	h   *Hub
	req *Request
	r   *http.Request

	sent int64
	cut  *cut
}

func (w *writer) WriteHeader(status int) {
	w.h.set(func() { w.req.Status = status })
	w.ResponseWriter.WriteHeader(status)
}

func (w *writer) Write(p []byte) (int, error) {
	whole := len(p)
	if w.cut != nil {
		p = p[:min(int64(len(p)), w.cut.after-w.sent)]
	}
	w.sent += int64(len(p))
	w.h.set(func() {
		if w.req.Status == 0 {
			w.req.Status = http.StatusOK
		}
		w.req.Bytes += int64(len(p))
	})
	if _, err := w.ResponseWriter.Write(p); err != nil {
		return 0, err
	}
	if len(p) == whole {
		return whole, nil
	}
	http.NewResponseController(w.ResponseWriter).Flush()
	if w.cut.stall {
		<-w.r.Context().Done()
	}
	panic(http.ErrAbortHandler)
}

// handler notes requests and fails those that shall.
func (h *Hub) handler(host string, serve func(w *writer, r *http.Request)) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w := &writer{ResponseWriter: rw, h: h, r: r, req: &Request{
			Host: host, Method: r.Method, Path: r.URL.EscapedPath(), Range: r.Header.Get("Range"),
			Authorized: r.Header.Get("Authorization") != "", UserAgent: r.UserAgent(),
		}}
		var fail *Failure
		down := false
		h.set(func() {
			h.log = append(h.log, w.req)
			down = h.down
			for _, f := range h.failures {
				if f.Times != 0 && (f.Host == "" || f.Host == host) && strings.Contains(w.req.Path, f.Path) {
					f.Times--
					fail = f
					break
				}
			}
			if h.noRange {
				r.Header.Del("Range")
			}
		})
		if down {
			panic(http.ErrAbortHandler)
		}
		if fail != nil {
			if fail.Before != nil {
				fail.Before()
			}
			maps.Copy(w.Header(), fail.Header)
			w.WriteHeader(fail.Status)
			return
		}
		serve(w, r)
	})
}

func (h *Hub) serveHub(w *writer, r *http.Request) {
	var answer *canned
	h.set(func() {
		for i := range h.canned {
			if strings.Contains(w.req.Path, h.canned[i].path) {
				answer = &h.canned[i]
			}
		}
	})
	if answer != nil {
		w.Header().Set("Content-Type", answer.contentType)
		io.WriteString(w, answer.body)
		return
	}
	parts := strings.Split(strings.TrimPrefix(w.req.Path, "/"), "/")
	for i := range parts {
		plain, err := url.PathUnescape(parts[i])
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		parts[i] = plain
	}
	switch {
	case len(parts) == 6 && parts[0] == "api" && parts[1] == "models" && parts[4] == "revision":
		h.serveList(w, r, parts[2]+"/"+parts[3], parts[5])
	case len(parts) >= 5 && parts[2] == "resolve":
		h.serveFile(w, r, parts[0]+"/"+parts[1], parts[3], strings.Join(parts[4:], "/"), false)
	case len(parts) >= 7 && parts[0] == "api" && parts[1] == "resolve-cache":
		h.serveFile(w, r, parts[3]+"/"+parts[4], parts[5], strings.Join(parts[6:], "/"), true)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// lookup finds a revision, or answers the request.
func (h *Hub) lookup(w *writer, r *http.Request, name, revision string, file bool) (commit string, files map[string]*entry, ok bool) {
	h.mu.Lock()
	to, moved := h.renamed[name]
	rep := h.repos[name]
	var hidden, gated bool
	if rep != nil {
		stranger := rep.token != "" && r.Header.Get("Authorization") != "Bearer "+rep.token
		hidden, gated = stranger && !rep.gated, stranger && rep.gated
		commit = revision
		if c := rep.branches[revision]; c != "" {
			commit = c
		}
		files = rep.commits[commit]
	}
	h.mu.Unlock()
	known := r.Header.Get("Authorization") != ""
	switch {
	case moved:
		w.Header().Set("Location", strings.Replace(r.URL.RequestURI(), "/"+name+"/", "/"+to+"/", 1))
		w.WriteHeader(http.StatusTemporaryRedirect)
	case (rep == nil || hidden) && !known:
		refuse(w, http.StatusUnauthorized, "", "Invalid username or password.")
	case rep == nil || hidden:
		refuse(w, http.StatusNotFound, "RepoNotFound", "Repository not found")
	case gated && file && !known:
		refuse(w, http.StatusUnauthorized, "GatedRepo", "Access to model "+name+" is restricted. Please log in.")
	case gated && file:
		refuse(w, http.StatusForbidden, "GatedRepo", "Access to model "+name+" is restricted and you are not in the authorized list.")
	case files == nil:
		refuse(w, http.StatusNotFound, "RevisionNotFound", "Invalid rev id: "+revision)
	default:
		return commit, files, true
	}
	return "", nil, false
}

func refuse(w *writer, status int, code, message string) {
	if code != "" {
		w.Header().Set("X-Error-Code", code)
	}
	w.Header().Set("X-Error-Message", message)
	w.WriteHeader(status)
}

func (h *Hub) serveList(w *writer, r *http.Request, name, revision string) {
	commit, files, ok := h.lookup(w, r, name, revision, false)
	if !ok {
		return
	}
	type lfs struct {
		SHA256      string `json:"sha256"`
		Size        int64  `json:"size"`
		PointerSize int64  `json:"pointerSize"`
	}
	type sibling struct {
		Name   string `json:"rfilename"`
		Size   *int64 `json:"size,omitempty"`
		BlobID string `json:"blobId,omitempty"`
		LFS    *lfs   `json:"lfs,omitempty"`
	}
	h.mu.Lock()
	blobs := !h.noBlobs && r.URL.Query().Get("blobs") == "true"
	h.mu.Unlock()
	list := []sibling{}
	for _, file := range slices.Sorted(maps.Keys(files)) {
		s := sibling{Name: file}
		if f := files[file]; blobs {
			size := f.size()
			h.set(func() {
				if lie, ok := h.lies[file]; ok {
					size = lie
				}
			})
			s.Size = &size
			s.BlobID = f.blob
			if f.LFS {
				s.LFS = &lfs{SHA256: f.id, Size: size, PointerSize: 135}
			}
		}
		list = append(list, s)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	json.NewEncoder(w).Encode(map[string]any{
		"id": name, "modelId": name, "sha": commit, "private": false, "gated": false, "disabled": false,
		"tags": []string{"safetensors"}, "siblings": list,
	})
}

// serveFile serves a file, or redirects to the hub's own cache for small files or
// to the storage for large ones.
func (h *Hub) serveFile(w *writer, r *http.Request, name, revision, file string, cached bool) {
	commit, files, ok := h.lookup(w, r, name, revision, true)
	if !ok {
		return
	}
	f, ok := files[file]
	if !ok {
		refuse(w, http.StatusNotFound, "EntryNotFound", "Entry not found")
		return
	}
	w.Header().Set("X-Repo-Commit", commit)
	h.mu.Lock()
	inPlace := h.inPlace
	h.mu.Unlock()
	switch {
	case f.LFS && !inPlace:
		w.Header().Set("X-Linked-Size", fmt.Sprint(f.size()))
		h.setETag(w, "X-Linked-Etag", f.id)
		w.Header().Set("Location", h.storageURL(f.id, file))
		w.WriteHeader(http.StatusFound)
	case !f.LFS && !cached && !inPlace:
		h.setETag(w, "ETag", f.id)
		path := strings.Replace(w.req.Path, "/"+name+"/resolve/", "/api/resolve-cache/models/"+name+"/", 1)
		w.Header().Set("Location", path)
		w.WriteHeader(http.StatusTemporaryRedirect)
	default:
		h.setETag(w, "ETag", f.id)
		h.serveContent(w, r, file, f.File)
	}
}

// setETag sets a header without Go's spelling of it in the way: clients take any.
func (h *Hub) setETag(w *writer, header, id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch h.etag {
	case ETagStrong:
		w.Header().Set(header, `"`+id+`"`)
	case ETagWeak:
		w.Header().Set(header, `W/"`+id+`"`)
	case ETagBare:
		w.Header().Set(header, id)
	case ETagNone:
	}
}

// serveStorage knows contents, not repositories. As the real one it refuses
// requests that are signed twice.
func (h *Hub) serveStorage(w *writer, r *http.Request) {
	if r.Header.Get("Authorization") != "" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if r.URL.Query().Get("signature") != signature {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	id := strings.TrimPrefix(r.URL.Path, "/contents/")
	var found *entry
	h.set(func() {
		for _, rep := range h.repos {
			for _, files := range rep.commits {
				for _, f := range files {
					if f.LFS && f.id == id {
						found = f
					}
				}
			}
		}
	})
	if found == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	w.Header().Set("ETag", `"0123456789abcdef0123456789abcdef-7"`)
	h.serveContent(w, r, r.URL.Query().Get("name"), found.File)
}

func (h *Hub) serveContent(w *writer, r *http.Request, name string, f File) {
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/octet-stream")
	}
	var content io.ReaderAt = f
	h.set(func() {
		for _, x := range h.flips {
			if x.name == name && x.times != 0 && h.covers(r, x.at, f.size()) {
				x.times--
				content = flipped{f, x.at}
				break
			}
		}
		for _, c := range h.cuts {
			if c.times != 0 && r.Method == http.MethodGet && h.length(r, f.size()) > c.after {
				c.times--
				w.cut = c
				break
			}
		}
	})
	http.ServeContent(w, r, "", time.Time{}, io.NewSectionReader(content, 0, f.size()))
}

// span is the range that a request asks for, as far as these tests use them.
func (h *Hub) span(r *http.Request, size int64) (from, to int64) {
	to = size - 1
	if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &from, &to); err != nil && r.Header.Get("Range") == "" {
		return 0, size - 1
	}
	return from, min(to, size-1)
}

func (h *Hub) covers(r *http.Request, at, size int64) bool {
	from, to := h.span(r, size)
	return r.Method == http.MethodGet && from <= at && at <= to
}

func (h *Hub) length(r *http.Request, size int64) int64 {
	from, to := h.span(r, size)
	return to - from + 1
}

// flipped is a content with a wrong byte.
type flipped struct {
	File
	at int64
}

func (f flipped) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(p, off)
	if i := f.at - off; i >= 0 && i < int64(n) {
		p[i] ^= 0xff
	}
	return n, err
}
