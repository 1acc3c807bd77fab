package bulk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
)

// uneven answers from a zone after a time of its own for each question.
type uneven struct {
	dns.Resolver
	now, most atomic.Int64
}

func (r *uneven) Lookup(ctx context.Context, name string, typ dns.Type) (dns.Answer, error) {
	r.most.Store(max(r.most.Load(), r.now.Add(1)))
	defer r.now.Add(-1)
	time.Sleep(time.Duration(rand.IntN(300)) * time.Microsecond)
	return r.Resolver.Lookup(ctx, name, typ)
}

// resolver knows all d<n>.example; those whose number is a multiple of three have no SPF record.
func resolver(t *testing.T, n int) *uneven {
	t.Helper()
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "d%d.example. IN MX 10 mx.example.net.\n", i)
		if i%3 != 0 {
			fmt.Fprintf(&text, "d%d.example. IN TXT \"v=spf1 mx -all\"\n", i)
		}
	}
	text.WriteString("mx.example.net. IN A 192.0.2.1\n")
	zone, err := dns.ParseZone(strings.NewReader(text.String()), "test.zone")
	if err != nil {
		t.Fatal(err)
	}
	return &uneven{Resolver: zone}
}

func render(r Result) []byte {
	if r.Err != nil {
		text, _ := json.Marshal(map[string]string{"domain": r.Name, "error": r.Err.Error()})
		return append(text, '\n')
	}
	text, _ := json.Marshal(lineOf(r.Report))
	return append(text, '\n')
}

func input(n int) string {
	var b strings.Builder
	b.WriteString("# ours\n\n")
	for i := range n {
		fmt.Fprintf(&b, "d%d.example, and more\n", i)
		if i == 10 {
			b.WriteString("not..a.name\n")
		}
	}
	return b.String()
}

func options(t *testing.T, n int, out *bytes.Buffer) Options {
	t.Helper()
	return Options{
		Domains: Lines(strings.NewReader(input(n))), Facts: facts.Options{Resolver: resolver(t, n)}, AtOnce: 20,
		Render: render, Write: func(text []byte) error { out.Write(text); return nil },
	}
}

func TestResultsHaveTheOrderOfTheDomains(t *testing.T) {
	const n = 120
	var out bytes.Buffer
	summary, err := Run(t.Context(), options(t, n, &out))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != n+1 {
		t.Fatalf("%d lines, want %d", len(lines), n+1)
	}
	lines = slices.Delete(lines, 11, 12) // the name that is none
	for i, text := range lines {
		if want := fmt.Sprintf(`{"domain":"d%d.example"`, i); !strings.HasPrefix(text, want) {
			t.Fatalf("line %d is %s, want %s…", i+1, text, want)
		}
	}
	if summary.Domains != n || summary.NoNames != 1 || summary.Findings["spf-missing"] != n/3 {
		t.Errorf("the summary is %+v", summary)
	}
	var graded float64
	for _, s := range summary.ByGrade() {
		graded += s.Percent
	}
	if graded < 99.9 || graded > 100.1 {
		t.Errorf("the grades are %v percent of the domains", graded)
	}
}

func TestARunThatWasBrokenOffGoesOnWhereItEnded(t *testing.T) {
	const n = 60
	var whole, half bytes.Buffer
	want, err := Run(t.Context(), options(t, n, &whole))
	if err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	o := options(t, n, &half)
	o.Done = func(done int) {
		if done == 25 {
			cancel()
		}
	}
	if _, err := Run(ctx, o); !errors.Is(err, context.Canceled) {
		t.Fatalf("the run ended with %v", err)
	}
	half.WriteString(`{"domain":"d25.exa`) // killed while it wrote

	p, err := Resume(bytes.NewReader(half.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	half.Truncate(int(p.Size))
	o = options(t, n, &half)
	o.Domains, o.Summary = p.Rest(o.Domains), p.Summary
	got, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if half.String() != whole.String() {
		t.Error("the output of both runs is not that of one")
	}
	if fmt.Sprint(*got) != fmt.Sprint(*want) {
		t.Errorf("the summary is\n%+v, want\n%+v", got, want)
	}
}

func TestResumeWithOtherInputIsRefused(t *testing.T) {
	var out bytes.Buffer
	if _, err := Run(t.Context(), options(t, 5, &out)); err != nil {
		t.Fatal(err)
	}
	for what, domains := range map[string]string{"others": "a.example\nb.example\nc.example\nd.example\ne.example\n", "fewer": "d0.example\n"} {
		p, err := Resume(bytes.NewReader(out.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		o := options(t, 5, new(bytes.Buffer))
		o.Domains = p.Rest(Lines(strings.NewReader(domains)))
		if _, err := Run(t.Context(), o); err == nil {
			t.Errorf("%s were taken", what)
		}
	}
	if _, err := Resume(strings.NewReader("a.example\n")); err == nil {
		t.Error("a list of names was taken for output")
	}
}

func TestAFaultOfTheInputEndsTheRunAfterWhatWasGood(t *testing.T) {
	var out bytes.Buffer
	o := options(t, 3, &out)
	o.Domains = Lines(strings.NewReader("d0.example\n" + strings.Repeat("x", maxLine+1) + "\nd1.example\n"))
	if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("it ended with %v", err)
	}
	if n := strings.Count(out.String(), "\n"); n != 1 {
		t.Errorf("%d lines were written", n)
	}
}

func TestAFaultInWritingEndsTheRun(t *testing.T) {
	full := errors.New("disk full")
	o := options(t, 200, nil)
	o.Write = func([]byte) error { return full }
	if _, err := Run(t.Context(), o); !errors.Is(err, full) {
		t.Errorf("it ended with %v", err)
	}
}

func TestNoMoreQuestionsAreUnderWayThanAllowed(t *testing.T) {
	r := resolver(t, 80)
	o := options(t, 80, new(bytes.Buffer))
	o.Facts.Resolver, o.Asking = r, 7
	if _, err := Run(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if most := r.most.Load(); most > 7 {
		t.Errorf("%d questions were under way at once", most)
	}
}

func TestWhatCouldNotBeHadIsCountedAsUnknown(t *testing.T) {
	var s Summary
	l := &line{Domain: "example.com", Grade: check.Undecided}
	if err := json.Unmarshal([]byte(`{"findings":[{"id":"spf-unknown","severity":"unknown"},{"id":"mx-unknown","severity":"unknown"}]}`), l); err != nil {
		t.Fatal(err)
	}
	s.add(l)
	if s.Unknown != 1 || s.Grades[check.Undecided] != 1 {
		t.Errorf("%+v", s)
	}
}
