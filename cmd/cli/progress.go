package cli

import (
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/llama-pajamas/pj/engine"
)

// progress shows how far the work is, on one line of a terminal. Where standard
// error is no terminal it shows nothing.
type progress struct {
	app  *app
	live bool // there is a line to show
	now  func() time.Time

	mu       sync.Mutex
	start    time.Time
	total    int64
	done     int64
	actions  int // to run
	finished int
	current  string
	end      chan struct{}
	ended    chan struct{}
}

// frame is how often the line is drawn.
const frame = 100 * time.Millisecond

func (a *app) newProgress() *progress {
	p := &progress{app: a, live: !a.flags.quiet && isTerminal(a.stderr.under), now: time.Now, end: make(chan struct{}), ended: make(chan struct{})}
	p.start = p.now()
	go p.draw()
	return p
}

// draw shows the line until stop is called.
func (p *progress) draw() {
	defer close(p.ended)
	if !p.live {
		<-p.end
		return
	}
	t := time.NewTicker(frame)
	defer t.Stop()
	for {
		select {
		case <-p.end:
			p.app.stderr.clear()
			return
		case <-t.C:
			p.app.stderr.show(p.line(width(p.app.stderr.under)))
		}
	}
}

func (p *progress) stop() {
	close(p.end)
	<-p.ended
}

// begin starts to count anew.
func (p *progress) begin(what string, total int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.start, p.current, p.total, p.done = p.now(), what, total, 0
}

func (p *progress) add(bytes int64) {
	p.mu.Lock()
	p.done += bytes
	p.mu.Unlock()
}

// observe takes the engine's events, from several goroutines.
func (p *progress) observe(e engine.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.app
	switch e.Kind {
	case engine.EventPlanned:
		p.start, p.total, p.done, p.actions, p.finished = p.now(), e.Bytes, 0, e.Count, 0
	case engine.EventStarted:
		p.current = e.Action.Address
		if a.flags.verbose {
			a.note("run   %s (%s)", e.Action.Address, e.Text)
		}
	case engine.EventFinished:
		p.finished++
		if a.flags.verbose && e.Err == nil {
			a.note("done  %s in %s", e.Action.Address, short(e.Elapsed))
		}
	case engine.EventProgress:
		p.done += e.Bytes
	case engine.EventFetch:
		p.current = "fetching " + e.Text
		a.note("Fetching %s, %s.", e.Text, bytesOf(e.Bytes))
	case engine.EventAssemble:
		p.current = "writing " + e.Text
	case engine.EventWaiting:
		p.current = "waiting for another build"
		a.note("Waiting for another build, which makes %s.", e.Action.Address)
	case engine.EventRemade:
		a.warn("%s is made again: %s.", e.Action.Address, e.Text)
	}
}

// line words how far the work is, in at most width characters.
func (p *progress) line(width int) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var parts []string
	if p.total > 0 {
		done := min(p.done, p.total)
		parts = append(parts, fmt.Sprintf("%3d%%", 100*done/p.total), fmt.Sprintf("%s of %s", bytesOf(done), bytesOf(p.total)))
		spent := p.now().Sub(p.start)
		if done > 0 && spent >= time.Second {
			rate := float64(done) / spent.Seconds()
			left := time.Duration(float64(p.total-done) / rate * float64(time.Second))
			parts = append(parts, bytesOf(int64(rate))+"/s", short(left)+" left")
		}
	}
	if p.actions > 0 {
		parts = append(parts, fmt.Sprintf("%d/%d", p.finished, p.actions))
	}
	parts = append(parts, p.app.redact(p.current))
	return clip(strings.Join(parts, "  "), width-1)
}

// clip shortens a line to n characters.
func clip(s string, n int) string {
	if n < 2 || utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

// short words a duration: "1.2 s", "3 min 20 s", "2 h 5 min".
func short(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
}

// set says how much of something is done.
func (p *progress) set(what string, done, total int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.current, p.done, p.total = what, done, total
}
