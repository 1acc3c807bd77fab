package dkimcheck

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"strings"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
)

// record are the checks of whether a record is a key at all.
var record = []check.Check{
	{
		ID: "dkim-syntax", Severity: check.Error, Reference: "RFC 6376 3.2",
		Title: "The key record is not a list of tags",
		Why:   "No receiver can read it, so that every signature with its selector fails.",
		Explain: "A key record is a list of tag=value with semicolons between them, in one line. Line ends that were pasted with it, a tag " +
			"without an equals sign or two semicolons in a row make all of it unreadable.\n\n" +
			"Look at what DNS has, octet by octet:\n\n\tdig +short TXT SELECTOR._domainkey.example.com\n\n" +
			"and publish it anew in one line: v=DKIM1; k=rsa; p=….",
		Look: each(func(f *facts.Facts, s *facts.Selector) (check.Seen, bool) {
			if s.Err == nil || len(s.Tags) > 0 {
				return check.Seen{}, false
			}
			seen := check.Seen{Detail: fmt.Sprintf("%v: %s", s.Err, short(s.Text)), Advice: "Publish the record that belongs to the key, in one line."}
			if text, ok := repaired(s); ok {
				return put(f, s, seen, text, nil)
			}
			return seen, true
		}),
	},
	{
		ID: "dkim-version-bad", Severity: check.Error, Reference: "RFC 6376 3.6.1",
		Title: "The version is not v=DKIM1 at the beginning",
		Why:   "A receiver must discard a record whose v= is another or stands elsewhere.",
		Explain: "v= need not be there, but if it is, it comes first and says DKIM1, in capitals. Anything else makes the record one that " +
			"receivers must not use, however good the key in it is.",
		Look: each(badVersion),
	},
	{
		ID: "dkim-duplicate-tag", Severity: check.Error, Reference: "RFC 6376 3.2",
		Title: "A tag stands in the record twice",
		Why:   "A list in which a tag is repeated is invalid as a whole, so that no signature with it verifies.",
		Explain: "The standard leaves no choice: where a name stands twice, all of the list is invalid, even if both say the same. Some " +
			"receivers are lenient and take the first or the last, so that the mail passes here and fails there.\n\n" +
			"Keep each tag once. Where the values differ, only who made the key knows which is meant.",
		Look: each(func(f *facts.Facts, s *facts.Selector) (check.Seen, bool) {
			twice := repeated(s)
			if twice == "" {
				return check.Seen{}, false
			}
			seen := check.Seen{Detail: "The tag " + twice + "= stands in it more than once."}
			text, err := dkim.RemoveRepeatedTags(s.Text)
			if err != nil {
				seen.Advice = "The values differ: keep the one that belongs to the key."
			}
			return put(f, s, seen, text, err)
		}),
	},
	{
		ID: "dkim-p-missing", Severity: check.Error, Reference: "RFC 6376 3.6.1",
		Title: "The record has no public key",
		Why:   "Without p= there is nothing to verify a signature with, and every signature with this selector fails.",
		Explain: "p= is the one tag that must be there. Often it was left behind when a long record was cut into pieces: all of its strings " +
			"belong to one TXT record, and not to several.\n\n\tdig +short TXT SELECTOR._domainkey.example.com\n\n" +
			"To say that a key is not used any more, publish an empty p=.",
		Look: each(func(f *facts.Facts, s *facts.Selector) (check.Seen, bool) {
			if _, ok := get(s, "p"); ok || s.Err == nil || len(s.Tags) == 0 || len(s.Texts) == 0 {
				return check.Seen{}, false
			}
			seen := check.Seen{Detail: "There is no p= in " + short(s.Text), Advice: "Publish the whole record, as one TXT record."}
			if ours := f.Options.Keys[s.Name]; ours != "" {
				return put(f, s, seen, ours, nil)
			}
			return seen, true
		}),
	},
	{
		ID: "dkim-key-corrupt", Severity: check.Error, Reference: "RFC 6376 3.6.1",
		Title: "The public key cannot be read",
		Why:   "No signature with this selector verifies.",
		Explain: "p= holds the key in base64. A missing piece at the end, a quotation mark or a backslash that was pasted into it, or a key of " +
			"another kind than k= says make it unreadable. A record longer than 255 octets is published as several strings of one TXT record; " +
			"forms on the web often cut at 255, and lose the rest.\n\n" +
			"Compare what DNS has with what the signer says:\n\n\tdig +short TXT SELECTOR._domainkey.example.com\n\tgatepost keys list example.com",
		Look: each(corrupt),
	},
	{
		ID: "dkim-multiple-records", Severity: check.Error, Reference: "RFC 6376 3.6.2.2",
		Title: "There are several key records at one name",
		Why:   "Which of them a receiver takes is not defined: signatures pass here and fail there.",
		Explain: "At each selector there is one key record. Where there are two, a receiver takes the first that comes, and DNS gives them in " +
			"any order. It happens when a key is changed by adding the new one instead of using another selector, and when the strings of one " +
			"long record are entered as records of their own.\n\n" +
			"Keep the one that the signer uses, and give the other another selector:\n\n\tdig TXT SELECTOR._domainkey.example.com",
		Look: each(func(f *facts.Facts, s *facts.Selector) (check.Seen, bool) {
			if len(s.Texts) < 2 {
				return check.Seen{}, false
			}
			usable := 0
			for _, text := range s.Texts {
				if k, err := dkim.ParseKey(text); err == nil && k.Public != nil {
					usable++
				}
			}
			return check.Seen{
				Detail: fmt.Sprintf("%d of its texts are key records, and %d of them hold a key that can be used.", len(s.Texts), usable),
				Advice: "Keep the record that the signer uses, and give every other key a selector of its own.",
			}, true
		}),
	},
}

// badVersion mends what can be: DKIM1 in another case or with something pasted to it, or not in the first place.
func badVersion(f *facts.Facts, s *facts.Selector) (check.Seen, bool) {
	v, ok := once(s, "v")
	if !ok || v == "DKIM1" && s.Tags[0].Name == "v" {
		return check.Seen{}, false
	}
	seen := check.Seen{Detail: "It says v=" + short(v) + "."}
	if v == "DKIM1" {
		seen.Detail = "v=DKIM1 stands after " + s.Tags[0].Name + "=."
	}
	text, err := dkim.MoveTagFirst(s.Text, "v")
	if err == nil {
		text, err = dkim.SetTag(text, "v", "DKIM1")
	}
	if err == nil && !goodAs(text, nil) {
		if clean, ok := repaired(s); ok {
			text = clean
		} else {
			err = errors.New("it is no key with the right version either")
		}
	}
	seen.Advice = "Publish the record that belongs to the key. It begins with v=DKIM1."
	if err != nil {
		return put(f, s, seen, text, err)
	}
	if key, err := dkim.ParseKey(text); err == nil {
		if public, ok := key.Public.(*rsa.PublicKey); ok && public.N.BitLen() < 1024 {
			seen.Detail += fmt.Sprintf(" With the right version the key would be of no use either: it has %d bits.", public.N.BitLen())
			seen.Advice = rotateFor(f)
			return seen, true
		}
	}
	return put(f, s, seen, text, err)
}

// repeated is a tag that stands in a record twice, or empty.
func repeated(s *facts.Selector) string {
	for i, t := range s.Tags {
		for _, before := range s.Tags[:i] {
			if before.Name == t.Name {
				return t.Name
			}
		}
	}
	return ""
}

// corrupt is for what only its p= keeps from being a key.
func corrupt(f *facts.Facts, s *facts.Selector) (check.Seen, bool) {
	p, ok := get(s, "p")
	if !ok || p == "" || s.Err == nil || repeated(s) != "" || !strings.HasPrefix(s.Err.Error(), "p=") {
		return check.Seen{}, false
	}
	seen := check.Seen{
		Detail: fmt.Sprintf("%v. It has %d characters.", s.Err, len(p)),
		Advice: "Publish the whole record that belongs to the key, in strings of at most 255 octets of one TXT record.",
	}
	if text, ok := repaired(s); ok {
		seen.Advice = ""
		return put(f, s, seen, text, nil)
	}
	if ours := f.Options.Keys[s.Name]; ours != "" {
		return put(f, s, seen, ours, nil)
	}
	return seen, true
}
