package spf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/goccy/go-yaml"
)

// conformanceCases is how many cases the suite has: reading fewer would be a fault of the reader.
const conformanceCases = 203

type scenario struct {
	Description string
	Tests       map[string]conformanceCase
	ZoneData    map[string][]any `yaml:"zonedata"`
}

type conformanceCase struct {
	Spec        any
	Helo        string
	Host        string
	MailFrom    string `yaml:"mailfrom"`
	Result      any    // one, or a list of which any will do
	Explanation string // "DEFAULT" where the domain gives none
}

func TestConformanceRFC7208(t *testing.T) {
	cases := 0
	for _, s := range readScenarios(t) {
		z := s.zone(t)
		for name, c := range s.Tests {
			cases++
			t.Run(s.Description+"/"+name, func(t *testing.T) { c.check(t, z) })
		}
	}
	if cases != conformanceCases {
		t.Errorf("read %d cases, want %d", cases, conformanceCases)
	}
}

func (c conformanceCase) check(t *testing.T, z *zone) {
	q := Query{IP: netip.MustParseAddr(c.Host), Helo: c.Helo, MailFrom: c.MailFrom, Trace: true}
	res := Check(context.Background(), z, q)
	allowed := texts(c.Result)
	if !slices.Contains(allowed, string(res.Code)) {
		t.Errorf("ip %s helo %q from %q: got %s (%v), want %s\n%s", c.Host, c.Helo, c.MailFrom, res.Code, res.Err,
			strings.Join(allowed, " or "), strings.Join(res.Trace, "\n"))
	}
	want := strings.TrimPrefix(c.Explanation, "DEFAULT")
	if c.Explanation != "" && res.Explanation != want {
		t.Errorf("ip %s helo %q from %q: explanation %q, want %q", c.Host, c.Helo, c.MailFrom, res.Explanation, want)
	}
	answered := slices.Contains([]Code{Pass, Fail, SoftFail, Neutral}, res.Code)
	if answered != (res.Err == nil) {
		t.Errorf("ip %s helo %q from %q: %s with the reason %v", c.Host, c.Helo, c.MailFrom, res.Code, res.Err)
	}
}

func readScenarios(t *testing.T) (all []scenario) {
	dir := os.Getenv("GATEPOST_CONFORMANCE")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "conformance")
	}
	f, err := os.Open(filepath.Join(dir, "rfc7208-tests.yml"))
	if err != nil {
		t.Skipf("the public suite is not here: %v", err)
	}
	defer f.Close()
	for d := yaml.NewDecoder(f); ; {
		var s scenario
		err := d.Decode(&s)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
}

// zone reads the zonedata of a scenario: a list of records a name, each {TYPE: value} or the word TIMEOUT. SPF stands for TXT too
// unless the name has a TXT of its own; "TXT: NONE" is such a one, and no record.
func (s scenario) zone(t *testing.T) *zone {
	z := newZone()
	aliases := map[string]string{}
	for name, records := range s.ZoneData {
		name = strings.ToLower(name)
		z.names[name] = true
		ownTXT := slices.ContainsFunc(records, func(r any) bool { m, _ := r.(map[string]any); return m["TXT"] != nil })
		for _, r := range records {
			if r == "TIMEOUT" {
				z.errs[name] = dns.ErrTimeout
				continue
			}
			for typ, v := range r.(map[string]any) {
				value := strings.Join(texts(v), "")
				switch {
				case typ == "SPF" && !ownTXT:
					z.add(name, "TXT", value)
				case typ == "SPF" || typ == "TXT" && value == "NONE":
				case typ == "CNAME":
					aliases[name] = strings.ToLower(strings.TrimSuffix(value, "."))
				case typ == "MX":
					z.addMX(name, texts(v)[1])
				default:
					z.add(name, typ, value)
				}
			}
		}
	}
	z.follow(aliases)
	if len(s.ZoneData) == 0 || len(s.Tests) == 0 {
		t.Fatalf("%s: nothing in it", s.Description)
	}
	return z
}

// addMX adds a host that may be empty.
func (z *zone) addMX(name, host string) {
	a := z.answers[name+" MX"]
	a.MX = append(a.MX, dns.MX{Host: host})
	z.answers[name+" MX"] = a
}

// follow copies what the aliases lead to. A loop fails as a resolver fails on it.
func (z *zone) follow(aliases map[string]string) {
	for name := range aliases {
		to := name
		for range len(aliases) {
			if next, ok := aliases[to]; ok {
				to = next
			}
		}
		if _, loop := aliases[to]; loop {
			z.errs[name] = dns.ErrServFail
			continue
		}
		for _, typ := range []string{"TXT", "A", "AAAA", "MX", "PTR"} {
			if a, ok := z.answers[to+" "+typ]; ok {
				z.answers[name+" "+typ] = a
			}
		}
	}
}

// texts makes a list of a value that may be one, none or several.
func texts(v any) (list []string) {
	if l, ok := v.([]any); ok {
		for _, x := range l {
			list = append(list, fmt.Sprint(x))
		}
		return list
	}
	return []string{fmt.Sprint(v)}
}
