package audit

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/audit/publish"
)

// A case of a check, testdata/checks/ID.txtar, and ID@ANOTHER.txtar where one does not tell all, says in its comment, line by line, what is not the same for all:
//
//	domain: example.com       the domain that is audited
//	selectors: s1 s2          DKIM selectors to try
//	servers: 192.0.2.1        addresses of the domain's own servers
//	authentic: example.com    names at and below which answers are authentic
//	severity: warning         where it is not the check's own
//
// and holds these files:
//
//	smtp             mail servers, see [auditCase.smtp]; fault/smtp and clean/smtp for one of the zones only
//	fault.zone       a zone with the fault; for what a comment in a zone says, see [auditCase.notes]
//	clean.zone       one that is as it should be, or as the fault's neighbour that must not be taken for it
//	fail             names, a line each, that do not answer, laid over fault.zone: the check must not say anything
//	fix              the text to publish instead, and no such file where the check gives none
//	https/HOST/PATH  what web servers answer, or all of an answer where it begins with HTTP/; fault/https/… and clean/https/… for one of the
//	                 zones only
func TestEachCheckFindsItsFaultAndNothingElse(t *testing.T) {
	for _, c := range catalogue {
		if c.Severity == check.Unknown {
			continue
		}
		more, err := filepath.Glob("testdata/checks/" + c.ID + "@*.txtar")
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range append(more, c.ID+".txtar") {
			name := strings.TrimSuffix(filepath.Base(path), ".txtar")
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				checkOne(t, &c, name)
			})
		}
	}
}

func checkOne(t *testing.T, c *check.Check, name string) {
	k := readCase(t, name)

	found := k.run(t, "fault")
	at := slices.IndexFunc(found, func(f Finding) bool { return f.ID == c.ID })
	if at < 0 {
		t.Fatalf("the fault was not found, but %s", told(found))
	}
	f := found[at]
	if want := k.severity(c); f.Severity != want {
		t.Errorf("it is %s, want %s", f.Severity, want)
	}
	if f.Subject == "" || f.Detail == "" {
		t.Errorf("subject %q, detail %q", f.Subject, f.Detail)
	}
	if clean := k.run(t, "clean"); has(clean, c.ID) {
		t.Errorf("it was found where it is not: %s", told(clean))
	}

	failing := k.run(t, "fault", k.lines("fail")...)
	if has(failing, c.ID) {
		t.Error("it was found though the answer could not be had")
	}
	if !slices.ContainsFunc(failing, func(f Finding) bool { return f.Severity == check.Unknown }) {
		t.Errorf("nothing is unknown where DNS fails: %s", told(failing))
	}

	want, hasFix := k.files["fix"]
	if got := strings.TrimSpace(f.Fix); hasFix && got != strings.TrimSpace(want) || !hasFix && len(f.Changes) > 0 {
		t.Errorf("the fix is\n  %s\nwant\n  %s", got, strings.TrimSpace(want))
	}
	if len(f.Changes) > 0 {
		if after := k.publish(t, f.Changes); slices.ContainsFunc(after, func(a Finding) bool { return a.ID == f.ID && a.Subject == f.Subject }) {
			t.Errorf("its fix was published, and it is still there: %s", told(after))
		}
	}
}

func TestEveryCaseIsOfACheck(t *testing.T) {
	paths, err := filepath.Glob("testdata/checks/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if id, _, _ := strings.Cut(strings.TrimSuffix(filepath.Base(path), ".txtar"), "@"); !slices.ContainsFunc(catalogue, func(c check.Check) bool { return c.ID == id }) {
			t.Errorf("%s: there is no such check", path)
		}
	}
}

func TestEveryCheckSaysWhatItIsAbout(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range catalogue {
		if seen[c.ID] {
			t.Errorf("%s is there twice", c.ID)
		}
		seen[c.ID] = true
		if AreaOf(c.ID) == "" || c.Severity == "" || c.Title == "" || c.Why == "" || c.Explain == "" || c.Reference == "" || c.Look == nil {
			t.Errorf("%s: something is missing of %+v", c.ID, c)
		}
		if len([]rune(c.Title)) > 60 || strings.HasSuffix(c.Title, ".") {
			t.Errorf("%s: the title is to have 60 characters and no full stop: %q", c.ID, c.Title)
		}
		for _, text := range []string{c.Why, c.Explain} {
			if !strings.HasSuffix(text, ".") && !strings.Contains(text, "\n\t") {
				t.Errorf("%s: %q is no sentence", c.ID, text)
			}
		}
	}
}

type auditCase struct {
	comment map[string]string
	files   map[string]string
}

func readCase(t *testing.T, name string) *auditCase {
	t.Helper()
	text, err := os.ReadFile("testdata/checks/" + name + ".txtar")
	if err != nil {
		t.Fatalf("each check has a case: %v", err)
	}
	archive := txtar.Parse(text)
	k := &auditCase{comment: map[string]string{}, files: map[string]string{}}
	for line := range strings.Lines(string(archive.Comment)) {
		if key, value, ok := strings.Cut(line, ": "); ok && !strings.Contains(key, " ") {
			k.comment[key] = strings.TrimSpace(value)
		}
	}
	for _, f := range archive.Files {
		k.files[f.Name] = string(f.Data)
	}
	for _, name := range []string{"fault.zone", "clean.zone", "fail"} {
		if strings.TrimSpace(k.files[name]) == "" {
			t.Fatalf("the case has no %s", name)
		}
	}
	return k
}

func (k *auditCase) lines(name string) []string { return strings.Fields(k.files[name]) }

func (k *auditCase) severity(c *check.Check) check.Severity {
	if s := k.comment["severity"]; s != "" {
		return check.Severity(s)
	}
	return c.Severity
}

func (k *auditCase) domain() string {
	if d := k.comment["domain"]; d != "" {
		return d
	}
	return "example.com"
}

// run audits by one of the zones, where some names do not answer.
func (k *auditCase) run(t *testing.T, which string, failing ...string) []Finding {
	t.Helper()
	return Run(context.Background(), k.domain(), k.options(t, which, failing)).Findings
}

// publish audits by the zone with the fault, where changes were made to it.
func (k *auditCase) publish(t *testing.T, changes []publish.Change) []Finding {
	t.Helper()
	o := k.options(t, "fault", nil)
	o.Resolver = publish.Overlay(o.Resolver, changes)
	o.Unchecked = publish.Overlay(o.Unchecked, changes)
	o.Web = publish.Files(o.Web, changes)
	return Run(context.Background(), k.domain(), o).Findings
}

func (k *auditCase) options(t *testing.T, which string, failing []string) facts.Options {
	t.Helper()
	zone, err := dns.ParseZone(strings.NewReader(k.files[which+".zone"]), which+".zone")
	if err != nil {
		t.Fatal(err)
	}
	o := facts.Options{
		Resolver:  &troubled{zone, failing, strings.Fields(k.comment["authentic"])},
		Web:       served{k, which, failing},
		Selectors: strings.Fields(k.comment["selectors"]),
		Now:       time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC),
	}
	k.notes(which, &o)
	k.smtp(t, which, failing, &o)
	k.keys(which, &o)
	for _, ip := range strings.Fields(k.comment["servers"]) {
		o.Servers = append(o.Servers, netip.MustParseAddr(ip))
	}
	return o
}

// troubled answers from a zone, but for names that fail.
type troubled struct {
	dns.Resolver
	failing   []string
	authentic []string
}

func (r *troubled) Lookup(ctx context.Context, name string, typ dns.Type) (dns.Answer, error) {
	if slices.Contains(r.failing, name) {
		return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: dns.ErrServFail}
	}
	answer, err := r.Resolver.Lookup(ctx, name, typ)
	for _, signed := range r.authentic {
		if err == nil && (name == signed || strings.HasSuffix(name, "."+signed)) {
			answer.Authentic = true
		}
	}
	return answer, err
}

// served answers for web servers from the files of a case.
type served struct {
	k       *auditCase
	which   string
	failing []string
}

func (s served) RoundTrip(r *http.Request) (*http.Response, error) {
	if slices.Contains(s.failing, r.URL.String()) {
		return nil, fmt.Errorf("%s does not answer", r.URL.Host)
	}
	status := http.StatusOK
	path := r.URL.Scheme + "/" + r.URL.Host + r.URL.Path
	body, ok := s.k.files[s.which+"/"+path]
	if !ok {
		body, ok = s.k.files[path]
	}
	if !ok {
		status = http.StatusNotFound
	}
	if strings.HasPrefix(body, "HTTP/") {
		return http.ReadResponse(bufio.NewReader(strings.NewReader(body)), r)
	}
	return &http.Response{StatusCode: status, Request: r, Header: http.Header{"Content-Type": {"text/plain"}},
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}, nil
}

func told(all []Finding) string {
	var ids []string
	for _, f := range all {
		ids = append(ids, fmt.Sprintf("%s (%s: %s)", f.ID, f.Subject, f.Detail))
	}
	return strings.Join(ids, "\n\t")
}
