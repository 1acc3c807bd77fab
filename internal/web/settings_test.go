package web

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/control"
	"github.com/gatepost-mail/gatepost/internal/dashboard"
	"github.com/gatepost-mail/gatepost/internal/keep"
)

// configured has the site look at another configuration.
func (s *testSite) configured(text string) {
	s.t.Helper()
	c, err := config.Parse("/etc/gatepost/gatepost.toml", []byte(text))
	if err != nil {
		s.t.Fatal(err)
	}
	s.desk.Config = func() *config.Config { return c }
}

const secretive = `authserv_id = "mx.example.com"
[store]
url = "postgres://gate:geheim@db.example.net/gatepost"
[reports]
domains = ["example.com", "example.org"]
[[reports.imap]]
server = "imap.example.org"
user = "dmarc@example.org"
password_file = "/etc/gatepost/imap"
[mail]
from = "gatepost@example.com"
[alerts]
webhook = "https://hooks.example.net/services/T0/geheim"
[[digest]]
name = "monthly"
to = ["it@example.com"]
every = "monthly"
[web]
url = "https://gatepost.example.com"
[web.oidc]
issuer = "https://id.example.com"
client_id = "gatepost"
client_secret_file = "/etc/gatepost/oidc"
[[web.group]]
name = "shop"
domains = ["example.org", "*.example.org"]
[[recipients]]
domains = ["example.org"]
mode = "monitor"
`

func TestSettingsShowWhatIsInForceAndNoSecret(t *testing.T) {
	s := newSite(t, owner)
	s.configured(secretive)
	for path, texts := range map[string][]string{
		"/settings":         {"postgres://gate:xxxxx@db.example.net/gatepost", "Spoken by a proxy in front", "OpenID at https://id.example.com", "1,154, with 5,470 records", "SQLite"},
		"/settings/domains": {"example.org", "shop", "*.example.org", "[[web.group]]"},
		"/settings/inputs":  {"imap:dmarc@example.org", "nothing in 30 days", "/etc/gatepost/imap", "demo", "not configured here"},
		"/settings/letters": {"https://hooks.example.net/…", "monthly", "it@example.com", "gatepost digest preview monthly", "about 2026-10"},
		"/settings/gate":    {"strict", "enforce", "example.org", "monitor", "[[recipients]]"},
	} {
		s.has(path, texts...)
		for _, path := range []string{path, "/api/v1" + path} {
			if body := s.get(path).Body.String(); strings.Contains(body, "geheim") {
				t.Errorf("%s tells a secret:\n%s", path, body)
			}
		}
	}
}

func TestSettingsTellHowTheGateDoes(t *testing.T) {
	s := newSite(t, owner)
	s.has("/settings", "no gate in here")
	status := control.Status{Version: "v1.2.3", PID: 7, Started: s.demo.Now.Add(-3 * time.Hour), Config: "/etc/gatepost/gatepost.toml", Listening: []string{"127.0.0.1:8891"},
		Messages: 12345, Refused: 67, Problems: []string{"reports: degraded: imap:a@b: <refused>"}, ConfigError: "gatepost.toml:1: no"}
	s.desk.Status = func(context.Context) control.Status { return status }
	s.has("/settings", "v1.2.3", "3 hours ago", "12,345, of which 67 were refused", "127.0.0.1:8891", "ready, with something to look at", "imap:a@b: &lt;refused&gt;", "gatepost.toml:1: no")
	s.has("/reports", "imap:a@b: &lt;refused&gt;")
	status.Problems = append(status.Problems, "dns: name servers: timeout")
	s.desk.Answers = keep.New(keep.Options{})
	s.has("/settings", "not ready")
}

func TestLinesAreComposedAndTried(t *testing.T) {
	s := newSite(t, owner)
	s.configured(secretive)
	for _, c := range []struct {
		path, query string
		lines       string
		where       string
		wrong       string
	}{
		{path: "domains", query: "compose=domain&name=Example.NET", lines: "[reports]\ndomains = [\"example.com\", \"example.org\", \"Example.NET\"]\n", where: "reports.domains already"},
		{path: "domains", query: "compose=domain&name=a..b", lines: "[reports]\ndomains = [\"example.com\", \"example.org\", \"a..b\"]\n", wrong: "not a domain"},
		{path: "domains", query: "compose=domain&name=example.com", wrong: "so already"},
		{path: "domains", query: "compose=group&name=all&domains=example.com,+*.example.com", lines: "[[web.group]]\nname = \"all\"\ndomains = [\"example.com\", \"*.example.com\"]\n",
			where: "at the end of the file"},
		{path: "domains", query: "compose=group&name=shop&domains=example.com", lines: "[[web.group]]\nname = \"shop\"\ndomains = [\"example.com\"]\n", wrong: "a name of its own"},
		{path: "domains", query: "compose=group&name=" + url.QueryEscape("\"\n[x]") + "&domains=example.com", lines: "[[web.group]]\nname = \"\\\"\\n[x]\"\ndomains = [\"example.com\"]\n"},
		{path: "inputs", query: "compose=folder&path=/var/mail/dmarc&after=move",
			lines: "[[reports.folder]]\npath = \"/var/mail/dmarc\"\nafter = \"move\"\ndone = \".Done\"\nbad = \".Bad\"\n"},
		{path: "inputs", query: "compose=imap&server=imap.example.com&user=d&path=/etc/gatepost/imap",
			lines: "[[reports.imap]]\nserver = \"imap.example.com\"\nuser = \"d\"\npassword_file = \"/etc/gatepost/imap\"\nafter = \"seen\"\n"},
		{path: "inputs", query: "compose=smtp&listen=0.0.0.0:25+[::]:25", lines: "[reports.smtp]\nlisten = [\"0.0.0.0:25\", \"[::]:25\"]\n", where: "into the table [reports.smtp]"},
		{path: "inputs", query: "compose=http&path=tokens", lines: "[reports.http]\ntokens = \"tokens\"\n"},
		{path: "letters", query: "compose=digest&to=a@example.com&every=weekly&name=w", lines: "[[digest]]\nname = \"w\"\nto = [\"a@example.com\"]\nevery = \"weekly\"\n"},
		{path: "letters", query: "compose=digest&to=nobody", lines: "[[digest]]\nname = \"letter\"\nto = [\"nobody\"]\n", wrong: "not an address"},
		{path: "letters", query: "compose=alerts&to=a@example.com+b@example.com", lines: "[alerts]\nto = [\"a@example.com\", \"b@example.com\"]\n"},
		{path: "gate", query: "compose=gate&mode=monitor", lines: "mode = \"monitor\"\n", where: "at the top of the file"},
		{path: "gate", query: "compose=gate&mode=perhaps", lines: "mode = \"perhaps\"\n", wrong: "there are enforce, monitor"},
		{path: "gate", query: "compose=recipients&domains=example.net&policy=lockdown", lines: "[[recipients]]\ndomains = [\"example.net\"]\npolicy = \"lockdown\"\n"},
		{path: "gate", query: "compose=recipients&domains=example.org", lines: "[[recipients]]\ndomains = [\"example.org\"]\n", wrong: "stands in a table above"},
	} {
		type composed struct {
			Composed *dashboard.Composed `json:"composed"`
		}
		got := read[composed](s, "/settings/"+c.path+"?"+c.query).Composed
		if got == nil || got.Lines != c.lines || !strings.Contains(got.Error, c.wrong) || (got.Error == "") != (c.wrong == "") || !strings.Contains(got.Where, c.where) {
			t.Errorf("%s?%s: got %+v\nwant %q, %q, %q", c.path, c.query, got, c.lines, c.wrong, c.where)
		}
		s.has("/settings/"+c.path+"?"+c.query, map[bool]string{true: "It was tried, and reads well", false: "not like that"}[c.wrong == ""])
	}
	for _, path := range []string{"domains?compose=x", "domains?compose=domain", "domains?compose=group&name=a", "inputs?compose=folder", "inputs?compose=smtp&listen=x", "letters?compose=digest",
		"letters?compose=notice&from=a@example.com", "gate?compose=gate&policy=/etc/passwd", "gate?compose=recipients"} {
		if w := s.get("/settings/" + path); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("%s: status %d", path, w.Code)
		}
	}
}
