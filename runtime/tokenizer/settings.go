package tokenizer

import (
	"bytes"
	"errors"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// settings are a tokenizer_config.json.
type settings struct {
	addPrefixSpace *bool
	decoder        []addedToken
	fields         map[string]jsontext.Value
}

// readSettings reads tokenizer_config.json where it is there.
func (l *loader) readSettings() error {
	b, err := l.read(configFile)
	if err != nil || b == nil {
		return err
	}
	s := &settings{}
	if err := json.Unmarshal(b, &s.fields); err != nil {
		return l.errorf(configFile, "not a JSON object (%w): correct the file", plainJSON(err))
	}
	if len(s.fields) == 0 {
		return nil // llama.cpp's converter takes an empty file for none
	}
	if v, ok := s.bool("add_prefix_space"); ok {
		s.addPrefixSpace = &v
	}
	if s.decoder, err = decoderOf(s.fields["added_tokens_decoder"]); err != nil {
		return l.errorf(configFile, "added_tokens_decoder: %w: correct the file", err)
	}
	l.config = s
	return nil
}

// plainJSON drops a decoder's words around a mistake in the text.
func plainJSON(err error) error {
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) && syntax.Err != nil {
		return syntax.Err
	}
	return err
}

// decoderOf reads an object from ids to tokens.
func decoderOf(v jsontext.Value) ([]addedToken, error) {
	if len(v) == 0 || v.Kind() == 'n' {
		return nil, nil
	}
	var entries map[string]addedToken
	if err := json.Unmarshal(v, &entries); err != nil {
		return nil, errors.New("not an object of tokens by id")
	}
	out := make([]addedToken, 0, len(entries))
	for key, t := range entries {
		id, err := strconv.ParseInt(key, 10, 64)
		if err != nil {
			return nil, errors.New(strconv.Quote(key) + " is no id")
		}
		t.ID = id
		out = append(out, t)
	}
	byID(out)
	return out, nil
}

// bool is a field that is true or false.
func (s *settings) bool(key string) (value, ok bool) {
	v := s.fields[key]
	return v.Kind() == 't', len(v) > 0 && (v.Kind() == 't' || v.Kind() == 'f')
}

// token is a field that names a token, as a string or an object.
func (s *settings) token(key string) string { return tokenText(s.fields[key]) }

func tokenText(v jsontext.Value) string {
	var text string
	if len(v) > 0 && v.Kind() == '{' {
		var t addedToken
		if json.Unmarshal(v, &t) == nil {
			text = t.Content
		}
	} else if len(v) > 0 && v.Kind() == '"' {
		if json.Unmarshal(v, &text) != nil {
			return ""
		}
	}
	return text
}

// tokenKeys are the fields that name special tokens.
var tokenKeys = []string{"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"}

// namedSpecial are the tokens that the settings call special. The hub's library
// treats them so even where they are not among the added tokens.
func (l *loader) namedSpecial() []string {
	var out []string
	from := func(fields map[string]jsontext.Value) {
		for _, key := range tokenKeys {
			if t := tokenText(fields[key]); t != "" {
				out = append(out, t)
			}
		}
		var more []jsontext.Value
		if v := fields["additional_special_tokens"]; len(v) > 0 && json.Unmarshal(v, &more) == nil {
			for _, v := range more {
				if t := tokenText(v); t != "" {
					out = append(out, t)
				}
			}
		}
	}
	if l.config != nil {
		from(l.config.fields)
	}
	if b, err := l.read(specialFile); err == nil && b != nil {
		var fields map[string]jsontext.Value
		if json.Unmarshal(bytes.TrimSpace(b), &fields) == nil {
			from(fields)
		}
	}
	return out
}
