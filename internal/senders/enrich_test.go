package senders

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"github.com/gatepost-mail/gatepost/dns"
)

const names = `
1.2.0.192.in-addr.arpa. PTR o1.ptr1.sendgrid.net.
o1.ptr1.sendgrid.net. A 192.0.2.1
2.2.0.192.in-addr.arpa. PTR o2.ptr1.sendgrid.net.
o2.ptr1.sendgrid.net. A 192.0.2.99
3.2.0.192.in-addr.arpa. PTR a.example.net.
3.2.0.192.in-addr.arpa. PTR b.example.net.
b.example.net. A 192.0.2.3
1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. PTR mail-1.google.com.
mail-1.google.com. AAAA 2001:db8::1
`

// A world is a zone with names that can't be asked about, and a count of what was.
type world struct {
	zone dns.Resolver
	fail map[string]error
	slow time.Duration

	mu              sync.Mutex
	asked, now, top int
}

func (w *world) Lookup(ctx context.Context, name string, typ dns.Type) (dns.Answer, error) {
	w.mu.Lock()
	w.asked++
	w.now++
	w.top = max(w.top, w.now)
	err := w.fail[name]
	w.mu.Unlock()
	defer func() { w.mu.Lock(); w.now--; w.mu.Unlock() }()
	select {
	case <-time.After(w.slow):
	case <-ctx.Done():
		return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: dns.ErrTimeout}
	}
	if err != nil {
		return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: err}
	}
	return w.zone.Lookup(ctx, name, typ)
}

func newWorld(t *testing.T) *world {
	zone, err := dns.ParseZone(strings.NewReader(names), "names")
	if err != nil {
		t.Fatal(err)
	}
	return &world{zone: zone, fail: map[string]error{}}
}

func addrs(texts ...string) []netip.Addr {
	var all []netip.Addr
	for _, text := range texts {
		all = append(all, netip.MustParseAddr(text))
	}
	return all
}

var then = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func TestNamesAreConfirmedBeforeTheyAreBelieved(t *testing.T) {
	w := newWorld(t)
	w.fail["5.2.0.192.in-addr.arpa"] = dns.ErrServFail
	e := NewEnricher(EnricherOptions{Resolver: w, PerSecond: 10000, Now: func() time.Time { return then }})
	got := e.Look(t.Context(), addrs("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5", "2001:db8::1", "::ffff:192.0.2.1"))
	for i, want := range []Address{
		{PTR: []string{"o1.ptr1.sendgrid.net"}, Confirmed: true, Service: "sendgrid"},
		{PTR: []string{"o2.ptr1.sendgrid.net"}}, // anyone may write that into the reverse zone of an address of his
		{PTR: []string{"b.example.net"}, Confirmed: true},
		{},
		{Again: true},
		{PTR: []string{"mail-1.google.com"}, Confirmed: true, Service: "google-workspace"},
		{PTR: []string{"o1.ptr1.sendgrid.net"}, Confirmed: true, Service: "sendgrid"},
	} {
		want.IP, want.At = got[i].IP, then
		if !reflect.DeepEqual(got[i], want) {
			t.Errorf("got  %+v\nwant %+v", got[i], want)
		}
	}
	if ip := got[6].IP; ip != netip.MustParseAddr("192.0.2.1") {
		t.Errorf("the address is %v", ip)
	}
}

func TestATemporaryFailureOfAForwardNameIsAskedAgain(t *testing.T) {
	w := newWorld(t)
	w.fail["o1.ptr1.sendgrid.net"] = dns.ErrTimeout
	e := NewEnricher(EnricherOptions{Resolver: w, PerSecond: 10000})
	if a := e.Look(t.Context(), addrs("192.0.2.1"))[0]; !a.Again || a.Confirmed || a.PTR != nil || a.Service != "" {
		t.Errorf("got %+v", a)
	}
	delete(w.fail, "o1.ptr1.sendgrid.net")
	if a := e.Look(t.Context(), addrs("192.0.2.1"))[0]; a.Again || !a.Confirmed {
		t.Errorf("the second time: %+v", a)
	}
}

func TestNobodyIsAskedAboutSpecialAddresses(t *testing.T) {
	w := newWorld(t)
	e := NewEnricher(EnricherOptions{Resolver: w})
	all := append(addrs("10.1.2.3", "172.16.0.1", "192.168.1.1", "127.0.0.1", "169.254.1.1", "100.64.0.1", "0.0.0.0", "255.255.255.255", "224.0.0.1",
		"198.18.0.1", "::1", "::", "fe80::1%eth0", "fd00::1", "ff02::1", "2001::1", "::ffff:10.0.0.1"), netip.Addr{})
	for _, a := range e.Look(t.Context(), all) {
		if a.PTR != nil || a.Again || a.Service != "" || a.At.IsZero() {
			t.Errorf("got %+v", a)
		}
	}
	if w.asked != 0 {
		t.Errorf("%d queries", w.asked)
	}
}

func TestLookingIsBoundedAndEndsWithItsContext(t *testing.T) {
	w := newWorld(t)
	w.slow = 5 * time.Millisecond
	var all []netip.Addr
	for i := range 60 {
		all = append(all, netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}))
	}
	e := NewEnricher(EnricherOptions{Resolver: w, Concurrency: 3, PerSecond: 100000})
	for i, a := range e.Look(t.Context(), all) {
		if a.IP != all[i] || a.Again {
			t.Errorf("%v: got %+v", all[i], a)
		}
	}
	if w.top > 3 {
		t.Errorf("%d at a time, want 3 at most", w.top)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	before := w.asked
	for _, a := range e.Look(ctx, all) {
		if !a.Again {
			t.Errorf("got %+v", a)
		}
	}
	if w.asked != before {
		t.Errorf("%d queries after the end", w.asked-before)
	}
}

func TestQueriesKeepTheirPace(t *testing.T) {
	w := newWorld(t)
	e := NewEnricher(EnricherOptions{Resolver: w, Concurrency: 8, PerSecond: 100})
	start := time.Now()
	e.Look(t.Context(), addrs("192.0.2.11", "192.0.2.12", "192.0.2.13", "192.0.2.14", "192.0.2.15", "192.0.2.16"))
	if took := time.Since(start); took < 50*time.Millisecond { // six queries, ten milliseconds apart
		t.Errorf("%d queries in %v", w.asked, took)
	}
}

func TestAnAddressWithAHundredNamesCostsNoMoreThanTwelveQueries(t *testing.T) {
	var zone strings.Builder
	for i := range 100 {
		fmt.Fprintf(&zone, "1.2.0.192.in-addr.arpa. PTR h%d.example.net.\n", i)
	}
	z, err := dns.ParseZone(strings.NewReader(zone.String()), "many")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{zone: z}
	a := NewEnricher(EnricherOptions{Resolver: w, PerSecond: 100000}).Look(t.Context(), addrs("192.0.2.1"))[0]
	if w.asked > 12 || a.Confirmed || a.Again || len(a.PTR) > 10 {
		t.Errorf("%d queries, %+v", w.asked, a)
	}
}

func writeDatabase(t *testing.T, path string, networks map[string]mmdbtype.Map) {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "Test", RecordSize: 24, IncludeReservedNetworks: true})
	if err != nil {
		t.Fatal(err)
	}
	for text, value := range networks {
		_, network, err := net.ParseCIDR(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := tree.Insert(network, value); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Create(path + ".new")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tree.WriteTo(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func TestNetworksInTheShapesOfTheKnownFiles(t *testing.T) {
	dir := t.TempDir()
	asn, country, both, lite := filepath.Join(dir, "asn.mmdb"), filepath.Join(dir, "country.mmdb"), filepath.Join(dir, "both.mmdb"), filepath.Join(dir, "lite.mmdb")
	writeDatabase(t, asn, map[string]mmdbtype.Map{"192.0.2.0/24": {"autonomous_system_number": mmdbtype.Uint32(64500), "autonomous_system_organization": mmdbtype.String("Example Net")}})
	writeDatabase(t, country, map[string]mmdbtype.Map{"192.0.2.0/24": {"country": mmdbtype.Map{"iso_code": mmdbtype.String("DE"), "geoname_id": mmdbtype.Uint32(1)}}})
	writeDatabase(t, both, map[string]mmdbtype.Map{"192.0.2.0/24": {"asn": mmdbtype.String("AS64501"), "as_name": mmdbtype.String("Other Net"), "country": mmdbtype.String("fr"), "country_name": mmdbtype.String("France")}})
	writeDatabase(t, lite, map[string]mmdbtype.Map{"2001:db8::/32": {"asn": mmdbtype.String("AS64502"), "as_name": mmdbtype.String("Third Net"), "country": mmdbtype.String("Austria"), "country_code": mmdbtype.String("AT")}})
	for _, c := range []struct {
		paths []string
		ip    string
		want  Network
	}{
		{[]string{asn, country}, "192.0.2.1", Network{64500, "Example Net", "DE"}},
		{[]string{country, asn}, "::ffff:192.0.2.1", Network{64500, "Example Net", "DE"}},
		{[]string{both}, "192.0.2.1", Network{64501, "Other Net", "FR"}},
		{[]string{lite}, "2001:db8::1", Network{64502, "Third Net", "AT"}},
		{[]string{asn, country}, "198.51.100.1", Network{}},
		{nil, "192.0.2.1", Network{}},
	} {
		n, err := OpenNetworks(nil, c.paths...)
		if err != nil {
			t.Fatal(err)
		}
		if got := n.Look(netip.MustParseAddr(c.ip)); got != c.want {
			t.Errorf("%v in %v: got %+v, want %+v", c.ip, c.paths, got, c.want)
		}
	}
}

func TestADatabaseThatChangesIsReadAgainAndABrokenOneIsNot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "asn.mmdb")
	write := func(asn uint32) {
		writeDatabase(t, path, map[string]mmdbtype.Map{"192.0.2.0/24": {"autonomous_system_number": mmdbtype.Uint32(asn)}})
	}
	write(64500)
	n, err := OpenNetworks(nil, path)
	if err != nil {
		t.Fatal(err)
	}
	now := then
	n.now = func() time.Time { now = now.Add(lookEvery); return now }
	look := func(want uint32, when string) {
		t.Helper()
		if got := n.Look(netip.MustParseAddr("192.0.2.1")); got.ASN != want {
			t.Errorf("%s: got %d, want %d", when, got.ASN, want)
		}
	}
	look(64500, "at first")
	write(64501)
	look(64501, "after a change")
	if err := os.WriteFile(path, []byte("half a fi"), 0o600); err != nil {
		t.Fatal(err)
	}
	look(64501, "while it is broken")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	look(64501, "while it is away")
	write(64502)
	look(64502, "when it is whole again")
	if _, err := OpenNetworks(nil, path+".none"); err == nil {
		t.Error("a file that isn't there was opened")
	}
}

func FuzzNetworks(f *testing.F) {
	path := filepath.Join(f.TempDir(), "asn.mmdb")
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "Test", RecordSize: 24})
	if err != nil {
		f.Fatal(err)
	}
	_, network, _ := net.ParseCIDR("1.0.0.0/24")
	if err := tree.Insert(network, mmdbtype.Map{"asn": mmdbtype.String("AS64501"), "country": mmdbtype.String("fr")}); err != nil {
		f.Fatal(err)
	}
	var whole strings.Builder
	if _, err := tree.WriteTo(&whole); err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(whole.String()))
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		n, err := OpenNetworks(nil, path)
		if err != nil {
			return
		}
		if got := n.Look(netip.MustParseAddr("1.0.0.1")); len(got.Country) != 0 && len(got.Country) != 2 {
			t.Errorf("got %+v", got)
		}
	})
}
