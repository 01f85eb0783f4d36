package hub_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/llama-pajamas/pj/runtime/hub"
	"github.com/llama-pajamas/pj/runtime/hub/hubtest"
)

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func homeVar() string {
	if runtime.GOOS == "windows" {
		return "USERPROFILE"
	}
	return "HOME"
}

func TestOptionsFromEnv(t *testing.T) {
	home := t.TempDir()
	hf := filepath.Join(home, ".cache", "huggingface")
	elsewhere := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(elsewhere, []byte("hf_elsewhere"), 0o600))

	o := hub.OptionsFromEnv(env(homeVar(), home))
	require.Equal(t, hub.Options{Home: hf, CacheDir: filepath.Join(hf, "hub")}, o)

	require.NoError(t, os.MkdirAll(hf, 0o777))
	require.NoError(t, os.WriteFile(filepath.Join(hf, "token"), []byte(" hf_file\n"), 0o600))
	for _, c := range []struct {
		name string
		env  []string
		want hub.Options
	}{
		{"token file", nil, hub.Options{Home: hf, CacheDir: filepath.Join(hf, "hub"), Token: "hf_file"}},
		{"token", []string{"HF_TOKEN", "hf_env\n"}, hub.Options{Home: hf, CacheDir: filepath.Join(hf, "hub"), Token: "hf_env"}},
		{"old token", []string{"HUGGING_FACE_HUB_TOKEN", "hf_old"}, hub.Options{Home: hf, CacheDir: filepath.Join(hf, "hub"), Token: "hf_old"}},
		{"token path", []string{"HF_TOKEN_PATH", elsewhere}, hub.Options{Home: hf, CacheDir: filepath.Join(hf, "hub"), Token: "hf_elsewhere"}},
		{"no implicit token", []string{"HF_HUB_DISABLE_IMPLICIT_TOKEN", "1"}, hub.Options{Home: hf, CacheDir: filepath.Join(hf, "hub")}},
		{"home", []string{"HF_HOME", "~/x"}, hub.Options{Home: filepath.Join(home, "x"), CacheDir: filepath.Join(home, "x", "hub")}},
		{"xdg", []string{"XDG_CACHE_HOME", filepath.Join(home, "c")}, hub.Options{Home: filepath.Join(home, "c", "huggingface"), CacheDir: filepath.Join(home, "c", "huggingface", "hub")}},
		{"cache", []string{"HF_HUB_CACHE", "/c", "HF_HOME", "/h"}, hub.Options{Home: "/h", CacheDir: "/c"}},
		{"endpoint, offline", []string{"HF_ENDPOINT", "http://x/ ", "HF_HUB_OFFLINE", "yes", "HF_HOME", "/h"}, hub.Options{Endpoint: "http://x/", Offline: true, Home: "/h", CacheDir: filepath.Join("/h", "hub")}},
		{"old offline", []string{"TRANSFORMERS_OFFLINE", "1", "HF_HOME", "/h"}, hub.Options{Offline: true, Home: "/h", CacheDir: filepath.Join("/h", "hub")}},
		{"not offline", []string{"HF_HUB_OFFLINE", "0", "HF_HOME", "/h"}, hub.Options{Home: "/h", CacheDir: filepath.Join("/h", "hub")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, hub.OptionsFromEnv(env(append(c.env, homeVar(), home)...)))
		})
	}
}

func TestOptionsHideToken(t *testing.T) {
	o := hub.Options{Token: secret, Endpoint: "https://me:" + secret + "@mirror.example/hub"}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "options", o)
	for _, text := range []string{fmt.Sprint(o), fmt.Sprintf("%+v", o), fmt.Sprintf("%#v", o), log.String()} {
		require.NotContains(t, text, secret)
		require.Contains(t, text, "mirror.example")
	}
}

func TestBadOptions(t *testing.T) {
	ref := hub.Ref{Repo: "a/b"}
	for name, c := range map[string]struct {
		o   hub.Options
		why string
	}{
		"no scheme":   {hub.Options{Endpoint: "huggingface.co"}, "HF_ENDPOINT"},
		"other":       {hub.Options{Endpoint: "ftp://x"}, "HF_ENDPOINT"},
		"unreadable":  {hub.Options{Endpoint: "http://me:" + secret + "@[x"}, "HF_ENDPOINT"},
		"query":       {hub.Options{Endpoint: "http://me:" + secret + "@x/?y"}, "HF_ENDPOINT"},
		"bad token":   {hub.Options{Token: secret + "\nX"}, "HF_TOKEN holds"},
		"space token": {hub.Options{Token: secret + " X"}, "HF_TOKEN holds"},
	} {
		t.Run(name, func(t *testing.T) {
			c.o.CacheDir = t.TempDir()
			_, err := hub.New(c.o).Snapshot(context.Background(), ref, "")
			require.ErrorContains(t, err, c.why)
			require.NotContains(t, err.Error(), secret)
		})
	}
	c := hub.New(hub.Options{CacheDir: t.TempDir()})
	_, err := c.Snapshot(context.Background(), hub.Ref{Repo: "../b"}, "")
	require.ErrorContains(t, err, "hf://org/name")
	_, err = c.Snapshot(context.Background(), hub.Ref{Repo: "a/b", Revision: "../x"}, "")
	require.ErrorContains(t, err, "hf://org/name")
	_, err = c.Snapshot(context.Background(), ref, "../x")
	require.ErrorContains(t, err, "renew the lock file")
}

func TestUserAgent(t *testing.T) {
	h := hubtest.New(t, map[string]hubtest.Repo{"a/b": {"x": hubtest.Text("x")}})
	o := h.Options(t)
	open(t, o)
	o.UserAgent = "pj/1.2"
	open(t, o)
	require.Equal(t, "pj", h.Requests()[0].UserAgent)
	require.Equal(t, "pj/1.2", h.Requests()[1].UserAgent)
}
