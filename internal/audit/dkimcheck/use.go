package dkimcheck

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
	"github.com/gatepost-mail/gatepost/internal/senders"
)

const (
	day  = 24 * time.Hour
	year = 365 * day
)

// use are the checks of how keys are used.
var use = []check.Check{
	{
		ID: "dkim-dangling-cname", Severity: check.Error, Reference: "RFC 6376 3.6.2; RFC 1034 3.6.2",
		Title: "The selector is an alias for a name without a key",
		Why:   "Signatures with it fail, and whoever comes to own the name it points to can sign as the domain.",
		Explain: "A CNAME hands the key over to a service. Once the service has taken its side away, or the domain of the service is given up, " +
			"the alias points to nothing; and if somebody else can make that name exist, they can publish a key of theirs there, and every " +
			"signature with it is the domain's.\n\n\tdig CNAME SELECTOR._domainkey.example.com\n\tdig TXT TARGET\n\n" +
			"If the service is not used any more, take the alias away. If it is, its settings say where the alias has to point to. Some services " +
			"publish the second of two keys only when they change to it: then nothing is wrong while the first answers.",
		Look: dangling,
	},
	{
		ID: "dkim-testing", Severity: check.Warning, Reference: "RFC 6376 3.6.1",
		Title: "The key says that it is for testing (t=y)",
		Why:   "Receivers may treat mail that fails as if it had not been signed, and some give a signature that passes less weight.",
		Explain: "t=y is for the first days of a key. Left there, it tells the world not to take the domain's signatures seriously. Take it " +
			"out once mail verifies; t=s, which may stand beside it, is another matter and stays.",
		Look: each(func(f *facts.Facts, s *facts.Selector) (check.Seen, bool) {
			list, ok := once(s, "t")
			if !ok || !hasAny(list, "y") {
				return check.Seen{}, false
			}
			text, err := keep(s, "t", slices.DeleteFunc(words(list), func(w string) bool { return strings.EqualFold(w, "y") }))
			return put(f, s, check.Seen{Detail: "It says t=" + short(list) + "."}, text, err)
		}),
	},
	{
		ID: "dkim-length", Severity: check.Warning, Reference: "RFC 6376 8.2",
		Title: "Signatures leave the end of the body unsigned (l=)",
		Why:   "Anybody can add text to such a message, and it still verifies.",
		Explain: "l= in a signature says how much of the body it is for. What is added behind that is not signed, and a reader sees no " +
			"difference: with some formats the addition can hide what was signed, and show another message in its place. It was made for mailing " +
			"lists that add a footer, and does not help there either.\n\nSwitch it off in the signer: Gatepost's does not have it; in OpenDKIM it " +
			"is BodyLengths or BodyLengthDB.",
		Look: func(f *facts.Facts) []check.Seen {
			if !f.Options.Seen.Length || f.Unknown(facts.DKIM) {
				return nil
			}
			return []check.Seen{{
				Subject: f.Domain,
				Detail:  "Mail was seen with a signature of the domain that has l=.",
				Advice:  "Switch off l= in whatever signs for " + f.Domain + ".",
			}}
		},
	},
	{
		ID: "dkim-wildcard", Severity: check.Warning, Reference: "RFC 6376 3.6.2.1; RFC 4592",
		Title: "Every selector has an answer, by a wildcard",
		Why:   "A key that answers for every selector cannot be revoked by its name, and hides which selectors are in use.",
		Explain: "A record at *._domainkey, or a CNAME or TXT at * of the domain that shows through, answers for selectors that nobody made. " +
			"If it is a key, a signature with any selector verifies by it, so that changing keys by changing selectors changes nothing.\n\n" +
			"\tdig TXT made-up._domainkey.example.com\n\n" +
			"Publish each selector by its name, and take the wildcard away. A domain that sends no mail may keep one with an empty p=, which says " +
			"that no key of the domain is good.",
		Look: wildcard,
	},
	{
		ID: "dkim-revoked", Severity: check.Info, Reference: "RFC 6376 3.6.1",
		Title: "A key is revoked",
		Why:   "An empty p= says that signatures with this selector are not good any more, which is as it should be after a change of keys.",
		Explain: "An old key is first emptied and later taken away, so that mail which is under way fails for a reason that can be told. If " +
			"something still signs with this selector, its mail fails.",
		Look: each(func(_ *facts.Facts, s *facts.Selector) (check.Seen, bool) {
			if s.Key == nil || s.Usable() {
				return check.Seen{}, false
			}
			return check.Seen{Detail: "Its p= is empty.", Advice: "Take the record away some weeks after the last mail that was signed with it."}, true
		}),
	},
	{
		ID: "dkim-delegated", Severity: check.Info, Reference: "RFC 6376 3.6.2",
		Title: "The key is kept by somebody else",
		Why:   "A CNAME lets a service change the key by itself, and lets whoever owns the name that it points to sign as the domain.",
		Explain: "Most services ask for a CNAME, so that they can change keys without you. That is good practice. It also means that the " +
			"service, for as long as the alias is there, signs as you: take it away on the day that you leave.",
		Look: each(func(f *facts.Facts, s *facts.Selector) (check.Seen, bool) {
			if s.Alias == "" || within(s.Alias, f.Organizational) {
				return check.Seen{}, false
			}
			whom := ""
			if m := f.Options.Table.Named(s.Alias); m.Service != nil {
				whom = ", which belongs to " + m.Service.Name
			}
			return check.Seen{Detail: "It is an alias for " + s.Alias + whom + "."}, true
		}),
	},
	{
		ID: "dkim-no-second-selector", Severity: check.Info, Reference: "RFC 6376 3.1",
		Title: "There is no second key to change to",
		Why:   "With a second key at hand, one that leaked is replaced within minutes.",
		Explain: "Of the selectors that were tried one has a key. A second one, published before it is needed, can take over at once: DNS " +
			"answers are kept for hours, and a selector that is asked for the first time is found at once.\n\n\tgatepost keys rotate example.com",
		Look: func(f *facts.Facts) []check.Seen {
			var only *facts.Selector
			for i := range f.DKIM.Selectors {
				s := &f.DKIM.Selectors[i]
				if s.Usable() && only != nil {
					return nil
				} else if s.Usable() {
					only = s
				}
			}
			if only == nil || f.Unknown(facts.DKIM) || !f.Sends() || only.Alias != "" && !within(only.Alias, f.Organizational) {
				return nil
			}
			return []check.Seen{{Subject: only.Asked.Name, Detail: fmt.Sprintf("Of %d selectors that were tried, this one has a key.", f.DKIM.Tried)}}
		},
	},
	{
		ID: "dkim-adsp-leftover", Severity: check.Info, Reference: "RFC 5617; made historic in 2013",
		Title: "There is a policy of ADSP, which nobody reads",
		Why:   "ADSP was replaced by DMARC in 2013; the record does nothing.",
		Explain: "_adsp._domainkey said how much of a domain's mail is signed. The standard was made historic, and receivers look for DMARC " +
			"instead. Take the record away, and see that a DMARC record says what it was to say.",
		Look: func(f *facts.Facts) []check.Seen {
			for _, text := range f.DKIM.ADSP.TXT {
				if strings.HasPrefix(strings.ToLower(strings.ReplaceAll(text, " ", "")), "dkim=") {
					return []check.Seen{{
						Subject: f.DKIM.ADSP.Name,
						Detail:  "It says " + short(text) + ".",
						Fix:     []publish.Change{{Name: f.DKIM.ADSP.Name, Type: "TXT", Old: text}},
					}}
				}
			}
			return nil
		},
	},
}

// dangling tells of aliases for nothing. A service that has one key there, and will have the other, is given some credit.
func dangling(f *facts.Facts) []check.Seen {
	var all []check.Seen
	for _, d := range f.DKIM.Dangling {
		seen := check.Seen{
			Subject: d.Name,
			Detail:  "It is an alias for " + d.Target + ", where there is no text.",
			Advice:  "Take the alias away if the service is not used any more, or let it point to where the service says.",
			Cap:     check.B,
		}
		if d.Free {
			seen.Detail += " " + senders.OrganizationalDomain(d.Target) + " does not exist either: it may be free to take, and whoever takes it can sign as the domain."
			seen.Advice, seen.Cap = "Take the alias away at once.", check.D
		}
		for i := range f.DKIM.Selectors {
			s := &f.DKIM.Selectors[i]
			if s.Usable() && s.Alias != "" && senders.OrganizationalDomain(s.Alias) == senders.OrganizationalDomain(d.Target) {
				seen.Severity = check.Warning
				seen.Detail += " The same service has a key at " + s.Asked.Name + "."
				break
			}
		}
		all = append(all, seen)
	}
	return all
}

// wildcard leaves alone the empty p= by which a domain says that it has no keys.
func wildcard(f *facts.Facts) []check.Seen {
	w := &f.DKIM.Wildcard
	if !w.Found() || len(w.TXT) == 0 {
		return nil
	}
	seen := check.Seen{
		Subject:  "*._domainkey." + f.Domain,
		Severity: check.Info,
		Detail:   "A selector that nobody uses, " + w.Name + ", is answered with a text that is no key: " + short(w.TXT[0]),
		Advice:   "Publish each selector by its name, and take the wildcard away.",
	}
	for _, text := range w.TXT {
		if !facts.MeantAsKey(text) {
			continue
		}
		if key, _ := dkim.ParseKey(text); key != nil && key.Public == nil {
			return nil
		}
		seen.Severity, seen.Detail = "", "A selector that nobody uses, "+w.Name+", is answered with a key: "+short(text)
		break
	}
	return []check.Seen{seen}
}
