package stscheck

import (
	"fmt"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
	"github.com/gatepost-mail/gatepost/mtasts"
)

// record are the checks of the record at _mta-sts.
var record = []check.Check{
	{
		ID: "mta-sts-multiple", Severity: check.Error, Reference: "RFC 8461 3.1",
		Title: "There are several MTA-STS records",
		Why:   "Senders that see more than one record act as though there were none, and the policy is not applied.",
		Explain: "Whether a domain has an MTA-STS policy is said by one TXT record at _mta-sts that begins with v=STSv1. Where there are two, " +
			"senders cannot tell which of them counts, and the standard has them use neither.\n\n" +
			"\tdig +short TXT _mta-sts.example.com\n\n" +
			"Leave one, and give it a new id, so that senders fetch the policy again.",
		Look: func(f *facts.Facts) []check.Seen {
			s := &f.STS
			if len(s.Texts) < 2 {
				return nil
			}
			return []check.Seen{{
				Subject: name(f),
				Detail:  fmt.Sprintf("%d texts begin with v=STSv1: %s.", len(s.Texts), quoted(s.Texts)),
				Fix:     oneRecord(f),
			}}
		},
	},
	{
		ID: "mta-sts-version", Severity: check.Error, Reference: "RFC 8461 3.1",
		Title: "The MTA-STS record does not begin with v=STSv1",
		Why:   "Senders pass over a text that does not begin with exactly that, and the policy is not applied.",
		Explain: "A record of MTA-STS begins with v=STSv1 and a semicolon: in that case of letters, without a space or a quotation mark before it. " +
			"Anything else at _mta-sts is taken for something else.\n\n" +
			"\tdig +short TXT _mta-sts.example.com\n\n" +
			"The record is to look like this:\n\n\t_mta-sts.example.com. IN TXT \"v=STSv1; id=20261201120000;\"",
		Look: func(f *facts.Facts) []check.Seen {
			s := &f.STS
			if len(s.Texts) > 0 {
				return nil
			}
			for _, text := range s.TXT.TXT {
				if nearly(text, "stsv1") {
					return []check.Seen{{
						Subject: name(f),
						Detail:  fmt.Sprintf("The text is %q.", text),
						Fix:     []publish.Change{newText(f, text, made(f))},
					}}
				}
			}
			return nil
		},
	},
	{
		ID: "mta-sts-id-invalid", Severity: check.Error, Reference: "RFC 8461 3.1",
		Title: "The id of the MTA-STS record is missing or invalid",
		Why:   "Senders do not use a record whose id they cannot read, and the policy is not applied.",
		Explain: "The id says by its change that there is another policy. It has 1 to 32 letters and digits, and no other characters: no dashes, no " +
			"dots, no quotation marks. The time at which the policy was changed makes a good one.\n\n" +
			"\tdig +short TXT _mta-sts.example.com",
		Look: func(f *facts.Facts) []check.Seen { return badRecord(f, true) },
	},
	{
		ID: "mta-sts-syntax", Severity: check.Error, Reference: "RFC 8461 3.1",
		Title: "The MTA-STS record has an error",
		Why:   "Senders do not use a record that they cannot read, and the policy is not applied.",
		Explain: "The record is a list of fields, each a name, an equals sign and a value, with a semicolon between them. Only v and id are known; " +
			"others are allowed, but must have the same form.\n\n" +
			"\tdig +short TXT _mta-sts.example.com",
		Look: func(f *facts.Facts) []check.Seen { return badRecord(f, false) },
	},
	{
		ID: "mta-sts-policy-without-record", Severity: check.Warning, Reference: "RFC 8461 3.1",
		Title: "There is an MTA-STS policy, but no record",
		Why:   "Senders look for the policy only where the record says that there is one, so it is not applied.",
		Explain: "A policy is on the web server, and there is no TXT record at _mta-sts that tells of it. Publish the record, or take the file " +
			"away if it is a leftover.\n\n" +
			"\tdig +short TXT _mta-sts.example.com\n\tcurl https://mta-sts.example.com/.well-known/mta-sts.txt\n\n" +
			"A domain that withdraws its policy publishes mode: none with a new id first, and takes away the record and the file once the max_age " +
			"of the old policy is over.",
		Look: func(f *facts.Facts) []check.Seen {
			s := &f.STS
			p := s.Policy()
			if p == nil || !s.TXT.Absent() && !s.TXT.Found() || len(s.Texts) > 0 || p.Mode == mtasts.None {
				return nil
			}
			for _, text := range s.TXT.TXT {
				if nearly(text, "stsv1") {
					return nil
				}
			}
			return []check.Seen{{
				Subject: name(f),
				Detail:  fmt.Sprintf("%s has a policy in mode %s, and no text at %s begins with v=STSv1.", s.Fetched.URL, p.Mode, name(f)),
				Fix:     []publish.Change{newText(f, "", made(f))},
			}}
		},
	},
}

// made is a new record.
func made(f *facts.Facts) string { return (&mtasts.Record{ID: newID(f)}).String() }

// nearly tells whether a text was to be a record of a version.
func nearly(text, version string) bool {
	text = strings.ToLower(strings.Trim(text, "\"' \t\u00a0"))
	value, ok := strings.CutPrefix(text, "v")
	value, eq := strings.CutPrefix(strings.TrimLeft(value, " \t"), "=")
	return ok && eq && strings.HasPrefix(strings.TrimLeft(value, " \t\"'"), version) || strings.HasPrefix(text, version)
}

// badRecord is what there is to say of a record that cannot be used: of its id, or of anything else.
func badRecord(f *facts.Facts, id bool) []check.Seen {
	s := &f.STS
	if s.Err == nil || isID(s.Err) != id {
		return nil
	}
	text := s.Texts[0]
	fixed, err := mtasts.SetID(text, newID(f))
	if err == nil {
		if _, err = mtasts.ParseRecord(fixed); err != nil {
			fixed = made(f)
		}
	}
	return []check.Seen{{
		Subject: name(f),
		Detail:  fmt.Sprintf("The text is %q: %v.", text, s.Err),
		Fix:     []publish.Change{newText(f, text, fixed)},
	}}
}

func isID(err error) bool { return strings.HasPrefix(err.Error(), "id") }

// oneRecord leaves the first record that is good, with a new id, or makes one.
func oneRecord(f *facts.Facts) []publish.Change {
	all := f.STS.Texts
	kept := 0
	for i, text := range all {
		if _, err := mtasts.ParseRecord(text); err == nil {
			kept = i
			break
		}
	}
	text, err := mtasts.SetID(all[kept], newID(f))
	if err == nil {
		_, err = mtasts.ParseRecord(text)
	}
	if err != nil {
		text = made(f)
	}
	changes := []publish.Change{newText(f, all[kept], text)}
	for i, other := range all {
		if i != kept {
			changes = append(changes, newText(f, other, ""))
		}
	}
	return changes
}

// quoted lists texts.
func quoted(all []string) string {
	const most = 5
	var b strings.Builder
	for i, text := range all {
		if i == most {
			fmt.Fprintf(&b, " and %d more", len(all)-most)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%q", text)
	}
	return b.String()
}
