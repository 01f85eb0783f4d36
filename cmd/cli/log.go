package cli

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// logHandler words the log for people: warnings as the program words its own.
type logHandler struct {
	app   *app
	level slog.Level
	attrs []slog.Attr
}

func (h *logHandler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &logHandler{h.app, h.level, append(h.attrs[:len(h.attrs):len(h.attrs)], attrs...)}
}

// WithGroup keeps the names as they are: nothing here uses groups.
func (h *logHandler) WithGroup(string) slog.Handler { return h }

func (h *logHandler) Handle(_ context.Context, r slog.Record) error {
	var details []string
	add := func(a slog.Attr) bool {
		v := a.Value.Any()
		if d, ok := v.(time.Duration); ok {
			v = d.Round(10 * time.Millisecond)
		}
		details = append(details, fmt.Sprintf("%s %v", a.Key, v))
		return true
	}
	for _, a := range h.attrs {
		add(a)
	}
	r.Attrs(add)
	text := r.Message
	if len(details) > 0 {
		text += " (" + strings.Join(details, ", ") + ")"
	}
	if r.Level < slog.LevelWarn {
		fmt.Fprintln(h.app.stderr, h.app.paint(dim, h.app.redact(text)))
		return nil
	}
	h.app.warn("%s", text)
	return nil
}
