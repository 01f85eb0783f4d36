package tokenizer

import (
	"path"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// defaultTemplate is the name of the template that is used where none is asked
// for.
const defaultTemplate = "default"

// readTemplates reads the chat templates: those of tokenizer_config.json, else
// of files of their own.
func (l *loader) readTemplates() error {
	if v, ok := l.config.fields["chat_template"]; ok {
		return l.templateValue(v, configFile)
	}
	switch {
	case l.has(templateFile):
		return l.templateFiles()
	case l.has(templateJSON):
		b, err := l.read(templateJSON)
		if err != nil {
			return err
		}
		var fields map[string]jsontext.Value
		if err := json.Unmarshal(b, &fields); err != nil {
			return l.errorf(templateJSON, "not a JSON object (%w): correct the file", plainJSON(err))
		}
		return l.templateValue(fields["chat_template"], templateJSON)
	}
	return nil
}

// templateValue reads a template, or a list of named ones.
func (l *loader) templateValue(v jsontext.Value, file string) error {
	if len(v) == 0 {
		return nil
	}
	var list []struct {
		Name     string  `json:"name"`
		Template *string `json:"template"`
	}
	switch v.Kind() {
	case '"':
		var text string
		if err := json.Unmarshal(v, &text); err != nil {
			return l.errorf(file, "chat_template: %w: correct the file", plainJSON(err))
		}
		l.v.Templates = []Template{{Text: text}}
	case '[':
		if err := json.Unmarshal(v, &list); err != nil {
			return l.errorf(file, "chat_template is a list, and its entries are not all objects with a name and a template: correct the file")
		}
		for _, t := range list {
			if t.Name != "" && t.Template != nil {
				l.v.Templates = append(l.v.Templates, Template{t.Name, *t.Template})
			}
		}
	}
	return nil
}

// templateFiles reads chat_template.jinja and those beside it.
func (l *loader) templateFiles() error {
	var more []string
	for _, n := range l.names {
		if strings.HasPrefix(n, templateDir) && strings.HasSuffix(n, ".jinja") {
			more = append(more, n)
		}
	}
	slices.Sort(more)
	for _, n := range append([]string{templateFile}, more...) {
		b, err := l.read(n)
		if err != nil {
			return err
		}
		name := ""
		switch {
		case n != templateFile:
			name = strings.TrimSuffix(path.Base(n), ".jinja")
		case len(more) > 0:
			name = defaultTemplate
		}
		// Python reads text files so.
		text := strings.ReplaceAll(strings.ReplaceAll(string(b), "\r\n", "\n"), "\r", "\n")
		l.v.Templates = append(l.v.Templates, Template{name, text})
	}
	return nil
}
