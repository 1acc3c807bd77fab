package publish

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/dns"
)

const present = `
example.com. IN TXT "v=spf1 mx ~all"
example.com. IN TXT "token"
example.com. IN MX 0 .
example.com. IN MX 10 mx.example.com.
www.example.com. IN CNAME example.net.
example.net. IN TXT "elsewhere"
_25._tcp.mx.example.com. IN TLSA 3 1 1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff
`

func resolver(t *testing.T) dns.Resolver {
	t.Helper()
	zone, err := dns.ParseZone(strings.NewReader(present), "present.zone")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func TestAChangeTakesTheOldValueAndLeavesTheOthers(t *testing.T) {
	r := Overlay(resolver(t), []Change{{Name: "example.com", Type: "TXT", Old: "v=spf1 mx ~all", New: "v=spf1 mx -all"}})
	answer, err := r.Lookup(t.Context(), "example.com", dns.TypeTXT)
	if want := []string{"v=spf1 mx -all", "token"}; err != nil || !slices.Equal(answer.TXT, want) {
		t.Errorf("%q (%v), want %q", answer.TXT, err, want)
	}
	if mx, err := r.Lookup(t.Context(), "example.com", dns.TypeMX); err != nil || len(mx.MX) != 2 {
		t.Errorf("records of another type: %v (%v)", mx.MX, err)
	}
}

func TestWhatChangesIsNotSeenByTheResolverBeneath(t *testing.T) {
	beneath := resolver(t)
	Overlay(beneath, []Change{{Name: "example.com", Type: "TXT", Old: "token"}}).Lookup(t.Context(), "example.com", dns.TypeTXT)
	if answer, _ := beneath.Lookup(t.Context(), "example.com", dns.TypeTXT); len(answer.TXT) != 2 {
		t.Errorf("the zone has %q", answer.TXT)
	}
}

func TestValuesOfOtherTypesAreKnownByWhatTheySay(t *testing.T) {
	r := Overlay(resolver(t), []Change{
		{Name: "example.com", Type: "MX", Old: "0 ."},
		{Name: "_25._tcp.mx.example.com", Type: "TLSA", Old: "3 1 1 00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddeeff"},
	})
	if answer, err := r.Lookup(t.Context(), "example.com", dns.TypeMX); err != nil || len(answer.MX) != 1 || answer.MX[0].Host != "mx.example.com" {
		t.Errorf("MX %v (%v)", answer.MX, err)
	}
	if _, err := r.Lookup(t.Context(), "_25._tcp.mx.example.com", dns.TypeTLSA); !errors.Is(err, dns.ErrNoData) {
		t.Errorf("the only record was taken away: %v", err)
	}
}

func TestAnAliasThatGoesGivesWayToRecords(t *testing.T) {
	r := Overlay(resolver(t), []Change{
		{Name: "www.example.com", Type: "CNAME", Old: "example.net."},
		{Name: "www.example.com", Type: "TXT", New: "here"},
		{Name: "new.example.com", Type: "CNAME", New: "example.net."},
	})
	for name, want := range map[string]string{"www.example.com": "here", "new.example.com": "elsewhere"} {
		if answer, err := r.Lookup(t.Context(), name, dns.TypeTXT); err != nil || !slices.Equal(answer.TXT, []string{want}) {
			t.Errorf("%s: %q (%v), want %q", name, answer.TXT, err, want)
		}
	}
}

type failing struct{}

func (failing) Lookup(_ context.Context, name string, typ dns.Type) (dns.Answer, error) {
	return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: dns.ErrTimeout}
}

func TestAFailureBeneathStaysOne(t *testing.T) {
	r := Overlay(failing{}, []Change{{Name: "example.com", Type: "TXT", New: "token"}})
	if _, err := r.Lookup(t.Context(), "example.com", dns.TypeTXT); !errors.Is(err, dns.ErrTimeout) {
		t.Errorf("%v: what else is there is not known", err)
	}
}

func TestALineOfAMasterFileReadsBack(t *testing.T) {
	for _, c := range []Change{
		{Name: "example.com", Type: "TXT", New: `with "quotes" and \ and ` + strings.Repeat("long ", 200)},
		{Name: "example.com", Type: "MX", New: MX(dns.MX{Preference: 10, Host: "mx.example.com"})},
		{Name: "example.com", Type: "MX", New: MX(dns.MX{})},
	} {
		zone, err := dns.ParseZone(strings.NewReader(c.Zone()), "line")
		if err != nil {
			t.Errorf("%s: %v", c.Zone(), err)
			continue
		}
		if c.Type != "TXT" {
			continue
		}
		if answer, err := zone.Lookup(t.Context(), c.Name, dns.TypeTXT); err != nil || answer.TXT[0] != c.New {
			t.Errorf("%q read back as %q (%v)", c.New, answer.TXT, err)
		}
	}
	if text := (Change{Name: "example.com", Type: "TXT", Old: "token"}).Zone(); text != "" {
		t.Errorf("a record that goes is written as %q", text)
	}
}

func TestFilesAreServedAsTheyWouldBe(t *testing.T) {
	const url = "https://mta-sts.example.com/.well-known/mta-sts.txt"
	client := http.Client{Transport: Files(http.DefaultTransport, []Change{{Name: url, Type: File, New: "version: STSv1\n"}})}
	response, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if text, _ := io.ReadAll(response.Body); response.StatusCode != 200 || string(text) != "version: STSv1\n" {
		t.Errorf("%d %q", response.StatusCode, text)
	}
}
