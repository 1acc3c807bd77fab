package config

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/digest"
)

const sectioned = `policy = "lockdown"
[store]
url = "postgres://gate:geheim@db.example.net/gatepost?sslpassword=auch"
[reports]
domains = ["example.com"]
[[reports.folder]]
path = "/var/mail/dmarc"
[[reports.imap]]
server = "imap.example.org"
user = "dmarc"
password_file = "/etc/gatepost/imap"
[reports.imap.oauth]
provider = "google"
[signing]
domains = ["news.example.com"]
[signing.sign_as]
"news.example.com" = "example.com"
[[recipients]]
domains = ["example.org"]
mode = "monitor"
`

func TestSectionsHaveWhatIsInForceAndNoPassword(t *testing.T) {
	c, err := Parse("/etc/gatepost/gatepost.toml", []byte(sectioned))
	if err != nil {
		t.Fatal(err)
	}
	all := c.Sections()
	var text strings.Builder
	for _, s := range all {
		text.WriteString(s.Head + "\n")
		for _, l := range s.Settings {
			text.WriteString(l.Line + "\n")
		}
	}
	if strings.Contains(text.String(), "geheim") || strings.Contains(text.String(), "auch\"") {
		t.Errorf("a password is shown:\n%s", text.String())
	}
	var whole strings.Builder
	if err := c.Write(&whole); err != nil {
		t.Fatal(err)
	}
	settings := func(text string) (lines []string) {
		for line := range strings.Lines(text) {
			if strings.Contains(line, " = ") {
				lines = append(lines, line)
			}
		}
		slices.Sort(lines)
		return lines
	}
	if got, want := settings(text.String()), settings(whole.String()); !slices.Equal(got, want) {
		t.Errorf("got  %q\nand Write has %q", got, want)
	}
	own := func(all []Section) (lines []string) {
		for _, s := range all {
			for _, l := range s.Settings {
				if !l.Default {
					lines = append(lines, s.Head+" "+l.Line)
				}
			}
		}
		return lines
	}
	want := []string{`[reports] domains = ["example.com"]`, `[[reports.folder]] path = "/var/mail/dmarc"`, `[[reports.imap]] server = "imap.example.org"`,
		`[[reports.imap]] user = "dmarc"`, `[[reports.imap]] password_file = "/etc/gatepost/imap"`, `[reports.imap.oauth] provider = "google"`}
	if got := own(c.Sections("reports")); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	for _, s := range c.Sections("limits", "store") {
		if s.Note == "" || s.Settings[0].Note == "" {
			t.Errorf("%s says not what it is for", s.Head)
		}
	}
	if got := c.Sections("recip"); len(got) != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestAChangeIsTheLinesThatMakeItAndIsTried(t *testing.T) {
	c, err := Parse("/etc/gatepost/gatepost.toml", []byte(sectioned))
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		name     string
		change   func(*Config)
		lines    string
		replaces []string
		wrong    string
	}{
		{name: "nothing", change: func(*Config) {}},
		{name: "a domain more", change: func(c *Config) { c.Reports.Domains = append(c.Reports.Domains, "example.net") },
			lines: "[reports]\ndomains = [\"example.com\", \"example.net\"]\n", replaces: []string{"reports.domains"}},
		{name: "a folder more", change: func(c *Config) {
			c.Reports.Folders = append(c.Reports.Folders, Folder{Path: "/srv/a\"b", After: "keep"})
		},
			lines: "[[reports.folder]]\npath = \"/srv/a\\\"b\"\nafter = \"keep\"\n"},
		{name: "a letter without mail.from", change: func(c *Config) {
			c.Digests = append(c.Digests, digest.Config{Name: "w", To: []string{"a@example.com"}})
		},
			lines: "[[digest]]\nname = \"w\"\nto = [\"a@example.com\"]\n", wrong: "write mail.from"},
		{name: "two tables", change: func(c *Config) {
			c.Mail.From = "g@example.com"
			c.Digests = append(c.Digests, digest.Config{Name: "w", To: []string{"a@example.com"}})
		}, lines: "[mail]\nfrom = \"g@example.com\"\n\n[[digest]]\nname = \"w\"\nto = [\"a@example.com\"]\n"},
		{name: "the policy", change: func(c *Config) { c.Policy = "stict" }, lines: "policy = \"stict\"\n", replaces: []string{"policy"}, wrong: "no such preset"},
	} {
		lines, replaces, err := c.Change(x.change)
		if lines != x.lines || !reflect.DeepEqual(replaces, x.replaces) || (err == nil) != (x.wrong == "") || err != nil && !strings.Contains(err.Error(), x.wrong) {
			t.Errorf("%s: got %q, %q, %v\nwant %q, %q, %q", x.name, lines, replaces, err, x.lines, x.replaces, x.wrong)
		}
	}
	if len(c.Reports.Domains) != 1 || len(c.Digests) != 0 {
		t.Error("the configuration in force was changed")
	}
}
