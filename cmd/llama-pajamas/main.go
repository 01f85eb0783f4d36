// Command llama-pajamas builds quantized language models from recipes.
package main

import (
	"os"

	"github.com/llama-pajamas/pj/cmd/cli"
)

func main() { os.Exit(cli.Main("llama-pajamas", os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
