package setup

import (
	"reflect"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/senders"
)

func TestAnswersThatCannotBeAreRefused(t *testing.T) {
	for want, change := range map[string]func(*Answers){
		"is not a domain":       func(a *Answers) { a.Domain = "localhost" },
		"did you mean sendgrid": func(a *Answers) { a.Services = []Service{{ID: "sendgird"}} },
		"named twice":           func(a *Answers) { a.Services = []Service{{ID: "sendgrid"}, {ID: "SendGrid "}} },
		"have no {acount}":      func(a *Answers) { a.Services = []Service{{ID: "sendgrid", Values: map[string]string{"acount": "1"}}} },
		"in one word": func(a *Answers) {
			a.Services = []Service{{ID: "sendgrid", Values: map[string]string{"account": "1 2"}}}
		},
		"neither an address":      func(a *Answers) { a.Servers = []string{"+all"} },
		"first address":           func(a *Answers) { a.Servers = []string{"192.0.2.1/24"} },
		"mx \"10\"":               func(a *Answers) { a.MX = []string{"10"} },
		"mx \"192.0.2.1\"":        func(a *Answers) { a.MX = []string{"192.0.2.1"} },
		"no address for reports":  func(a *Answers) { a.Reports = []string{"a@example.com,b@example.com"} },
		"is no domain":            func(a *Answers) { a.TLSReports = []string{"a@localhost"} },
		"key s":                   func(a *Answers) { a.Keys = []Key{{Selector: "s", Record: "v=DKIM1; p=?"}} },
		"sends no mail":           func(a *Answers) { a.Sends, a.Servers = false, []string{"mx"} },
		"receives no mail":        func(a *Answers) { a.Receives, a.MX = false, []string{"mx.example.com"} },
		"neither an address nor ": func(a *Answers) { a.STSHost = "x y" },
		"dmarc_step 6":            func(a *Answers) { a.Step = 6 },
	} {
		a := Answers{Domain: "example.com", Sends: true, Receives: true}
		change(&a)
		if err := a.Check(senders.Known()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestAFileThatIsWrongIsToldWithItsLine(t *testing.T) {
	for text, want := range map[string]string{
		"domain = \"example.com\"\nsend = true\n": "a.toml:2:1: send: no such key; did you mean sends?",
		"domain = 3\n": "a.toml:1:",
		"x":            "a.toml:1:",
	} {
		if _, err := Parse("a.toml", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

func TestAnswersReadAsTheyWereWritten(t *testing.T) {
	a := Answers{
		Domain: "example.com", Sends: true, Services: []Service{{ID: "sendgrid", Values: map[string]string{"account": "1"}}}, Servers: []string{"mx"},
		Reports: []string{"r@example.com"}, Softfail: true, Step: 2, Keys: []Key{{Selector: "s", Record: "v=DKIM1; p=x", File: "/s.pem"}}, Start: start,
	}
	text, err := a.Text()
	if err != nil {
		t.Fatal(err)
	}
	if b, err := Parse("a", text); err != nil || !reflect.DeepEqual(a, b) {
		t.Errorf("got %+v, %v of\n%s", b, err, text)
	}
}

func FuzzAnswers(f *testing.F) {
	f.Add("domain = \"example.com\"\nservers = [\"mx\", \"192.0.2.0/24\"]\nreports = [\"r@example.com\"]\n[[service]]\nid = \"sendgrid\"\nvalues = { account = \"1\" }\n", "v=spf1 a ~all", "v=DMARC1; p=none; pct=2")
	f.Add("domain = \"b.example\"\nsends = false\nmx = [\"5 m.example\"]\n", "v=spf1 redirect=x.example", "v=DMARC1;")
	table := senders.Known()
	f.Fuzz(func(t *testing.T, text, spfText, dmarcText string) {
		a, err := Parse("a", []byte(text))
		if err != nil || a.Check(table) != nil {
			return
		}
		present := &Present{sets: map[Place]*found{{a.Domain, "TXT"}: {values: []string{spfText}}, {"_dmarc." + a.Domain, "TXT"}: {values: []string{dmarcText}}}}
		plan, err := Make(a, present, table)
		if err != nil {
			return
		}
		for _, line := range strings.Split(plan.Zone(), "\n") {
			if line != "" && !strings.HasPrefix(line, ";") && !strings.HasPrefix(line, "\t") && !strings.Contains(line, " 3600 IN ") {
				t.Errorf("a line of the zone is %q", line)
			}
		}
		if _, err := plan.Terraform(); err != nil {
			t.Error(err)
		}
		if _, err := Make(a, Nothing(), table); err != nil {
			t.Errorf("without what is present: %v", err)
		}
	})
}
