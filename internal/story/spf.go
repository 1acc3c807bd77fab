package story

import (
	"fmt"

	"github.com/gatepost-mail/gatepost/internal/store"
)

func spf(d *store.Decision) Chapter {
	c := Chapter{Name: "spf", Title: "SPF was asked whether the server may send"}
	for i, s := range d.SPF {
		c.Facts = append(c.Facts, Fact{"spf " + s.Identity, s.Result + ", " + s.Domain})
		c.Means = append(c.Means, sender(&s, client(d)))
		if i == 0 || s.Identity == "mailfrom" {
			c.Result = s.Result
		}
	}
	switch c.Result {
	case "pass":
		c.Tone = Good
	case "fail", "permerror":
		c.Tone = Bad
	case "softfail", "temperror":
		c.Tone = Warn
	}
	return c
}

// sender says what a result means for an identity of the envelope.
func sender(s *store.SPF, client string) string {
	what := "MAIL FROM"
	if s.Identity == "helo" {
		what = "HELO"
	}
	switch s.Result {
	case "pass":
		return fmt.Sprintf("%s: %s lists %s among its servers.", what, s.Domain, client)
	case "fail":
		return fmt.Sprintf("%s: %s says that %s is none of its servers.", what, s.Domain, client)
	case "softfail":
		return fmt.Sprintf("%s: %s does not list %s, and says that it is probably none of its servers.", what, s.Domain, client)
	case "neutral":
		return fmt.Sprintf("%s: %s does not list %s, and says nothing of servers that it does not list.", what, s.Domain, client)
	case "permerror":
		return fmt.Sprintf("%s: the record of %s is in error, so that nobody can tell its servers from a stranger's.", what, s.Domain)
	case "temperror":
		return fmt.Sprintf("%s: the record of %s could not be looked up.", what, s.Domain)
	case "none":
		if s.Domain == "" {
			return what + ": there is no domain to ask."
		}
		return fmt.Sprintf("%s: %s publishes no SPF record.", what, s.Domain)
	}
	return fmt.Sprintf("%s: SPF says %q of %s.", what, s.Result, s.Domain)
}
