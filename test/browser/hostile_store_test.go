package browser

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/demo"
	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/store/storetest"
	"github.com/gatepost-mail/gatepost/report/failure"
	"github.com/gatepost-mail/gatepost/report/tlsrpt"
)

// hostile are texts that would do something if a page took them for more than texts. What they would make has the class or the name
// "planted", and what they would run sets window.ran.
var hostile = []string{
	`<script>window.ran=1</script><b class=planted>x</b>`,
	`"><img class=planted src=https://evil.example/x onerror=window.ran=1>`,
	`' onmouseover='window.ran=1' class='planted`,
	`javascript:window.ran=1//`,
	`planted{{7*7}}${7*7}`,
	`</textarea></title></style></code><svg class=planted onload=window.ran=1>`,
	"</script><iframe class=planted src=//evil.example></iframe>",
	"moc.\u202egpj\u2066\u0000\u0007\x1b[31m<b class=planted>",
	"=HYPERLINK(\"https://evil.example\")<a class=planted href=javascript:window.ran=1>",
	"@SUM(1)\r\n\r\n<meta class=planted http-equiv=refresh content='0;url=https://evil.example'>",
	strings.Repeat("W", 10_000) + `<b class=planted>`,
}

// A filler writes hostile texts into every field of a value that holds a text.
type filler struct{ next int }

func (f *filler) text() string {
	f.next++
	first := f.next % len(hostile)
	if len(hostile[first]) > 5000 {
		return hostile[first]
	}
	// What a field cuts off is another's beginning.
	return hostile[first] + hostile[(first+1)%(len(hostile)-1)]
}

func (f *filler) fill(v any) { f.value(reflect.ValueOf(v).Elem()) }

func (f *filler) value(v reflect.Value) {
	if !v.CanSet() {
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(f.text())
	case reflect.Struct:
		if _, ok := v.Interface().(time.Time); ok {
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				f.value(v.Field(i))
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			f.value(v.Index(i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.value(v.Elem())
	case reflect.Int64, reflect.Int:
		v.SetInt(3)
	}
}

// document is what a report of a kind is kept as, full of hostile texts.
func (f *filler) document(kind string) json.RawMessage {
	var of any
	switch kind {
	case store.Failure:
		d := &failure.Document{}
		f.fill(d)
		of = d
	case store.TLS:
		d := &tlsrpt.Document{}
		f.fill(d)
		of = d
	default:
		all := map[string]any{"errors": []string{f.text(), f.text()}, "extensions": []map[string]string{{"namespace": f.text(), "name": f.text(), "xml": f.text()}}}
		for _, name := range []string{"reporter", "reporter_email", "extra_contact", "generator", "report_id", "version"} {
			all[name] = f.text()
		}
		policy := map[string]any{"domain": "example.com"}
		for _, name := range []string{"p", "sp", "np", "adkim", "aspf", "fo", "discovery"} {
			policy[name] = f.text()
		}
		all["policy"] = policy
		of = all
	}
	text, err := json.Marshal(of)
	if err != nil {
		panic(err)
	}
	var members map[string]any
	if err := json.Unmarshal(text, &members); err != nil {
		panic(err)
	}
	members["kind"] = kind
	text, _ = json.Marshal(members)
	return text
}

var hostileNow = time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)

// hostileWorld is a store in which every text is hostile, beside a configuration and DNS that are as well.
func hostileWorld(t *testing.T) *demo.Demo {
	t.Helper()
	dir := t.TempDir()
	d := &demo.Demo{Config: filepath.Join(dir, "gatepost.toml"), Store: filepath.Join(dir, "gatepost.db"), Zone: filepath.Join(dir, "zone"), Now: hostileNow, Reference: "R-1"}
	config := "authserv_id = \"mx1.example.com\"\nstate_dir = \".\"\n[resolver]\nzone = \"zone\"\n[reports]\ndomains = [\"example.com\", \"example.org\", \"example.net\"]\n" +
		"[notice]\nfrom = \"Works <postmaster@example.com>\"\nreturn_address = \"notices@example.com\"\norganization = \"Works\"\ncontact = \"postmaster@example.com\"\n"
	if err := os.WriteFile(d.Config, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.Zone, []byte(hostileZone()), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), d.Store, store.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	f := &filler{}
	for _, fill := range []func(context.Context, store.Store) error{f.decisions, f.reports, f.sources, f.published, f.notices, f.letters, f.people} {
		if err := fill(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// hostileZone has records of the domains that are audited, with hostile texts in each.
func hostileZone() string {
	var b strings.Builder
	quote := func(text string) string {
		var q strings.Builder
		for _, c := range []byte(text[:min(len(text), 250)]) {
			if c < ' ' || c >= 0x7f || c == '"' || c == '\\' || c == ';' {
				fmt.Fprintf(&q, `\%03d`, c)
			} else {
				q.WriteByte(c)
			}
		}
		return `"` + q.String() + `"`
	}
	for _, domain := range []string{"example.com", "supplier.example"} {
		for i, text := range hostile {
			fmt.Fprintf(&b, "%s. IN TXT %s\n", domain, quote(text))
			fmt.Fprintf(&b, "s%d._domainkey.%s. IN TXT %s\n", i+1, domain, quote("v=DKIM1; n="+text))
		}
		fmt.Fprintf(&b, "%s. IN TXT %s\n", domain, quote("v=spf1 include:"+hostile[0]+" -all"))
		fmt.Fprintf(&b, "_dmarc.%s. IN TXT %s\n", domain, quote("v=DMARC1; p=none; x="+hostile[1]+"; rua=mailto:"+hostile[3]))
		fmt.Fprintf(&b, "_mta-sts.%s. IN TXT %s\n", domain, quote("v=STSv1; id="+hostile[5]))
		fmt.Fprintf(&b, "_smtp._tls.%s. IN TXT %s\n", domain, quote("v=TLSRPTv1; rua="+hostile[3]))
		fmt.Fprintf(&b, "default._bimi.%s. IN TXT %s\n", domain, quote("v=BIMI1; l="+hostile[3]))
		fmt.Fprintf(&b, "%s. IN MX 10 \\<b\\032class\\061planted\\>.%s.\n", domain, domain)
	}
	return b.String()
}

func (f *filler) decisions(ctx context.Context, s store.Store) error {
	b := store.Batch{Source: "hostile", Number: 1}
	for i := range 3 * len(hostile) {
		var d store.Decision
		f.fill(&d)
		d.ID, d.Time, d.ClientIP = 0, hostileNow.Add(-time.Duration(i)*time.Hour), netip.MustParseAddr("192.0.2.1")
		if i%3 == 0 {
			d.AuthorDomain, d.EnvelopeDomain, d.PolicyDomain, d.Verdict, d.Done = "supplier.example", "supplier.example", "supplier.example", "reject", "reject"
		}
		if i == 0 {
			d.Reference = "R-1"
		}
		b.Decisions = append(b.Decisions, d)
		var o store.Count
		f.fill(&o)
		o.Observation.Day, o.SourceIP = hostileNow.Truncate(24*time.Hour).AddDate(0, 0, -i%5), netip.MustParseAddr("192.0.2.1")
		if i%2 == 0 {
			o.AuthorDomain = "example.com"
		}
		b.Counts = append(b.Counts, o)
	}
	if err := s.AddBatch(ctx, b); err != nil {
		return err
	}
	for range len(hostile) {
		var e store.Exception
		f.fill(&e)
		e.Network, e.Until, e.Created = netip.MustParsePrefix("192.0.2.0/24"), hostileNow.AddDate(0, 1, 0), hostileNow
		if err := s.AddException(ctx, &e); err != nil {
			return err
		}
	}
	return nil
}

func (f *filler) reports(ctx context.Context, s store.Store) error {
	var all []store.Arrival
	for i := range 3 * len(hostile) {
		kind := []string{store.Aggregate, store.Failure, store.TLS}[i%3]
		body := fmt.Sprintf("%d %s", i, f.text())
		a := store.Arrival{}
		f.fill(&a.Raw)
		a.Raw.Hash, a.Raw.Size, a.Raw.At = sha256.Sum256([]byte(body)), int64(len(body)), hostileNow.Add(-time.Hour)
		a.Raw.Open = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(body)), nil }
		a.Refusals = []string{f.text(), f.text()}
		if i%5 != 4 {
			r := store.Report{}
			f.fill(&r)
			r.Kind, r.Content, r.Document, r.Rows, r.Held = kind, sha256.Sum256([]byte(body)), f.document(kind), nil, 0
			r.Begin, r.End = hostileNow.AddDate(0, 0, -2), hostileNow.AddDate(0, 0, -1)
			if i%2 == 0 {
				r.Domain = "example.com"
			}
			f.contents(&r)
			a.Reports = []store.Report{r}
		}
		all = append(all, a)
	}
	_, err := s.AddArrivals(ctx, all)
	return err
}

// contents are those of a report of its kind.
func (f *filler) contents(r *store.Report) {
	if r.Kind != store.TLS {
		r.TLS = nil
	}
	for i := range r.TLS {
		if i == 0 {
			r.TLS[i].Domain = "example.com"
		}
	}
	if r.Kind != store.Failure {
		r.Failure = nil
	} else {
		r.Failure.Arrived, r.Failure.SourceIP = r.Begin, netip.MustParseAddr("192.0.2.1")
	}
	if r.Kind != store.Aggregate {
		return
	}
	var rows []store.Row
	for i := range len(hostile) {
		var row store.Row
		f.fill(&row)
		row.SourceIP, row.Count = netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}), int64(i+1)
		if i%2 == 0 {
			row.Disposition, row.DKIM, row.SPF = "none", "fail", "fail"
		}
		rows = append(rows, row)
	}
	r.Rows = storetest.Rows(rows...)
}

func (f *filler) sources(ctx context.Context, s store.Store) error {
	var all []store.Address
	for i := range len(hostile) {
		a := store.Address{}
		f.fill(&a)
		a.IP, a.ASN, a.LookedAt, a.Confirmed = netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}), 64500, hostileNow, i%2 == 0
		all = append(all, a)
		m := store.SourceMark{}
		f.fill(&m)
		m.Source, m.Class, m.At = a.IP.String(), "ours", hostileNow
		if i%2 == 0 {
			m.Domain = "example.com"
		}
		if err := s.SetMark(ctx, m); err != nil {
			return err
		}
	}
	return s.PutAddresses(ctx, all)
}

func (f *filler) published(ctx context.Context, s store.Store) error {
	kinds := []string{"spf", "include", "dkim", "dmarc", "mx", "mta-sts", "mta-sts-policy", "tls-rpt", "bimi", "finding", "audit"}
	for at := range 3 {
		var all []store.Published
		for i, kind := range kinds {
			for j := range 2 {
				name := hostile[(i+j)%len(hostile)]
				if kind == "finding" {
					name = "spf " + name + " " + name
				}
				all = append(all, store.Published{Kind: kind, Name: name, Text: "v=1 " + f.text() + " " + f.text()})
			}
		}
		if err := s.SeePublished(ctx, "example.com", all, hostileNow.AddDate(0, 0, at-4)); err != nil {
			return err
		}
	}
	return nil
}

func (f *filler) notices(ctx context.Context, s store.Store) error {
	states := []string{"", store.NoticeApproved, store.NoticeDeclined, store.NoticeClosed}
	for i := range 2 * len(hostile) {
		n := store.Notice{}
		f.fill(&n)
		n.ID, n.Opened, n.Changed, n.Letters = 0, hostileNow.AddDate(0, 0, -1), hostileNow.AddDate(0, 0, -1), nil
		n.Token = fmt.Sprintf("token-%d", i)
		n.Domain, n.Organization = fmt.Sprintf("d%d.%.60s", i, n.Domain), fmt.Sprintf("d%d.%.60s", i, n.Organization)
		if i == 0 {
			n.Domain, n.Organization = "supplier.example", "supplier.example"
		}
		got, _, err := s.ProposeNotice(ctx, n)
		if err != nil {
			return err
		}
		if state := states[i%len(states)]; state != "" {
			if _, err := s.MoveNotice(ctx, got.ID, store.OpenNotice, store.NoticeMove{State: state, Author: f.text(), Detail: f.text(), At: hostileNow}); err != nil {
				return err
			}
		}
		if _, err := s.AnswerNotice(ctx, n.Token, store.NoticeAnswer{Bounced: true, Detail: f.text(), At: hostileNow}); err != nil && !errors.Is(err, store.ErrNoNotice) {
			return err
		}
	}
	for range len(hostile) {
		var x store.Suppression
		f.fill(&x)
		if err := s.Suppress(ctx, x); err != nil {
			return err
		}
	}
	return nil
}

func (f *filler) letters(ctx context.Context, s store.Store) error {
	for i := range len(hostile) {
		l := store.Letter{}
		f.fill(&l)
		l.Period, l.At = fmt.Sprintf("2026-W%d", i+10), hostileNow
		got, _, err := s.ClaimLetter(ctx, l, true)
		if err != nil {
			return err
		}
		got.State, got.Detail, got.MessageID = store.LetterFailed, f.text(), f.text()
		if err := s.SettleLetter(ctx, got); err != nil && !errors.Is(err, store.ErrNotClaimed) {
			return err
		}
	}
	return nil
}

func (f *filler) people(ctx context.Context, s store.Store) error {
	all, ok := s.(people.Store)
	if !ok {
		return nil
	}
	for i := range len(hostile) {
		var p people.Person
		f.fill(&p)
		p.ID, p.Grants, p.Created = 0, []people.Grant{{Over: f.text(), Role: people.Viewer}}, hostileNow
		p.Name, p.Subject = fmt.Sprintf("%d%s", i, p.Name), fmt.Sprintf("%d%s", i, p.Subject)
		id, err := all.AddPerson(ctx, p)
		if err != nil {
			return err
		}
		var x people.Session
		f.fill(&x)
		x.Hash, x.Person, x.Created, x.Seen, x.Expires = people.Hash{byte(i)}, id, hostileNow, hostileNow, hostileNow.AddDate(1, 0, 0)
		var token people.Token
		f.fill(&token)
		token.ID, token.Hash, token.Person, token.Role, token.Created = 0, people.Hash{byte(i)}, id, people.Viewer, hostileNow
		var e people.Event
		f.fill(&e)
		e.ID, e.At = 0, hostileNow
		_, failed := all.AddToken(ctx, token)
		if err := errors.Join(all.AddSession(ctx, x), failed, all.AddEvent(ctx, e)); err != nil {
			return err
		}
	}
	return nil
}
