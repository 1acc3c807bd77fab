package cli

import (
	"errors"
	"fmt"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/audit"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
)

// A checkTrouble is what findings do not tell, since each is about a domain: that nobody can be asked, or that the domain is another's or
// nobody's.
type checkTrouble struct {
	silent error // why nothing at all could be had, of the first domain that was so
	absent []string
	heard  bool // of some domain an answer was had
}

func (t *checkTrouble) note(r *audit.Report) {
	f := r.Facts
	if errors.Is(f.TXT.Err, dns.ErrNXDomain) {
		t.absent = append(t.absent, r.Domain)
	}
	for i := range r.Findings {
		t.heard = t.heard || r.Findings[i].Severity != check.Unknown
	}
	t.heard = t.heard || len(r.Findings) == 0
	if t.silent == nil && errors.Is(f.TXT.Err, dns.ErrTimeout) {
		t.silent = f.TXT.Err
	}
}

// silence is what is to be said where no name server answered at all.
func (t *checkTrouble) silence() error {
	if t.heard || t.silent == nil {
		return nil
	}
	return fmt.Errorf("no name server answered: %s; see that the network is up, or name a server with --resolver HOST:PORT", dns.Detail(t.silent))
}

// absence is what is to be said of domains that do not exist. Alone, the zone is all that was asked.
func (t *checkTrouble) absence(alone bool, zone string) error {
	if len(t.absent) == 0 {
		return nil
	}
	names := t.absent[0]
	if more := len(t.absent) - 1; more > 0 {
		names += " and " + counted(more, "more domain")
	}
	if alone {
		return fmt.Errorf("there is nothing of %s in %s; see to the spelling, or have the network asked with --resolver HOST:PORT", names, zone)
	}
	if len(t.absent) > 1 {
		return fmt.Errorf("%s do not exist in DNS; are they spelt so?", names)
	}
	return fmt.Errorf("%s does not exist in DNS; is it spelt so?", names)
}
