package digest

import (
	"net/netip"
	"time"

	"github.com/gatepost-mail/gatepost/internal/insight"
	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/internal/store"
)

var sunday = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)

// sample is an answer with all that a letter can tell.
func sample() *insight.Answer {
	a := &insight.Answer{Period: insight.Period{From: sunday.AddDate(0, 0, -6), To: sunday},
		Now:    store.Figures{Messages: 48213, Passed: 46907, Quarantined: 412, Rejected: 0},
		Before: store.Figures{Messages: 44120, Passed: 43500, Quarantined: 120}}
	for i := range 14 {
		day := sunday.AddDate(0, 0, i-13)
		n := int64(6800 + 300*(i%5))
		if wd := day.Weekday(); wd == time.Saturday || wd == time.Sunday {
			n /= 4
		}
		d := insight.Day{Day: day, Passed: n, Forwarded: n / 60, Unknown: n / 90, Misconfigured: n / 25}
		if i == 9 {
			d.Abuse = 1900
		}
		a.Days = append(a.Days, d)
	}
	group := func(name string, kind senders.Kind, n, passed int64, fault senders.Fault, reason, advice string) insight.Group {
		return insight.Group{Domain: "example.com", Key: name, Name: name, Figures: store.Figures{Messages: n, Passed: passed}, First: sunday.AddDate(0, 0, -3),
			Class: senders.Class{Kind: kind, Fault: fault, Reason: reason, Advice: advice}}
	}
	d := insight.Domain{Name: "example.com", Now: a.Now, Before: a.Before, First: sunday.AddDate(-1, 0, 0), Last: sunday, Days: a.Days}
	d.Groups = []insight.Group{
		group("Google Workspace", senders.Passing, 31200, 31190, "", "DKIM and SPF pass.", ""),
		group("mail.example.com", senders.Passing, 12033, 12033, "", "", ""),
		group("Mailchimp", senders.Misconfigured, 1204, 0, senders.DKIMUnaligned,
			"From Mailchimp: DKIM passes for mcsv.net, not for example.com: set up domain authentication.",
			"Set up DKIM for example.com at Mailchimp: publish k2._domainkey.example.com CNAME dkim2.mcsv.net; k3._domainkey.example.com CNAME dkim3.mcsv.net. See https://mailchimp.com/help/set-up-email-domain-authentication/."),
		group("Zendesk", senders.Passing, 802, 802, senders.NotSigned, "SPF passes for example.com from Zendesk, and no signature of example.com does: forwarded mail will fail.",
			"Set up DKIM for example.com at Zendesk."),
		group("lists.debian.example", senders.Forwarded, 512, 2, "", "", ""),
		group("Contabo GmbH (AS51167)", senders.Unclear, 290, 0, senders.Unauthenticated, "From 203.0.113.77: nothing in its messages authenticates; nothing shows whose it is.",
			"If it is yours, sign its mail with DKIM and list it in SPF; if not, there is nothing to do: a policy of reject keeps it out."),
		group("198.51.100.201", senders.Abuse, 1900, 0, senders.Unauthenticated, "", ""),
	}
	d.Groups[2].IPs = make([]netip.Addr, 14)
	d.Groups[5].New = true
	d.Effect = insight.Effect{Quarantined: 412, Own: 38, Forwarded: 20, Delivered: 894}
	d.Reporters = []insight.Reporter{{Name: "google.com", Reports: 7}, {Name: "Yahoo", Reports: 7}, {Name: "Enterprise Outlook", Reports: 7}}
	d.Silent = []insight.Reporter{{Name: "Mail.Ru", Usual: 24 * time.Hour, Last: sunday.AddDate(0, 0, -12)}}
	d.Policy = insight.Policy{Known: true, Published: "v=DMARC1; p=quarantine; rua=mailto:reports@gatepost.example", At: "example.com", P: "quarantine",
		Seen:    []insight.SeenPolicy{{Tags: map[string]string{"p": "none"}, Reporters: 2, Last: sunday}},
		Differs: []insight.Difference{{Tag: "p", Published: "quarantine", Seen: "none", Reporters: 2, Last: sunday}}}
	d.Next = insight.Step{ID: insight.StepMendSource, Domain: "example.com", Text: "Mailchimp: 1,204 of 1,204 messages did not pass. " + d.Groups[2].Class.Advice,
		Record: &insight.Record{Name: "k2._domainkey.example.com", Type: "CNAME", Value: "dkim2.mcsv.net"}, Docs: "https://mailchimp.com/help/"}
	a.Domains = []insight.Domain{d}
	return a
}
