package verify

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"testing"
)

// full has a value in every member of an Evaluation that its JSON shows.
func full() *Evaluation {
	length := int64(7)
	return &Evaluation{
		Client: Client{IP: netip.MustParseAddr("2001:db8::1"), Helo: "mx", MailFrom: "a@example.com", PTR: []string{"mx.example.com"},
			Recipients: []string{"b@example.org"}},
		IPRev: IPRev{Result: "pass", Names: []string{"mx.example.com"}},
		SPF: []SPF{{Identity: IdentityMailFrom, Domain: "example.com", Result: "fail", Term: "-all", Record: "v=spf1 -all", Explanation: "no",
			Lookups: 1, VoidLookups: 2, Reason: "r", Trace: []string{"t"}}},
		DKIM: []DKIM{{Result: "pass", SDID: "example.com", Selector: "s1", AUID: "@example.com", Algorithm: "rsa-sha256", KeyBits: 2048,
			Canonicalization: "relaxed/relaxed", SignedHeaders: []string{"from"}, BodyLength: &length, UnsignedBytes: 3, Testing: true,
			Reason: "r", Diagnosis: "d"}},
		ARC: ARC{Result: "pass", Instances: 1, Sealers: []string{"list.example"}, Reason: "r", Vouch: "pass", VouchedBy: "list.example"},
		DMARC: DMARC{Result: "fail", AuthorDomain: "a.example.com", OrganizationalDomain: "example.com", PolicyDomain: "example.com",
			Policy: "reject", Disposition: "quarantine", Testing: true, Aligned: Aligned{SPF: true, DKIM: true}, Record: "v=DMARC1", Reason: "r"},
		Author: Author{Domains: []string{"example.com", "example.net"}, Reason: "two"},
		Limits: []string{"too long"}, Trace: []string{"t"}, Authenticated: true,
	}
}

func TestJSONOfAnEvaluationReadsAsWhatItWas(t *testing.T) {
	for name, want := range map[string]*Evaluation{"full": full(), "new": newEvaluation()} {
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got Evaluation
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		if name == "new" {
			got.Client.PTR, want.Client.PTR = nil, nil
		}
		if !reflect.DeepEqual(&got, want) {
			t.Errorf("%s: got\n%+v\nwant\n%+v", name, &got, want)
		}
	}
}

func TestEveryMemberOfAnEvaluationIsInTheRoundTrip(t *testing.T) {
	type node struct {
		path string
		v    reflect.Value
	}
	for todo := []node{{"Evaluation", reflect.ValueOf(full()).Elem()}}; len(todo) > 0; todo = todo[1:] {
		v := todo[0].v
		switch {
		case v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[netip.Addr]():
			for i := range v.NumField() {
				if f := v.Type().Field(i); f.IsExported() && f.Tag.Get("json") != "-" {
					todo = append(todo, node{todo[0].path + "." + f.Name, v.Field(i)})
				}
			}
		case v.IsZero():
			t.Errorf("%s is empty: the test of the round trip does not see it", todo[0].path)
		case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct:
			todo = append(todo, node{todo[0].path + "[0]", v.Index(0)})
		}
	}
}
