package cli

import (
	"fmt"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/spf13/cobra"
)

// nearestName is the name that was probably meant, "" where none is near.
func nearestName(given string, names []string) string {
	given = strings.ToLower(given)
	best, least := "", max(2, len(given)/3)+1
	for _, n := range names {
		if d := levenshtein.Distance(given, strings.ToLower(n), nil); d < least && d < max(len(given), len(n)) {
			best, least = n, d
		}
	}
	return best
}

// suggestion is `; did you mean "x"?`, or "".
func suggestion(given string, names []string) string {
	if n := nearestName(given, names); n != "" {
		return fmt.Sprintf("; did you mean %q?", n)
	}
	return ""
}

// takes checks that a command has the arguments that it needs; names in
// brackets may be left out, and stand first or last.
func takes(names ...string) cobra.PositionalArgs {
	least := 0
	for _, n := range names {
		if !strings.HasPrefix(n, "[") {
			least++
		}
	}
	return func(c *cobra.Command, args []string) error {
		if len(args) >= least && len(args) <= len(names) {
			return nil
		}
		if len(names) == 0 {
			return fmt.Errorf("%s takes no arguments, and %q was given", c.CommandPath(), args[0])
		}
		count := plural(len(names), "argument")
		switch {
		case least == 0:
			count = "at most " + count
		case least < len(names):
			count = fmt.Sprintf("%d to %s", least, count)
		}
		return fmt.Errorf("%s takes %s: %s %s. Run '%s --help' for more", c.CommandPath(), count, c.CommandPath(), strings.Join(names, " "), c.CommandPath())
	}
}
