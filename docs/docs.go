// Package docs holds the pages that the program itself shows.
package docs

import _ "embed"

//go:embed language.md
var language string

// Language is the guide to the recipe language, in Markdown.
func Language() string { return language }
