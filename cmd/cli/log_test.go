package cli

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLog(t *testing.T) {
	var stderr bytes.Buffer
	a := newApp("pj", strings.NewReader(""), &bytes.Buffer{}, &stderr)
	a.redact = func(s string) string { return strings.ReplaceAll(s, "swordfish", "(sensitive value)") }
	log := slog.New(&logHandler{app: a, level: slog.LevelWarn}).With("module", "module.m")
	log.Info("fetched")
	log.Warn("its copy is made anew", "commit", "abc", "token", "swordfish", "wait", 252244983*time.Nanosecond)
	require.Equal(t, "Warning: its copy is made anew (module module.m, commit abc, token (sensitive value), wait 250ms)\n", stderr.String())
	stderr.Reset()
	slog.New(&logHandler{app: a, level: slog.LevelDebug}).Debug("asked", "url", "u")
	require.Equal(t, "asked (url u)\n", stderr.String())
}
