package cli

import "strings"

// channels divides what a model writes into what it says and what it thinks:
// the channels of gpt-oss's harmony format, of which final is what it says, and
// <think> … </think>. Other marks of a format are left out.
type channels struct {
	say, think func(string) error

	held     string // may be the start of a mark
	heading  bool   // text is the header of a message
	header   string
	thinking bool
	said     strings.Builder
	thought  strings.Builder
	trim     bool // white space that follows a mark of thinking is left out
}

// Marks of formats.
const (
	markStart     = "<|start|>"
	markChannel   = "<|channel|>"
	markMessage   = "<|message|>"
	markEnd       = "<|end|>"
	markThink     = "<think>"
	markThinkDone = "</think>"
)

var formatMarks = []string{markStart, markChannel, markMessage, markEnd, markThink, markThinkDone}

// push takes the next part of the text.
func (c *channels) push(text string) error {
	c.held += text
	for {
		at, mark := nextMark(c.held)
		if mark == "" {
			break
		}
		if err := c.give(c.held[:at]); err != nil {
			return err
		}
		c.held = c.held[at+len(mark):]
		c.meet(mark)
	}
	keep := 0
	for _, m := range formatMarks {
		for n := min(len(m)-1, len(c.held)); n > keep; n-- {
			if strings.HasSuffix(c.held, m[:n]) {
				keep = n
			}
		}
	}
	text = c.held[:len(c.held)-keep]
	c.held = c.held[len(c.held)-keep:]
	return c.give(text)
}

// flush gives out what was held back.
func (c *channels) flush() error {
	text := c.held
	c.held = ""
	return c.give(text)
}

// nextMark is the first mark in a text.
func nextMark(text string) (at int, mark string) {
	at = len(text)
	for _, m := range formatMarks {
		if i := strings.Index(text, m); i >= 0 && i < at {
			at, mark = i, m
		}
	}
	return at, mark
}

func (c *channels) meet(mark string) {
	switch mark {
	case markStart, markChannel:
		c.heading, c.header = true, ""
	case markMessage:
		name, _, _ := strings.Cut(strings.TrimSpace(c.header), " ")
		c.thinking = c.heading && name != "final" && name != ""
		c.heading = false
	case markEnd:
		c.thinking = false
	case markThink:
		c.thinking, c.trim = true, true
	case markThinkDone:
		c.thinking, c.trim = false, true
	}
}

func (c *channels) give(text string) error {
	if c.heading {
		c.header += text
		return nil
	}
	if c.trim {
		if text = strings.TrimLeft(text, "\n"); text == "" {
			return nil
		}
		c.trim = false
	}
	switch {
	case text == "":
		return nil
	case !c.thinking:
		c.said.WriteString(text)
		return c.say(text)
	}
	c.thought.WriteString(text)
	return c.think(text)
}
