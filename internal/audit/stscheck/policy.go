package stscheck

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/mtasts"
)

// policy are the checks of what the policy says.
var policy = []check.Check{
	{
		ID: "mta-sts-mx-not-covered", Severity: check.Error, Reference: "RFC 8461 4.1",
		Title: "The MTA-STS policy leaves a mail server out",
		Why:   "Senders do not hand mail to a server that the policy does not name: in mode enforce it waits, and comes back in the end.",
		Explain: "Each mail server of the domain must match a line of the policy that begins with mx. A star stands for one label: *.example.net is for " +
			"mx.example.net, and not for a.mx.example.net.\n\n" +
			"\tdig +short MX example.com\n\tcurl https://mta-sts.example.com/.well-known/mta-sts.txt\n\n" +
			"Senders remember the policy, for as long as its max_age says, and look again when the id of the record is another. So whoever brings in " +
			"another mail server changes the policy and the id first, and MX afterwards.",
		Look: func(f *facts.Facts) []check.Seen {
			p := active(f)
			if p == nil || p.Mode == mtasts.None {
				return nil
			}
			missing := uncovered(f, p)
			if len(missing) == 0 {
				return nil
			}
			text, err := withServers(f, f.STS.Fetched.Text)
			return []check.Seen{{
				Subject: f.STS.Fetched.URL,
				Detail:  fmt.Sprintf("In mode %s it allows %s, and not %s.", p.Mode, listed(p.MX), listed(missing)),
				Fix:     edited(f, text, err),
			}}
		},
	},
	{
		ID: "mta-sts-max-age-long", Severity: check.Error, Reference: "RFC 8461 3.2",
		Title: "max_age of the MTA-STS policy is above a year",
		Why:   "The standard allows 31557600 seconds at most, and senders may refuse a policy with more.",
		Explain: "max_age says for how many seconds senders may keep the policy. The most that is allowed is 31557600, a year. What senders do with more " +
			"is their choice: some take it for an error, and the policy is not applied.",
		Look: func(f *facts.Facts) []check.Seen {
			p := active(f)
			if p == nil || p.MaxAge <= mtasts.MaxAge {
				return nil
			}
			return []check.Seen{ofAge(f, p, mtasts.MaxAge)}
		},
	},
	{
		ID: "mta-sts-max-age-short", Severity: check.Warning, Reference: "RFC 8461 3.2",
		Title: "max_age of the MTA-STS policy is under a day",
		Why:   "Who keeps senders from the policy for that long has them forget it, and can then lead mail astray.",
		Explain: "What senders remember of the policy protects the domain when somebody keeps them from fetching it. max_age says for how long they do, in " +
			"seconds. Weeks are usual. A change of the policy is seen all the same, by the id of the record.\n\n" +
			"A short max_age is right for a policy that is about to be withdrawn, in mode none.",
		Look: func(f *facts.Facts) []check.Seen {
			p := active(f)
			if p == nil || p.Mode == mtasts.None || p.MaxAge >= 24*time.Hour {
				return nil
			}
			return []check.Seen{ofAge(f, p, defaultAge)}
		},
	},
	{
		ID: "mta-sts-mode-none", Severity: check.Warning, Reference: "RFC 8461 8.3",
		Title: "The MTA-STS policy is in mode none",
		Why:   "It tells senders that the domain has no policy any longer, so that nothing protects its mail on the way.",
		Explain: "Mode none is how a domain withdraws its policy: senders forget what they remembered. Once the max_age of the policy before is over, the " +
			"record and the file can go.\n\n" +
			"If the domain is to have a policy, begin with mode testing, read the reports of failed TLS for some weeks, and go on to enforce.",
		Look: func(f *facts.Facts) []check.Seen {
			p := active(f)
			if p == nil || p.Mode != mtasts.None {
				return nil
			}
			return []check.Seen{{
				Subject: f.STS.Fetched.URL, Detail: "It has mode: none.",
				Advice: "Take the record and the file away once the policy before is forgotten, or have a policy again, first in mode testing.",
			}}
		},
	},
	{
		ID: "mta-sts-mode-testing", Severity: check.Warning, Reference: "RFC 8461 5",
		Title: "The MTA-STS policy is in mode testing",
		Why:   "Senders hand over mail though the connection is not as the policy has it, and only report that.",
		Explain: "Mode testing is for finding out whether all mail servers have a certificate that senders believe, for the name that MX gives. What fails " +
			"is told in the reports that the record at _smtp._tls asks for. Stay in it for some weeks; if the reports show no failures, change one " +
			"line of the policy, and the id of the record:\n\n" +
			"\tmode: enforce\n\n" +
			"Look at the certificate of each mail server before that:\n\n" +
			"\topenssl s_client -starttls smtp -connect mx.example.com:25 -servername mx.example.com -verify_return_error </dev/null\n\n" +
			"No text to publish is given for this, since DNS does not show whether the mail servers are ready.",
		Look: func(f *facts.Facts) []check.Seen {
			p := active(f)
			if p == nil || p.Mode != mtasts.Testing {
				return nil
			}
			return []check.Seen{{
				Subject: f.STS.Fetched.URL, Detail: "It has mode: testing.",
				Advice: fmt.Sprintf("Once reports of failed TLS show none for some weeks, write mode: enforce, and id=%s in the record.", newID(f)),
			}}
		},
	},
	{
		ID: "mta-sts-mx-gone", Severity: check.Warning, Reference: "RFC 8461 3.2",
		Title: "The MTA-STS policy allows mail servers that are gone",
		Why:   "Whoever comes to have such a name can have mail of the domain, if they can also change what senders see of its MX.",
		Explain: "A line of the policy that begins with mx allows names of which the domain uses none. Take it away, unless that server is about to be used, " +
			"or is to take over in need.\n\n" +
			"\tdig +short MX example.com\n\tcurl https://mta-sts.example.com/.well-known/mta-sts.txt",
		Look: func(f *facts.Facts) []check.Seen {
			p := active(f)
			all := servers(f)
			if p == nil || p.Mode == mtasts.None || len(all) == 0 || f.MX.Asked.Unknown() {
				return nil
			}
			text := f.STS.Fetched.Text
			var gone []string
			var failed error
			for _, pattern := range p.MX {
				used := slices.ContainsFunc(all, func(host string) bool { return mtasts.Matches(pattern, host) })
				if used || slices.Contains(gone, pattern) {
					continue
				}
				gone = append(gone, pattern)
				if failed == nil {
					text, failed = mtasts.RemoveMX(text, pattern)
				}
			}
			if len(gone) == 0 {
				return nil
			}
			return []check.Seen{{
				Subject: f.STS.Fetched.URL,
				Detail:  fmt.Sprintf("It allows %s, and the domain's mail goes to %s.", listed(gone), listed(all)),
				Advice:  "Keep the line if that server is about to be used.",
				Fix:     edited(f, text, failed),
			}}
		},
	},
}

// active is the policy that senders go by; nil where they have none.
func active(f *facts.Facts) *mtasts.Policy {
	if f.STS.Record == nil {
		return nil
	}
	return f.STS.Policy()
}

// ofAge is what there is to say of a max_age that is to be another.
func ofAge(f *facts.Facts, p *mtasts.Policy, want time.Duration) check.Seen {
	text, err := mtasts.Set(f.STS.Fetched.Text, "max_age", age(want))
	return check.Seen{
		Subject: f.STS.Fetched.URL,
		Detail:  fmt.Sprintf("It has max_age: %s.", age(p.MaxAge)),
		Fix:     edited(f, text, err),
	}
}

func age(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }

// listed names what is first in a list, and how many more there are.
func listed(all []string) string {
	const most = 5
	if len(all) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(all[:most], ", "), len(all)-most)
	}
	return strings.Join(all, ", ")
}
