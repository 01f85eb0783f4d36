package hub

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	maxPause = 30 * time.Second
	// maxAsked is the longest wait that a server may ask for: the hub counts
	// requests over windows of five minutes.
	maxAsked = 5 * time.Minute
	// steady is how much of a file a try must have brought for the tries before
	// it to be forgotten.
	steady = 1 << 20
)

// retry counts the tries of one operation.
type retry struct {
	c      *Client
	tries  int
	pause  time.Duration
	asked  time.Duration // the longest wait that a server may ask for
	later  string        // what to say of a later try
	failed int
}

func (c *Client) patient() *retry {
	return &retry{c: c, tries: c.tries, pause: c.pause, asked: maxAsked}
}

// impatient is for where there is another way.
func (c *Client) impatient() *retry {
	return &retry{c: c, tries: min(3, c.tries), pause: c.pause, asked: 5 * time.Second}
}

// next waits before the next try after err, or returns the error that ends the
// operation. got is how many bytes the failed try brought.
func (r *retry) next(ctx context.Context, t target, err error, got int64) error {
	if ctx.Err() != nil {
		return t.wrap(ctx.Err())
	}
	var again *temporary
	if !errors.As(err, &again) {
		return err
	}
	if got >= steady {
		r.failed, r.pause = 0, r.c.pause
	}
	r.failed++
	if again.after > r.asked {
		return &failure{text: err.Error() + " (it asks for " + again.after.Round(time.Second).String() + ")", is: []error{err}}
	}
	if r.failed >= r.tries {
		return &failure{text: err.Error() + " (given up after " + strconv.Itoa(r.failed) + " tries): check the network, and try again later" + r.later, is: []error{err}}
	}
	wait := again.after
	if wait == 0 {
		wait = r.c.jittered(r.pause)
		r.pause = min(2*r.pause, maxPause)
	}
	r.c.log.Warn("trying again", "target", t.String(), "failed", r.failed, "wait", wait, "reason", err.Error())
	if err := r.c.sleep(ctx, wait); err != nil {
		return t.wrap(err)
	}
	return nil
}

// jittered is a duration between a half and the whole of d.
func (c *Client) jittered(d time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return d/2 + time.Duration(c.jitter.Int64N(int64(d/2)+1))
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// windowReset is the hub's own header: "api";r=0;t=55, none left and a new
// window in 55 seconds.
var windowReset = regexp.MustCompile(`;\s*r\s*=\s*0\s*;\s*t\s*=\s*([0-9]{1,9})`)

// retryAfter is how long the server asks to wait: Retry-After in seconds or as a
// date (counted from the server's own clock), or else the hub's RateLimit. 0 if
// neither says.
func retryAfter(h http.Header) time.Duration {
	const longest = 1 << 30 // seconds, to stay clear of an overflow
	value := strings.TrimSpace(h.Get("Retry-After"))
	if n, err := strconv.ParseInt(value, 10, 64); err == nil {
		return time.Duration(min(max(n, 0), longest)) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		now, err := http.ParseTime(h.Get("Date"))
		if err != nil {
			now = time.Now()
		}
		return max(0, at.Sub(now))
	}
	if m := windowReset.FindStringSubmatch(h.Get("RateLimit")); m != nil {
		n, _ := strconv.Atoi(m[1])
		return time.Duration(n+1) * time.Second // the hub rounds down
	}
	return 0
}
