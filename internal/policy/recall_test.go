package policy

import (
	"reflect"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/verify"
)

// A condition that speaks of what is not known may hold or not, but where the rest of it decides.
func TestWhatIsNotKnownIsNeverGuessed(t *testing.T) {
	p, err := Parse("test.toml", []byte(`
[[rule]]
name = "printer"
when = 'spf.result == "fail" && client.ptr.exists(n, n == "printer.example")'
action = "accept"
[[rule]]
name = "signed"
when = 'dkim.exists(d, d.sdid == "example.com" && d.testing)'
action = "quarantine"
[[rule]]
name = "fail"
when = 'spf.result == "fail"'
action = "reject"
reply = "550 5.7.23 no"
`))
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{"spf.result": true, "dkim": true}
	members := map[string]bool{"sdid": true}
	for name, c := range map[string]struct {
		spf    string
		signer string
		told   func(string) (bool, bool)
		want   Recall
	}{
		"one may have been the printer": {"fail", "", nil, Recall{[]Possibility{{"printer", Accept}, {"fail", Reject}}, []string{"client.ptr"}}},
		"a pass is let in":              {"pass", "example.net", nil, Recall{[]Possibility{{"", Accept}}, nil}},
		"a key may be under test":       {"pass", "example.com", nil, Recall{[]Possibility{{"signed", Quarantine}, {"", Accept}}, []string{"dkim.testing"}}},
		"what is told goes before": {"fail", "example.com", func(when string) (bool, bool) { return false, when != `spf.result == "fail"` },
			Recall{[]Possibility{{"fail", Reject}}, nil}},
	} {
		t.Run(name, func(t *testing.T) {
			e := &verify.Evaluation{SPF: []verify.SPF{{Identity: verify.IdentityMailFrom, Result: c.spf}}}
			if c.signer != "" {
				e.DKIM = []verify.DKIM{{Result: "pass", SDID: c.signer}}
			}
			got := p.Recall(&Memory{Evaluation: e, Known: known, Signatures: members, Told: c.told})
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got  %+v\nwant %+v", got, c.want)
			}
		})
	}
}
