package dkimcheck

import (
	"crypto/rsa"
	"fmt"
	"slices"
	"time"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
)

const (
	minBits  = 1024 // RFC 8301 3.2: with less, nobody verifies
	goodBits = 2048 // what it asks for
	goodE    = 65537
)

// key are the checks of the public key itself.
var key = []check.Check{
	{
		ID: "dkim-key-under-1024", Severity: check.Error, Reference: "RFC 8301 3.2",
		Title: "The key has fewer than 1024 bits",
		Why:   "Such a key is broken in hours on a rented machine, and receivers treat its signatures as none.",
		Explain: "Whoever factors an RSA key can sign as the domain. 512 bits take hours, 768 a few months; receivers must not accept a " +
			"signature by a key of fewer than 1024 bits, so that mail signed with this one counts as unsigned.\n\n" +
			"Make a key of 2048 bits under another selector, publish it, sign with it, and empty the p= of this one a week later:\n\n" +
			"\tgatepost keys rotate example.com\n\tdig +short TXT SELECTOR._domainkey.example.com",
		Look: each(func(f *facts.Facts, s *facts.Selector) (check.Seen, bool) {
			bits := rsaBits(s)
			if bits == 0 || bits >= minBits {
				return check.Seen{}, false
			}
			return check.Seen{Detail: fmt.Sprintf("The RSA key has %d bits.", bits), Advice: rotateFor(f)}, true
		}),
	},
	{
		ID: "dkim-key-1024", Severity: check.Warning, Reference: "RFC 8301 3.2",
		Title: "The key has fewer than 2048 bits",
		Why:   "1024 bits are the least that receivers take, and within reach of those who can spend on it; new keys have 2048.",
		Explain: "RFC 8301 wants signers to use 2048 bits at least. A key of 1024 still verifies everywhere, so there is no hurry, but there " +
			"is no reason to keep it: a key of 2048 bits fits into a TXT record of two strings, which every name server serves.\n\n" +
			"A key is changed by another selector beside it, never in place, since mail that is under way was signed with the old one:\n\n" +
			"\tgatepost keys rotate example.com\n\nThat makes the key, waits until DNS shows it, signs with it and says when the old one can go. " +
			"Where a service signs for you, its settings have a way to ask for a longer key.",
		Look: each(func(f *facts.Facts, s *facts.Selector) (check.Seen, bool) {
			bits := rsaBits(s)
			if bits < minBits || bits >= goodBits {
				return check.Seen{}, false
			}
			seen := check.Seen{Detail: fmt.Sprintf("The RSA key has %d bits.", bits), Advice: rotateFor(f)}
			if s.Alias != "" && !within(s.Alias, f.Organizational) {
				seen.Advice = "The key is at " + s.Alias + ": ask whoever keeps it for one of 2048 bits."
			}
			return seen, true
		}),
	},
	{
		ID: "dkim-weak-key", Severity: check.Warning, Reference: "CVE-2017-15361; RFC 8017 C",
		Title: "The key is of a kind known to be weak",
		Why:   "Keys of this kind can be broken with less than their length promises.",
		Explain: "Two kinds are told apart here. A modulus with the mark of ROCA (CVE-2017-15361) was made by a faulty library in smart cards " +
			"and security chips, and can be factored from the published part alone: whoever does it signs as the domain. A public exponent of " +
			"less than 65537 is no break by itself, but has made faults in other people's programs into forgeries: some of them took signatures " +
			"by such keys that nobody made.\n\n" +
			"Make a new key by another program, and publish it under another selector:\n\n" +
			"\tgatepost keys rotate example.com\n\nTake a key with the mark of ROCA away at once, and not a week later.",
		Look: each(weakKey),
	},
	{
		ID: "dkim-shared-key", Severity: check.Warning, Reference: "M3AAWG DKIM key rotation, 2019",
		Title: "Another domain has the same key",
		Why:   "Whoever can sign for the one domain can sign for the other.",
		Explain: "The same public key is published by several domains, so that one private key signs for all of them. That is how one customer " +
			"of a host comes to be able to sign as another, and where the key is lost, it is lost for all.\n\n" +
			"Give each domain a key of its own:\n\n\tgatepost keys rotate example.com\n\n" +
			"Where the name is an alias to a service, the key is the service's own, and this is not said of it.",
		Look: each(func(f *facts.Facts, s *facts.Selector) (check.Seen, bool) {
			if len(f.Options.OtherKeys) == 0 || s.Alias != "" {
				return check.Seen{}, false
			}
			other := f.Options.OtherKeys[s.Hash()]
			if other == "" || other == f.Domain {
				return check.Seen{}, false
			}
			return check.Seen{Detail: "The key is published by " + other + " too.", Advice: rotateFor(f)}, true
		}),
	},
	{
		ID: "dkim-old-key", Severity: check.Warning, Reference: "RFC 6376 8.3; M3AAWG DKIM key rotation, 2019", Cap: check.AMinus,
		Title: "The key has been the same for more than a year",
		Why:   "The longer a key is in use, the more copies of it lie about, and the less is known of who has one.",
		Explain: "A private key is copied to servers, backups and the disks of those who left. None of that is seen from outside; a new key " +
			"twice a year ends it all.\n\n\tgatepost keys rotate example.com\n\n" +
			"That can be left to a timer. Where a service signs by an alias, it changes the key without you; where you publish its key as text, " +
			"it cannot, and an alias is better if it offers one.",
		Look: each(func(f *facts.Facts, s *facts.Selector) (check.Seen, bool) {
			since, ok := f.Options.Seen.KeySince[s.Name]
			if !ok || !s.Usable() || f.At.Sub(since) < year {
				return check.Seen{}, false
			}
			seen := check.Seen{
				Detail: fmt.Sprintf("The record has been as it is since %s at least, %d days.",
					since.UTC().Format(time.DateOnly), int(f.At.Sub(since)/day)),
				Advice: rotateFor(f),
			}
			if s.Alias != "" && !within(s.Alias, f.Organizational) {
				seen.Advice = "The key is at " + s.Alias + ": ask whoever keeps it how often it is changed."
			}
			return seen, true
		}),
	},
	{
		ID: "dkim-ed25519-only", Severity: check.Warning, Reference: "RFC 8463 6",
		Title: "All keys are Ed25519, which many receivers do not know",
		Why:   "A receiver that knows only RSA takes the mail as unsigned.",
		Explain: "Ed25519 signatures are short and sound, but several of the large receivers do not verify them, and say so of such a " +
			"signature as of none. Sign twice: once with an RSA key of 2048 bits, once with this one. Receivers take what they know.\n\n" +
			"\tgatepost keys rotate example.com --algorithm both",
		Look: onlyEd25519,
	},
	{
		ID: "dkim-mismatches-private-key", Severity: check.Error, Reference: "RFC 6376 3.6.1",
		Title: "What is published is not the key that signs",
		Why:   "Every signature made with our private key fails.",
		Explain: "The public key in DNS and the private key that Gatepost signs with under this selector are not a pair. Either the record was " +
			"changed, or the key file was, or the record was cut short when it was pasted.\n\n" +
			"What is to be published is what the key file says:\n\n\tgatepost keys list example.com\n\tdig +short TXT " +
			"SELECTOR._domainkey.example.com\n\n" +
			"If several servers sign with keys of their own, give each a selector of its own.",
		Look: mismatches,
	},
}

func rsaBits(s *facts.Selector) int {
	if !s.Usable() || s.Key.Type != "rsa" {
		return 0
	}
	return s.Key.Bits
}

func weakKey(f *facts.Facts, s *facts.Selector) (check.Seen, bool) {
	if !s.Usable() {
		return check.Seen{}, false
	}
	public, ok := s.Key.Public.(*rsa.PublicKey)
	switch {
	case !ok:
		return check.Seen{}, false
	case isROCA(public.N):
		return check.Seen{
			Severity: check.Error,
			Detail:   "The modulus has the mark of ROCA: it can be factored.",
			Advice:   rotateFor(f) + " Do not wait with taking this one away.",
		}, true
	case public.E < goodE:
		return check.Seen{Detail: fmt.Sprintf("The public exponent is %d.", public.E), Advice: rotateFor(f)}, true
	}
	return check.Seen{}, false
}

func onlyEd25519(f *facts.Facts) []check.Seen {
	subject := ""
	for i := range f.DKIM.Selectors {
		s := &f.DKIM.Selectors[i]
		if !s.Usable() {
			continue
		}
		if s.Key.Type != "ed25519" {
			return nil
		}
		if subject == "" {
			subject = s.Asked.Name
		}
	}
	if subject == "" || f.Unknown(facts.DKIM) {
		return nil
	}
	return []check.Seen{{
		Subject: subject,
		Detail:  "No selector that was tried has an RSA key.",
		Advice:  "Sign with an RSA key too: \"gatepost keys rotate " + f.Domain + " --algorithm both\".",
	}}
}

// mismatches compares what we hold with what is published. A key of which nothing is published yet may be one that waits for its turn.
func mismatches(f *facts.Facts) []check.Seen {
	var all []check.Seen
	for i := range f.DKIM.Selectors {
		s := &f.DKIM.Selectors[i]
		text, ok := f.Options.Keys[s.Name]
		if !ok {
			continue
		}
		ours, err := dkim.ParseKey(text)
		if err != nil || s.Usable() && s.Hash() == facts.KeyHash(ours) {
			continue
		}
		seen := check.Seen{Subject: s.Asked.Name, Detail: "The public key in the record is not that of the private key."}
		if !s.Usable() {
			seen.Detail = "The record has no key that can be used, and we sign with its selector."
		}
		if s.Alias == "" && !s.Wildcard && !slices.Contains(s.Texts, text) {
			seen.Fix = []publish.Change{{Name: s.Asked.Name, Type: "TXT", Old: s.Text, New: text}}
		} else {
			seen.Advice = "Publish the record of our own key in its place."
		}
		all = append(all, seen)
	}
	return all
}
