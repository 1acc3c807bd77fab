package store

import (
	"bytes"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// Whatever the bytes are, what is read of them is written and read again as the same, and is never larger than the bounds allow.
func FuzzRowsReadAsTheyWereWritten(f *testing.F) {
	row := Row{SourceIP: netip.MustParseAddr("2001:db8::1"), Count: 3, Disposition: "none", DKIM: "pass", SPF: "fail", HeaderFrom: "Example.com",
		EnvelopeFrom: "a\x00\xff", EnvelopeTo: "example.org", Reasons: []Reason{{"other", "x"}}, AuthDKIM: []AuthDKIM{{"example.com", "s", "pass", ""}},
		AuthSPF: []AuthSPF{{"example.com", "mfrom", "pass", ""}}}
	f.Add(appendRow(nil, &row))
	f.Add(appendRow(appendRow(nil, &Row{Count: -1}), &Row{Count: 1 << 60}))
	f.Add([]byte{5, 0, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		for n := 0; len(b) > 0 && n < 100; n++ {
			var first, second Row
			rest, err := cutRow(b, &first)
			if err != nil {
				return
			}
			if len(rest) >= len(b) {
				t.Fatal("it does not get on")
			}
			b = rest
			written := appendRow(nil, &first)
			if rest, err := cutRow(written, &second); err != nil || len(rest) != 0 {
				t.Fatalf("%+v: %v, %d bytes left", first, err, len(rest))
			}
			if again := appendRow(nil, &second); !bytes.Equal(written, again) {
				t.Fatalf("got  %+v\nwant %+v", second, first)
			}
			if !bytes.Equal(appendFacet(nil, &second), appendFacet(nil, &second)) || len(written) > maxChunkBytes-chunkBytes {
				t.Fatalf("%d bytes", len(written))
			}
		}
	})
}

func TestTheLargestRowFitsIntoAChunk(t *testing.T) {
	long := strings.Repeat("x", 10_000)
	row := Row{HeaderFrom: long, EnvelopeFrom: long, EnvelopeTo: long, Disposition: long, DKIM: long, SPF: long,
		Reasons: slices.Repeat([]Reason{{long, long}}, 50), AuthDKIM: slices.Repeat([]AuthDKIM{{long, long, long, long}}, 50),
		AuthSPF: slices.Repeat([]AuthSPF{{long, long, long, long}}, 50)}
	if n := len(appendRow(nil, &row)); n > maxChunkBytes-chunkBytes {
		t.Errorf("%d bytes", n)
	}
}

// Facets differ in each of their members, and in nothing else.
func TestFacetsAreWhatTellsRowsApart(t *testing.T) {
	base := func() Row {
		return Row{SourceIP: netip.MustParseAddr("192.0.2.1"), Count: 3, HeaderFrom: "example.com", AuthDKIM: []AuthDKIM{{"a", "s", "pass", ""}},
			AuthSPF: []AuthSPF{{"a", "mfrom", "pass", ""}}, Reasons: []Reason{{"other", ""}}}
	}
	key := func(change func(*Row)) string {
		r := base()
		change(&r)
		return string(appendFacet(nil, &r))
	}
	want := key(func(*Row) {})
	for name, change := range map[string]func(*Row){
		"source": func(r *Row) { r.SourceIP = netip.Addr{} }, "count": func(r *Row) { r.Count = 9 }, "recipient": func(r *Row) { r.EnvelopeTo = "b" },
		"comment": func(r *Row) { r.Reasons[0].Comment = "b" }, "human result": func(r *Row) { r.AuthDKIM[0].HumanResult = "b" },
		"capitals of a domain": func(r *Row) { r.HeaderFrom = "EXAMPLE.com" },
	} {
		if key(change) != want {
			t.Errorf("%s makes another facet", name)
		}
	}
	seen := map[string]string{want: "nothing"}
	for name, change := range map[string]func(*Row){
		"header": func(r *Row) { r.HeaderFrom = "b" }, "envelope": func(r *Row) { r.EnvelopeFrom = "b" }, "dkim": func(r *Row) { r.DKIM = "b" },
		"spf": func(r *Row) { r.SPF = "b" }, "disposition": func(r *Row) { r.Disposition = "b" }, "reason": func(r *Row) { r.Reasons[0].Type = "b" },
		"no reason": func(r *Row) { r.Reasons = nil }, "SDID": func(r *Row) { r.AuthDKIM[0].Domain = "b" },
		"selector": func(r *Row) { r.AuthDKIM[0].Selector = "b" }, "signature": func(r *Row) { r.AuthDKIM[0].Result = "b" },
		"no signature": func(r *Row) { r.AuthDKIM = nil }, "scope": func(r *Row) { r.AuthSPF[0].Scope = "b" }, "no SPF": func(r *Row) { r.AuthSPF = nil },
	} {
		k := key(change)
		if seen[k] != "" {
			t.Errorf("%s makes the same facet as %s", name, seen[k])
		}
		seen[k] = name
	}
	r := base()
	if f := facetOf(&r); !reflect.DeepEqual(f.Auth, facetAuth{DKIM: []facetDKIM{{"a", "s", "pass"}}, SPF: []facetSPF{{"a", "mfrom", "pass"}},
		Reasons: []string{"other"}}) {
		t.Errorf("got %+v", f)
	}
}
