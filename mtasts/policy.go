package mtasts

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
)

// ParsePolicy reads a policy. The error is a [*SyntaxError].
//
// Fields that the standard does not know are kept; of fields that stand twice the first counts, but for mx (RFC 8461 3.2). Empty lines
// are passed over, with a warning: the standard does not allow them, and files made by hand end in one.
func ParsePolicy(text []byte) (*Policy, error) {
	if len(text) > maxSize {
		return nil, &SyntaxError{maxSize, fmt.Sprintf("it has more than %d bytes", maxSize)}
	}
	p := &Policy{}
	seen := map[string]bool{}
	for pos := 0; pos < len(text); {
		line, next := nextLine(text, pos)
		if line == "" {
			p.Warnings = warn(p.Warnings, "a line is empty")
		} else if err := p.field(line, pos, seen); err != nil {
			return nil, err
		}
		pos = next
	}
	for _, name := range []string{"version", "mode", "max_age"} {
		if !seen[name] {
			return nil, &SyntaxError{len(text), name + " is missing"}
		}
	}
	if len(p.MX) == 0 && p.Mode != None {
		return nil, &SyntaxError{len(text), "mx is missing: at least one is needed unless mode is none"}
	}
	return p, nil
}

// nextLine gives the line at pos without the white space at its end, and where the next begins. It ends in LF or CRLF.
func nextLine(text []byte, pos int) (line string, next int) {
	end := bytes.IndexByte(text[pos:], '\n')
	if end < 0 {
		return strings.TrimRight(string(text[pos:]), " \t"), len(text)
	}
	line = strings.TrimSuffix(string(text[pos:pos+end]), "\r")
	return strings.TrimRight(line, " \t"), pos + end + 1
}

// field takes over one line.
func (p *Policy) field(line string, pos int, seen map[string]bool) error {
	name, value, ok := strings.Cut(line, ":")
	value = strings.TrimLeft(value, " \t")
	switch {
	case !ok:
		return &SyntaxError{pos, shown(line) + " is no field: it has no colon"}
	case !isName(name):
		return &SyntaxError{pos, shown(name) + " is no name of a field"}
	case name != "mx" && seen[name]:
		p.Warnings = warn(p.Warnings, "%s stands twice: the first counts", name)
		return nil
	}
	if len(seen) < maxFields || name == "version" || name == "mode" || name == "max_age" {
		seen[name] = true
	}
	switch name {
	case "version":
		if value != "STSv1" {
			return &SyntaxError{pos, fmt.Sprintf("version: %s: it is STSv1", shown(value))}
		}
	case "mode":
		switch p.Mode = Mode(value); p.Mode {
		case Enforce, Testing, None:
		default:
			return &SyntaxError{pos, fmt.Sprintf("mode: %s: it is enforce, testing or none, in small letters", shown(value))}
		}
	case "max_age":
		age, ok := seconds(value)
		if !ok {
			return &SyntaxError{pos, fmt.Sprintf("max_age: %s: it is a number of seconds, of 1 to 10 digits", shown(value))}
		}
		p.MaxAge = age
	case "mx":
		pattern, ok := pattern(value)
		if !ok {
			return &SyntaxError{pos, fmt.Sprintf(`mx: %s: it is a host's name, or "*." and a domain`, shown(value))}
		}
		p.MX = append(p.MX, pattern)
	default:
		if !isPolicyExtension(value) {
			return &SyntaxError{pos, fmt.Sprintf("%s: %s: the value has characters that it must not have", name, shown(value))}
		}
		if len(p.Extensions) < maxFields {
			p.Extensions = append(p.Extensions, Field{name, value})
		}
	}
	return nil
}

// seconds reads 1 to 10 digits. The largest of them is more than a [time.Duration] holds: it counts as the longest whole number of
// seconds that one can be.
func seconds(s string) (time.Duration, bool) {
	const longest = uint64(1<<63-1) / uint64(time.Second)
	if len(s) == 0 || len(s) > 10 || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, false
	}
	return time.Duration(min(n, longest)) * time.Second, true
}

// pattern reads the name of a host, or "*." and a domain, and gives it with A-labels.
func pattern(s string) (string, bool) {
	domain, wild := strings.CutPrefix(s, "*.")
	if strings.ContainsAny(domain, "*:[]@/ \t,;") || strings.HasSuffix(domain, ".") || strings.Trim(domain, "0123456789.") == "" {
		return "", false
	}
	domain, err := dns.ToASCII(domain)
	if err != nil {
		return "", false
	}
	if wild {
		return "*." + domain, true
	}
	return domain, true
}

// isPolicyExtension follows sts-policy-ext-value: visible characters, UTF-8 among them, and spaces between them.
func isPolicyExtension(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return s != ""
}

// Covers tells whether the policy allows a mail server (RFC 8461 4.1). The star stands for one label, the leftmost.
func (p *Policy) Covers(host string) bool {
	host, err := dns.ToASCII(host)
	if err != nil {
		return false
	}
	for _, pattern := range p.MX {
		if Matches(pattern, host) {
			return true
		}
	}
	return false
}

// Matches tells whether a pattern is one for a host, both in A-labels and small letters.
func Matches(pattern, host string) bool {
	domain, wild := strings.CutPrefix(pattern, "*.")
	if !wild {
		return pattern == host
	}
	label, rest, ok := strings.Cut(host, ".")
	return ok && label != "" && rest == domain
}

// String is the policy as the file has it. Its lines end in LF, which the standard allows beside CRLF.
func (p *Policy) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "version: STSv1\nmode: %s\n", p.Mode)
	for _, mx := range p.MX {
		fmt.Fprintf(&b, "mx: %s\n", mx)
	}
	fmt.Fprintf(&b, "max_age: %d\n", p.MaxAge/time.Second)
	for _, f := range p.Extensions {
		fmt.Fprintf(&b, "%s: %s\n", f.Name, f.Value)
	}
	return b.String()
}
