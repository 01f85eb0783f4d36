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

// takes checks that a command has the arguments that it needs.
func takes(names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == len(names) {
			return nil
		}
		if len(names) == 0 {
			return fmt.Errorf("%s takes no arguments, and %q was given", c.CommandPath(), args[0])
		}
		return fmt.Errorf("%s takes %s: %s %s. Run '%s --help' for more", c.CommandPath(), plural(len(names), "argument"), c.CommandPath(), strings.Join(names, " "), c.CommandPath())
	}
}
