package dns

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// maxChain bounds the CNAMEs and DNAMEs that are followed for one question.
const maxChain = 8

var errChain = fmt.Errorf("a chain of more than %d aliases", maxChain)

// A Zone answers from an RFC 1035 master file, in place of the network. Every name that the file does not hold is NXDOMAIN. CNAME,
// DNAME (RFC 6672) and wildcards (RFC 4592) work as they would in a name server.
type Zone struct {
	nodes map[string]*node // of every owner, and of every name above one: an empty non-terminal exists
}

// A node is what one name holds. Its answers are made when the file is read.
type node struct {
	answers map[Type]*Answer
	cname   string
	dname   string
	owner   bool // has records of its own
}

// ReadZone reads the master file at path.
func ReadZone(path string) (*Zone, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("zone: %w", err)
	}
	defer f.Close()
	return ParseZone(f, path)
}

// ParseZone reads a master file. Names in errors is what errors call the file. Names are relative to the root until $ORIGIN says
// otherwise, and records live for an hour until $TTL does. $INCLUDE is refused.
func ParseZone(r io.Reader, name string) (*Zone, error) {
	z := &Zone{nodes: map[string]*node{}}
	parser := dns.NewZoneParser(bufio.NewReader(r), ".", name)
	parser.SetDefaultTTL(3600)
	for rr, ok := parser.Next(); ok; rr, ok = parser.Next() {
		if err := z.add(rr); err != nil {
			return nil, fmt.Errorf("zone: %s: %w", name, err)
		}
	}
	if err := parser.Err(); err != nil {
		return nil, fmt.Errorf("zone: %s", strings.TrimPrefix(err.Error(), "dns: "))
	}
	return z, nil
}

func (z *Zone) add(rr dns.RR) error {
	owner, err := ownerName(rr.Header().Name)
	if err != nil {
		return err
	}
	n := z.node(owner)
	n.owner = true
	for name := owner; ; { // every name above exists too (RFC 4592 2.2.2)
		_, parent, more := strings.Cut(name, ".")
		if !more {
			break
		}
		z.node(parent)
		name = parent
	}
	switch rr := rr.(type) {
	case *dns.CNAME:
		n.cname, err = ToASCII(unescapeName(rr.Target))
	case *dns.DNAME:
		n.dname, err = ToASCII(unescapeName(rr.Target))
	}
	if err != nil {
		return err
	}
	typ := Type(rr.Header().Rrtype)
	a := n.answers[typ]
	if a == nil {
		a = &Answer{Name: owner, TTL: time.Duration(rr.Header().Ttl) * time.Second}
		n.answers[typ] = a
	}
	appendRecord(a, rr)
	return nil
}

// ownerName lets the wildcard label and the root through, which no question names.
func ownerName(name string) (string, error) {
	if name == "." {
		return "", nil
	}
	return ToASCII(unescapeName(name))
}

func (z *Zone) node(name string) *node {
	n := z.nodes[name]
	if n == nil {
		n = &node{answers: map[Type]*Answer{}}
		z.nodes[name] = n
	}
	return n
}

// Lookup answers from the file. It does not wait and does not look at ctx.
func (z *Zone) Lookup(_ context.Context, name string, typ Type) (Answer, error) {
	name, err := ToASCII(name)
	if err != nil {
		return Answer{}, err
	}
	answer, _, err := z.resolve(name, typ)
	return answer, err
}

// resolve also tells where the chain of aliases left the file, if it did.
func (z *Zone) resolve(asked string, typ Type) (answer Answer, left string, err error) {
	name := asked
	for range maxChain {
		n, source := z.find(name)
		switch {
		case n == nil:
			return Answer{}, name, &Error{Name: asked, Type: typ, Kind: ErrNXDomain, Alias: other(name, asked)}
		case source != "": // a DNAME above the name
			name = strings.TrimSuffix(name, source) + n.dname
			continue
		}
		if a := n.answers[typ]; a != nil {
			answer = *a
			answer.Name = name // of a wildcard, the name that it stands for
			return answer, "", nil
		}
		if n.cname == "" {
			return Answer{}, "", &Error{Name: asked, Type: typ, Kind: ErrNoData, Alias: other(name, asked)}
		}
		name = n.cname
	}
	return Answer{}, "", &Error{Name: asked, Type: typ, Kind: ErrServFail, Err: errChain}
}

// other is the name, unless it is the one that was asked for.
func other(name, asked string) string {
	if name == asked {
		return ""
	}
	return name
}

// find gives the node that answers for a name: its own, the one of a DNAME above it (then source is that owner), or the wildcard at
// its closest encloser.
func (z *Zone) find(name string) (n *node, source string) {
	if n := z.nodes[name]; n != nil {
		return n, ""
	}
	for rest := name; ; {
		_, parent, more := strings.Cut(rest, ".")
		if !more {
			parent = ""
		}
		if n := z.nodes[parent]; n != nil {
			if n.dname != "" {
				return n, parent
			}
			star := "*"
			if parent != "" {
				star = "*." + parent
			}
			return z.nodes[star], "" // RFC 4592 3.3.1: only at the closest encloser
		}
		if !more {
			return z.nodes["*"], ""
		}
		rest = parent
	}
}

// holds tells whether the file has records of its own for the name, or a wildcard or DNAME that covers it.
func (z *Zone) holds(name string) bool {
	n, _ := z.find(name)
	return n != nil && n.owner
}

// whole tells whether the file is all that there is at and around a name: it has the SOA of the name's zone, and delegates it to nobody.
func (z *Zone) whole(name string) bool {
	for {
		if n := z.nodes[name]; n != nil {
			if n.answers[TypeSOA] != nil {
				return true
			}
			if n.answers[TypeNS] != nil {
				return false
			}
		}
		_, parent, more := strings.Cut(name, ".")
		if !more {
			return false
		}
		name = parent
	}
}

// appendRecord adds a record to the answer for its type.
func appendRecord(a *Answer, rr dns.RR) {
	switch rr := rr.(type) {
	case *dns.TXT:
		a.TXT = append(a.TXT, joinStrings(rr.Txt))
	case *dns.A:
		if ip, ok := netip.AddrFromSlice(rr.A); ok {
			a.Addrs = append(a.Addrs, ip.Unmap())
		}
	case *dns.AAAA:
		if ip, ok := netip.AddrFromSlice(rr.AAAA); ok {
			a.Addrs = append(a.Addrs, ip)
		}
	case *dns.MX:
		a.MX = append(a.MX, MX{Preference: rr.Preference, Host: plainName(rr.Mx)})
	case *dns.PTR:
		a.Names = append(a.Names, plainName(rr.Ptr))
	case *dns.NS:
		a.Names = append(a.Names, plainName(rr.Ns))
	case *dns.CNAME:
		a.Names = append(a.Names, plainName(rr.Target))
	default:
		a.Records = append(a.Records, strings.TrimPrefix(rr.String(), rr.Header().String()))
	}
}

// joinStrings joins the strings of a TXT record without a space, as SPF and DKIM want them, and undoes the escapes that the DNS
// library shows them with.
func joinStrings(parts []string) string {
	s := strings.Join(parts, "")
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	return unescape(s)
}

// plainName is a name out of an answer, as ours are written. One that is no name we could ask for stays as it came.
func plainName(name string) string {
	if name == "." {
		return ""
	}
	name = unescapeName(name)
	if ascii, err := ToASCII(name); err == nil {
		return ascii
	}
	return strings.ToLower(strings.TrimSuffix(name, "."))
}

// unescapeName undoes the escapes in a name, but for a dot within a label, which we could not tell from one between labels.
func unescapeName(name string) string {
	if strings.IndexByte(name, '\\') < 0 || strings.Contains(name, `\.`) || strings.Contains(name, `\046`) {
		return name
	}
	return unescape(name)
}

// unescape undoes \X and \DDD (RFC 1035 5.1).
func unescape(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] != '\\' || i+1 == len(s):
			b = append(b, s[i])
		case i+3 < len(s) && isDigit(s[i+1]) && isDigit(s[i+2]) && isDigit(s[i+3]):
			b = append(b, (s[i+1]-'0')*100+(s[i+2]-'0')*10+(s[i+3]-'0'))
			i += 3
		default:
			b = append(b, s[i+1])
			i++
		}
	}
	return string(b)
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
