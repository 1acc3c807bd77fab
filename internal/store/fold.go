package store

import (
	"net/netip"
	"strings"
)

// What stands in an Observation for names that were given up because the day has too many rows, and for what is no domain name.
const (
	Other   = "(other)"
	Invalid = "(invalid)"
)

// The levels of folding. A sender can make up as many names as it likes, each of which would be a row. So when a day has many,
// what is new is counted with less and less of what senders make up; what is worth least to reports goes first.
const (
	foldHelo       = 1 + iota
	foldSource     // to its network
	foldEnvelope   // domain
	foldSignatures // whose they are, and the text of the DMARC record; results stay
	foldAuthor     // Domain, Policy Domain, and the network too: results, verdict and rule are left

	FoldLevels = foldAuthor
)

// Fold gives up what the level says, and what those below it say.
func (o *Observation) Fold(level int) Observation {
	f := *o
	f.Folded = max(f.Folded, int64(level))
	if level >= foldHelo {
		f.HeloDomain = Other
	}
	if level >= foldSource {
		f.SourceIP = network(f.SourceIP)
	}
	if level >= foldEnvelope {
		f.EnvelopeDomain = Other
	}
	if level >= foldSignatures {
		results := list[Signature](len(f.DKIM))
		for i := range results {
			results[i] = Signature{Result: f.DKIM[i].Result, SDID: Other, Selector: Other}
		}
		f.DKIM, f.Record = canonical(results), ""
	}
	if level >= foldAuthor {
		f.AuthorDomain, f.PolicyDomain, f.SourceIP = Other, Other, netip.Addr{}
	}
	return f
}

// network is the first address of what one sender is usually given: a /24 of IPv4, a /48 of IPv6.
func network(ip netip.Addr) netip.Addr {
	bits := 48
	if ip = ip.Unmap(); ip.Is4() {
		bits = 24
	}
	p, err := ip.Prefix(bits)
	if err != nil { // there is none
		return netip.Addr{}
	}
	return p.Addr()
}

// level is how much a new row must give up when its day has so many already: nothing up to three quarters of the bound, and then
// one thing more after each twentieth.
func level(rows, most int64) int {
	free := most / 4 * 3
	if rows < free {
		return 0
	}
	return int(min(1+(rows-free)/max((most-free)/FoldLevels, 1), FoldLevels))
}

// name gives a domain in lower case and without a final dot, and Invalid for what cannot be one in DNS. What a program says in HELO
// is often an address, or worse; the last label of a name is no number (RFC 3696 2).
func name(s string) string {
	n, number := labels(s)
	if number {
		return Invalid
	}
	return n
}

// labels does the same for a part of a name, and tells whether its last label is a number.
func labels(s string) (lower string, number bool) {
	s = strings.TrimSuffix(s, ".")
	if s == "" {
		return "", false
	}
	label, digits, upper := 0, true, false
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z' || c == '-' || c == '_':
			digits = false
		case 'A' <= c && c <= 'Z':
			digits, upper = false, true
		case '0' <= c && c <= '9':
		case c == '.' && label > 0:
			label, digits = 0, true
			continue
		default:
			return Invalid, false
		}
		if label++; label > 63 {
			return Invalid, false
		}
	}
	if label == 0 || len(s) > 253 {
		return Invalid, false
	}
	if upper {
		s = strings.ToLower(s)
	}
	return s, digits
}

// NetworkOnly tells whether SourceIP stands for a whole network, or for nothing, because the observation was folded.
func (o *Observation) NetworkOnly() bool { return o.Folded >= foldSource }
