package dmarccheck

import (
	"fmt"
	"strings"

	"github.com/gatepost-mail/gatepost/dmarc"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
)

// policy are the checks of what the policy asks for.
var policy = []check.Check{
	{
		ID: "dmarc-p-invalid", Severity: check.Error, Reference: "RFC 9989 4.10.1",
		Title: "p is none of none, quarantine and reject",
		Why:   "The whole record then counts as p=none, and for nothing at all where no reports are asked for.",
		Explain: "p says what is asked of receivers for mail that fails: none, quarantine or reject. With any other value they " +
			"must act as if it were none, if rua has a good address, and otherwise as if there were no record. sp and np count for " +
			"nothing then, either.\n\n" +
			"The record proposed has the word that was most likely meant. It takes effect with that, perhaps for the first time: " +
			"if nobody has read reports yet, publish p=none first and read them for some weeks." +
			digPolicy,
		Look: func(f *facts.Facts) []check.Seen { return invalid(f, "p") },
	},
	{
		ID: "dmarc-p-missing-no-rua", Severity: check.Error, Reference: "RFC 9989 4.10.1",
		Title: "The record has no p and no rua, and so does nothing",
		Why:   "Receivers must take it for no record at all.",
		Explain: "A record without p counts as p=none, but only where rua asks for reports. With neither there is nothing in it " +
			"that a receiver could act on, and the standard has it apply no DMARC." +
			digPolicy,
		Look: func(f *facts.Facts) []check.Seen {
			r := f.DMARC.Record
			if r == nil {
				return nil
			}
			if _, ok := r.Tag("p"); ok || len(r.AggregateURIs) > 0 {
				return nil
			}
			return atNone(f, atPolicy(f, "The record is %s.", listed(f.DMARC.Texts)))
		},
	},
	{
		ID: "dmarc-sp-or-np-invalid", Severity: check.Error, Reference: "RFC 9989 4.10.1",
		Title: "sp or np is none of none, quarantine and reject",
		Why:   "One bad value takes the whole record with it: p counts as none too, or nothing counts.",
		Explain: "sp and np are the policies for subdomains and for names that do not exist. A value that is not allowed does not " +
			"just fall back to p: the standard has receivers act as if the record said p=none, if rua has a good address, and " +
			"otherwise as if there were no record. A domain can be without protection for years for one misspelled sp." +
			digPolicy,
		Look: func(f *facts.Facts) []check.Seen { return invalid(f, "sp", "np") },
	},
	{
		ID: "dmarc-none-without-rua", Severity: check.Error, Reference: "RFC 9989 5.1.5",
		Title: "p=none without rua does nothing",
		Why:   "Nothing is asked of receivers and nobody is told, so that the record changes nothing.",
		Explain: "p=none is for watching: receivers treat mail as before and report what they saw to the addresses of rua. " +
			"Without an address that works there is nobody to watch. Some receivers of bulk mail want any record at all, and such " +
			"a one satisfies them; it protects nobody.\n\n" +
			"Add rua, read the reports for some weeks, mend what is yours and fails, and raise the policy." +
			digPolicy,
		Look: noneWithoutRUA,
	},
	{
		ID: "dmarc-p-none", Severity: check.Warning, Reference: "RFC 9989 4.7", Cap: check.C,
		Title: "The policy that applies asks for nothing: none",
		Why:   "Forged mail in the domain's name is delivered like any other.",
		Explain: "p=none is where everybody begins: receivers report and do nothing. It is not where to stay, since anybody can " +
			"still write in the domain's name.\n\n" +
			"The way on:\n\n" +
			"1. Have rua lead to somebody, or to a program, that reads the reports.\n\n" +
			"2. For each source that is yours, make SPF or DKIM pass with the domain of From; DKIM is the better of the two, since " +
			"it outlives forwarding. Services that send for you need DKIM set up with your domain.\n\n" +
			"3. When for four weeks nothing of yours has failed that matters, publish p=quarantine, first with t=y, which asks " +
			"receivers to do as under none (readers older than RFC 9989 do not know t).\n\n" +
			"4. Take t=y away. Watch for two weeks what is quarantined.\n\n" +
			"5. Publish p=reject where all mail is signed with DKIM and no people write to mailing lists with addresses of the " +
			"domain. Where they do, quarantine is a place to stay.\n\n" +
			"A subdomain without a record is under sp (under np if it does not exist), or p without those, of the Organizational " +
			"Domain above it. Records in between are not looked at." +
			digPolicy,
		Look: pNone,
	},
	{
		ID: "dmarc-sp-none", Severity: check.Warning, Reference: "RFC 9989 4.7",
		Title: "Subdomains are left out: sp=none",
		Why:   "Whoever cannot forge the domain forges a subdomain of it, real or made up.",
		Explain: "p is stronger than none, but sp=none says that it is not for subdomains. Unless np says otherwise, that goes " +
			"for names that do not exist as well, and invoices.example.com is as good as example.com to whoever is to be " +
			"deceived.\n\n" +
			"np=reject is safe at once: nothing of yours is sent from a name that does not exist. Then find the subdomains that " +
			"send, in the reports, and give each a record of its own or make it pass; then take sp away, so that p is for them too." +
			digPolicy,
		Look: spNone,
	},
	{
		ID: "dmarc-np-weaker", Severity: check.Warning, Reference: "RFC 9989 4.7",
		Title: "Names that do not exist have the weaker policy",
		Why:   "No honest mail comes from a name that does not exist, so that np only helps who forges.",
		Explain: "np is for subdomains that do not exist in DNS at all. Without it they have the policy of sp, or of p. To have a " +
			"weaker one for them leaves the door open just where nothing honest comes through." +
			digPolicy,
		Look: npWeaker,
	},
	{
		ID: "dmarc-testing", Severity: check.Warning, Reference: "RFC 9989 4.7",
		Title: "The policy is in test mode: t=y",
		Why:   "Receivers are asked to do one step less than the policy says: quarantine for reject, nothing for quarantine.",
		Explain: "t=y is for the days before a policy is raised. Receivers then act one step lower, and may do what they do for " +
			"senders under a policy, such as rewriting From on mailing lists, so that the owner sees what would come of it. " +
			"Readers older than RFC 9989 do not know t and apply the policy in full.\n\n" +
			"When the reports show that nothing of yours fails, take it away." +
			digPolicy,
		Look: testing,
	},
	{
		ID: "dmarc-reject-on-spf-alone", Severity: check.Error, Reference: "RFC 9989 7.4", Cap: check.C,
		Title: "p=reject, and no mail is signed with DKIM",
		Why:   "All mail that is forwarded fails SPF, and is rejected.",
		Explain: "SPF holds from server to server and no further: a message that is forwarded, by an alias, a university's " +
			"address for life or a mailing list, comes from an address that the record does not have. A DKIM signature outlives " +
			"that. A domain that asks for reject must not rely on SPF alone; RFC 9989 7.4 says so in as many words.\n\n" +
			"Set up DKIM for everything that sends. Until then publish p=quarantine: what is forwarded is then found in the junk " +
			"folder and not lost.\n\n" +
			"\tdig TXT _domainkey.example.com",
		Look: rejectOnSPF,
	},
	{
		ID: "dmarc-reject-human-users", Severity: check.Info, Reference: "RFC 9989 7.4",
		Title: "p=reject for a domain that people write from",
		Why:   "Mail through mailing lists and forwarders that change it is rejected.",
		Explain: "Mailing lists that change the subject or add a footer break DKIM, and SPF never passes for them. A domain whose " +
			"people write to such lists should not ask for reject, says RFC 9989 7.4; receivers are told not to reject on the " +
			"policy alone. Many lists rewrite From by now, and many organizations take what is left of the trouble for the sake of " +
			"what reject prevents.\n\n" +
			"If complaints about lists come, have people write to them from a subdomain with a record of its own:\n\n" +
			"\t_dmarc.people.example.com. IN TXT \"v=DMARC1; p=quarantine\"",
		Look: func(f *facts.Facts) []check.Seen {
			p := f.DMARC.Policy
			if p.Record == nil || p.Applicable != dmarc.DispositionReject || !f.Sends() || !f.Receives() {
				return nil
			}
			return []check.Seen{{
				Subject: "_dmarc." + p.PolicyDomain,
				Detail:  "The policy that applies is reject, and the domain takes mail, so that people may well write from it.",
				Advice:  "Nothing is to be done unless mail through mailing lists is missed.",
			}}
		},
	},
}

// invalid looks at tags whose value is no disposition.
func invalid(f *facts.Facts, names ...string) []check.Seen {
	r := f.DMARC.Record
	if r == nil {
		return nil
	}
	var bad []string
	text := r.Text
	var err error
	guessed := true
	for _, name := range names {
		t, ok := r.Tag(name)
		if !ok || isDisposition(t.Value) {
			continue
		}
		bad = append(bad, fmt.Sprintf("%s is %s", name, listed([]string{t.Value})))
		word := meant(t.Value)
		guessed = guessed && word != ""
		switch {
		case err != nil:
		case word != "":
			text, err = dmarc.Set(text, name, word)
		case name != "p":
			text, err = dmarc.Unset(text, name)
		}
		if name == "p" && err == nil && (word == "" || word == "none") {
			text, err = watched(f, text)
		}
	}
	if len(bad) == 0 {
		return nil
	}
	s := atPolicy(f, "%s.", strings.Join(bad, "; "))
	if s.Cap = lack(f); s.Cap == "" {
		s.Detail += " The record counts as p=none."
	} else {
		s.Detail += " The record counts for nothing."
	}
	if guessed && err == nil {
		text, s.Aside, err = first(f, text)
	} else {
		s.Advice = "What was meant cannot be told: put in none, quarantine or reject."
	}
	return with(f, s, text, err)
}

// atNone gives a record that does nothing its way to be of use.
func atNone(f *facts.Facts, s check.Seen) []check.Seen {
	s.Cap = lack(f)
	text, err := watched(f, f.DMARC.Record.Text)
	start(f, &s)
	return with(f, s, text, err)
}

// usable tells whether the domain's own record has p, and p, sp and np are good: whether what it says is what counts.
func usable(f *facts.Facts) bool {
	r := f.DMARC.Record
	if r == nil {
		return false
	}
	for _, name := range []string{"p", "sp", "np"} {
		if t, ok := r.Tag(name); ok && !isDisposition(t.Value) || !ok && name == "p" {
			return false
		}
	}
	return true
}

// blind tells whether the record neither asks for anything nor has anybody told.
func blind(f *facts.Facts) bool {
	r := f.DMARC.Record
	return usable(f) && asksNothing(r) && len(r.AggregateURIs) == 0
}

func noneWithoutRUA(f *facts.Facts) []check.Seen {
	if !blind(f) {
		return nil
	}
	return atNone(f, atPolicy(f, "The record is %s.", listed(f.DMARC.Texts)))
}

// asksNothing tells whether the policy is none for all that the record is about.
func asksNothing(r *dmarc.Record) bool {
	return r.Policy == dmarc.DispositionNone && r.SubdomainPolicy == dmarc.DispositionNone && r.NonExistentPolicy == dmarc.DispositionNone
}

func pNone(f *facts.Facts) []check.Seen {
	p := f.DMARC.Policy
	if p.Record == nil || p.Applicable != dmarc.DispositionNone || blind(f) { // of the last there is more to say
		return nil
	}
	s := check.Seen{Subject: "_dmarc." + p.PolicyDomain}
	if p.PolicyDomain != f.Domain {
		s.Detail = fmt.Sprintf("%s has no record of its own. That of %s applies, %s, and asks for nothing at subdomains.",
			f.Domain, p.PolicyDomain, listed([]string{p.Record.Text}))
		s.Advice = fmt.Sprintf("Raise sp there, or publish a record with p=quarantine or p=reject at %s.", f.DMARC.Asked.Name)
		return []check.Seen{s}
	}
	if _, ok := p.Record.Tag("p"); ok && !usable(f) {
		return nil // it is none for want of a good value
	} else if ok {
		s.Detail = "The record has p=none."
	} else {
		s.Detail = "The record has no p, which counts as p=none."
	}
	if !f.Sends() {
		s.Advice = adviceSilent
		text, err := dmarc.Set(p.Record.Text, "p", "reject")
		return with(f, s, text, err)
	}
	s.Advice = "When reports have shown for some weeks that all that is yours passes, raise it."
	if text, err := raised(p.Record.Text, "quarantine"); err == nil {
		s.Advice = shown(s.Advice+" The next step:", text)
	}
	return []check.Seen{s}
}

func spNone(f *facts.Facts) []check.Seen {
	r := f.DMARC.Record
	if !usable(f) || f.DMARC.Organizational != f.Domain || r.SubdomainPolicy != dmarc.DispositionNone || r.Policy == dmarc.DispositionNone {
		return nil
	}
	s := atPolicy(f, "p is %s, and sp none.", r.Policy)
	s.Advice = "Find in the reports which subdomains send, make them pass or give each a record of its own, and take sp away."
	if _, ok := r.Tag("np"); !ok {
		if text, err := dmarc.Set(r.Text, "np", "reject"); err == nil {
			s.Advice = shown(s.Advice+" Safe at once, for names that do not exist:", text)
		}
	}
	return []check.Seen{s}
}

func npWeaker(f *facts.Facts) []check.Seen {
	r := f.DMARC.Record
	if !usable(f) || f.DMARC.Organizational != f.Domain {
		return nil
	}
	text, err := dmarc.Unset(r.Text, "np")
	s := atPolicy(f, "np is %s, where existing subdomains have %s.", r.NonExistentPolicy, r.SubdomainPolicy)
	if strength(r.NonExistentPolicy) >= strength(r.SubdomainPolicy) {
		if _, ok := r.Tag("np"); !ok || r.NonExistentPolicy != dmarc.DispositionNone || r.Policy == dmarc.DispositionNone {
			return nil
		}
		text, err = dmarc.Set(r.Text, "np", string(r.Policy))
		s = atPolicy(f, "np is none, where the domain itself has %s.", r.Policy)
	}
	return with(f, s, text, err)
}

func testing(f *facts.Facts) []check.Seen {
	p := f.DMARC.Policy
	if p.Record == nil || !p.Record.Testing {
		return nil
	}
	s := check.Seen{Subject: "_dmarc." + p.PolicyDomain}
	own := p.PolicyDomain == f.Domain && usable(f)
	text, err := dmarc.Unset(p.Record.Text, "t")
	switch p.Applicable {
	case dmarc.DispositionNone:
		s.Detail, s.Cap = "t=y has no effect on a policy of none.", check.AMinus
	case dmarc.DispositionQuarantine:
		s.Detail, s.Cap = "The policy that applies is quarantine, and with t=y that is none.", check.C
	default:
		s.Detail = "The policy that applies is reject, and with t=y that is quarantine."
	}
	if own && (p.Applicable == dmarc.DispositionNone || !f.Sends()) {
		return with(f, s, text, err)
	}
	s.Advice = "When the reports show that nothing of yours fails, take t=y away."
	if own && err == nil {
		s.Advice = shown(s.Advice+" The record is then:", text)
	}
	return []check.Seen{s}
}

func rejectOnSPF(f *facts.Facts) []check.Seen {
	p := f.DMARC.Policy
	seen := &f.Options.Seen
	unsigned := seen.Sends && !seen.DKIM
	if p.Record == nil || p.Applicable != dmarc.DispositionReject || !f.Sends() || len(f.DKIM.Selectors) > 0 || seen.DKIM ||
		!f.DMARC.Keyless && !unsigned {
		return nil
	}
	s := check.Seen{Subject: "_dmarc." + p.PolicyDomain}
	s.Detail = "_domainkey." + f.Domain + " does not exist, so that no signature of the domain's can pass."
	if !f.DMARC.Keyless {
		s.Detail = "Mail of the domain passed, and none of it by a signature."
	}
	s.Advice = "Set up DKIM for all that sends."
	if p.PolicyDomain == f.Domain {
		if text, err := raised(p.Record.Text, "quarantine"); err == nil {
			s.Advice = shown(s.Advice+" Until then publish:", text)
		}
	}
	return []check.Seen{s}
}
