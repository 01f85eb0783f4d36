// Package tokenizer reads a model's vocabulary in the forms in which hubs hold
// it, tokenizer.json, vocab.json with merges.txt, or SentencePiece's
// tokenizer.model, into one struct, from which the keys of a GGUF file are made;
// and turns text into tokens and back, from that struct or from such keys.
package tokenizer

import (
	"context"
	"fmt"
	"slices"

	"github.com/llama-pajamas/pj/runtime/arch"
)

// Names of the files.
const (
	jsonFile     = "tokenizer.json"
	vocabFile    = "vocab.json"
	mergesFile   = "merges.txt"
	pieceFile    = "tokenizer.model"
	configFile   = "tokenizer_config.json"
	specialFile  = "special_tokens_map.json"
	addedFile    = "added_tokens.json"
	templateFile = "chat_template.jinja"
	templateJSON = "chat_template.json"
	templateDir  = "additional_chat_templates/"
)

// Files are a model's small files.
type Files interface {
	// Names lists the files; names use slashes.
	Names() []string
	// Path stands for a file in messages.
	Path(name string) string
	Read(ctx context.Context, name string) ([]byte, error)
}

// Options say what the model knows of its tokenizer.
type Options struct {
	// Form says which files the architecture's models come with.
	Form arch.Tokenizer
	// Size is the vocabulary's by the model's configuration, that is the number
	// of rows of its embedding; 0 where that is not known.
	Size int
	// Config is the model's config.json, which has ids of special tokens; it
	// may be nil.
	Config []byte
	// Pre is the pre-tokenizer's name for files that do not describe theirs:
	// vocab.json with merges.txt.
	Pre string
}

// Model is the kind of a vocabulary, as GGUF calls it.
type Model string

const (
	BPE           Model = "gpt2"  // byte-level: the tokens' characters stand for bytes
	SentencePiece Model = "llama" // scores instead of merges
)

// Type is what a token is for.
type Type int32

const (
	Normal      Type = 1
	Unknown     Type = 2
	Control     Type = 3 // steers, and is not text
	UserDefined Type = 4 // added text that is never split
	Unused      Type = 5
	Byte        Type = 6
)

// Vocab is a tokenizer's vocabulary, with what is needed to use it.
type Vocab struct {
	Model Model
	// Pre is the name that llama.cpp has for the way in which text is split
	// before it is looked up.
	Pre    string
	Tokens []string // by id
	Types  []Type   // by id
	Scores []float32
	// Merges are pairs of tokens with a space between, the first to be joined
	// first.
	Merges []string
	// Special are the ids of tokens that have a use: bos, eos, pad and so on.
	Special []Special
	// Add says whether a token is put before or behind a text.
	Add []Add
	// AddSpacePrefix, where not nil, says whether a text is to begin with a
	// space.
	AddSpacePrefix *bool
	// Templates lay out a chat. The one without a name, or named default, is
	// used where none is asked for.
	Templates []Template
	// Lowercase and StripAccents, where not nil, say what is done to a text
	// before it is split.
	Lowercase, StripAccents *bool
	// IgnoreMerges says that a word which is a token is not put together from
	// smaller ones.
	IgnoreMerges bool
}

// Special is the id of a token that has a use.
type Special struct {
	Use string // "bos"
	ID  uint32
}

// Add says whether a token is put around a text.
type Add struct {
	Use   string // "bos"
	Value bool
}

// Template is a chat template in Jinja's language.
type Template struct{ Name, Text string }

// ID finds the token of a use.
func (v *Vocab) ID(use string) (uint32, bool) {
	for _, s := range v.Special {
		if s.Use == use {
			return s.ID, true
		}
	}
	return 0, false
}

// Load reads the tokenizer of a model.
func Load(ctx context.Context, files Files, o Options) (*Vocab, error) {
	l := &loader{ctx: ctx, files: files, names: files.Names(), o: o, v: &Vocab{}}
	if err := l.load(); err != nil {
		return nil, err
	}
	return l.v, nil
}

// loader reads one tokenizer.
type loader struct {
	ctx   context.Context
	files Files
	names []string
	o     Options
	v     *Vocab

	// anyPre passes pre-tokenizers that have no name, and takes tokenizer.json
	// before tokenizer.model: for use here, not for a GGUF file.
	anyPre bool

	json   *document    // tokenizer.json; nil where there is none
	config *settings    // tokenizer_config.json; nil where there is none
	extra  []addedToken // of added_tokens.json, where that is read
}

func (l *loader) has(name string) bool { return slices.Contains(l.names, name) }

// read reads a file that may be missing.
func (l *loader) read(name string) ([]byte, error) {
	if !l.has(name) {
		return nil, nil
	}
	return l.files.Read(l.ctx, name)
}

func (l *loader) load() error {
	if err := l.readSettings(); err != nil {
		return err
	}
	if b, err := l.read(jsonFile); err != nil {
		return err
	} else if b != nil {
		if l.json, err = parseDocument(b); err != nil {
			return l.errorf(jsonFile, "%w", err)
		}
	}
	if err := l.vocabulary(); err != nil {
		return err
	}
	return l.special()
}

// vocabulary reads the tokens in the form that the model has.
func (l *loader) vocabulary() error {
	if l.o.Form == arch.Llama && l.config != nil {
		l.v.AddSpacePrefix = l.config.addPrefixSpace
	}
	switch {
	case l.anyPre && l.json != nil && l.json.byteFallback():
		return l.fallbackBPE()
	case l.anyPre && l.json != nil && l.json.model.kind == "BPE":
		return l.byteLevel()
	case (l.o.Form != arch.BPE || l.anyPre && l.json == nil) && l.has(pieceFile):
		return l.sentencePiece()
	case l.json != nil && l.o.Form == arch.Llama && l.json.byteFallback():
		return l.fallbackBPE()
	case l.json != nil:
		return l.byteLevel()
	case l.has(vocabFile):
		return l.twoFiles()
	}
	return fmt.Errorf("%s: there is no tokenizer, neither this file nor %s: download the model's small files too", l.files.Path(jsonFile), vocabFile)
}

// errorf is an error in a file.
func (l *loader) errorf(name, format string, args ...any) error {
	return fmt.Errorf("%s: %w", l.files.Path(name), fmt.Errorf(format, args...))
}
