package facts

import "testing"

func TestWhatWasMeantToLetSomebodyInSends(t *testing.T) {
	for text, want := range map[string]bool{
		"v=spf1 -all":                          false,
		"v=spf1 exp=why.example.com -all":      false,
		"v=spf1 -all ra=postmaster":            false,
		"v=spf1 moo=x -all":                    false,
		"v=spf1 -all redirect=example.net":     false,
		"v=spf1 include=_spf.example.net -all": true,
		"v=spf1 ip4=192.0.2.1 -all":            true,
		"v=spf1 incldue=_spf.example.net -all": true,
		"v=spf1 -all include:_spf.example.net": true,
		"v=spf1 -all mx":                       true,
		"v=spf1 ipv4:192.0.2.1 -all":           true,
		"v=spf1 ~all":                          true,
	} {
		f := Gather(t.Context(), "example.com", Options{Resolver: resolver(t, "example.com. IN TXT \""+text+"\""), Offline: true})
		if f.Sends() != want {
			t.Errorf("%s: sends %t, want %t", text, f.Sends(), want)
		}
	}
}

func TestADomainThatPublishesNothingForMailIsTakenToSendNone(t *testing.T) {
	const site = "example.com. IN A 192.0.2.1\n"
	for _, c := range []struct {
		name, zone string
		seen, want bool
	}{
		{"a web site", site, false, false},
		{"a web site with a policy", site + "_dmarc.example.com. IN TXT \"v=DMARC1; p=reject\"", false, false},
		{"mail of it was seen", site, true, true},
		{"a mail server", site + "example.com. IN MX 10 mx.example.com.", false, true},
		{"a key", site + "s1._domainkey.example.com. IN TXT \"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"", false, true},
		{"what was to be an SPF record", site + "example.com. IN TXT \"v=spf mx -all\"", false, true},
	} {
		f := Gather(t.Context(), "example.com", Options{Resolver: resolver(t, c.zone), Offline: true, Seen: Seen{Sends: c.seen}})
		if f.Sends() != c.want {
			t.Errorf("%s: sends %t", c.name, f.Sends())
		}
	}
}
