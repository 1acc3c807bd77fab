package policy

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/verify"
)

func TestActionsSayWhatIsToBeDone(t *testing.T) {
	for rule, want := range map[string]Verdict{
		"action = \"accept\"": {Action: Accept},
		"action = \"mark\"":   {Action: Mark, Reason: "the rule it matches"},
		"action = \"mark\"\nreason = \"{spf.result} {{{spf.lookups}}}\"":                                {Action: Mark, Reason: "pass {0}"},
		"action = \"mark\"\nfield = \"X-A\"\nvalue = \"v={dmarc.aligned.spf}\"":                         {Action: Mark, Field: "X-A", Value: "v=true", Reason: "the rule it matches"},
		"action = \"quarantine\"\nreason = \"x\"":                                                       {Action: Quarantine, Holding: Hold, Reason: "x"},
		"action = \"quarantine\"\nquarantine = \"header\"\nfield = \"X-Q\"\nreason = \"x\"":             {Action: Quarantine, Holding: Header, Field: "X-Q", Reason: "x"},
		"action = \"quarantine\"\nredirect = \"q@example.org\"\nreason = \"x\"":                         {Action: Quarantine, Holding: Redirect, Redirect: "q@example.org", Reason: "x"},
		"action = \"reject\"\nreply = \"554 5.7.1 {client.ptr}\"":                                       {Action: Reject, Reply: "554 5.7.1 a.example; b.example", Reason: "a.example; b.example"},
		"action = \"defer\"\nreply = \"450 4.7.1 {client.ptr[7]} {now > now} {{x}}\"":                   {Action: Defer, Reply: "450 4.7.1 (unknown) false {x}", Reason: "(unknown) false {x}"},
		"action = \"reject\"\nreply = '''550 5.7.1 {\"}\" + '{' + \"\\\"\" + {\"a\": \"b\"}[\"a\"]}'''": {Action: Reject, Reply: `550 5.7.1 }{"b`, Reason: `}{"b`},
		"action = \"reject\"\nreply = \"\"\"\n550 5.7.1 one\ntwo\"\"\"":                                 {Action: Reject, Reply: "550 5.7.1 one two", Reason: "one two"},
	} {
		p, err := Parse("p.toml", []byte("[[rule]]\nname = \"it\"\nwhen = 'true'\n"+rule))
		if err != nil {
			t.Errorf("%s: %v", rule, err)
			continue
		}
		want.Rule = "it"
		got := p.Decide(message(func(e *verify.Evaluation) { e.Client.PTR = []string{"a.example", "b.example"} }))
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s\ngot  %+v\nwant %+v", rule, got, want)
		}
	}
}

func TestPolicyTellsTheFieldsThatItWrites(t *testing.T) {
	const rule = "[[rule]]\nname = \"x\"\nwhen = 'true'\naction = \"mark\"\nfield = "
	p, err := Parse("p.toml", []byte(rule+"\"X-A\"\n"+rule+"\"x-a\"\n"+rule+"\"X-B\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Fields(); !slices.Equal(got, []string{"X-A", "X-B"}) {
		t.Errorf("got %v", got)
	}
}

func TestRulesOfAPresetFollow(t *testing.T) {
	p, err := Parse("p.toml", []byte("then = \"lockdown\"\n[[rule]]\nname = \"mine\"\nwhen = 'true'\naction = \"accept\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	lockdown, err := Preset("lockdown")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := p.Rules(), append([]string{"mine"}, lockdown.Rules()...); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// What is not in the table cannot be spoken of: this is the list of what is left out on purpose.
func TestEveryMemberOfAnEvaluationHasAName(t *testing.T) {
	omitted := []string{"trace", "spf.trace", "spf.identity", "dkim.body_length", "dkim.diagnosis", "client.rcpt_to"}
	known := map[string]bool{}
	for _, n := range names {
		known[n.name] = true
	}
	for _, m := range members {
		known["dkim."+m.name] = true
	}
	var walk func(prefix string, typ reflect.Type)
	walk = func(prefix string, typ reflect.Type) {
		for i := range typ.NumField() {
			f := typ.Field(i)
			tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			name, of := prefix+tag, f.Type
			for of.Kind() == reflect.Slice || of.Kind() == reflect.Pointer {
				of = of.Elem()
			}
			switch {
			case tag == "" || tag == "-" || slices.Contains(omitted, name):
			case of.Kind() == reflect.Struct && of != reflect.TypeFor[netip.Addr]():
				walk(name+".", of)
			case !known[name]:
				t.Errorf("%s cannot be spoken of in a rule", name)
			}
		}
	}
	walk("", reflect.TypeFor[verify.Evaluation]())
}

func TestTrustedSealStandsInForWhatItsForwarderBroke(t *testing.T) {
	vouched := func(result string) func(*verify.Evaluation) {
		return func(e *verify.Evaluation) {
			e.ARC.Result, e.ARC.Vouch, e.ARC.VouchedBy = "pass", result, "list.example"
		}
	}
	check(t, "vouched for", message(spf("fail", "-all"), foreign, judged("fail", "reject"), vouched("pass")), "accept", "accept", "accept")
	check(t, "perhaps vouched for", message(spf("fail", "-all"), foreign, judged("fail", "reject"), vouched("temperror")),
		"defer 451 4.7.29", "defer 451 4.7.29", "defer 451 4.7.29")
	check(t, "perhaps, but good anyway", message(vouched("temperror")), "accept", "accept", "accept")
}

func TestOnlyARuleThatNamesAuthenticatedIsAskedAboutOurOwnUsers(t *testing.T) {
	own := &verify.Evaluation{Authenticated: true}
	for when, want := range map[string]Action{
		`true`:                   Accept,
		`unauthenticated`:        Accept,
		`client.mail_from == ""`: Accept,
		`client.ptr[7] == "x"`:   Accept,
		`authenticated`:          Mark,
		`authenticated && client.mail_from == ""`:  Mark,
		`!authenticated || client.mail_from == ""`: Mark,
		`!authenticated && client.mail_from == ""`: Accept,
	} {
		if v := oneRule(t, when).Decide(own); v.Action != want {
			t.Errorf("%s: got %s, want %s", when, v.Action, want)
		}
	}
	if steps := oneRule(t, "true").Trace(own, time.Time{}); !steps[0].Skipped || steps[0].Decides {
		t.Errorf("got %+v, want it skipped", steps)
	}
}
