package policy

import (
	"net/netip"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// A function is what a rule can call beside CEL's own.
type function struct {
	name      string
	signature string
	doc       string
	option    cel.EnvOption
}

var (
	str  = cel.StringType
	strs = cel.ListType(cel.StringType)
)

// functions are all of them, in the order of the document.
var functions = []function{
	{"inNetwork", "inNetwork(ip, network)", "whether an address is in a network, as in inNetwork(client.ip, \"192.0.2.0/24\"); false for what is no address",
		two("inNetwork", str, str, cel.BoolType, inNetwork)},
	{"isSubdomain", "isSubdomain(domain, parent)", "whether a domain is the other or lies beneath it; case does not matter",
		two("isSubdomain", str, str, cel.BoolType, func(a, b ref.Val) ref.Val { return types.Bool(beneath(plain(a), plain(b))) })},
	{"anySubdomain", "anySubdomain(domains, parent)", "whether one of a list is",
		two("anySubdomain", strs, str, cel.BoolType, anySubdomain)},
	{"domainOf", "domainOf(address)", "the domain of an address, in lower case; empty if it has none",
		one("domainOf", str, str, func(v ref.Val) ref.Val { return types.String(domainOf(plain(v))) })},
	{"localPart", "localPart(address)", "what stands before the last @",
		one("localPart", str, str, func(v ref.Val) ref.Val { return types.String(localPart(plain(v))) })},
	{"lower", "lower(text)", "ASCII letters in lower case",
		one("lower", str, str, func(v ref.Val) ref.Val { return types.String(lower(plain(v))) })},
	{"resembles", "resembles(domain, own)", "whether a domain looks like another but neither is it nor lies beneath it: one letter differs, two are swapped, or 0 stands for o, rn for m and the like, or the other's name is in it",
		two("resembles", str, str, cel.BoolType, func(a, b ref.Val) ref.Val { return types.Bool(resembles(plain(a), plain(b))) })},
	{"either", "either(text, text)", "the first, or the second if the first is empty",
		two("either", str, str, str, either)},
	{"colon", "colon(text)", "for a sentence: the text after a colon, or nothing if there is none",
		one("colon", str, str, func(v ref.Val) ref.Val { return types.String(colon(plain(v))) })},
	{"short", "short(text, n)", "for a sentence: at most n octets of printable ASCII", two("short", str, cel.IntType, str, short)},
}

func one(name string, a, result *cel.Type, f func(ref.Val) ref.Val) cel.EnvOption {
	return cel.Function(name, cel.Overload(name, []*cel.Type{a}, result, cel.UnaryBinding(f)))
}

func two(name string, a, b, result *cel.Type, f func(a, b ref.Val) ref.Val) cel.EnvOption {
	return cel.Function(name, cel.Overload(name, []*cel.Type{a, b}, result, cel.BinaryBinding(f)))
}

// plain is the text of a value that the type check promised to be one.
func plain(v ref.Val) string {
	s, _ := v.Value().(string)
	return s
}

func inNetwork(ip, network ref.Val) ref.Val {
	addr, err := netip.ParseAddr(plain(ip))
	if err != nil {
		return types.False // SPF was not evaluated, or the client is not known
	}
	prefix, err := netip.ParsePrefix(plain(network))
	if err != nil {
		return types.NewErr("inNetwork: %q is no network; write it like 192.0.2.0/24", part(plain(network), domainLength))
	}
	return types.Bool(prefix.Contains(addr.Unmap()))
}

// beneath tells whether a domain is another or lies beneath it. An empty one is neither.
func beneath(domain, parent string) bool {
	domain, parent = strings.TrimSuffix(domain, "."), strings.TrimSuffix(parent, ".")
	n := len(domain) - len(parent)
	return parent != "" && n >= 0 && strings.EqualFold(domain[n:], parent) && (n == 0 || domain[n-1] == '.')
}

func anySubdomain(domains, parent ref.Val) ref.Val {
	all, err := domains.ConvertToNative(stringsType)
	if err != nil {
		return types.WrapErr(err)
	}
	for _, d := range all.([]string) {
		if beneath(d, plain(parent)) {
			return types.True
		}
	}
	return types.False
}

func domainOf(address string) string {
	i := strings.LastIndexByte(address, '@')
	if i < 0 {
		return ""
	}
	return strings.TrimSuffix(lower(address[i+1:]), ".")
}

func localPart(address string) string {
	if i := strings.LastIndexByte(address, '@'); i >= 0 {
		return address[:i]
	}
	return address
}

func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

func either(a, b ref.Val) ref.Val {
	if plain(a) != "" {
		return a
	}
	return b
}

func short(text, n ref.Val) ref.Val {
	room, _ := n.Value().(int64)
	return types.String(part(plain(text), int(min(max(room, shortest), longest))))
}

// shortest is what a piece needs to say that it was cut.
const shortest = 16
