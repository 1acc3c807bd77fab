package policy

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// The bounds of an expression. Without a loop its work is that of reading it once, so that only loops are counted while they run.
const (
	maxExpression = 4096 // characters
	maxNodes      = 1000
	maxDepth      = 60
	maxLoops      = 2      // one within another
	maxRegexp     = 1000   // instructions of a compiled pattern
	maxCost       = 50_000 // CEL's units: about a comparison each
)

var stringsType = reflect.TypeFor[[]string]()

// language is CEL with our names and functions in it. It is made once: that takes a millisecond.
var language = sync.OnceValues(func() (*cel.Env, error) {
	options := []cel.EnvOption{
		cel.ParserExpressionSizeLimit(maxExpression),
		cel.ParserRecursionLimit(maxDepth),
		cel.ExpressionNodeLimit(maxNodes),
		cel.ExpressionNestingDepthLimit(maxDepth),
		cel.RegexProgramSizeLimit(maxRegexp),
		cel.DefaultUTCTimeZone(true),
		cel.ASTValidators(cel.ValidateRegexLiterals(), cel.ValidateTimestampLiterals(), cel.ValidateDurationLiterals(),
			cel.ValidateComprehensionNestingLimit(maxLoops)),
	}
	base, err := types.NewRegistry()
	if err != nil {
		return nil, err
	}
	options = append(options, cel.CustomTypeProvider(provider{base}), cel.CustomTypeAdapter(base))
	for _, n := range names {
		options = append(options, cel.Variable(n.name, n.typ))
	}
	for _, f := range functions {
		options = append(options, f.option)
	}
	return cel.NewEnv(options...)
})

// A fault is what is wrong with an expression, and at which octet of it.
type fault struct {
	at  int
	err error
}

func (f *fault) Error() string { return f.err.Error() }
func (f *fault) Unwrap() error { return f.err }

// An expression is one that was compiled and checked.
type expression struct {
	program cel.Program
	typ     *cel.Type
	only    *name // set where it is nothing but a name
	own     bool  // it names authenticated, so that it means our own users' mail too
}

// compile reads an expression.
func compile(text string) (*expression, *fault) {
	env, err := language()
	if err != nil {
		return nil, &fault{0, err}
	}
	switch {
	case strings.TrimSpace(text) == "":
		return nil, &fault{0, errors.New(`the expression is empty; write one, or "true" for every message`)}
	case len(text) > maxExpression:
		return nil, &fault{0, fmt.Errorf("the expression is longer than %d octets; make two rules of it", maxExpression)}
	}
	parsed, issues := env.Parse(text)
	if issues.Err() != nil {
		return nil, explainSyntax(text, issues.Errors()[0])
	}
	checked, issues := env.Check(parsed)
	if issues.Err() != nil {
		return nil, explainCheck(text, parsed, issues.Errors()[0])
	}
	if f := lint(text, checked.NativeRep()); f != nil {
		return nil, f
	}
	var options []cel.ProgramOption
	loops := hasLoop(checked.NativeRep())
	if loops {
		if estimate, err := env.EstimateCost(checked, sizes{}); err != nil || estimate.Min > maxCost {
			return nil, &fault{0, errors.New("the expression takes too much work for one message; make it shorter")}
		}
		options = append(options, cel.CostLimit(maxCost))
	} else {
		options = append(options, cel.EvalOptions(cel.OptOptimize))
	}
	program, err := env.Program(checked, options...)
	if err != nil {
		return nil, &fault{0, errors.New(plainly(err.Error()))}
	}
	a := checked.NativeRep()
	return &expression{program: program, typ: checked.OutputType(), only: nameOf(a, a.Expr()), own: mentions(a, "authenticated")}, nil
}

// eval gives the value of the expression for a message. It does not panic: the library recovers, and so that we need not trust in
// that for our own functions, they hold no panic that a value could reach.
func (x *expression) eval(s *subject) (ref.Val, error) {
	v, _, err := x.program.Eval(s)
	switch {
	case err != nil:
		return nil, errors.New(plainly(err.Error()))
	case types.IsUnknownOrError(v):
		return nil, fmt.Errorf("%v", v)
	}
	return v, nil
}

// holds tells whether the expression is true of a message.
func (x *expression) holds(s *subject) (bool, error) {
	v, err := x.eval(s)
	if err != nil {
		return false, err
	}
	b, ok := v.(types.Bool)
	if !ok {
		return false, fmt.Errorf("it gives %s, not true or false", v.Type().TypeName())
	}
	return bool(b), nil
}

func hasLoop(a *celast.AST) bool {
	found := false
	celast.PostOrderVisit(a.Expr(), celast.NewExprVisitor(func(e celast.Expr) {
		found = found || e.Kind() == celast.ComprehensionKind
	}))
	return found
}

// mentions tells whether an expression speaks of a name.
func mentions(a *celast.AST, n string) bool {
	for _, r := range a.ReferenceMap() {
		if r.Name == n {
			return true
		}
	}
	return false
}

// nameOf is the name that an expression is, or nil.
func nameOf(a *celast.AST, e celast.Expr) *name {
	if r := a.ReferenceMap()[e.ID()]; r != nil && r.Name != "" {
		return byName[r.Name]
	}
	return nil
}

// sizes tells CEL how large our values are, for its estimate of the work.
type sizes struct{}

func (sizes) EstimateSize(n cost.AstNode) *cost.SizeEstimate {
	switch n.Type().Kind() {
	case types.ListKind:
		return &cost.SizeEstimate{Min: 0, Max: 20}
	case types.StringKind:
		return &cost.SizeEstimate{Min: 0, Max: 255}
	}
	return nil
}

func (sizes) EstimateCallCost(string, string, *cost.AstNode, []cost.AstNode) *cost.CallEstimate {
	return nil
}
