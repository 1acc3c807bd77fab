package setup

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/audit/publish"
)

// DNSControl writes the plan for dnscontrol: a D_EXTEND of a domain that dnsconfig.js has, to be put behind it or read in by require().
// What takes the place of something that is there says so, for dnscontrol would publish both.
func (p *Plan) DNSControl() string {
	var b strings.Builder
	fmt.Fprintf(&b, "// Mail of %s. Put this behind its D() in dnsconfig.js, or read it in by require().\n", p.Domain)
	fmt.Fprintf(&b, "D_EXTEND(%s,", quoted(p.zone()))
	for i := range p.Records {
		r := &p.Records[i]
		if r.Type == publish.File || r.Elsewhere != "" {
			continue
		}
		b.WriteString(strings.ReplaceAll(comment("// ", r), "\n// ", "\n  // "))
		line := call(p.zone(), r)
		switch {
		case r.New == "":
		case r.Ready() || r.There():
			b.WriteString("  " + line + ",\n")
		default:
			b.WriteString("  // " + line + ",\n")
		}
	}
	b.WriteString(");\n")
	return b.String()
}

// call is a record as a function of dnscontrol's.
func call(domain string, r *Record) string {
	name := relative(r.Name, domain)
	if name == "" {
		name = "@"
	}
	if r.Type == "MX" {
		preference, host, _ := strings.Cut(r.New, " ")
		return fmt.Sprintf("MX(%s, %s, %s)", quoted(name), preference, quoted(host))
	}
	return fmt.Sprintf("%s(%s, %s)", r.Type, quoted(name), quoted(r.New))
}

// relative is a name without the domain that it is in; empty for the domain itself.
func relative(name, domain string) string {
	if name == domain {
		return ""
	}
	return strings.TrimSuffix(name, "."+domain)
}

// quoted is a text as a string of JavaScript.
func quoted(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		return `""`
	}
	return string(text)
}
