// Package hub reads repositories of models from the Hugging Face hub, or from a
// server that speaks its protocol: it lists a revision's files, reads ranges of
// them without downloading the rest, and downloads whole files, checked and
// resumable, into the cache that the hub's own tools use, in their layout.
package hub

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Client reads from one hub and keeps one cache. It is safe for use by many
// goroutines, beside other processes that use the cache.
type Client struct {
	endpoint *url.URL
	token    string
	agent    string
	cacheDir string
	offline  bool
	http     *http.Client
	log      *slog.Logger
	tries    int
	pause    time.Duration
	stall    time.Duration
	// bad is what is wrong with the options.
	bad error

	mu      sync.Mutex
	jitter  *rand.Rand
	flights map[string]*flight // downloads under way, by blob

	// What the tests replace.
	sleep   func(ctx context.Context, d time.Duration) error
	symlink func(oldname, newname string) error
	link    func(oldname, newname string) error
	writeAt func(f *os.File, p []byte, off int64) (int, error)
}

// New makes a client. Options that make no sense are reported by Snapshot.
func New(o Options) *Client {
	c := &Client{
		token:    cleanToken(o.Token),
		agent:    first(o.UserAgent, defaultAgent),
		cacheDir: o.CacheDir,
		offline:  o.Offline,
		http:     &http.Client{},
		log:      o.Logger,
		tries:    o.Tries,
		pause:    o.Pause,
		stall:    o.Stall,
		flights:  map[string]*flight{},
		sleep:    sleep,
		symlink:  os.Symlink,
		link:     os.Link,
		writeAt:  (*os.File).WriteAt,
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if c.tries <= 0 {
		c.tries = defaultTries
	}
	if c.pause <= 0 {
		c.pause = defaultPause
	}
	if c.stall <= 0 {
		c.stall = defaultStall
	}
	seed := o.Seed
	if seed == 0 {
		seed = rand.Uint64()
	}
	c.jitter = rand.New(rand.NewPCG(seed, 0))
	if o.Client != nil {
		*c.http = *o.Client
	} else {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConnsPerHost = 16 // shards are read side by side
		c.http.Transport = t
	}
	// Redirects are followed here: the token must not go along.
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.endpoint, c.bad = parseEndpoint(first(o.Endpoint, defaultEndpoint))
	c.bad = errors.Join(c.bad, c.defaultDirs(o.Home), checkToken(c.token))
	return c
}

func (c *Client) defaultDirs(home string) error {
	if c.cacheDir != "" {
		return nil
	}
	if home == "" {
		user, err := os.UserHomeDir()
		if err != nil {
			return fmt.Errorf("no folder for the hub's files: %w: set HF_HOME", err)
		}
		home = filepath.Join(user, ".cache", "huggingface")
	}
	c.cacheDir = filepath.Join(home, "hub")
	return nil
}

func parseEndpoint(s string) (*url.URL, error) {
	u, err := url.Parse(strings.TrimRight(s, "/"))
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("HF_ENDPOINT is %q: write it as %s", hideUser(s), defaultEndpoint)
	}
	return u, nil
}

// checkToken keeps the HTTP client from quoting a header that it cannot send.
func checkToken(token string) error {
	for _, r := range token {
		if r <= ' ' || r >= 0x7f {
			return errors.New("HF_TOKEN holds a character that no token has: copy it again")
		}
	}
	return nil
}

// Snapshot lists the files of a repository. pin is the commit that a lock file
// holds; with "" the reference's revision is asked for. No file is fetched.
//
// Where the hub cannot be reached and the cache has the commit, the snapshot is
// of the cache: it lists what was fetched before, and Local is set.
func (c *Client) Snapshot(ctx context.Context, ref Ref, pin string) (*Snapshot, error) {
	if c.bad != nil {
		return nil, c.bad
	}
	if err := ref.check(); err != nil {
		return nil, err
	}
	if pin != "" && !commitHash.MatchString(pin) {
		return nil, fmt.Errorf("%s: the pinned commit %q is not 40 lower-case hex digits: renew the lock file", ref, pin)
	}
	if c.offline {
		return c.cached(ref, pin)
	}
	// What can be answered from the cache does not wait long for the network.
	local, localErr := c.cached(ref, pin)
	retry := c.patient()
	if localErr == nil {
		retry = c.impatient()
	}
	s, err := c.resolve(ctx, ref, pin, retry)
	if errors.Is(err, ErrUnreachable) && localErr == nil && ctx.Err() == nil {
		c.log.Warn("the hub cannot be reached; reading its cache", "repo", ref.Repo, "commit", local.Commit, "reason", err.Error())
		return local, nil
	}
	return s, err
}
