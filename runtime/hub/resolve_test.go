package hub_test

import (
	"context"
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/runtime/hub"
	"github.com/llama-pajamas/pj/runtime/hub/hubtest"
)

func TestSnapshot(t *testing.T) {
	data := noise(1000)
	h := hubtest.New(t, oneRepo(hubtest.Repo{
		"config.json": hubtest.Text("{}"),
		weights:       hubtest.Weights(data),
		"sub/a b#.md": hubtest.Text("hello"),
	}))
	s := open(t, h.Options(t))
	require.Equal(t, h.Commit("a/b", "main"), s.Commit)
	require.False(t, s.Local)
	require.Equal(t, []hub.File{
		{Name: "config.json", Size: 2, BlobSHA1: "9e26dfeeb6e641a33dae4961196235bdb965b21b"}, // as git hash-object says
		{Name: weights, Size: 1000, SHA256: sum(data)},
		{Name: "sub/a b#.md", Size: 5, BlobSHA1: "b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0"},
	}, s.Files)
	require.Equal(t, []string{"config.json", weights, "sub/a b#.md"}, s.Names())
	n, err := s.Size(weights)
	require.NoError(t, err)
	require.EqualValues(t, 1000, n)
	_, err = s.Size("none")
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.False(t, s.Present(weights))
	require.False(t, s.Present("none"))
	require.Empty(t, s.Path("../x"))
	require.Equal(t, "hello", string(fetch(t, s, "sub/a b#.md")))
}

func TestRevisions(t *testing.T) {
	h := hubtest.New(t, oneRepo(hubtest.Repo{"x": hubtest.Text("main")}))
	pr := h.Branch("a/b", "refs/pr/1", hubtest.Repo{"x": hubtest.Text("pr")})
	h.Branch("a/b", "v%2F1", hubtest.Repo{"x": hubtest.Text("odd")})
	old := h.Commit("a/b", "main")
	now := h.Branch("a/b", "main", hubtest.Repo{"x": hubtest.Text("now")})
	c := hub.New(h.Options(t))
	for _, x := range []struct{ revision, pin, commit, text string }{
		{"main", "", now, "now"},
		{"", "", now, "now"},
		{"refs/pr/1", "", pr, "pr"},
		{"v%2F1", "", h.Commit("a/b", "v%2F1"), "odd"},
		{"main", old, old, "main"},
		{old, "", old, "main"},
	} {
		s, err := c.Snapshot(context.Background(), hub.Ref{Repo: "a/b", Revision: x.revision}, x.pin)
		require.NoError(t, err)
		require.Equal(t, x.commit, s.Commit)
		require.Equal(t, x.text, string(fetch(t, s, "x")))
	}
	require.Contains(t, paths(h.Requests()), "hub GET /api/models/a/b/revision/refs%2Fpr%2F1")
	require.Contains(t, paths(h.Requests()), "hub GET /api/models/a/b/revision/v%252F1")
}

func TestRenamedRepository(t *testing.T) {
	h := hubtest.New(t, map[string]hubtest.Repo{"new/name": {"x": hubtest.Text("x"), weights: hubtest.Weights([]byte("w"))}})
	h.Rename("a/b", "new/name")
	o := h.Options(t)
	o.Token = secret
	s := open(t, o)
	require.Equal(t, "x", string(fetch(t, s, "x")))
	require.Equal(t, "w", string(fetch(t, s, weights)))
	for _, r := range h.Requests() {
		require.Equal(t, r.Host == "hub", r.Authorized, r.Path)
	}
}

func TestHeadWhereListingIsBare(t *testing.T) {
	data := noise(100)
	for _, form := range []hubtest.ETagForm{hubtest.ETagStrong, hubtest.ETagWeak, hubtest.ETagBare} {
		for _, redirect := range []bool{true, false} {
			h := hubtest.New(t, oneRepo(hubtest.Repo{"config.json": hubtest.Text("{}"), weights: hubtest.Weights(data)}))
			h.ListBlobs(false)
			h.ETag(form)
			h.Redirect(redirect)
			s := open(t, h.Options(t))
			require.Equal(t, []hub.File{
				{Name: "config.json", Size: 2, BlobSHA1: hubtest.Text("{}").BlobSHA1()},
				{Name: weights, Size: 100, SHA256: sum(data)},
			}, s.Files)
			for _, r := range h.Requests()[1:] {
				require.Equal(t, http.MethodHead, r.Method)
				require.Equal(t, "hub", r.Host)
			}
			require.Equal(t, data, fetch(t, s, weights))
		}
	}
}

func TestNoHashNowhere(t *testing.T) {
	h := hubtest.New(t, oneRepo(hubtest.Repo{"x": hubtest.Text("abc"), weights: hubtest.Weights([]byte("w"))}))
	h.ListBlobs(false)
	h.ETag(hubtest.ETagNone)
	h.Redirect(false)
	s := open(t, h.Options(t))
	require.Equal(t, hub.File{Name: "x", Size: 3}, s.Files[1])
	_, err := s.Fetch(context.Background(), "x", nil)
	require.ErrorContains(t, err, "hf://a/b: x: the hub does not tell the file's hash")
	p := make([]byte, 3)
	_, err = s.ReadAt(context.Background(), "x", p, 0)
	require.NoError(t, err)
	require.Equal(t, "abc", string(p))
}

func TestSnapshotErrors(t *testing.T) {
	api := "/api/models/"
	for name, c := range map[string]struct {
		do   func(h *hubtest.Hub)
		repo string // "" for a/b
		rev  string
		tok  string
		is   error
		text []string
	}{
		"unknown":           {repo: "a/none", is: hub.ErrDenied, text: []string{"hf://a/none:", "401", "private, gated and unknown", "HF_TOKEN"}},
		"unknown, token":    {repo: "a/none", tok: secret, is: hub.ErrNotFound, text: []string{"hf://a/none:", "no such repository", "private"}},
		"private":           {do: func(h *hubtest.Hub) { h.Private("a/b", "other") }, is: hub.ErrDenied, text: []string{"hf://a/b:", "HF_TOKEN"}},
		"private, token":    {do: func(h *hubtest.Hub) { h.Private("a/b", "other") }, tok: secret, is: fs.ErrNotExist, text: []string{"no such repository", "private"}},
		"revision":          {rev: "v9", is: hub.ErrNotFound, text: []string{"hf://a/b@v9:", `no revision "v9"`}},
		"404":               {do: func(h *hubtest.Hub) { h.Fail(404, 1) }, is: hub.ErrNotFound, text: []string{"hf://a/b:", "no such repository or revision (404)"}},
		"401, token":        {do: func(h *hubtest.Hub) { h.Fail(401, 1) }, tok: secret, is: hub.ErrDenied, text: []string{"does not accept the token"}},
		"403":               {do: func(h *hubtest.Hub) { h.Fail(403, 1) }, is: hub.ErrDenied, text: []string{"access denied (403)", "set HF_TOKEN"}},
		"403, token":        {do: func(h *hubtest.Hub) { h.Fail(403, 1) }, tok: secret, is: hub.ErrDenied, text: []string{"the account of HF_TOKEN"}},
		"401, gated":        {do: gate(401, "me"), is: hub.ErrDenied, text: []string{"gated (401)", "accept the licence at http://", "/a/b, then set HF_TOKEN"}},
		"403, gated, token": {do: gate(403, secret), tok: secret, is: hub.ErrDenied, text: []string{"gated (403)", "fine-grained"}},
		"teapot":            {do: func(h *hubtest.Hub) { h.Fail(418, 1) }, text: []string{"answered 418", "HF_ENDPOINT"}},
		"500":               {do: func(h *hubtest.Hub) { h.Fail(500, -1) }, is: hub.ErrUnreachable, text: []string{"failed (500)", "given up after 6 tries"}},
		"501":               {do: func(h *hubtest.Hub) { h.Fail(501, 1) }, text: []string{"answered 501"}},
		"429":               {do: func(h *hubtest.Hub) { h.Fail(429, -1) }, is: hub.ErrUnreachable, text: []string{"limits requests (429)", "HF_TOKEN"}},
		"429 for an hour": {do: func(h *hubtest.Hub) {
			h.FailWith(hubtest.Failure{Status: 429, Times: 1, Header: http.Header{"Retry-After": {"3600"}}})
		}, is: hub.ErrUnreachable, text: []string{"it asks for 1h0m0s"}},
		"down":       {do: func(h *hubtest.Hub) { h.Down(true) }, is: hub.ErrUnreachable, text: []string{"the connection was cut", "check the network"}},
		"page":       {do: func(h *hubtest.Hub) { h.HTML() }, text: []string{"hf://a/b:", "web page", "login page", "HF_ENDPOINT"}},
		"plain page": {do: func(h *hubtest.Hub) { h.Answer(api, "text/plain", "\n <html>") }, text: []string{"web page"}},
		"no JSON":    {do: func(h *hubtest.Hub) { h.Answer(api, "application/json", `{"sha"`) }, text: []string{"hf://a/b:", "cannot be read"}},
		"escape": {do: func(h *hubtest.Hub) {
			h.Answer(api, "application/json", `{"sha": "`+commit1+`", "siblings": [{"rfilename": "../x"}]}`)
		}, text: []string{"hf://a/b:", `"../x"`, "not safe"}},
		"other commit": {rev: commit1, do: func(h *hubtest.Hub) { h.Answer(api, "application/json", `{"sha": "`+strings.Repeat("9", 40)+`"}`) }, is: hub.ErrCorrupt,
			text: []string{commit1, strings.Repeat("9", 40)}},
		"loop":                {do: func(h *hubtest.Hub) { h.Rename("a/b", "a/b") }, is: hub.ErrUnreachable, text: []string{"more than 10 redirects", "loop"}},
		"redirect to nowhere": {do: func(h *hubtest.Hub) { h.Fail(302, 1) }, text: []string{"redirects (302) to no usable address"}},
		"redirect to a file": {do: func(h *hubtest.Hub) {
			h.FailWith(hubtest.Failure{Status: 302, Times: 1, Header: http.Header{"Location": {"file:///etc/passwd"}}})
		}, text: []string{"redirects (302) to no usable address"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := hubtest.New(t, oneRepo(hubtest.Repo{"x": hubtest.Text("x")}))
			if c.do != nil {
				c.do(h)
			}
			ref := hub.Ref{Repo: c.repo, Revision: c.rev}
			if ref.Repo == "" {
				ref.Repo = "a/b"
			}
			o := h.Options(t)
			o.Token = c.tok
			var log logged
			o.Logger = log.logger()
			_, err := hub.New(o).Snapshot(context.Background(), ref, "")
			require.Error(t, err)
			if c.is != nil {
				require.ErrorIs(t, err, c.is)
			}
			for _, text := range c.text {
				require.ErrorContains(t, err, text)
			}
			require.NotContains(t, err.Error(), secret)
			require.NotContains(t, log.String(), secret)
		})
	}
}

func gate(status int, who string) func(h *hubtest.Hub) {
	return func(h *hubtest.Hub) {
		h.FailWith(hubtest.Failure{Status: status, Times: 1, Header: http.Header{
			"X-Error-Code": {"GatedRepo"}, "X-Error-Message": {"Access is restricted for " + who + ", \"you\" know."},
		}})
	}
}

func TestNothingListens(t *testing.T) {
	_, err := hub.New(hub.Options{Endpoint: "http://127.0.0.1:1", CacheDir: t.TempDir(), Pause: time.Microsecond}).
		Snapshot(context.Background(), hub.Ref{Repo: "a/b"}, "")
	require.ErrorIs(t, err, hub.ErrUnreachable)
	require.ErrorContains(t, err, "127.0.0.1:1")
	require.ErrorContains(t, err, "refused")
}

func TestRetriesAnswer(t *testing.T) {
	h := hubtest.New(t, oneRepo(hubtest.Repo{"x": hubtest.Text("x")}))
	h.Fail(503, 2)
	h.FailWith(hubtest.Failure{Status: 429, Times: 1, Header: http.Header{"Retry-After": {"7"}}})
	h.FailWith(hubtest.Failure{Status: 429, Times: 1, Header: http.Header{"Ratelimit": {`"api";r=0;t=11`}}})
	o := h.Options(t)
	o.Pause = time.Second
	var waits []time.Duration
	run := func() []time.Duration {
		waits = nil
		c := hub.New(o)
		c.SetSleep(func(_ context.Context, d time.Duration) error { waits = append(waits, d); return nil })
		openWith(t, c)
		return waits
	}
	got := run()
	require.Len(t, got, 4)
	require.True(t, got[0] >= time.Second/2 && got[0] <= time.Second, got)
	require.True(t, got[1] >= time.Second && got[1] <= 2*time.Second, got)
	require.Equal(t, []time.Duration{7 * time.Second, 12 * time.Second}, got[2:])
	require.Len(t, h.Requests(), 5)

	// The same seed gives the same pauses.
	h.Fail(503, 2)
	require.Equal(t, got[:2], run())
}

func TestRetryAfter(t *testing.T) {
	for _, c := range []struct {
		h    http.Header
		want time.Duration
	}{
		{http.Header{}, 0},
		{http.Header{"Retry-After": {"30"}}, 30 * time.Second},
		{http.Header{"Retry-After": {"-3"}}, 0},
		{http.Header{"Retry-After": {"soon"}}, 0},
		{http.Header{"Retry-After": {"9223372036854775807"}}, (1 << 30) * time.Second},
		{http.Header{"Retry-After": {"Wed, 21 Oct 2015 07:28:30 GMT"}, "Date": {"Wed, 21 Oct 2015 07:28:00 GMT"}}, 30 * time.Second},
		{http.Header{"Retry-After": {"Wed, 21 Oct 2015 07:28:30 GMT"}}, 0},
		{http.Header{"Ratelimit": {`"api";r=0;t=55`}}, 56 * time.Second},
		{http.Header{"Ratelimit": {`"api";r=12;t=55`}}, 0},
	} {
		require.Equal(t, c.want, hub.RetryAfter(c.h), c.h)
	}
}

func TestSnapshotCancelled(t *testing.T) {
	h := hubtest.New(t, oneRepo(hubtest.Repo{"x": hubtest.Text("x")}))
	ctx, cancel := context.WithCancel(context.Background())
	h.FailWith(hubtest.Failure{Status: 503, Times: -1, Before: cancel})
	o := h.Options(t)
	o.Pause = time.Hour
	_, err := hub.New(o).Snapshot(ctx, hub.Ref{Repo: "a/b"}, "")
	require.ErrorIs(t, err, context.Canceled)
}
