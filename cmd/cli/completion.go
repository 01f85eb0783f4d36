package cli

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/llama-pajamas/pj/recipes"
	"github.com/llama-pajamas/pj/stages"
)

func (a *app) completionCommand() *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print a script that completes commands in a shell",
		Long: fmt.Sprintf(`Prints a script for %s that completes commands, flags, files,
the addresses of the recipe at hand, types and topics. To have it in every session:

  bash        %[2]s completion bash > ~/.local/share/bash-completion/completions/%[2]s
  zsh         %[2]s completion zsh > "${fpath[1]}/_%[2]s"
  fish        %[2]s completion fish > ~/.config/fish/completions/%[2]s.fish
  powershell  %[2]s completion powershell >> $PROFILE`, strings.Join(shells, ", "), a.name),
		Example:   "  source <(pj completion bash)",
		Args:      takes("SHELL"),
		ValidArgs: shells,
		RunE: func(c *cobra.Command, args []string) error {
			root := c.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(a.stdout, true)
			case "zsh":
				return root.GenZshCompletion(a.stdout)
			case "fish":
				return root.GenFishCompletion(a.stdout, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(a.stdout)
			}
			return badInput(fmt.Errorf("there is no completion for %q: the shells are %s", args[0], strings.Join(shells, ", ")))
		},
	}
}

// mustComplete gives a flag of fixed values its completion.
func mustComplete(c *cobra.Command, flag string, values ...string) {
	err := c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	if err != nil {
		panic("cli: completion of --" + flag + ": " + err.Error())
	}
}

// completions lets the shell complete the addresses of commands that take them.
func (a *app) completions(root *cobra.Command) {
	for _, c := range root.Commands() {
		switch c.Name() {
		case "build", "plan", "explain", "verify":
			if c.ValidArgsFunction == nil {
				c.ValidArgsFunction = a.completeAddresses
			}
		}
	}
}

// completeAddresses lists the addresses of the recipe at hand. Files are
// completed beside them, since a recipe may come first.
func (a *app) completeAddresses(c *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if a.flags.dir != "" && os.Chdir(a.flags.dir) != nil {
		return nil, cobra.ShellCompDirectiveDefault
	}
	path, _ := splitArgs(args)
	r, _ := recipes.Load(c.Context(), recipes.Options{Path: path, Catalog: stages.Catalog(), Vars: a.flags.vars, Env: environ()})
	var out []string
	for _, b := range r.Program.Blocks {
		if b.Used && strings.HasPrefix(b.Address, begun) {
			out = append(out, b.Address)
		}
	}
	return out, cobra.ShellCompDirectiveDefault
}
