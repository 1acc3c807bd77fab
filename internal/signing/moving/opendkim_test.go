package moving

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestNothingOfAnOpenDKIMConfigurationIsDroppedInSilence(t *testing.T) {
	dir := files(t, map[string]string{
		"opendkim.conf": `
Syslog               yes
BaseDirectory        DIR
Include              DIR/more.conf
KeyTable             file:keys
SigningTable         refile:DIR/signing
Domain               example.com
AuthservID           mx.example.org # who we are
userid               opendkim
SignHeaders          From,To,X-Mine
OmitHeaders          Subject, *, +Comments
SignatureTTL         60
Nameservers          127.0.0.1,192.0.2.53
Socket               local:/run/opendkim.sock
Canonicalization     relaxed
`,
		"more.conf": "Canonicalization simple\nSubDomains no\nRequireSafeKeys no\n",
		"keys": `good  example.com:s1:DIR/a.pem
same  example.com:s1:DIR/a.pem
short example.com:s1
unused example.net:s9:DIR/a.pem
none  example.edu:s2:./missing.pem
bad   example.edu:s3:DIR/signing
name  nodomain:s1:DIR/a.pem
good  example.net:s1:DIR/a.pem
`,
		"signing": `*@example.com     good:@example.com
*@example.com     same
boss@example.com  good
*@a.example.com   absent
*@example.edu     none
*@x.example.edu   bad
*@example.org     name
example.com       good
*@*               good
*example.com      good
*@ex*ple.com      good
*.sub.example.com good
*@*.example.org   %
*@example.us      short
`,
		"a.pem": anyKey(t),
	})
	m, err := OpenDKIM(filepath.Join(dir, "opendkim.conf"))
	if err != nil {
		t.Fatal(err)
	}
	keys, rules, notes := summary(m, dir)
	equal(t, "keys", keys, []string{"s1@example.com"})
	equal(t, "rules", rules, []string{"example.com as example.com", "example.edu as example.edu", "x.example.edu as example.edu", "*.sub.example.com as example.com"})
	equal(t, "notes", notes, []string{
		"DIR/opendkim.conf:7: Domain: opendkim passes over it, since there is a KeyTable",
		`! DIR/keys:3: KeyTable short: "example.com:s1" is not DOMAIN:SELECTOR:KEY`,
		"DIR/keys:8: KeyTable good: it is there twice; the first counts",
		"DIR/signing:1: SigningTable *@example.com: the signer @example.com (i=) is left out",
		"! DIR/signing:3: SigningTable boss@example.com: it is for one address; Gatepost has keys by domain",
		`! DIR/signing:4: SigningTable *@a.example.com: there is no key "absent" in the KeyTable`,
		"! DIR/keys:5: the key s2 of example.edu: open DIR/missing.pem: no such file or directory",
		"! DIR/keys:6: the key s3 of example.edu, DIR/signing: it is neither PEM nor base64",
		"! DIR/keys:7: KeyTable name: nodomain is not a domain to sign for",
		"! DIR/signing:8: SigningTable example.com: it matches no address: a pattern of a refile: must match the whole of it, like *@example.com",
		"! DIR/signing:9: SigningTable *@*: it is for every domain; Gatepost signs for those that it is told only",
		"! DIR/signing:10: SigningTable *example.com: it matches every address that ends so, in other domains too: name the domains, like *@example.com and *@*.example.com",
		"! DIR/signing:11: SigningTable *@ex*ple.com: not a pattern that Gatepost has; it knows example.com, and *.example.com for all below it",
		"! DIR/signing:13: SigningTable *@*.example.org: a key of its own for each domain; name them one by one",
		`! DIR/signing:14: SigningTable *@example.us: there is no key "short" in the KeyTable`,
		"DIR/keys:4: KeyTable unused: nothing in the SigningTable that Gatepost can do names it; the key is not taken",
		"DIR/opendkim.conf:2: Syslog: Gatepost logs to standard error, which systemd keeps",
		"DIR/more.conf:1: Canonicalization: it is there again below, and the last counts",
		"DIR/more.conf:3: RequireSafeKeys: Gatepost always refuses keys that others may read",
		"DIR/opendkim.conf:9: UserID: systemd, or whatever starts Gatepost, sees to it",
		"DIR/opendkim.conf:10: SignHeaders: Gatepost does not sign X-Mine",
		"DIR/opendkim.conf:11: OmitHeaders: Gatepost signs Subject",
		"DIR/opendkim.conf:12: SignatureTTL 60: signing.expire is an hour at least, since mail may wait that long",
	})
	const want = `authserv_id = "mx.example.org"
# listen = ["local:/run/opendkim.sock"]  # as opendkim did; leave it out to listen on 127.0.0.1:8891 beside it

[resolver]
servers = ["127.0.0.1", "192.0.2.53"]

[signing]
domains = ["example.com", "example.edu", "x.example.edu", "*.sub.example.com"]
canonicalization = "relaxed/simple"

[signing.sign_as]
"x.example.edu" = "example.edu"
"*.sub.example.com" = "example.com"
`
	if got := m.TOML(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	settings(t, m)
}

func TestTheFirstPatternThatMatchesDecidesAsInOpenDKIM(t *testing.T) {
	dir := files(t, map[string]string{
		"opendkim.conf": "KeyTable DIR/keys\nSigningTable refile:DIR/signing\n",
		"keys":          "a example.com:s1:DIR/a.pem\nb sub.example.com:s2:DIR/a.pem\n",
		"signing":       "*@*.example.com a\n*@sub.example.com b\n",
		"a.pem":         anyKey(t),
	})
	m, err := OpenDKIM(filepath.Join(dir, "opendkim.conf"))
	if err != nil {
		t.Fatal(err)
	}
	_, rules, notes := summary(m, dir)
	equal(t, "rules", rules, []string{"*.example.com as example.com"})
	if len(notes) == 0 || !strings.Contains(notes[0], "*@*.example.com stands above it and decides already") {
		t.Errorf("got %v", notes)
	}
}

func TestWhatOpenDKIMWouldNotReadIsAnErrorWithItsLine(t *testing.T) {
	for _, c := range []struct{ conf, want string }{
		{"\nSyslogg yes\n", `opendkim.conf:2: "Syslogg" is no setting`},
		{"Mode\n", "opendkim.conf:1: Mode has no value"},
		{"Include DIR/none\n", "none"},
		{"Include DIR/opendkim.conf\n", "too deeply"},
		{"KeyTable DIR/none\nSigningTable DIR/none\n", "none"},
		{"KeyTable dsn:mysql://x\nSigningTable DIR/none\n", "opendkim.conf:1: KeyTable dsn:mysql://x: it is kept in a database"},
		{"KeyTable DIR/keys.db\nSigningTable DIR/none\n", "kept in a database"},
		{"KeyFile DIR/a.pem\n", "Domain and Selector"},
		{"Canonicalization loose\n", "opendkim.conf:1: Canonicalization"},
	} {
		dir := files(t, map[string]string{"opendkim.conf": c.conf})
		if _, err := OpenDKIM(filepath.Join(dir, "opendkim.conf")); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %v, want %q", c.conf, err, c.want)
		}
	}
	if _, err := OpenDKIM(t.TempDir()); err == nil {
		t.Error("a directory is read")
	}
}

func TestAnOpenDKIMThatDoesNotSignGivesNoKeys(t *testing.T) {
	dir := files(t, map[string]string{"opendkim.conf": "Mode v\nKeyFile DIR/none\n"})
	m, err := OpenDKIM(filepath.Join(dir, "opendkim.conf"))
	if err != nil || len(m.Keys)+len(m.Rules) > 0 || m.Lost() {
		t.Errorf("%v %+v", err, m)
	}
}

func FuzzOpenDKIMConf(f *testing.F) {
	f.Add("Syslog yes\n# comment\nMode\tsv # x\r\n")
	f.Add("KeyTable csl:a=example.com:s1:./x")
	f.Fuzz(func(t *testing.T, text string) {
		settings, err := parseConf("f", []byte(text))
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f:") {
				t.Errorf("an error without a place: %v", err)
			}
			return
		}
		// What was read, written plainly, is read as the same.
		var plain strings.Builder
		for _, s := range settings {
			plain.WriteString(s.name + " " + s.value + "\n")
		}
		again, err := parseConf("f", []byte(plain.String()))
		if err != nil || len(again) != len(settings) {
			t.Fatalf("%v: %q", err, plain.String())
		}
		for i := range again {
			if again[i].name != settings[i].name || again[i].value != settings[i].value {
				t.Errorf("%+v became %+v", settings[i], again[i])
			}
		}
	})
}

func FuzzTables(f *testing.F) {
	f.Add("k example.com:s1:./none\n", "*@example.com k\n*@*.example.org %\n", true)
	f.Add("k %:s1:%\n", ".example.com k:a\nexample.com k\n", false)
	f.Add("k example.com:s1:MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n", "*@example.com k", true)
	f.Fuzz(func(t *testing.T, keys, signing string, patterns bool) {
		entries := parseFlat("k", []byte(keys))
		for i := range entries { // a flat file written again is the same
			again := parseFlat("k", []byte(entries[i].key+" "+entries[i].value))
			if len(again) != 1 || again[0].key != entries[i].key || again[0].value != entries[i].value {
				t.Fatalf("%+v became %+v", entries[i], again)
			}
		}
		named := map[string]*tableKey{}
		for _, e := range entries {
			if d, rest, ok := strings.Cut(e.value, ":"); ok {
				if s, key, ok := strings.Cut(rest, ":"); ok && !strings.HasPrefix(key, "/") && !strings.HasPrefix(key, ".") {
					named[e.key] = &tableKey{domain: d, selector: s, key: key, place: e.place}
				}
			}
		}
		m := &Move{}
		rows := parseFlat("s", []byte(signing))
		for _, row := range rows {
			m.row(&conf{}, row, patterns, named)
		}
		if len(rows) > 0 && len(m.Rules)+len(m.Notes) == 0 {
			t.Error("a row is dropped in silence")
		}
		settingsOf(t, m)
	})
}

// settingsOf holds what is printed to be a configuration that we take.
func settingsOf(t *testing.T, m *Move) {
	t.Helper()
	c := settings(t, m)
	var authors []string
	for _, r := range m.Rules {
		authors = append(authors, r.Author)
	}
	if len(authors) > 0 && !reflect.DeepEqual(c.Domains, authors) {
		t.Errorf("%v became %v", authors, c.Domains)
	}
}
