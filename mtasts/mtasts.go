// Package mtasts reads and writes what a domain says of how mail must be handed to it: SMTP MTA Strict Transport Security (RFC 8461).
//
// It is said in two places. A TXT record at _mta-sts says that there is a policy, and by its id when that is another one. The policy is a
// file on a web server, https://mta-sts.example.com/.well-known/mta-sts.txt, whose certificate is what makes it believable:
//
//	fetched, err := mtasts.Fetch(ctx, "example.com", mtasts.Options{Transport: transport})
//	if err != nil { … } // a *FetchError, which says what was wrong, and whether that may pass
//	if fetched.Policy.Mode == mtasts.Enforce && !fetched.Policy.Covers("mx.example.com") { … }
//
// What can be read is also printed, and edited with all else left as it was: see [SetID], [Set], [AddMX] and [RemoveMX].
package mtasts

import (
	"fmt"
	"strconv"
	"time"
)

// Prefix is the label below a domain at which its record is, and Host that of its web server (RFC 8461 3.1, 3.3).
const (
	Prefix = "_mta-sts"
	Host   = "mta-sts"
)

// URL is where the policy of a domain is.
func URL(domain string) string { return "https://" + Host + "." + domain + "/.well-known/mta-sts.txt" }

// A Record is what a domain says in DNS (RFC 8461 3.1).
type Record struct {
	ID         string
	Extensions []Field  // fields that the standard does not know, in their order
	Warnings   []string // what was odd and is ignored
}

// A Policy is what a domain asks of who sends mail to it (RFC 8461 3.2).
type Policy struct {
	Mode       Mode
	MaxAge     time.Duration // for how long it may be kept; MaxAge is the most that the standard allows, and this may be more
	MX         []string      // patterns of names: "mx.example.com", "*.example.net"
	Extensions []Field
	Warnings   []string
}

// A Field is one name with its value.
type Field struct{ Name, Value string }

// A Mode says what is done with mail that cannot be handed over as the policy has it.
type Mode string

// The modes.
const (
	Enforce Mode = "enforce" // it is not handed over
	Testing Mode = "testing" // it is, and reports tell of it
	None    Mode = "none"    // there is no policy any longer
)

// MaxAge is the most that max_age may be (RFC 8461 3.2).
const MaxAge = 31557600 * time.Second

// maxSize bounds a policy, as RFC 8461 3.3 suggests.
const maxSize = 64 << 10

// A SyntaxError says where and why a text is no record or no policy.
type SyntaxError struct {
	Pos    int // in bytes from the beginning of the text
	Reason string
}

func (e *SyntaxError) Error() string { return e.Reason }

// maxWarnings bounds what there is to say of one text, and maxFields what is kept of one.
const (
	maxWarnings = 16
	maxFields   = 64
)

func warn(all []string, format string, args ...any) []string {
	if len(all) == maxWarnings {
		return all
	}
	return append(all, fmt.Sprintf(format, args...))
}

// shown is a piece of a text, fit for a message: quoted, and cut where it is long.
func shown(s string) string {
	const most = 60
	if len(s) > most {
		return strconv.QuoteToASCII(s[:most]) + "…"
	}
	return strconv.QuoteToASCII(s)
}

func isAlphanumeric(c byte) bool {
	lower := c | 0x20
	return 'a' <= lower && lower <= 'z' || '0' <= c && c <= '9'
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' }

// isName follows sts-ext-name: a letter or digit, and up to 31 more with "_", "-" and "." among them.
func isName(s string) bool {
	if s == "" || len(s) > 32 || !isAlphanumeric(s[0]) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !isAlphanumeric(c) && c != '_' && c != '-' && c != '.' {
			return false
		}
	}
	return true
}
