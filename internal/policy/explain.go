package policy

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	celast "cel.dev/cel-go/common/ast"

	"github.com/gatepost-mail/gatepost/internal/nearest"
)

// explainSyntax says in our words why an expression cannot be read.
func explainSyntax(text string, e *cel.Error) *fault {
	at := offset(text, e.Location)
	if strings.Contains(e.Message, "exceed") {
		return &fault{at, errors.New(tooMuch)}
	}
	rest := text[at:]
	switch word := firstWord(rest); {
	case strings.HasPrefix(rest, "=") && !strings.HasPrefix(rest, "=="):
		return &fault{at, errors.New(`"=" says nothing here; write == to compare`)}
	case strings.HasPrefix(rest, "&"):
		return &fault{at, errors.New(`a single "&" says nothing; write && for "and"`)}
	case strings.HasPrefix(rest, "|"):
		return &fault{at, errors.New(`a single "|" says nothing; write || for "or"`)}
	case slices.Contains([]string{"and", "AND"}, word):
		return &fault{at, fmt.Errorf(`%q says nothing here; write &&`, word)}
	case slices.Contains([]string{"or", "OR"}, word):
		return &fault{at, fmt.Errorf(`%q says nothing here; write ||`, word)}
	case strings.HasPrefix(text, "not ") && at <= len("not "):
		return &fault{0, errors.New(`"not" says nothing here; write ! before what is not to hold`)}
	case strings.TrimSpace(rest) == "":
		return &fault{at, errors.New("the expression ends too early; an operand or a closing bracket is missing")}
	}
	return &fault{at, fmt.Errorf("this cannot be read as an expression: %s", plainly(e.Message))}
}

const tooMuch = "the expression is too long, or its brackets lie too deep; make two rules of it"

func firstWord(s string) string {
	i := strings.IndexFunc(s, func(r rune) bool { return r < 'A' || r > 'z' })
	if i < 0 {
		return s
	}
	return s[:i]
}

var (
	undeclared = regexp.MustCompile(`^undeclared reference to '([^']*)'`)
	noOverload = regexp.MustCompile(`^found no matching overload for '([^']*)' applied to '(.*)'`)
	noField    = regexp.MustCompile(`^undefined field '([^']*)'`)
	noMembers  = regexp.MustCompile(`^type '([^']*)' does not support field selection`)
)

// explainCheck says in our words what an expression gets wrong.
func explainCheck(text string, parsed *cel.Ast, e *cel.Error) *fault {
	at := offset(text, e.Location)
	node, chain := find(parsed.NativeRep(), e.ExprID)
	if m := undeclared.FindStringSubmatch(e.Message); m != nil {
		if node != nil && node.Kind() == celast.CallKind {
			return &fault{at, unknownFunction(m[1])}
		}
		if chain == "" {
			chain = m[1]
		}
		return &fault{begin(text, parsed, node, at), unknownName(chain)}
	}
	if m := noField.FindStringSubmatch(e.Message); m != nil {
		return &fault{min(at+len("."), len(text)), unknownMember(m[1])}
	}
	if m := noMembers.FindStringSubmatch(e.Message); m != nil {
		if chain != "" && byName[chain] == nil && hasNamespace(chain) {
			return &fault{begin(text, parsed, node, at), unknownName(chain)}
		}
		return &fault{at, fmt.Errorf("a %s has no members", m[1])}
	}
	if m := noOverload.FindStringSubmatch(e.Message); m != nil {
		return &fault{at, wrongKinds(m[1], m[2])}
	}
	for said, meant := range inOurWords {
		if strings.HasPrefix(e.Message, said) {
			return &fault{at, errors.New(meant)}
		}
	}
	return &fault{at, errors.New(plainly(e.Message))}
}

// inOurWords are what the library says of what it checks beside kinds.
var inOurWords = map[string]string{
	"expression node count exceeds":       tooMuch,
	"comprehension exceeds nesting limit": "loops lie more than two deep; make two rules of it",
	"invalid matches argument":            "the pattern cannot be read; it is one of RE2 (https://github.com/google/re2/wiki/Syntax)",
	"invalid timestamp argument":          `this is no time; write it like timestamp("2026-11-01T12:00:00Z")`,
	"invalid duration argument":           `this is no duration; write it like duration("36h")`,
	"expected type 'bool'":                "this is not true or false; write a comparison, such as spf.result == \"fail\"",
}

// find gives the node of this id, and the dotted name that it begins or is a part of.
func find(a *celast.AST, id int64) (celast.Expr, string) {
	root := celast.NavigateAST(a)
	found := celast.MatchDescendants(root, func(e celast.NavigableExpr) bool { return e.ID() == id })
	if len(found) == 0 {
		return nil, ""
	}
	top := found[0]
	for {
		parent, ok := top.Parent()
		if !ok || parent.Kind() != celast.SelectKind {
			break
		}
		top = parent
	}
	return found[0], dotted(top)
}

// begin is the octet at which a dotted name begins; at if it is none.
func begin(text string, parsed *cel.Ast, e celast.Expr, at int) int {
	for e != nil && e.Kind() == celast.SelectKind {
		e = e.AsSelect().Operand()
	}
	if e == nil || e.Kind() != celast.IdentKind {
		return at
	}
	return position(text, parsed.NativeRep(), e)
}

// dotted is an expression as a name with dots in it, if it is one.
func dotted(e celast.Expr) string {
	switch e.Kind() {
	case celast.IdentKind:
		return strings.TrimPrefix(e.AsIdent(), ".")
	case celast.SelectKind:
		if before := dotted(e.AsSelect().Operand()); before != "" {
			return before + "." + e.AsSelect().FieldName()
		}
	}
	return ""
}

func hasNamespace(chain string) bool {
	first, _, _ := strings.Cut(chain, ".")
	return len(beneathName(first)) > 0
}

// beneathName lists the names that begin so.
func beneathName(first string) []string {
	var all []string
	for _, n := range names {
		if strings.HasPrefix(n.name, first+".") {
			all = append(all, n.name)
		}
	}
	return all
}

func unknownName(typed string) error {
	if all := beneathName(typed); len(all) > 0 {
		return fmt.Errorf("%s is no value by itself; it has %s", typed, strings.Join(all, ", "))
	}
	var all []string
	for _, n := range names {
		all = append(all, n.name)
	}
	if guess := nearest.Word(typed, all); guess != "" {
		return fmt.Errorf("%s: no such name; did you mean %s?", clipped(typed), guess)
	}
	first, _, _ := strings.Cut(typed, ".")
	if all := beneathName(first); len(all) > 0 {
		return fmt.Errorf("%s: no such name; there are %s", clipped(typed), strings.Join(all, ", "))
	}
	return fmt.Errorf("%s: no such name; docs/policy.md lists them. A text stands in quotes: %q", clipped(typed), clipped(typed))
}

func unknownFunction(typed string) error {
	all := []string{"startsWith", "endsWith", "contains", "matches", "size", "exists", "all", "exists_one", "filter", "map", "timestamp", "duration"}
	for _, f := range functions {
		all = append(all, f.name)
	}
	if guess := nearest.Word(typed, all); guess != "" {
		return fmt.Errorf("%s: no such function; did you mean %s?", clipped(typed), guess)
	}
	return fmt.Errorf("%s: no such function; docs/policy.md lists them", clipped(typed))
}

func unknownMember(typed string) error {
	var all []string
	for _, m := range members {
		all = append(all, m.name)
	}
	if guess := nearest.Word(typed, all); guess != "" {
		return fmt.Errorf("%s: a signature has no such member; did you mean %s?", clipped(typed), guess)
	}
	return fmt.Errorf("%s: a signature has no such member; it has %s", clipped(typed), strings.Join(all, ", "))
}

func wrongKinds(function, kinds string) error {
	operator := strings.Trim(function, "_@")
	for _, f := range functions {
		if f.name == function {
			return fmt.Errorf("%s does not take %s; write %s", function, kinds, f.signature)
		}
	}
	switch operator {
	case "==", "!=", "<", "<=", ">", ">=":
		return fmt.Errorf("%s cannot compare %s; both sides must be of one kind, and a text stands in quotes", operator, kinds)
	case "&&", "||", "!":
		return fmt.Errorf("%s does not go with %s; it joins conditions that are true or false", operator, kinds)
	case "in":
		return fmt.Errorf("in cannot look for the first in the second of %s; write a list of the same kind, as in spf.result in [\"fail\", \"softfail\"]", kinds)
	}
	return fmt.Errorf("%s does not take %s", operator, kinds)
}

// clipped bounds what an error says again.
func clipped(s string) string { return part(s, domainLength) }

// plainly makes one short line of what the library says.
func plainly(message string) string {
	message = strings.TrimPrefix(message, "Syntax error: ")
	if before, _, found := strings.Cut(message, " expecting {"); found {
		message = before
	}
	return part(strings.Join(strings.Fields(message), " "), longest)
}

// offset is the octet of the text that CEL means by a line and a column, both of characters.
func offset(text string, l common.Location) int {
	at := 0
	for range l.Line() - 1 {
		i := strings.IndexByte(text[at:], '\n')
		if i < 0 {
			break
		}
		at += i + 1
	}
	column := 0
	for i := range text[at:] {
		if column == l.Column() {
			return at + i
		}
		column++
	}
	return len(text)
}
