package dashboard

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/internal/keep"
	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/show"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// RecordsIn asks what a domain publishes and published.
type RecordsIn struct {
	Domain string `path:"domain"`
}

// Records are what a watched domain publishes and published, as gatepost history has it.
type Records struct {
	Domain   string         `json:"domain"`
	Watched  bool           `json:"watched"`
	Every    string         `json:"every"`           // how often it is looked at
	Looked   time.Time      `json:"looked,omitzero"` // last
	Next     time.Time      `json:"next,omitzero"`
	Due      bool           `json:"due"` // that time is over
	Records  []RecordLine   `json:"records"`
	Changes  []RecordChange `json:"changes"` // the latest first
	Grades   []RecordText   `json:"grades"`  // likewise
	Findings []FoundLine    `json:"findings"`
}

// A RecordLine is a record, with the texts that it had.
type RecordLine struct {
	Kind   string       `json:"kind"` // as gatepost history --kind has it
	Called string       `json:"called"`
	Name   string       `json:"name"`
	Texts  []RecordText `json:"texts"` // the present one first, then the latest
}

// A RecordText is one text that a record had.
type RecordText struct {
	Text    string    `json:"text"` // empty where there was certainly none
	Present bool      `json:"present"`
	Since   time.Time `json:"since"` // when it began to be there, for the last time
	First   time.Time `json:"first_seen"`
	Last    time.Time `json:"last_seen"`
}

// Short is a long text, such as a key, without its middle; empty where the text is short.
func (t RecordText) Short() string {
	const most = 160
	if len(t.Text) <= most || strings.Contains(t.Text, "\n") {
		return ""
	}
	return show.Elide(show.Printable(t.Text), most*2/3)
}

// A RecordChange is one text in the place of another.
type RecordChange struct {
	At     time.Time    `json:"at"`
	Kind   string       `json:"kind"`
	Called string       `json:"called"`
	Name   string       `json:"name"`
	Old    string       `json:"old"`
	New    string       `json:"new"`
	Words  []WordChange `json:"words"`
}

// A WordChange is words that are the same in both texts, or in one of them.
type WordChange struct {
	Change string `json:"change"` // same, gone, new
	Text   string `json:"text"`
}

// A FoundLine is something that was wrong.
type FoundLine struct {
	ID       string    `json:"id"`
	Subject  string    `json:"subject"`
	Severity string    `json:"severity"` // empty: it is mended
	Since    time.Time `json:"since"`    // it is as it is
	First    time.Time `json:"first_seen"`
}

// recordKinds are in the order in which they are shown.
var recordKinds = []struct{ kind, called string }{
	{"spf", "SPF"}, {"include", "included by SPF"}, {"dkim", "DKIM key"}, {"dmarc", "DMARC"}, {"mx", "MX"}, {"mta-sts", "MTA-STS"},
	{"mta-sts-policy", "MTA-STS policy"}, {"tls-rpt", "TLS reports"}, {"bimi", "BIMI"},
}

// Records tells what a domain publishes and published.
func (d *Desk) Records(ctx context.Context, _ *people.Access, in *RecordsIn) (*Records, error) {
	kept, err := keep.Get(ctx, d.Answers, "domain "+in.Domain+" records", func(ctx context.Context) ([]store.Published, error) {
		return d.Store.Published(ctx, in.Domain)
	})
	if err != nil {
		return nil, err
	}
	c := d.Config()
	every := time.Duration(c.Watch.Every)
	watched := c.Watch.Domains
	if len(watched) == 0 {
		watched = c.Reports.Domains
	}
	r := &Records{Domain: in.Domain, Watched: every > 0 && slices.Contains(watched, in.Domain), Records: []RecordLine{}, Changes: []RecordChange{},
		Grades: []RecordText{}, Findings: []FoundLine{}}
	if r.Watched {
		r.Every = c.Watch.Every.String()
	}
	for _, k := range recordKinds {
		for _, p := range kept.Value {
			if p.Kind == k.kind {
				r.add(&p, k.called)
			}
		}
	}
	first := map[string]time.Time{} // that each finding was seen as one
	for _, p := range kept.Value {
		if at, ok := first[p.Name]; p.Kind == "finding" && p.Text != "" && (!ok || p.First.Before(at)) {
			first[p.Name] = p.First
		}
	}
	for _, p := range kept.Value {
		r.beside(&p, first[p.Name])
	}
	if r.Watched && !r.Looked.IsZero() {
		r.Next = r.Looked.Add(every)
		r.Due = r.Next.Before(d.now())
	}
	r.change()
	return r, nil
}

func textOf(p *store.Published) RecordText {
	return RecordText{Text: p.Text, Present: p.Present, Since: p.Since, First: p.First, Last: p.Last}
}

func (r *Records) add(p *store.Published, called string) {
	n := len(r.Records)
	if n == 0 || r.Records[n-1].Kind != p.Kind || r.Records[n-1].Name != p.Name {
		r.Records = append(r.Records, RecordLine{Kind: p.Kind, Called: called, Name: p.Name})
		n++
	}
	of := &r.Records[n-1]
	of.Texts = append(of.Texts, textOf(p))
}

// beside keeps what is no record: grades, and what was wrong.
func (r *Records) beside(p *store.Published, first time.Time) {
	switch p.Kind {
	case "audit":
		r.Grades = append(r.Grades, textOf(p))
		if p.Present {
			r.Looked = p.Last
		}
	case "finding":
		if !p.Present {
			return // the present text tells that it is mended, and since when
		}
		_, of, _ := strings.Cut(p.Name, " ") // area
		id, subject, _ := strings.Cut(of, " ")
		r.Findings = append(r.Findings, FoundLine{ID: id, Subject: subject, Severity: p.Text, Since: p.Since, First: first})
	}
}

// change compares the texts of each record, and puts all in order.
func (r *Records) change() {
	for _, of := range r.Records {
		for i := range len(of.Texts) - 1 {
			now, before := &of.Texts[i], &of.Texts[i+1]
			r.Changes = append(r.Changes, RecordChange{
				At: now.Since, Kind: of.Kind, Called: of.Called, Name: of.Name, Old: before.Text, New: now.Text, Words: wordChanges(before.Text, now.Text),
			})
		}
	}
	slices.SortStableFunc(r.Changes, func(a, b RecordChange) int { return b.At.Compare(a.At) })
	slices.SortStableFunc(r.Grades, func(a, b RecordText) int { return b.Since.Compare(a.Since) })
	slices.SortStableFunc(r.Findings, func(a, b FoundLine) int {
		if (a.Severity == "") != (b.Severity == "") {
			if a.Severity != "" {
				return -1
			}
			return 1
		}
		return b.Since.Compare(a.Since)
	})
}

// mostWords bounds the work of comparing two texts; those that are longer are told as a whole.
const mostWords = 400

// wordChanges tells by words how one text became another.
func wordChanges(old, now string) []WordChange {
	a, b := strings.Fields(old), strings.Fields(now)
	all := []WordChange{}
	add := func(change string, words []string) {
		if len(words) == 0 {
			return
		}
		if n := len(all); n > 0 && all[n-1].Change == change {
			all[n-1].Text += " " + strings.Join(words, " ")
			return
		}
		all = append(all, WordChange{change, strings.Join(words, " ")})
	}
	if len(a) > mostWords || len(b) > mostWords {
		add("gone", a)
		add("new", b)
		return all
	}
	// The length of what is common to each pair of ends.
	common := make([][]int, len(a)+1)
	for i := range common {
		common[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		switch {
		case a[i] == b[j]:
			add("same", a[i:i+1])
			i, j = i+1, j+1
		case common[i+1][j] >= common[i][j+1]:
			add("gone", a[i:i+1])
			i++
		default:
			add("new", b[j:j+1])
			j++
		}
	}
	add("gone", a[i:])
	add("new", b[j:])
	return all
}

// Title is the domain's.
func (r *Records) Title() string { return r.Domain + ": records" }

// Crumbs lead up.
func (r *Records) Crumbs() []Crumb { return []Crumb{{"Domains", "/domains"}} }

// Tables are the texts, and what was wrong.
func (r *Records) Tables() []Table {
	stamp := func(t time.Time) string { return t.UTC().Format(time.RFC3339) }
	return []Table{
		{"records", []string{"kind", "name", "text", "present", "since", "first seen", "last seen"}, func(yield func([]string) bool) {
			for _, of := range r.Records {
				for _, t := range of.Texts {
					now := ""
					if t.Present {
						now = "now"
					}
					if !yield([]string{of.Kind, of.Name, t.Text, now, stamp(t.Since), stamp(t.First), stamp(t.Last)}) {
						return
					}
				}
			}
		}},
		{"changes", []string{"at", "kind", "name", "old", "new"}, func(yield func([]string) bool) {
			for _, c := range r.Changes {
				if !yield([]string{stamp(c.At), c.Kind, c.Name, c.Old, c.New}) {
					return
				}
			}
		}},
		{"findings", []string{"id", "subject", "severity", "since", "first seen"}, func(yield func([]string) bool) {
			for _, f := range r.Findings {
				if !yield([]string{f.ID, f.Subject, f.Severity, stamp(f.Since), stamp(f.First)}) {
					return
				}
			}
		}},
	}
}
