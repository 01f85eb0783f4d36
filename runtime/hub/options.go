package hub

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

const (
	defaultEndpoint = "https://huggingface.co"
	defaultAgent    = "pj"
	defaultTries    = 6
	defaultPause    = 500 * time.Millisecond
	defaultStall    = time.Minute

	// maxTokenFile bounds what is read of the token's file; a token has some 40
	// bytes.
	maxTokenFile = 4 << 10
)

// Options are where the hub and its local cache are. The zero value reads the
// public hub without a token.
type Options struct {
	Endpoint string // "" for the public hub
	Token    string // "" to read without one; never logged or put in an error
	Home     string // of the hub's tools; "" for .cache/huggingface in the user's folder
	CacheDir string // of repositories; "" for Home/hub
	Offline  bool   // answer from the cache alone

	Client    *http.Client // nil for one of its own; its CheckRedirect is not used
	Logger    *slog.Logger // nil for none
	UserAgent string       // "" for "pj"

	// Tries is how often in a row a request may fail before it is given up; 0
	// for 6. What brought a good piece of a file does not count as failed.
	Tries int
	// Pause is the one before the second try, doubled before each further one;
	// 0 for half a second.
	Pause time.Duration
	// Stall is how long a server may send nothing before the connection counts
	// as cut; 0 for a minute.
	Stall time.Duration
	// Seed is the jitter's between tries; 0 to draw one, so that machines that
	// failed together do not come back together.
	Seed uint64
}

// String leaves the token out, so that options can be printed.
func (o Options) String() string {
	token := "no token"
	if o.Token != "" {
		token = "a token"
	}
	return fmt.Sprintf("endpoint %q, cache %q, home %q, offline %t, %s", hideUser(o.Endpoint), o.CacheDir, o.Home, o.Offline, token)
}

// GoString is String: %#v shall not print the token either.
func (o Options) GoString() string { return "hub.Options{" + o.String() + "}" }

// LogValue is String for slog.
func (o Options) LogValue() slog.Value { return slog.StringValue(o.String()) }

// OptionsFromEnv reads the variables of the hub's own tools: HF_ENDPOINT,
// HF_HOME, HF_HUB_CACHE, HF_TOKEN (else the file HF_TOKEN_PATH, else HF_HOME's
// token file, unless HF_HUB_DISABLE_IMPLICIT_TOKEN is set) and HF_HUB_OFFLINE;
// and the older names HUGGINGFACE_HUB_CACHE, HUGGING_FACE_HUB_TOKEN and
// TRANSFORMERS_OFFLINE.
func OptionsFromEnv(getenv func(string) string) Options {
	user := userFolder(getenv)
	o := Options{
		Endpoint: strings.TrimSpace(getenv("HF_ENDPOINT")),
		Home:     expand(getenv("HF_HOME"), user),
		CacheDir: expand(first(getenv("HF_HUB_CACHE"), getenv("HUGGINGFACE_HUB_CACHE")), user),
		Offline:  isTrue(first(getenv("HF_HUB_OFFLINE"), getenv("TRANSFORMERS_OFFLINE"))),
	}
	if o.Home == "" {
		if cache := expand(getenv("XDG_CACHE_HOME"), user); cache != "" {
			o.Home = filepath.Join(cache, "huggingface")
		} else if user != "" {
			o.Home = filepath.Join(user, ".cache", "huggingface")
		}
	}
	if o.CacheDir == "" && o.Home != "" {
		o.CacheDir = filepath.Join(o.Home, "hub")
	}
	o.Token = cleanToken(first(getenv("HF_TOKEN"), getenv("HUGGING_FACE_HUB_TOKEN")))
	if o.Token == "" && !isTrue(getenv("HF_HUB_DISABLE_IMPLICIT_TOKEN")) {
		path := expand(getenv("HF_TOKEN_PATH"), user)
		if path == "" && o.Home != "" {
			path = filepath.Join(o.Home, "token")
		}
		o.Token = tokenFile(path)
	}
	return o
}

func userFolder(getenv func(string) string) string {
	if runtime.GOOS == "windows" {
		return getenv("USERPROFILE")
	}
	return getenv("HOME")
}

// expand replaces a leading "~/".
func expand(path, user string) string {
	if rest, ok := strings.CutPrefix(path, "~"); ok && user != "" && (rest == "" || os.IsPathSeparator(rest[0])) {
		return filepath.Join(user, rest)
	}
	return path
}

// tokenFile is "" where the file cannot be read: most machines have none, and
// where a token is needed the hub's answer says so.
func tokenFile(path string) string {
	if path == "" {
		return ""
	}
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxTokenFile))
	if err != nil {
		return ""
	}
	return cleanToken(string(b))
}

func cleanToken(s string) string { return strings.TrimSpace(s) }

func isTrue(s string) bool {
	switch strings.ToUpper(s) {
	case "1", "ON", "YES", "TRUE":
		return true
	}
	return false
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
