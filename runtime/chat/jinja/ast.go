package jinja

// expr is an expression.
type expr interface {
	eval(r *renderer) (any, error)
}

type (
	constant struct{ value any }
	name     struct {
		name string
		line int
	}
	listExpr struct {
		items []expr
		tuple bool
	}
	dictExpr  struct{ keys, values []expr }
	attribute struct { // x.name
		of   expr
		name string
		line int
	}
	subscript struct { // x[key]
		of, key expr
		line    int
	}
	slice struct { // x[from:to:step]; nil where it is left out
		of, from, to, step expr
		line               int
	}
	call struct {
		of   expr
		args arguments
		line int
	}
	filter struct { // x|name(args); of is nil in a block that is filtered
		of   expr
		name string
		args arguments
		line int
	}
	test struct { // x is name(args)
		of   expr
		name string
		args arguments
		not  bool
		line int
	}
	unary struct {
		op   string // - + not
		of   expr
		line int
	}
	binary struct {
		op          string
		left, right expr
		line        int
	}
	comparison struct { // a < b < c
		first expr
		ops   []string
		rest  []expr
		line  int
	}
	condition struct { // yes if test else no; no may be nil
		test, yes, no expr
	}
)

// arguments are those of a call: by place, by name, and spread out.
type arguments struct {
	list        []expr
	names       []string
	named       []expr
	spread      expr // *args
	spreadNamed expr // **kwargs
}

// stmt is a statement, or text.
type stmt interface {
	exec(r *renderer) error
}

type (
	literal struct{ text string }
	output  struct {
		of   expr
		line int
	}
	branch struct {
		tests  []expr // the last is nil for else
		bodies [][]stmt
	}
	loop struct {
		target    target
		over      expr
		filter    expr // nil: all
		body      []stmt
		otherwise []stmt
		recursive bool
		line      int
	}
	assign struct {
		target target
		value  expr
		line   int
	}
	assignBlock struct {
		target  target
		filters []*filter
		body    []stmt
		line    int
	}
	macroStmt struct {
		name     string
		params   []string
		defaults []expr // of the last parameters
		body     []stmt
		line     int
	}
	callBlock struct {
		caller *macroStmt
		call   *call
		line   int
	}
	filterBlock struct {
		filters []*filter
		body    []stmt
	}
	with struct {
		targets []target
		values  []expr
		body    []stmt
		line    int
	}
	scoped struct{ body []stmt } // {% generation %}
	jump   struct{ err error }   // break, continue
	run    struct {              // {% do %}
		of expr
	}
)

// target is what is assigned to: a name, a namespace's field, or several.
type target struct {
	name  string
	field string
	parts []target
}
