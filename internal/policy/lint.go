package policy

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/gatepost-mail/gatepost/internal/nearest"
)

// lint finds what compiles but cannot be meant: a result compared with a word that no result can be, an address that is no network,
// a time zone that there is not.
func lint(text string, a *celast.AST) *fault {
	var found *fault
	celast.PostOrderVisit(a.Expr(), celast.NewExprVisitor(func(e celast.Expr) {
		if found == nil && e.Kind() == celast.CallKind {
			found = lintCall(text, a, e.AsCall())
		}
	}))
	return found
}

func lintCall(text string, a *celast.AST, call celast.CallExpr) *fault {
	args := call.Args()
	switch f := call.FunctionName(); {
	case (f == operators.Equals || f == operators.NotEquals) && len(args) == 2:
		if bad := impossible(text, a, args[0], args[1]); bad != nil {
			return bad
		}
		return impossible(text, a, args[1], args[0])
	case f == operators.In && len(args) == 2 && args[1].Kind() == celast.ListKind:
		for _, e := range args[1].AsList().Elements() {
			if bad := impossible(text, a, args[0], e); bad != nil {
				return bad
			}
		}
	case f == "inNetwork" && len(args) == 2:
		if s, ok := literal(args[1]); ok {
			return badNetwork(text, a, args[1], s)
		}
	case strings.HasPrefix(f, "get") && len(args) == 1:
		if zone, ok := literal(args[0]); ok && !isZone(zone) {
			return &fault{position(text, a, args[0]), fmt.Errorf(`%q: no such time zone; write it like "Europe/Berlin" or "+01:00"`, clipped(zone))}
		}
	}
	return nil
}

// impossible tells of a word that a name can never be.
func impossible(text string, a *celast.AST, named, compared celast.Expr) *fault {
	s, ok := literal(compared)
	if !ok {
		return nil
	}
	words, what := wordsOf(a, named)
	for _, w := range words {
		if w == s {
			return nil
		}
	}
	if words == nil {
		return nil
	}
	hint := fmt.Sprintf("it is one of %s", listed(words))
	if guess := nearest.Word(s, words); guess != "" {
		hint = fmt.Sprintf("did you mean %q?", guess)
	}
	return &fault{position(text, a, compared), fmt.Errorf("%s is never %q; %s", what, clipped(s), hint)}
}

// wordsOf gives the words that an expression can be, where it is a name or a member of which that is known.
func wordsOf(a *celast.AST, e celast.Expr) (words []string, what string) {
	if n := nameOf(a, e); n != nil {
		return n.words, n.name
	}
	if e.Kind() == celast.SelectKind && a.GetType(e.AsSelect().Operand().ID()).IsExactType(signatureType) {
		for _, m := range members {
			if m.name == e.AsSelect().FieldName() {
				return m.words, "a signature's " + m.name
			}
		}
	}
	return nil, ""
}

func listed(words []string) string {
	var all []string
	for _, w := range words {
		if w == "" {
			w = `"" (nothing)`
		}
		all = append(all, w)
	}
	return strings.Join(all, ", ")
}

func badNetwork(text string, a *celast.AST, e celast.Expr, s string) *fault {
	p, err := netip.ParsePrefix(s)
	switch {
	case err != nil:
		hint := `write it like "192.0.2.0/24" or "2001:db8::/32"`
		if ip, err := netip.ParseAddr(s); err == nil {
			hint = fmt.Sprintf("for this one address write %q", fmt.Sprintf("%s/%d", ip, ip.BitLen()))
		}
		return &fault{position(text, a, e), fmt.Errorf("%q is no network; %s", clipped(s), hint)}
	case p.Masked() != p:
		return &fault{position(text, a, e), fmt.Errorf("%q is no network: it has bits beyond its prefix; did you mean %q?", s, p.Masked())}
	}
	return nil
}

// isZone tells whether CEL can find a time zone: by its name in the tz database, or an offset.
func isZone(s string) bool {
	if strings.ContainsRune(s, ':') {
		_, err := time.Parse("15:04", strings.TrimLeft(s, "+-"))
		return err == nil
	}
	_, err := time.LoadLocation(s)
	return err == nil
}

func literal(e celast.Expr) (string, bool) {
	if e.Kind() != celast.LiteralKind {
		return "", false
	}
	s, ok := e.AsLiteral().(types.String)
	return string(s), ok
}

// position is the octet at which an expression begins.
func position(text string, a *celast.AST, e celast.Expr) int {
	return offset(text, a.SourceInfo().GetStartLocation(e.ID()))
}
