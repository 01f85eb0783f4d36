package cli

import (
	"io"
	"sync"
)

// screen is standard error: lines that stay, and below them one line that says
// how far the work is. It is safe for concurrent use.
type screen struct {
	under io.Writer

	mu     sync.Mutex
	status string // what stands on the last line now
}

func newScreen(w io.Writer) *screen { return &screen{under: w} }

// Write puts text above the status line.
func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.erase()
	return s.under.Write(p)
}

// show replaces the status line.
func (s *screen) show(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if line != s.status {
		io.WriteString(s.under, "\r"+line+"\x1b[K")
		s.status = line
	}
}

// clear takes the status line away.
func (s *screen) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.erase()
}

func (s *screen) erase() {
	if s.status != "" {
		io.WriteString(s.under, "\r\x1b[K")
		s.status = ""
	}
}
