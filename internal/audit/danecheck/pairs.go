package danecheck

import (
	"fmt"
	"strings"

	"github.com/gatepost-mail/gatepost/dane"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
)

// pairs are the checks of TLSA records beside one another.
var pairs = []check.Check{
	{
		ID: "dane-some-mx", Severity: check.Warning, Reference: "RFC 7672 2.2",
		Title: "Some mail servers have TLSA records, and some have none",
		Why:   "Whoever keeps senders from the protected servers has the mail delivered to the others.",
		Explain: "Senders with DANE take each mail server as it comes: with TLSA records it must prove who it is, without it need not. An attacker " +
			"who can keep a sender from the first has it turn to the other.\n\n" +
			"\tdig +short TLSA _25._tcp.mx1.example.com\n\tdig +short TLSA _25._tcp.mx2.example.com\n\n" +
			"Publish records for all mail servers.",
		Look: func(f *facts.Facts) []check.Seen {
			var with, without []string
			for i := range f.DANE.Servers {
				switch t := &f.DANE.Servers[i]; {
				case t.Asked.Found():
					with = append(with, t.Host)
				case t.Asked.Absent():
					without = append(without, t.Host)
				}
			}
			if len(with) == 0 || len(without) == 0 {
				return nil
			}
			return []check.Seen{{
				Subject: f.Domain,
				Detail:  fmt.Sprintf("There are TLSA records for %s, and none for %s.", strings.Join(with, ", "), strings.Join(without, ", ")),
				Advice:  "Publish TLSA records for all mail servers.",
			}}
		},
	},
	{
		ID: "dane-duplicate", Severity: check.Warning, Reference: "RFC 7671 8",
		Title: "Two TLSA records say the same",
		Why:   "The second adds nothing, and one of them is forgotten when the certificate changes.",
		Explain: "Two records name the same certificate or key: twice by the same digest, or once by a digest and once in full. What is in full makes " +
			"answers large besides.\n\n\tdig TLSA _25._tcp.mx.example.com\n\n" +
			"Keep the one with the SHA-256 digest.",
		Look: each(func(f *facts.Facts, t *facts.TLSA) *check.Seen {
			for i, a := range t.Records {
				for _, b := range t.Records[:i] {
					if !a.Same(b) {
						continue
					}
					seen := &check.Seen{
						Detail: fmt.Sprintf("Whatever matches %s matches %s.", dane.Tell([]dane.Record{b}), dane.Tell([]dane.Record{a})),
						Advice: "Keep the one with the SHA-256 digest.",
					}
					if full, ok := inFull(a, b); ok && own(f, t.Asked.Answer.Name) {
						seen.Fix = []publish.Change{{Name: t.Asked.Answer.Name, Type: "TLSA", Old: full.String()}}
					}
					return seen
				}
			}
			return nil
		}),
	},
	{
		ID: "dane-no-rollover", Severity: check.Info, Reference: "RFC 7671 8.1, RFC 7671 8.4",
		Title: "There is one TLSA record, and none for the next key",
		Why:   "When the key changes, mail stops until the record and all copies of it have changed too.",
		Explain: "A record in DNS lives on in caches for as long as its TTL says. A certificate with a new key is refused by whoever has the old " +
			"record still. So the record of the next key is published beside that of the present one, well before the change.\n\n" +
			"\t_25._tcp.mx.example.com. IN TLSA 3 1 1 (the present key)\n\t_25._tcp.mx.example.com. IN TLSA 3 1 1 (the next key)\n\n" +
			"A second record with usage 2, of the authority that signs the certificates, does as well. With one record alone, keep the key when " +
			"the certificate is renewed: certbot has --reuse-key for that.",
		Look: each(func(_ *facts.Facts, t *facts.TLSA) *check.Seen {
			usable := t.Usable()
			if len(usable) != 1 || usable[0].Usage != dane.DANEEE {
				return nil
			}
			return &check.Seen{Detail: fmt.Sprintf("The only record is %s.", dane.Tell(usable))}
		}),
	},
}

// inFull is the one of two records that has all of the certificate or key.
func inFull(a, b dane.Record) (dane.Record, bool) {
	switch {
	case a.Matching == dane.Full && b.Matching != dane.Full:
		return a, true
	case b.Matching == dane.Full && a.Matching != dane.Full:
		return b, true
	}
	return dane.Record{}, false
}
