package exceptions

import (
	"fmt"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/internal/show"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/when"
)

// The states of an exception.
const (
	Holds = "holds"
	Ends  = "ending" // it holds, and will not for long
	Ended = "ended"
)

// State tells whether an exception holds.
func State(x *store.Exception, now time.Time) string {
	switch {
	case now.After(x.Until):
		return Ended
	case x.Until.Sub(now) <= Soon:
		return Ends
	}
	return Holds
}

// Opens says in a sentence what gets in by an exception.
func Opens(x *store.Exception) string {
	whose := x.Domain
	if parent, ok := strings.CutPrefix(x.Domain, "*."); ok {
		whose = "any domain beneath " + parent
	}
	const despite = " gets in, whatever SPF, DKIM, DMARC and the rules say of it"
	switch {
	case x.SDID != "" && x.SDID == strings.TrimPrefix(x.Domain, "*."):
		return fmt.Sprintf("Mail with From at %s that %s itself signed%s.", whose, x.SDID, despite)
	case x.SDID != "":
		return fmt.Sprintf("Mail with From at %s that %s signed%s: whoever %s signs for can write as %s.", whose, x.SDID, despite, x.SDID, whose)
	case x.Network.IsSingleIP():
		return fmt.Sprintf("Mail with From at %s that comes from %s%s: whoever can send by that server can write as %s.", whose, x.Network.Addr(), despite, whose)
	}
	return fmt.Sprintf("Mail with From at %s that comes from any address of %s%s: whoever has a server there can write as %s.", whose, x.Network, despite, whose)
}

// Command is the command line that makes an exception, or one like it.
func Command(x *store.Exception) string {
	way := "--dkim " + show.Word(x.SDID)
	if x.Network.IsValid() {
		way = "--network " + x.Network.String()
	}
	until := when.End(x.Until)
	if until == "" {
		until = x.Until.UTC().Format(time.RFC3339)
	}
	return fmt.Sprintf("gatepost allow add %s %s --until %s --reason %s", show.Word(x.Domain), way, until, show.Word(x.Reason))
}

// IsFor tells whether an exception is for an Author Domain, however the mail comes.
func IsFor(x *store.Exception, domain string) bool {
	if parent, ok := strings.CutPrefix(x.Domain, "*."); ok {
		return strings.HasSuffix(domain, "."+parent)
	}
	return domain == x.Domain
}
