package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/raced"
)

// members are those of an answer in JSON.
func members(t *testing.T, what string, text []byte) map[string]any {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatalf("%s: %v in %s", what, err, text)
	}
	return all
}

// only are the members that are beside those of the command.
var only = []string{"made", "choices", "mode"}

func TestThePagesAndTheCommandsSayTheSame(t *testing.T) {
	raced.Skip(t)
	s := newSite(t, owner)
	program := filepath.Join(t.TempDir(), "gatepost")
	if out, err := exec.Command("go", "build", "-o", program, "../../cmd/gatepost").CombinedOutput(); err != nil {
		t.Fatalf("building gatepost: %v\n%s", err, out)
	}
	for _, c := range []struct{ path, command string }{
		{"/domains/example.com/what-if/dmarc?policy=reject", "simulate dmarc example.com --policy reject"},
		{"/domains/example.com/what-if/dmarc?policy=quarantine&sp=none&days=7", "simulate dmarc example.com --policy quarantine --sp none --days 7"},
		{"/domains/example.com/what-if/dmarc?policy=reject&adkim=s&aspf=s", "simulate dmarc example.com --policy reject --adkim s --aspf s"},
		{"/domains/example.net/what-if/dmarc?policy=quarantine&days=90", "simulate dmarc example.net --policy quarantine --days 90"},
		{"/domains/example.com/what-if/spf?record=v%3Dspf1+mx+-all", "simulate spf example.com v=spf1\x00mx\x00-all"},
		{"/domains/example.org/what-if/spf?record=v%3Dspf1+include:amazonses.com+~all&days=60", "simulate spf example.org v=spf1\x00include:amazonses.com\x00~all --days 60"},
		{"/gate/what-if?policy=lockdown", "simulate policy lockdown"},
		{"/gate/what-if?policy=standard&days=90", "simulate policy standard --days 90"},
		{"/gate/what-if?policy=configured", "simulate policy strict"},
		{"/domains/example.com/readiness", "readiness example.com"},
		{"/domains/example.com/readiness?days=90", "readiness example.com --days 90"},
		{"/domains/example.org/readiness?days=7", "readiness example.org --days 7"},
		{"/domains/example.net/readiness", "readiness example.net"},
	} {
		args := append(strings.Fields(c.command), "--config", s.demo.Config, "--at", s.demo.Now.Format(time.RFC3339), "--json")
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "\x00", " ")
		}
		out, err := exec.Command(program, args...).Output()
		var exit *exec.ExitError
		if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) { // 1: something would be lost
			t.Fatalf("gatepost %s: %v %s", c.command, err, exit.Stderr)
		}
		want := members(t, c.command, out)
		w := s.get("/api/v1" + c.path)
		if w.Code != http.StatusOK {
			t.Fatalf("%s: status %d: %s", c.path, w.Code, w.Body)
		}
		got := members(t, c.path, w.Body.Bytes())
		for name, value := range got {
			if !slices.Contains(only, name) && !reflect.DeepEqual(value, want[name]) {
				t.Errorf("%s: %s\npage    %v\ncommand %v", c.path, name, value, want[name])
			}
		}
		for name := range want {
			if _, ok := got[name]; !ok {
				t.Errorf("%s: the page does not have %s", c.path, name)
			}
		}
		// What is asked about is a page too, without a word of an error.
		if page := s.get(c.path); page.Code != http.StatusOK || !strings.Contains(page.Body.String(), "The same on the command line") {
			t.Errorf("%s: status %d: %s", c.path, page.Code, page.Body)
		}
	}
}

// The demo's figures are counted by hand in package demo: of November, the CRM's 3,200, the list's 400, the printer's 120 and the wave's
// 56 × 24 = 1,344 fail.
func TestWhatAPolicyWouldLoseIsSaid(t *testing.T) {
	s := newSite(t, owner)
	s.has("/domains/example.com/what-if/dmarc?policy=reject",
		"<strong>5,064 messages</strong> from 59 senders would have been lost, of which <strong>3,200 are yours</strong>",
		"Yours: 3,200 messages lost", "Forwarders: 400 messages lost", "Unknown: 120 messages lost", "Likely abuse: 1,344 messages lost",
		`href="/domains/example.com/sources/service:salesforce"`, "These are the first 20 of 56", "medium confidence", "29 of 30 days",
		"_dmarc.example.com. TXT <span>v=DMARC1; p=reject; rua=mailto:dmarc@example.com; ruf=mailto:dmarc@example.com; fo=1</span>",
		`<option value="reject" selected>`)
	csv := s.get("/domains/example.com/what-if/dmarc?policy=reject&table=senders&format=csv").Body.String()
	if !strings.Contains(csv, "\nSalesforce,yours,3200,3200,") || strings.Count(csv, "\n") != 1+59 {
		t.Errorf("the table: %s", csv)
	}
}

// With the printer's address in the record, its 6 messages on each of 20 days pass SPF, and by its envelope DMARC as well.
func TestWhatAnSPFRecordWouldDoIsSaid(t *testing.T) {
	s := newSite(t, owner)
	record := url.QueryEscape("v=spf1 ip4:192.0.2.10 ip4:192.0.2.11 include:spf.protection.outlook.com ip4:203.0.113.90 ~all")
	s.has("/domains/example.com/what-if/spf?record="+record, "<strong>no message</strong> would go from pass to fail", "120 messages would pass",
		"120 messages would pass DMARC", "Would pass: 1 address", "203.0.113.90", "softfail to pass", "1 of 10 look-ups", "As it is, there are 1.")
	a := members(t, "spf", s.get("/api/v1/domains/example.com/what-if/spf?record="+record).Body.Bytes())
	more := a["more"].(map[string]any)
	if fmt.Sprint(more["messages"], more["unknown"], a["gained"].(map[string]any)["messages"], a["fewer"].(map[string]any)["messages"]) != "120 120 120 0" {
		t.Errorf("more %v, gained %v, fewer %v", more, a["gained"], a["fewer"])
	}
	// Eleven includes are one too many.
	many := "v=spf1"
	for n := range 11 {
		many += fmt.Sprintf(" exists:%d.example.net", n)
	}
	s.has("/domains/example.com/what-if/spf?record="+url.QueryEscape(many+" -all"), "11 of 10 look-ups", "receivers may take the record for an error")
}

// In November there were 20 days of work and 9 others. customer.example has no DMARC record: 9 × 20 + 2 × 9 = 198 messages, all let in.
// Of logistics.example's 5 × 20 + 9 = 109, the 5 × 6 + 3 = 33 until the 9th were blocked anyway. The accountant's office sends 2 × 20 = 40 that
// were let in, his scanner 3 × 5 = 15 that were not, and 3 × 6 = 18 by an exception.
func TestWhomTheGateWouldBlockIsSaid(t *testing.T) {
	s := newSite(t, owner)
	s.has("/gate/what-if?policy=lockdown", "<strong>314 messages</strong>", "from 3 senders", "941 messages came on 29 of 30 days", "enforces strict",
		"18 were let in by an exception", "Who would be blocked: 6 senders", "dmarc-none</code> rejects 198", "SPF pass for customer.example, no DKIM, DMARC none",
		`<input type="hidden" name="domain" value="customer.example"><input type="hidden" name="rule" value="dmarc-none">`,
		`href="/gate/exceptions/new?domain=customer.example&amp;network=203.0.113.54%2F32"`)
	csv := s.get("/gate/what-if?policy=lockdown&table=senders&format=csv").Body.String()
	for _, line := range []string{"customer.example,198,198,198,0,0,dmarc-none,", "logistics.example,109,109,76,0,0,", "accountant.example,55,55,40,0,0,",
		"offers.example,116,116,0,", "bank.example,58,58,0,", "supplier.example,48,48,0,"} {
		if !strings.Contains(csv, "\n"+line) {
			t.Errorf("%q is not in %s", line, csv)
		}
	}
	// What is in force would block nothing else, and what is asked first is the next stricter policy.
	s.has("/gate/what-if?policy=strict", "<strong>nothing that is let in</strong> would be blocked")
	s.has("/gate/what-if", `<option value="lockdown" selected>`, "strict, which is in force")
	s.has("/gate/what-if?policy=standard", "would be let in that were blocked", "Who would be let in again")
}

func TestReadinessShowsEachStep(t *testing.T) {
	s := newSite(t, owner)
	s.has("/domains/example.com/readiness", "6 of 9 steps are done", "What is in the way", "Salesforce: 3,200 of 3,200 messages did not pass.", "s-blocked",
		`<span class="tag bad">Blocked</span>`, `aria-current="step"`, `<span class="tag good">Done</span>`, `<span class="tag ">Later</span>`,
		`href="/domains/example.com/what-if/dmarc?policy=reject"`)
	a := members(t, "readiness", s.get("/api/v1/domains/example.com/readiness").Body.Bytes())
	var states []string
	for _, step := range a["steps"].([]any) {
		states = append(states, step.(map[string]any)["state"].(string))
	}
	if got := strings.Join(states, " "); got != "done done done blocked later done done done later" {
		t.Errorf("states: %s", got)
	}
	s.has("/domains/example.org/readiness", "p=reject is published, and nothing of yours that matters is lost by it.", "9 of 9 steps are done",
		"Nothing failed of which nobody knows whose it is.", "All that others passed on passed.")
	s.has("/domains/example.com/readiness", "400 messages that others passed on did not pass, which is too little to matter.")
	s.has("/domains/example.net/readiness", "No mail of yours was seen.")
	s.has("/domains/example.com/readiness?table=steps&format=csv", "\nown,Your own sources pass,blocked,")
}

func TestWhatIsWrongWithAQuestionStandsOnTheForm(t *testing.T) {
	s := newSite(t, owner)
	long := "v=spf1 " + strings.Repeat("ip4:192.0.2.1 ", 200)
	for _, c := range []struct{ path, text string }{
		{"/domains/example.com/what-if/dmarc?policy=none", "Choose what policy is to be."},
		{"/domains/example.com/what-if/dmarc", "Choose what policy is to be."},
		{"/domains/example.com/what-if/dmarc?policy=reject&sp=all", "Choose what sp is to be."},
		{"/domains/example.com/what-if/dmarc?policy=reject&days=401", "Ask for 1 to 400 days."},
		{"/domains/example.com/what-if/spf", "Write the SPF record"},
		{"/domains/example.com/what-if/spf?record=" + url.QueryEscape(long), "no more than 2000 are tried"},
		{"/domains/example.com/what-if/spf?record=v%3Dspf1+ip4:1.2.3.400+-all", "The record cannot be read"},
		{"/domains/example.com/what-if/spf?record=%3Cscript%3Ealert(1)%3C/script%3E", "The record cannot be read"},
		{"/domains/nowhere.example/what-if/dmarc?policy=reject", "No report in the store is about nowhere.example yet"},
		// A policy is no file of whoever asks.
		{"/gate/what-if?policy=/etc/passwd", "Choose one of the policies"},
		{"/gate/what-if?policy=" + url.QueryEscape(s.demo.Config), "Choose one of the policies"},
	} {
		w := s.get(c.path)
		body := w.Body.String()
		if w.Code != http.StatusUnprocessableEntity || !strings.Contains(body, c.text) || strings.Contains(body, "<script>alert") {
			t.Errorf("%s: status %d, want 422 and %q: %s", c.path, w.Code, c.text, body)
		}
		if strings.HasPrefix(c.path, "/domains/") && !strings.Contains(body, "Try this record") {
			t.Errorf("%s has no form: %s", c.path, body)
		}
		if w := s.get("/api/v1" + c.path); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("the API, %s: status %d", c.path, w.Code)
		}
	}
	// What was typed stands there again.
	if body := s.get("/domains/example.com/what-if/spf?record=v%3Dspf1+ip4:1.2.3.400+-all").Body.String(); !strings.Contains(body, "v=spf1 ip4:1.2.3.400 -all</textarea>") {
		t.Errorf("the record is gone: %s", body)
	}
}

func TestQuestionsOfOnePersonAreBounded(t *testing.T) {
	s := newSite(t, owner)
	ask := func(days int) int {
		return s.get(fmt.Sprintf("/gate/what-if?policy=lockdown&days=%d", days)).Code
	}
	for days := 1; days <= 10; days++ {
		if code := ask(days); code != http.StatusOK {
			t.Fatalf("question %d: status %d", days, code)
		}
	}
	if code := ask(11); code != http.StatusUnprocessableEntity {
		t.Errorf("the 11th: status %d, want 422", code)
	}
	if code := ask(5); code != http.StatusOK {
		t.Errorf("one that is answered: status %d", code)
	}
	s.who = people.NewAccess("bob", []people.Grant{{Over: people.Everything, Role: people.Viewer}}, nil)
	if code := ask(12); code != http.StatusOK {
		t.Errorf("another person: status %d", code)
	}
	if body := s.get("/gate/what-if?policy=lockdown").Body.String(); strings.Contains(body, "Write the letter") {
		t.Error("a viewer is offered to write letters")
	}
}

func TestWhatIfIsForWhoMaySeeTheDomain(t *testing.T) {
	groups := []people.Group{{Name: "shop", Domains: []string{"example.org"}}}
	s := newSite(t, people.NewAccess("cleo", []people.Grant{{Over: "shop", Role: people.Owner}}, groups))
	for path, want := range map[string]int{
		"/domains/example.org/what-if": 200, "/domains/example.org/readiness": 200, "/domains/example.org/what-if/dmarc?policy=reject": 200,
		"/domains/example.com/what-if": 403, "/domains/example.com/readiness": 403, "/domains/example.com/what-if/dmarc?policy=reject": 403,
		"/domains/example.com/what-if/spf?record=v%3Dspf1+-all": 403, "/gate/what-if": 403,
	} {
		if w := s.get(path); w.Code != want {
			t.Errorf("%s: status %d, want %d", path, w.Code, want)
		}
		if w := s.get("/api/v1" + path); w.Code != want {
			t.Errorf("/api/v1%s: status %d, want %d", path, w.Code, want)
		}
	}
}

func TestWhatIfOffersWhatIsWorthAsking(t *testing.T) {
	s := newSite(t, owner)
	s.has("/domains/example.com/what-if", "What would p=reject lose?", "Whom would the SPF record stop if it ended in -all?",
		"v=spf1 ip4:192.0.2.10 ip4:192.0.2.11 include:spf.protection.outlook.com ~all</textarea>", "v=DMARC1; p=quarantine;")
	if body := s.get("/domains/example.org/what-if").Body.String(); strings.Contains(body, "Worth asking") {
		t.Errorf("nothing is left to ask: %s", body)
	}
	s.has("/domains/example.com/what-if?record=v%3Dspf1+-all&days=90", "v=spf1 -all</textarea>", `<option value="90" selected>`)
}
