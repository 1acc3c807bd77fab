package senders

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/tomlfile"
)

func id(s *Service) string {
	if s == nil {
		return ""
	}
	return s.ID
}

func TestRecognise(t *testing.T) {
	for _, c := range []struct {
		name     string
		evidence Evidence
		id, by   string
		proof    bool
		through  string
	}{
		{"a confirmed name", Evidence{PTR: []string{"o1.ptr123.sendgrid.net"}}, "sendgrid", "ptr", true, ""},
		{"capitals and a final dot", Evidence{PTR: []string{"O1.PTR123.SendGrid.NET."}}, "sendgrid", "ptr", true, ""},
		{"a signature", Evidence{DKIM: []string{"example.com", "mandrillapp.com"}}, "mandrill", "dkim", true, ""},
		{"SPF that passed", Evidence{SPF: "mail77.mcsv.net"}, "mailchimp", "spf", true, ""},
		{"an envelope alone", Evidence{Envelope: "mail77.mcsv.net"}, "mailchimp", "envelope", false, ""},
		{"a HELO name alone", Evidence{HELO: "mail-db8eur05.outbound.protection.outlook.com"}, "microsoft-365", "helo", false, ""},
		{"a service that sends through another", Evidence{PTR: []string{"a1-2.smtp-out.amazonses.com"}, DKIM: []string{"amazonses.com", "intercom-mail.com"}},
			"intercom", "dkim", true, "amazon-ses"},
		{"mail of a service, passed on by a forwarder", Evidence{PTR: []string{"pb-smtp1.pobox.com"}, DKIM: []string{"mcsv.net"}}, "pobox", "ptr", true, ""},
		{"mail of a service, passed on by Google", Evidence{PTR: []string{"mail-ed1-f41.google.com"}, DKIM: []string{"mcsv.net"}}, "google-workspace", "ptr", true, ""},
		{"mail of Yahoo, passed on by Google", Evidence{PTR: []string{"mail-ed1-f41.google.com"}, DKIM: []string{"yahoo.com"}}, "google-workspace", "ptr", true, ""},
		{"a personal account at Google", Evidence{PTR: []string{"mail-ed1-f41.google.com"}, DKIM: []string{"gmail.com"}}, "gmail", "dkim", true, "google-workspace"},
		{"an address goes before a claim", Evidence{PTR: []string{"x.mtasv.net"}, Envelope: "sendgrid.net", HELO: "sendgrid.net"}, "postmark", "ptr", true, ""},
		{"no more than the end of a name", Evidence{PTR: []string{"notsendgrid.net", "sendgrid.net.evil.example"}, DKIM: []string{"xmcsv.net"}}, "", "", false, ""},
		{"nothing", Evidence{IP: netip.MustParseAddr("192.0.2.1")}, "", "", false, ""},
		{"no names at all", Evidence{PTR: []string{"", ".", "..", strings.Repeat("a.", 200)}}, "", "", false, ""},
	} {
		m := Known().Recognise(c.evidence)
		if id(m.Service) != c.id || m.By != c.by || m.Proof != c.proof || id(m.Through) != c.through {
			t.Errorf("%s: got %s by %s, proof %v, through %s; want %s by %s, %v, %s", c.name, id(m.Service), m.By, m.Proof, id(m.Through),
				c.id, c.by, c.proof, c.through)
		}
	}
}

func TestIncludesAreRecognised(t *testing.T) {
	for include, want := range map[string]string{
		"_spf.google.com": "google-workspace", "spf.protection.outlook.com": "microsoft-365", "123.spf05.hubspotemail.net": "hubspot",
		"spf-0012ab34.pphosted.com": "proofpoint", "servers.mcsv.net": "mailchimp", "amazonses.com": "amazon-ses", "google.com": "",
	} {
		if got := id(Known().Include(include)); got != want {
			t.Errorf("%s: got %q, want %q", include, got, want)
		}
	}
}

func TestRecognisingDoesNotAllocateNorScan(t *testing.T) {
	e := Evidence{IP: netip.MustParseAddr("192.0.2.1"), PTR: []string{"mail.example.com"}, DKIM: []string{"example.com", "example.org"}, SPF: "example.com", Envelope: "example.com", HELO: "mail.example.com"}
	table := Known()
	if n := testing.AllocsPerRun(100, func() { table.Recognise(e) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkRecognise(b *testing.B) {
	table := Known()
	e := Evidence{IP: netip.MustParseAddr("192.0.2.1"), PTR: []string{"mail.example.com"}, DKIM: []string{"example.com", "example.org"}, Envelope: "bounce.mail.example.com"}
	for b.Loop() {
		table.Recognise(e)
	}
}

func FuzzRecognise(f *testing.F) {
	f.Add("o1.sendgrid.net", "mcsv.net")
	f.Add("..", "\xff")
	f.Fuzz(func(t *testing.T, ptr, dkim string) {
		m := Known().Recognise(Evidence{PTR: []string{ptr}, DKIM: []string{dkim}})
		if m.Service == nil {
			return
		}
		name := strings.ToLower(strings.TrimSuffix(m.Name, "."))
		for _, suffix := range m.Service.suffixes()[m.By] {
			if name == suffix || strings.HasSuffix(name, "."+suffix) {
				return
			}
		}
		if strings.IndexFunc(m.Name, func(r rune) bool { return r >= 0x80 }) < 0 {
			t.Errorf("%q is no name of %s", m.Name, m.Service.ID)
		}
	})
}

const ours = `# what we run ourselves
[[service]]
id = "newsletter"
name = "Our newsletter"
role = "sender"
ptr = ["news.example.com"]
dkim = ["mcsv.net"] # goes before the table
networks = ["192.0.2.0/24", "192.0.2.8/32", "2001:db8::/32"]
aligns = ["dkim"]

[[service]]
id = "zendesk"
note = "Asks the support team."
envelope = []
`

func TestAFileAddsAndChanges(t *testing.T) {
	table, err := Parse("own.toml", []byte(ours))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(Known().Services()); len(table.Services()) != n+1 {
		t.Errorf("%d services, want one more than %d", len(table.Services()), n)
	}
	for _, c := range []struct {
		evidence Evidence
		id, by   string
	}{
		{Evidence{IP: netip.MustParseAddr("192.0.2.77")}, "newsletter", "network"},
		{Evidence{IP: netip.MustParseAddr("::ffff:192.0.2.8")}, "newsletter", "network"},
		{Evidence{IP: netip.MustParseAddr("2001:db8::7")}, "newsletter", "network"},
		{Evidence{IP: netip.MustParseAddr("192.0.3.1"), PTR: []string{"a.news.example.com"}}, "newsletter", "ptr"},
		{Evidence{DKIM: []string{"mcsv.net"}}, "newsletter", "dkim"},
		{Evidence{PTR: []string{"mail1.mcsv.net"}}, "mailchimp", "ptr"},
		{Evidence{PTR: []string{"out.zendesk.com"}}, "zendesk", "ptr"},
		{Evidence{Envelope: "zendesk.com"}, "", ""},
	} {
		if m := table.Recognise(c.evidence); id(m.Service) != c.id || m.By != c.by {
			t.Errorf("%+v: got %s by %s, want %s by %s", c.evidence, id(m.Service), m.By, c.id, c.by)
		}
	}
	z := table.Service("zendesk")
	if z.Note != "Asks the support team." || z.Name != "Zendesk" || z.Include != "mail.zendesk.com" || len(z.Envelope) != 0 {
		t.Errorf("got %+v", z)
	}
	if z := Known().Service("zendesk"); z.Note != "" || len(z.Envelope) == 0 {
		t.Errorf("our own table was changed: %+v", z)
	}
}

func TestAMistakeIsShownWhereItIs(t *testing.T) {
	good := "[[service]]\nid = \"a\"\nname = \"A\"\nrole = \"sender\"\n"
	for _, c := range []struct{ text, want string }{
		{"[[service]\n", "own.toml:1:"},
		{"[[servise]]\nid = \"a\"\n", "own.toml:1:3: servise: no such key; services are written as [[service]]"},
		{good + "prt = [\"a.example\"]\n", "own.toml:5:1: prt: no such key; did you mean ptr?"},
		{good + "ptr = \"a.example\"\n", "own.toml:5:"},
		{good, "own.toml:2:1: a: nothing to recognise it by"},
		{"[[service]]\nid = \"a\"\nname = \"A\"\nrole = \"sendr\"\nptr = [\"a.example\"]\n", `own.toml:4:1: role: "sendr": there are sender, forwarder, gateway, mailbox; did you mean sender?`},
		{"[[service]]\nname = \"A\"\n", "own.toml:1:3: id: missing"},
		{"[[service]]\nid = \"A b\"\nname = \"A\"\n", "own.toml:2:1: id: \"A b\": small letters"},
		{good + "ptr = [\"A.example\"]\n", "own.toml:5:1: ptr: \"A.example\": write a domain in small letters"},
		{good + "dkim = [\"co.uk\"]\n", "own.toml:5:1: dkim: \"co.uk\": a public suffix"},
		{good + "dkim = [\"com\"]\n", "own.toml:5:1: dkim: \"com\": a public suffix"},
		{good + "networks = [\"192.0.2.1/24\"]\n", "own.toml:5:1: networks: 192.0.2.1/24: write the network's first address"},
		{good + "networks = [\"0.0.0.0/0\"]\n", "own.toml:5:1: networks: 0.0.0.0/0: write"},
		{good + "networks = [\"nowhere\"]\n", "own.toml:5:"},
		{good + "ptr = [\"a.example\"]\ndocs = \"http://a.example\"\n", "own.toml:6:1: docs:"},
		{good + "ptr = [\"a.example\"]\naligns = [\"arc\"]\n", `own.toml:6:1: aligns: "arc": there are dkim, spf`},
		{good + "ptr = [\"a.example\"]\nrecords = [{ for = \"dkim\", name = \"x\", type = \"CNAME\", value = \"y\" }]\n", "own.toml:6:1: records: a record for dkim, which aligns does not speak of"},
		{good + "ptr = [\"a.example\"]\n[[service.records]]\nfor = \"dmarc\"\n", "own.toml:6:"},
		{good + "ptr = [\"a.example\"]\n" + good + "ptr = [\"b.example\"]\n", `own.toml:7:1: id: "a" is in line 2 already`},
		{good + "ptr = [\"a.example\"]\n" + strings.ReplaceAll(good, "a", "b") + "ptr = [\"a.example\"]\n", ""},
		{good + "ptr = [\"a.example\"]\n[[service]]\nid = \"b\"\nname = \"B\"\nrole = \"sender\"\nptr = [\"a.example\"]\n", "own.toml:10:1: ptr: a.example is that of a already"},
		{strings.Repeat("#", tomlfile.MaxBytes+1), "own.toml: larger than"},
	} {
		_, err := Parse("own.toml", []byte(c.text))
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%.80q: got %v, want %s", c.text, err, c.want)
		}
	}
}

func TestLoadReadsFilesAndNothingElse(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "own.toml")
	if err := os.WriteFile(path, []byte(ours), 0o600); err != nil {
		t.Fatal(err)
	}
	if table, err := Load(path); err != nil || table.Service("newsletter") == nil {
		t.Error(err)
	}
	for _, path := range []string{dir, filepath.Join(dir, "none.toml")} {
		if _, err := Load(path); err == nil {
			t.Errorf("%s: read", path)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(ours)
	f.Add("[[service]]\nid=\"a\"\nname=\"A\"\nrole=\"gateway\"\nspf=[\"a.example\"]\n[[service.records]]\nfor=\"verify\"\nname=\"{domain}\"\ntype=\"TXT\"\nvalue=\"x\"\n")
	f.Add("service = [{id=\"a\"}]\n")
	f.Add("[service]\n\"\" = 1\n[[service.x]]\n")
	f.Fuzz(func(t *testing.T, text string) {
		table, err := Parse("f", []byte(text))
		if err != nil {
			if at, ok := err.(*Error); !ok || at.File != "f" {
				t.Errorf("%v is no error with a place", err)
			}
			return
		}
		for _, s := range table.Services() {
			if _, err := s.check(); err != nil {
				t.Errorf("%s: %v", s.ID, err)
			}
		}
	})
}
