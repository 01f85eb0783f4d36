package mix

// rules are what a mix says of parts of a model.
type rules map[part]rule

// rule names the type for a tensor, or "" for the mix's own.
type rule func(at place) string

// place is what a rule may depend on.
type place struct {
	*Model
	// nth and of count tensors of the same part: nth comes before this one. Of
	// feed-forward parts, of is the number of layers.
	nth, of int
	// layer is that of the tensor's name in the feed-forward part of a model with
	// experts, else nth. Coarse mixes go by nth everywhere: a shared expert in
	// each layer halves what they hold for an eighth of the layers.
	layer int
}

func always(t string) rule { return func(place) string { return t } }

// either asks one rule after the other.
func either(list ...rule) rule {
	return func(at place) string {
		for _, r := range list {
			if t := r.of(at); t != "" {
				return t
			}
		}
		return ""
	}
}

// of asks a rule that may be nil.
func (r rule) of(at place) string {
	if r == nil {
		return ""
	}
	return r(at)
}

// when asks one rule or the other.
func when(condition func(at place) bool, yes, no rule) rule {
	return func(at place) string {
		if condition(at) {
			return yes.of(at)
		}
		return no.of(at)
	}
}

// sharedHeads holds where at least four query heads share a value head: the
// matrix is small then, and much depends on it.
func sharedHeads(t string) rule {
	return when(func(at place) bool { return at.HeadsKV > 0 && at.Heads/at.HeadsKV >= 4 }, always(t), nil)
}

func fourExperts(t string) rule {
	return when(func(at place) bool { return at.Experts >= 4 }, always(t), nil)
}

// eightExperts is for models like Mixtral 8x7B, whose attention is a small part
// of the file.
func eightExperts(yes, no rule) rule {
	return when(func(at place) bool { return at.Experts == 8 }, yes, no)
}

func falcon(yes, no rule) rule {
	return when(func(at place) bool { return at.Architecture == "falcon" }, yes, no)
}

// attentionOut is the rule of the attention's output: eight is for models of
// eight experts; Falcon's has the mix's type.
func attentionOut(eight, others string) rule {
	return falcon(nil, eightExperts(always(eight), always(others)))
}

// weighted and unweighted hold with and without an importance matrix.
func weighted(r rule) rule {
	return when(func(at place) bool { return at.HasImportance }, r, nil)
}

func unweighted(r rule) rule {
	return when(func(at place) bool { return at.HasImportance }, nil, r)
}

// first holds for the first n tensors of the part.
func first(n int, t string) rule {
	return when(func(at place) bool { return at.nth < n }, always(t), nil)
}

// firstPart holds for the first nth of the layers.
func firstPart(n int, t string) rule {
	return when(func(at place) bool { return at.layer < at.of/n }, always(t), nil)
}

// middle holds for all but the first and the last eighth of the layers.
func middle(t string) rule {
	return when(func(at place) bool { return at.layer >= at.of/8 && at.layer < 7*at.of/8 }, always(t), nil)
}

// moreBits holds for the first and the last eighth of the layers and for every
// third one between.
func moreBits(t string) rule {
	return when(func(at place) bool {
		return at.layer < at.of/8 || at.layer >= 7*at.of/8 || (at.layer-at.of/8)%3 == 2
	}, always(t), nil)
}
