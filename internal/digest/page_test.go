package digest

import (
	"bytes"
	"fmt"
	"html"
	"image/png"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gatepost-mail/gatepost/internal/chart"
	"github.com/gatepost-mail/gatepost/internal/insight"
	"github.com/gatepost-mail/gatepost/internal/outbox"
	"github.com/gatepost-mail/gatepost/internal/store"
)

func rendered(t *testing.T, a *insight.Answer) outbox.Letter {
	t.Helper()
	quiet := isQuiet(a)
	l, err := render(compose(&Config{Name: "weekly", Link: "https://gatepost.example.org/"}, a, quiet), a.Days, quiet)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

var tags = regexp.MustCompile(`(?s)<style>.*?</style>|<!--.*?-->|<[^>]*>`)

// words are what a reader of HTML sees, one space between them.
func words(s string) string { return strings.Join(strings.Fields(html.UnescapeString(s)), " ") }

func TestHTMLAndTextSayTheSame(t *testing.T) {
	l := rendered(t, sample())
	seen := words(tags.ReplaceAllString(l.HTML, " "))
	text := words(l.Text)
	for _, want := range []string{
		"example.com", "48,213", "97.3 %", "−1.3 points", "+243 %", "Mailchimp: 1,204 of 1,204 messages did not pass.", "dkim2.mcsv.net", "Google Workspace",
		"set up domain authentication", "First seen on 19 November 2026", "lists.debian.example", "Contabo GmbH (AS51167)", "198.51.100.201",
		"412 messages quarantined, 0 rejected.", "Of these 38 came from sources of yours", "Mail.Ru fell silent", "2 reporters saw p=none, not p=quarantine", "misconfigured",
	} {
		if !strings.Contains(seen, want) {
			t.Errorf("the HTML does not say %q", want)
		}
		if !strings.Contains(text, want) {
			t.Errorf("the text does not say %q", want)
		}
	}
}

func TestTheLetterNeedsNothingFromOutside(t *testing.T) {
	l := rendered(t, sample())
	for _, m := range regexp.MustCompile(`(?i)\b(src|href|background)=["']?([^"'\s>)]*)|url\(|@import`).FindAllStringSubmatch(l.HTML, -1) {
		if m[1] == "href" && strings.HasPrefix(m[2], "https://") || m[2] == "cid:trend.png" {
			continue
		}
		t.Errorf("%q", m[0])
	}
	if strings.Contains(l.HTML, "<script") || strings.Contains(l.HTML, "<link") || strings.Contains(l.HTML, "ZgotmplZ") {
		t.Error("a script, a style sheet of others, or what the template refused")
	}
	if !strings.Contains(l.HTML, `alt="Bars of messages a day from 9 November 2026 to 22 November 2026:`) || !strings.Contains(l.HTML, "[if mso]") {
		t.Error("no words for the picture, or nothing for Outlook")
	}
	p, err := png.Decode(bytes.NewReader(l.Inline[0].PNG))
	if err != nil || p.Bounds().Dx() != chart.Width*chart.Scale || len(l.Inline[0].PNG) > 100<<10 {
		t.Errorf("picture: %v, %d bytes", err, len(l.Inline[0].PNG))
	}
	if len(l.HTML) > 100<<10 { // Gmail cuts there
		t.Errorf("%d bytes of HTML", len(l.HTML))
	}
}

func TestNoLineOfTheTextIsLongerThanItIsWideButWhatIsToBeCopied(t *testing.T) {
	a := sample()
	a.Domains[0].Groups[0].Name = strings.Repeat("long ", 30)
	a.Domains[0].Reporters[0].Name = strings.Repeat("x", 300)
	for line := range strings.Lines(rendered(t, a).Text) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > columns && len(strings.Fields(line)) > 1 {
			t.Errorf("%d: %q", n, line)
		}
	}
}

// What strangers write gets nowhere as more than text.
func TestNamesOfStrangersAreHarmless(t *testing.T) {
	hostile := "<b onclick=x>&quot;\" 'evil\r\nBcc: x\x1b[31m \u202ereversed\u200b\u2066 https://evil.example/\ufeff"
	a := sample()
	d := &a.Domains[0]
	for i := range d.Groups {
		d.Groups[i].Name, d.Groups[i].Class.Reason = hostile, hostile
		d.Groups[i].New = true
	}
	d.Reporters[0].Name, d.Silent[0].Name = hostile, hostile
	d.Policy.Differs[0].Seen, d.Policy.Seen[0].Tags["p"] = hostile, hostile
	d.Policy.Published, d.Next.Text, d.Next.Record.Value = hostile, hostile, hostile
	d.Next.Docs = "javascript:alert(1)"
	for _, a := range []*insight.Answer{a, {Period: a.Period, Domains: []insight.Domain{{Name: "example.com", Next: insight.Step{Text: hostile}}}}} {
		l := rendered(t, a)
		for _, bad := range []string{"<b onclick", "javascript:"} {
			if strings.Contains(l.HTML, bad) {
				t.Errorf("the HTML holds %q", bad)
			}
		}
		for _, s := range []string{l.HTML, l.Text, l.Subject} {
			for _, r := range s {
				if r != '\n' && r < ' ' || r == 0x7f || strings.ContainsRune("\u202e\u200b\u2066\ufeff", r) {
					t.Fatalf("%U in %.60q", r, s)
				}
			}
		}
		if strings.Contains(l.Subject, "\n") {
			t.Errorf("subject %q", l.Subject)
		}
	}
}

func FuzzNames(f *testing.F) {
	f.Add("Mail.Ru")
	f.Add("<script>\r\n\u202e")
	f.Fuzz(func(t *testing.T, s string) {
		c := clean(s)
		if c != clean(c) || strings.ContainsAny(c, "\r\n\t\x00\x1b\u202e\u2028") || !utf8.ValidString(c) || utf8.RuneCountInString(c) > longest {
			t.Errorf("%q became %q", s, c)
		}
		if n := named(s); n == "" || strings.Contains(n, "://") {
			t.Errorf("%q became %q", s, n)
		}
	})
}

func TestNothingHappenedIsOneLine(t *testing.T) {
	a := &insight.Answer{Period: insight.Period{From: sunday.AddDate(0, 0, -6), To: sunday}, Domains: []insight.Domain{{Name: "example.com",
		Next: insight.Step{ID: insight.StepNothing, Text: "Nothing."}}}}
	l := rendered(t, a)
	if len(l.Inline) != 0 || !strings.Contains(l.Text, "No messages were reported for example.com. Nothing.") || strings.Count(l.Text, "\n") > 10 {
		t.Errorf("%d pictures\n%s", len(l.Inline), l.Text)
	}
	a.Domains[0].Silent = []insight.Reporter{{Name: "Big Mail", Usual: 24 * time.Hour, Last: sunday}}
	if isQuiet(a) {
		t.Error("nothing happened, though a reporter fell silent")
	}
}

func TestALetterAboutManyDomainsNamesThem(t *testing.T) {
	a := sample()
	for i := range 45 {
		d := insight.Domain{Name: fmt.Sprintf("d%02d.example", i), Now: store.Figures{Messages: int64(1000 - i), Passed: 900}, Days: a.Days,
			Next: insight.Step{ID: insight.StepQuarantine, Domain: fmt.Sprintf("d%02d.example", i), Text: "Publish p=quarantine."}}
		a.Domains = append(a.Domains, d)
	}
	l := rendered(t, a)
	for _, want := range []string{"weekly (46 domains)", "d28.example", "and 16 more", "NEXT STEP · example.com", "Mailchimp · 14 addresses, example.com"} {
		if !strings.Contains(words(l.Text), want) {
			t.Errorf("the text does not say %q", want)
		}
	}
}

func TestABarShowsEachPartHoweverSmall(t *testing.T) {
	for _, c := range []struct {
		d    insight.Day
		want string
	}{
		{insight.Day{}, ""}, {insight.Day{Passed: 100}, "##########"}, {insight.Day{Passed: 1}, "#"}, {insight.Day{Passed: 99, Abuse: 1}, "#########x"},
		{insight.Day{Passed: 50, Forwarded: 20, Misconfigured: 20, Unknown: 10}, "#####~~!!?"}, {insight.Day{Unknown: 100}, "??????????"},
	} {
		if got := barOf(c.d, 100, 10); got != c.want {
			t.Errorf("%+v: got %q, want %q", c.d, got, c.want)
		}
	}
}
