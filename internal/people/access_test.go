package people

import (
	"fmt"
	"testing"
)

var shopAndPress = []Group{
	{Name: "shop", Domains: []string{"shop.example.com", "*.shop.example.com"}},
	{Name: "press", Domains: []string{"press.example.com", "shop.example.com"}},
	{Name: "star", Domains: []string{"*.example.org"}},
}

func TestAccessIsWhatRolesGroupsAndCeilingsGiveTogether(t *testing.T) {
	type grants = []Grant
	const (
		n = Nobody
		v = Viewer
		a = Analyst
		o = Owner
	)
	for _, c := range []struct {
		grants grants
		role   Role // of a token
		over   string
		// everywhere, anywhere, and over shop.example.com, news.shop.example.com, press.example.com, example.org, a.example.org, other.example
		want [8]Role
	}{
		{nil, o, "*", [8]Role{n, n, n, n, n, n, n, n}},
		{grants{{"*", v}}, o, "*", [8]Role{v, v, v, v, v, v, v, v}},
		{grants{{"*", o}}, o, "*", [8]Role{o, o, o, o, o, o, o, o}},
		{grants{{"shop", a}}, o, "*", [8]Role{n, a, a, a, n, n, n, n}},
		{grants{{"*", v}, {"shop", o}}, o, "*", [8]Role{v, o, o, o, v, v, v, v}},
		{grants{{"shop", v}, {"press", a}}, o, "*", [8]Role{n, a, a, v, a, n, n, n}}, // the highest of those that cover it
		{grants{{"star", a}}, o, "*", [8]Role{n, a, n, n, n, n, a, n}},               // beneath it, and not itself
		{grants{{"gone", o}}, o, "*", [8]Role{n, n, n, n, n, n, n, n}},               // a group that nobody names any more is empty
		// Tokens.
		{grants{{"*", o}}, v, "*", [8]Role{v, v, v, v, v, v, v, v}},
		{grants{{"*", v}}, o, "*", [8]Role{v, v, v, v, v, v, v, v}},
		{grants{{"*", o}}, a, "shop", [8]Role{n, a, a, a, n, n, n, n}},
		{grants{{"shop", o}}, o, "press", [8]Role{n, o, o, n, n, n, n, n}}, // of both groups is only one domain
		{grants{{"press", v}}, o, "star", [8]Role{n, n, n, n, n, n, n, n}},
		{grants{{"*", o}}, o, "gone", [8]Role{n, n, n, n, n, n, n, n}},
	} {
		who := NewAccess("ann", c.grants, shopAndPress).Within(c.role, c.over)
		got := [8]Role{who.Everywhere(), who.Anywhere(), who.Over("shop.example.com"), who.Over("news.shop.example.com"), who.Over("press.example.com"),
			who.Over("example.org"), who.Over("a.example.org"), who.Over("other.example")}
		if got != c.want {
			t.Errorf("%v within %s over %s:\ngot  %v\nwant %v", c.grants, c.role, c.over, got, c.want)
		}
	}
	var nobody *Access
	if nobody.Everywhere()+nobody.Anywhere()+nobody.Over("example.com")+nobody.Holds("*") != Nobody {
		t.Error("nobody may something")
	}
}

func TestATokenOfATokenIsNoMore(t *testing.T) {
	who := NewAccess("ann", []Grant{{"*", Owner}}, shopAndPress).Within(Viewer, "shop").Within(Owner, "shop")
	if got := who.Over("shop.example.com"); got != Viewer {
		t.Errorf("got %s", got)
	}
}

func TestWhatIsGivenOnIsHeldOverTheSameOrOverAll(t *testing.T) {
	for _, c := range []struct {
		grants []Grant
		within string
		over   string
		want   Role
	}{
		{[]Grant{{"*", Analyst}}, "*", "*", Analyst},
		{[]Grant{{"*", Analyst}}, "*", "shop", Analyst},
		{[]Grant{{"shop", Owner}}, "*", "shop", Owner},
		{[]Grant{{"shop", Owner}}, "*", "*", Nobody},
		{[]Grant{{"shop", Owner}}, "*", "press", Nobody},
		{[]Grant{{"*", Owner}}, "shop", "*", Nobody},
		{[]Grant{{"*", Owner}}, "shop", "shop", Owner},
		{[]Grant{{"*", Viewer}, {"shop", Owner}}, "*", "shop", Owner},
	} {
		who := NewAccess("ann", c.grants, shopAndPress).Within(Owner, c.within)
		if got := who.Holds(c.over); got != c.want {
			t.Errorf("%v within %s holds %s over %s, want %s", c.grants, c.within, got, c.over, c.want)
		}
	}
}

func TestOnlyDomainsAreSeenThatOneHasARoleOver(t *testing.T) {
	who := NewAccess("ann", []Grant{{"shop", Viewer}}, shopAndPress)
	all := []string{"example.com", "shop.example.com", "a.shop.example.com", "notshop.example.com"}
	if got := fmt.Sprint(who.Seen(all)); got != "[shop.example.com a.shop.example.com]" || all[0] != "example.com" {
		t.Errorf("got %s of %v", got, all)
	}
}

func TestWhoRulesOwnsEverythingAndSignsInWithoutAProvider(t *testing.T) {
	owner := []Grant{{Everything, Owner}}
	for _, c := range []struct {
		p    Person
		want bool
	}{
		{Person{Grants: owner, Password: "x"}, true},
		{Person{Grants: owner, Passkeys: []Passkey{{}}}, true},
		{Person{Grants: owner, Subject: "https://id.example.org 1"}, false},
		{Person{Grants: owner, Password: "x", Disabled: true}, false},
		{Person{Grants: []Grant{{Everything, Analyst}, {"shop", Owner}}, Password: "x"}, false},
	} {
		if c.p.Rules() != c.want {
			t.Errorf("%+v: %t", c.p, !c.want)
		}
	}
}

func TestARoleOverWhatIsNotThereIsNoRoleAnywhere(t *testing.T) {
	groups := []Group{{"company", []string{"example.com"}}, {"shop", []string{"example.org", "*.example.org"}}, {"parts", []string{"parts.shop.example.org"}}, {"empty", nil}}
	for _, c := range []struct {
		over, within string
		want         Role
	}{
		{Everything, Everything, Analyst},
		{"company", Everything, Analyst},
		{Everything, "company", Analyst},
		{"company", "company", Analyst},
		{"shop", "parts", Analyst},
		{"parts", "shop", Analyst},
		{"company", "shop", Nobody},
		{"gone", Everything, Nobody},
		{Everything, "gone", Nobody},
		{"gone", "gone", Nobody},
		{"empty", "company", Nobody},
	} {
		a := NewAccess("ada", []Grant{{c.over, Analyst}}, groups).Within(Owner, c.within)
		if got := a.Anywhere(); got != c.want {
			t.Errorf("over %q within %q: %s, want %s", c.over, c.within, got, c.want)
		}
	}
}
