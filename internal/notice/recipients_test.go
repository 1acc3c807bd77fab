package notice

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
)

// A web answers with texts, and remembers what it was asked.
type web struct {
	texts map[string]string
	kind  string
	asked []string
}

func (w *web) RoundTrip(r *http.Request) (*http.Response, error) {
	w.asked = append(w.asked, r.URL.String())
	text, ok := w.texts[r.URL.String()]
	if !ok {
		return nil, errors.New("refused")
	}
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {w.kind}}, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
}

const zone = `$ORIGIN example.com.
@ 60 IN SOA ns.example.net. host\.master.example.net. 1 1 1 1 1
@ 60 IN MX 10 mx
mx 60 IN A 192.0.2.1
*.example.net. 60 IN A 192.0.2.2
example.net. 60 IN SOA ns.example.net. a.example.net. 1 1 1 1 1
example.net. 60 IN A 192.0.2.2
null.example. 60 IN SOA ns.example.net. a\.b.null.example. 1 1 1 1 1
null.example. 60 IN MX 0 .
`

func found(t *testing.T, w *web, domain string) string {
	t.Helper()
	z, err := dns.ParseZone(strings.NewReader(zone), "zone")
	if err != nil {
		t.Fatal(err)
	}
	f := &Finder{Resolver: z}
	if w != nil {
		f.Web = w
	}
	var all []string
	for _, r := range f.Find(t.Context(), domain, at) {
		all = append(all, r.Source+" "+r.Address)
	}
	return strings.Join(all, ", ")
}

const good = "# ours\nContact: https://example.com/report\nContact: mailto:security%2Bmail@example.net?subject=x\nExpires: 2027-01-01T00:00:00z\n"

func TestTheAddressesAreThoseOfSecurityTxtSOAAndPostmaster(t *testing.T) {
	const url = "https://example.com/.well-known/security.txt"
	const others = "soa host.master@example.net, postmaster postmaster@example.com"
	w := &web{texts: map[string]string{url: good}, kind: "text/plain; charset=utf-8"}
	if got, want := found(t, w, "example.com"), "security.txt security+mail@example.net, "+others; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if len(w.asked) != 1 || w.asked[0] != url {
		t.Errorf("asked %q", w.asked)
	}
	if got := found(t, nil, "example.com"); got != others {
		t.Errorf("without a web: %s", got)
	}
	if got := found(t, &web{texts: map[string]string{url: good}, kind: "text/html"}, "example.com"); got != others {
		t.Errorf("a page: %s", got)
	}
	www := &web{texts: map[string]string{"https://www.example.com/.well-known/security.txt": good}, kind: "text/plain"}
	if got := found(t, www, "example.com"); !strings.HasPrefix(got, "security.txt ") {
		t.Errorf("at www: %s", got)
	}
}

func TestADomainThatTakesNoMailIsNotWrittenTo(t *testing.T) {
	if got := found(t, nil, "null.example"); got != "" {
		t.Errorf("null MX: %s", got)
	}
	if got := found(t, nil, "nowhere.example"); got != "" {
		t.Errorf("no such domain: %s", got)
	}
}

func TestASubdomainHasTheSOAOfItsZone(t *testing.T) {
	if got := found(t, nil, "a.b.example.com"); got != "soa host.master@example.net" {
		t.Errorf("%s", got)
	}
}

func TestContactsOfSecurityTxt(t *testing.T) {
	signed := "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\nContact: mailto:armour@example.com\n\n" + good +
		"- -----\n-----BEGIN PGP SIGNATURE-----\n\nContact: mailto:after@example.com\n-----END PGP SIGNATURE-----\n"
	for name, c := range map[string]struct{ text, want string }{
		"plain":          {good, "security+mail@example.net"},
		"signed":         {signed, "security+mail@example.net"},
		"CRLF":           {strings.ReplaceAll(good, "\n", "\r\n"), "security+mail@example.net"},
		"expired":        {strings.Replace(good, "2027", "2025", 1), ""},
		"no Expires":     {"Contact: mailto:a@example.com\n", ""},
		"two Expires":    {good + "Expires: 2028-01-01T00:00:00Z\n", ""},
		"odd Expires":    {"Contact: mailto:a@example.com\nExpires: soon\n", ""},
		"no mail":        {"Contact: tel:+1-201-555-0123\nExpires: 2027-01-01T00:00:00Z\n", ""},
		"many":           {good + strings.Repeat("Contact: MAILTO:x@example.com\n", 50), "security+mail@example.net x@example.com x@example.com x@example.com x@example.com"},
		"an endless one": {good + strings.Repeat("x", 3000), ""},
	} {
		if got := strings.Join(contacts(c.text, at), " "); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestRNAMEIsAnAddress(t *testing.T) {
	for in, want := range map[string]string{
		"hostmaster.example.com.": "hostmaster@example.com", `a\.b.example.com.`: "a.b@example.com", `a\046b.example.com.`: "a.b@example.com",
		".": "", "": "", "alone.": "", `a\`: "", `a\999.example.com.`: "",
	} {
		if got := rnameAddress(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestAnAddressOfAStrangersIsOneAddressOrNone(t *testing.T) {
	for _, in := range []string{"a@example.com\r\nBcc: b@example.com", "a@example.com,b@example.com", "A <a@example.com>", "a@localhost", "@example.com", "a", ""} {
		if got, ok := mailbox(in); ok {
			t.Errorf("%q: %q", in, got)
		}
	}
	if got, ok := mailbox("a@EXAMPLE.com"); !ok || got != "a@example.com" {
		t.Errorf("%q, %t", got, ok)
	}
}

func FuzzContacts(f *testing.F) {
	f.Add(good)
	f.Add("-----BEGIN PGP SIGNED MESSAGE-----\n\n" + good)
	f.Fuzz(func(t *testing.T, text string) {
		for _, address := range contacts(text, time.Time{}) {
			if got, ok := mailbox(address); ok && strings.ContainsAny(got, "\r\n\x00,;<> ") {
				t.Errorf("%q", got)
			}
		}
		rnameAddress(text)
	})
}
