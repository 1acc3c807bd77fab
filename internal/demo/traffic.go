package demo

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/gatepost-mail/gatepost/report/aggregate"
)

// A reporter is one who writes reports.
type reporter struct {
	name, domain string
	share        float64 // of the mail that it sees
	standard     aggregate.Standard
	ip           string // that its reports come from
	trustsLists  bool   // it lets in what a mailing list changed
	last         int    // the last day that it reports of
	domains      int    // of [Domains], that it reports about
}

var reporters = []reporter{
	{"Lantern Webmail", "lantern.example", 0.40, aggregate.RFC7489, "203.0.113.70", true, 0, 3},
	{"Postbridge", "postbridge.example", 0.25, aggregate.RFC9990, "203.0.113.71", true, 0, 3},
	{"Copper Post", "copperpost.example", 0.15, aggregate.RFC7489, "203.0.113.72", false, 0, 2},
	{"Tidewater", "tidewater.example", 0.10, aggregate.RFC7489, "203.0.113.73", false, fellSilent, 1},
	{"University of Aldwick", "uni-aldwick.example", 0.06, aggregate.RFC9990, "203.0.113.74", false, 0, 1},
	{"City of Merrow", "merrow.example", 0.04, aggregate.RFC9990, "203.0.113.75", false, 0, 1},
}

// A source is some addresses that send alike.
type source struct {
	domain string // of ours
	ips    []string
	volume func(ago int, day time.Weekday) float64 // of a day, at all reporters together
	exact  []int64                                 // what each reporter sees on such a day, in the place of its share
	record func(ago int) aggregate.Record          // the disposition aside
}

// What one sends on days of work, with less at weekends.
func working(week, end float64) func(int, time.Weekday) float64 {
	return func(ago int, day time.Weekday) float64 {
		growth := 1 + 0.15*float64(Days-ago)/Days
		if day == time.Saturday || day == time.Sunday {
			return end * growth
		}
		return week * growth
	}
}

func weekdays(n float64) func(int, time.Weekday) float64 {
	return func(_ int, day time.Weekday) float64 {
		if day == time.Saturday || day == time.Sunday {
			return 0
		}
		return n
	}
}

func always(n float64) func(int, time.Weekday) float64 {
	return func(int, time.Weekday) float64 { return n }
}

// campaigns are sent on Tuesdays and Thursdays.
func campaigns(n float64) func(int, time.Weekday) float64 {
	return func(_ int, day time.Weekday) float64 {
		if day == time.Tuesday || day == time.Thursday {
			return n
		}
		return 0
	}
}

// ownKey is the selector that the company's servers sign with.
func ownKey(ago int) string {
	if ago > newKey {
		return "s2026a"
	}
	return "s2026b"
}

func signed(domain, selector, result string) aggregate.AuthDKIM {
	return aggregate.AuthDKIM{Domain: domain, Selector: selector, Result: result}
}

func record(from, envelope, dkim, spf, spfResult string, signatures ...aggregate.AuthDKIM) aggregate.Record {
	return aggregate.Record{DKIM: dkim, SPF: spf, HeaderFrom: from, EnvelopeFrom: envelope,
		Auth: aggregate.Auth{DKIM: signatures, SPF: []aggregate.AuthSPF{{Domain: envelope, Scope: "mfrom", Result: spfResult}}}}
}

// same is a record that is the same each day.
func same(r aggregate.Record) func(int) aggregate.Record {
	return func(int) aggregate.Record { return r }
}

// sources are all but the strangers of the wave.
var sources = []source{
	{domain: "example.com", ips: []string{"192.0.2.10", "192.0.2.11"}, volume: working(420, 160), record: func(ago int) aggregate.Record {
		return record("example.com", "example.com", "pass", "pass", "pass", signed("example.com", ownKey(ago), "pass"))
	}},
	{domain: "example.com", ips: []string{"198.51.100.20", "198.51.100.21"}, volume: working(640, 90),
		record: same(record("example.com", "example.com", "pass", "pass", "pass", signed("example.com", "selector1", "pass")))},
	{domain: "example.com", ips: []string{"198.51.100.60", "198.51.100.61"}, volume: campaigns(1500),
		record: same(record("example.com", "bounce.mcsv.net", "pass", "fail", "pass", signed("example.com", "k2", "pass"),
			signed("mcsv.net", "k2", "pass")))},
	// The CRM that nobody thought of: its bounces go to itself, and it does not sign.
	{domain: "example.com", ips: []string{"203.0.113.40"}, volume: weekdays(160), exact: []int64{80, 40, 20, 0, 20, 0},
		record: same(record("example.com", "bnc.salesforce.com", "fail", "fail", "pass"))},
	// A forwarder leaves signatures as they are, and the envelope too.
	{domain: "example.com", ips: []string{"203.0.113.60"}, volume: working(34, 12), record: func(ago int) aggregate.Record {
		r := record("example.com", "example.com", "pass", "fail", "softfail", signed("example.com", ownKey(ago), "pass"))
		r.Reasons = []aggregate.Reason{{Type: "trusted_forwarder"}}
		return r
	}},
	{domain: "example.com", ips: []string{"203.0.113.61"}, volume: working(22, 9),
		record: same(record("example.com", "example.com", "pass", "fail", "softfail", signed("example.com", "selector1", "pass")))},
	// A mailing list writes beneath each message, and breaks the signature.
	{domain: "example.com", ips: []string{"203.0.113.62"}, volume: weekdays(20), exact: []int64{10, 6, 4, 0, 0, 0},
		record: func(ago int) aggregate.Record {
			r := record("example.com", "lists.guild.example", "fail", "fail", "pass", signed("example.com", ownKey(ago), "fail"))
			r.Reasons = []aggregate.Reason{{Type: "mailing_list"}}
			return r
		}},
	// A printer sends its proofs in the company's name, and nobody knows whether it may.
	{domain: "example.com", ips: []string{"203.0.113.90"}, volume: weekdays(6), exact: []int64{4, 2, 0, 0, 0, 0},
		record: same(record("example.com", "example.com", "fail", "fail", "softfail"))},

	{domain: "example.org", ips: []string{"198.51.100.80", "198.51.100.81"}, volume: working(260, 310),
		record: same(record("example.org", "bounce.example.org", "pass", "pass", "pass", signed("example.org", "shoptoken1", "pass"),
			signed("amazonses.com", "ses", "pass")))},
	{domain: "example.org", ips: []string{"192.0.2.10"}, volume: working(40, 8),
		record: same(record("example.org", "example.org", "pass", "pass", "pass", signed("example.org", "s2026b", "pass")))},
	{domain: "example.org", ips: []string{"203.0.113.60"}, volume: working(6, 6),
		record: same(record("example.org", "bounce.example.org", "pass", "fail", "fail", signed("example.org", "shoptoken1", "pass")))},

	// Somebody has written in the name of the domain that sends nothing for as long as anybody remembers.
	{domain: "example.net", ips: []string{"203.0.113.95"}, volume: always(3), exact: []int64{2, 1, 0, 0, 0, 0},
		record: same(record("example.net", "example.net", "fail", "fail", "fail"))},
}

// wave is how many addresses of strangers there are on each day of it. Each writes on one day, and to one reporter, in the name of three
// hosts of the company's.
var wave = []int{1, 2, 4, 6, 8, 9, 8, 6, 4, 3, 2, 1, 1, 1}

// waveLines are what each of them sends.
var waveLines = []struct {
	from  string
	count int64
}{{"example.com", 14}, {"billing.example.com", 6}, {"payroll.example.com", 4}}

// parkedLines are what two addresses a day send in the name of the domain that sends no mail.
var parkedLines = []struct {
	from  string
	count int64
}{{"example.net", 5}, {"mail.example.net", 3}, {"invoice.example.net", 2}}

// stranger is an address of the wave: some have IPv6.
func stranger(n int) netip.Addr {
	if n%7 == 6 {
		return netip.MustParseAddr(fmt.Sprintf("2001:db8:bad::%x", 0x1000+n))
	}
	return netip.AddrFrom4([4]byte{203, 0, 113, byte(140 + n)})
}

// strangers are the records of the wave that a reporter has of a day and a domain.
func strangers(domain string, ago, reporter int) (all []aggregate.Record) {
	on := waveBegins - ago
	if on < 0 || on >= len(wave) || reporter > 1 || domain == "example.org" {
		return nil
	}
	if domain == "example.net" {
		for _, l := range parkedLines {
			r := record(l.from, "example.net", "fail", "fail", "fail")
			r.SourceIP, r.Count = netip.AddrFrom4([4]byte{203, 0, 113, byte(210 + 2*on + reporter)}), l.count
			all = append(all, r)
		}
		return all
	}
	first := 0
	for _, n := range wave[:on] {
		first += n
	}
	for n := first; n < first+wave[on]; n++ {
		if n%2 != reporter {
			continue
		}
		for _, l := range waveLines {
			r := record(l.from, "example.com", "fail", "fail", "softfail")
			r.SourceIP, r.Count = stranger(n), l.count
			all = append(all, r)
		}
	}
	return all
}

// published is the policy of one of the domains on a day.
func published(domain string, ago int) string {
	switch {
	case domain != "example.com":
		return "reject"
	case ago > newPolicy:
		return "none"
	}
	return "quarantine"
}
