// Command pj builds quantized language models from recipes.
package main

import (
	"os"

	"github.com/llama-pajamas/pj/cmd/cli"
)

func main() { os.Exit(cli.Main("pj", os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
