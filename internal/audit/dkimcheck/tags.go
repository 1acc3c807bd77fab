package dkimcheck

import (
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
)

// tags are the checks of each tag's value.
var tags = []check.Check{
	{
		ID: "dkim-k-bad", Severity: check.Error, Reference: "RFC 6376 3.6.1; RFC 8463 4.2",
		Title: "The type of the key is none that there is",
		Why:   "A receiver that does not know k= ignores the key, and the signature fails.",
		Explain: "k= is rsa, which is also what is meant without it, or ed25519. The names of signature algorithms, as rsa-sha256 is one, " +
			"belong into the signature and not here.",
		Look: each(badType),
	},
	{
		ID: "dkim-h-bad", Severity: check.Error, Reference: "RFC 6376 3.6.1",
		Title: "h= lists no hash that there is",
		Why:   "A key that may be used with no known hash verifies nothing.",
		Explain: "h= restricts a key to some hash algorithms. SHA-256 is the only one in use; what else stands there is ignored, and if " +
			"nothing is left, so is the key. Without h= every algorithm is allowed, and since there is one only, that is the best h=.",
		Look: each(func(f *facts.Facts, s *facts.Selector) (check.Seen, bool) {
			h, ok := once(s, "h")
			if !ok || hasAny(h, "sha256", "sha1") && !slices.Contains(words(h), "") {
				return check.Seen{}, false
			}
			seen := check.Seen{Detail: "It says h=" + short(h) + "."}
			text, err := dkim.RemoveTag(s.Text, "h")
			return put(f, s, seen, text, err)
		}),
	},
	{
		ID: "dkim-sha1-only", Severity: check.Error, Reference: "RFC 8301 3.1",
		Title: "The key may be used with SHA-1 only",
		Why:   "Receivers must not verify SHA-1, so that no signature with this key counts.",
		Explain: "h=sha1 forbids what everybody signs with. rsa-sha1 has been out of use since 2018, and receivers treat such a signature as " +
			"none.\n\n" +
			"Take h= out, or let it say sha256, and make sure that the signer uses rsa-sha256.",
		Look: each(func(f *facts.Facts, s *facts.Selector) (check.Seen, bool) {
			h, ok := once(s, "h")
			if !ok || !hasAny(h, "sha1") || hasAny(h, "sha256") {
				return check.Seen{}, false
			}
			text, err := dkim.SetTag(s.Text, "h", "sha256")
			return put(f, s, check.Seen{Detail: "It says h=" + short(h) + ".", Advice: "Make sure that the signer uses SHA-256."}, text, err)
		}),
	},
	{
		ID: "dkim-s-bad", Severity: check.Error, Reference: "RFC 6376 3.6.1",
		Title: "s= lists services that there are not",
		Why:   "What is not known is ignored, and the key may then be for nothing.",
		Explain: "s= says what a key is for: * for everything, email, or tlsrpt for reports of TLS (RFC 8460). Nothing else is registered. " +
			"Without s= the key is for everything.",
		Look: each(func(f *facts.Facts, s *facts.Selector) (check.Seen, bool) {
			list, ok := once(s, "s")
			if !ok || !hasUnknown(list, "*", "email", "tlsrpt") {
				return check.Seen{}, false
			}
			text, err := keep(s, "s", known(list, "*", "email", "tlsrpt"))
			return put(f, s, check.Seen{Detail: "It says s=" + short(list) + "."}, text, err)
		}),
	},
	{
		ID: "dkim-t-bad", Severity: check.Error, Reference: "RFC 6376 3.6.1",
		Title: "t= has flags that there are not",
		Why:   "A flag that nobody knows is ignored, so that the record does not do what its owner thinks.",
		Explain: "t= has two flags: y for a domain that tests, and s for a key whose signatures must name the domain itself in i=, and not one " +
			"below it. Both are written as t=y:s. Anything else is ignored.",
		Look: each(func(f *facts.Facts, s *facts.Selector) (check.Seen, bool) {
			list, ok := once(s, "t")
			if !ok || !hasUnknown(list, "y", "s") {
				return check.Seen{}, false
			}
			text, err := keep(s, "t", known(list, "y", "s"))
			return put(f, s, check.Seen{Detail: "It says t=" + short(list) + "."}, text, err)
		}),
	},
	{
		ID: "dkim-service-excludes-email", Severity: check.Error, Reference: "RFC 6376 3.6.1",
		Title: "The key is not for mail",
		Why:   "s= names other services than email, so that no signature of a message verifies with it.",
		Explain: "s= says what a key may be used for. Where it lists neither * nor email, receivers must not use the key for mail. A key for " +
			"signing reports of TLS (s=tlsrpt) is meant to be so, and nothing is wrong with it if mail has a selector of its own.",
		Look: each(func(f *facts.Facts, s *facts.Selector) (check.Seen, bool) {
			list, ok := once(s, "s")
			if !ok || hasAny(list, "*", "email") || list == "" {
				return check.Seen{}, false
			}
			seen := check.Seen{Detail: "It says s=" + short(list) + "."}
			if hasAny(list, "tlsrpt") {
				seen.Severity = check.Info
				seen.Advice = "Leave it, if only reports of TLS are signed with it."
				return seen, true
			}
			text, err := dkim.RemoveTag(s.Text, "s")
			return put(f, s, seen, text, err)
		}),
	},
	{
		ID: "dkim-unknown-tag", Severity: check.Warning, Reference: "RFC 6376 3.6.1", Cap: check.AMinus,
		Title: "The record has tags that nobody knows",
		Why:   "They are ignored: most are slips of the pen for a tag that is missed now.",
		Explain: "A key record has v, h, k, n, p, s and t. Others are ignored, as the standard wants it. Where one is a slip, as key= for k=, " +
			"what it was to say is not said. Take out what has no meaning.",
		Look: each(func(f *facts.Facts, s *facts.Selector) (check.Seen, bool) {
			return withoutTags(f, s, func(name string) bool { return !slices.Contains(registered, name) && !slices.Contains(obsolete, name) })
		}),
	},
	{
		ID: "dkim-obsolete-tag", Severity: check.Warning, Reference: "RFC 6376 C.2", Cap: check.AMinus,
		Title: "The record has a tag of an older standard",
		Why:   "Receivers of today ignore it, and a very old one may refuse the signature for it.",
		Explain: "g= restricted a key to some local parts, and went in 2011: receivers of before took an empty g= as a key for nobody. q= " +
			"belongs into signatures and never had a meaning in a key record. Take both out.",
		Look: each(func(f *facts.Facts, s *facts.Selector) (check.Seen, bool) {
			return withoutTags(f, s, func(name string) bool { return slices.Contains(obsolete, name) })
		}),
	},
}

var (
	registered = []string{"v", "h", "k", "n", "p", "s", "t"}
	obsolete   = []string{"g", "q"}
)

// withoutTags takes out all tags of a kind.
func withoutTags(f *facts.Facts, s *facts.Selector, goes func(name string) bool) (check.Seen, bool) {
	if len(s.Texts) == 0 {
		return check.Seen{}, false
	}
	var names []string
	text := s.Text
	var err error
	for _, t := range s.Tags {
		if goes(t.Name) && err == nil {
			names = append(names, short(t.Name)+"=")
			text, err = dkim.RemoveTag(text, t.Name)
		}
	}
	if names == nil {
		return check.Seen{}, false
	}
	return put(f, s, check.Seen{Detail: "It has " + strings.Join(names[:min(len(names), 5)], ", ") + "."}, text, err)
}

// badType mends k= where p= tells what the key is.
func badType(f *facts.Facts, s *facts.Selector) (check.Seen, bool) {
	k, ok := once(s, "k")
	if !ok || strings.EqualFold(k, "rsa") || strings.EqualFold(k, "ed25519") {
		return check.Seen{}, false
	}
	seen := check.Seen{Detail: "It says k=" + short(k) + "."}
	for _, typ := range []string{"rsa", "ed25519"} {
		if text, err := dkim.SetTag(s.Text, "k", typ); goodAs(text, err) {
			return put(f, s, seen, text, nil)
		}
	}
	seen.Advice = "Publish the record that belongs to the key."
	return seen, true
}

// hasAny tells whether one of some words is in a list with colons. Case does not matter.
func hasAny(list string, any ...string) bool {
	return slices.ContainsFunc(words(strings.ToLower(list)), func(w string) bool { return slices.Contains(any, w) })
}

// hasUnknown tells whether a list with colons has others than some words, or an empty one.
func hasUnknown(list string, all ...string) bool {
	return slices.ContainsFunc(words(strings.ToLower(list)), func(w string) bool { return !slices.Contains(all, w) })
}

// keep leaves some words of a list with colons, and takes the tag away where none is left.
func keep(s *facts.Selector, tag string, words []string) (string, error) {
	if len(words) == 0 {
		return dkim.RemoveTag(s.Text, tag)
	}
	return dkim.SetTag(s.Text, tag, strings.Join(words, ":"))
}

func known(list string, all ...string) []string {
	return slices.DeleteFunc(words(list), func(w string) bool { return !slices.Contains(all, strings.ToLower(w)) })
}
