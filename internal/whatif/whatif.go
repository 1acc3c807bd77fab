// Package whatif answers what would happen if a domain published something else, or the gate had another policy, from the messages that
// were really seen: those that reports counted, and those that the gate did.
//
//	a := whatif.Asker{Insight: asker, Store: s}
//	answer, err := a.DMARC(ctx, whatif.DMARCChange{Domain: "example.com", Period: p, Policy: dmarc.DispositionReject})
//	fmt.Println(answer.Lost.Yours, "messages of yours would be lost")
//
// An answer is a value with a JSON shape, which the command line prints and the dashboard shows. All counts are of messages. What cannot be
// told from what was kept is counted as undecided, and never guessed. Work and memory are bounded, however many messages there were: what
// was too much to look at is counted and named as such.
package whatif

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"slices"

	"github.com/gatepost-mail/gatepost/internal/insight"
	"github.com/gatepost-mail/gatepost/internal/senders"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// A Store is what is asked of a [store.Store].
type Store interface {
	insight.Store
	Alike(ctx context.Context, q store.Question, ips []netip.Addr, limit int) ([]store.Alike, error)
	Observations(ctx context.Context, f store.ObservationFilter) iter.Seq2[store.Count, error]
}

// An Asker finds answers. It may be used by several goroutines.
type Asker struct {
	Insight *insight.Asker // which says whose sources are, and asks DNS
	Store   Store
}

// The errors that callers tell apart.
var (
	ErrNoReports = errors.New("no report in the store is about it")
	ErrDNS       = errors.New("DNS did not answer")
)

// How much is looked at.
const (
	looked  = 1000 // sources of a domain
	failing = 100  // of them, those with the most failures, in detail
	causes  = 4    // of a source's failures that are told
)

// Kinds count messages by whose they are.
type Kinds struct {
	Messages  int64 `json:"messages"` // all of them together
	Yours     int64 `json:"yours"`
	Forwarded int64 `json:"forwarded"`
	Unknown   int64 `json:"unknown"` // nothing shows whose they are
	Abuse     int64 `json:"abuse"`
	Small     int64 `json:"small"` // from sources that were too many and too small to look at
}

func (k *Kinds) add(kind senders.Kind, n int64) {
	k.Messages += n
	switch kind {
	case senders.Passing, senders.Misconfigured:
		k.Yours += n
	case senders.Forwarded:
		k.Forwarded += n
	case senders.Abuse:
		k.Abuse += n
	default:
		k.Unknown += n
	}
}

func (k *Kinds) addSmall(n int64) {
	k.Messages += n
	k.Small += n
}

// A Cause is what some messages have in common that failed.
type Cause struct {
	Text     string `json:"text"`
	Messages int64  `json:"messages"`
}

func causesOf(counted map[string]int64) []Cause {
	all := []Cause{}
	for text, n := range counted {
		all = append(all, Cause{text, n})
	}
	slices.SortFunc(all, func(a, b Cause) int { return most(a.Messages, b.Messages, a.Text, b.Text) })
	return all[:min(len(all), causes)]
}

// most sorts by the larger count, and then by text.
func most(a, b int64, textA, textB string) int {
	switch {
	case a > b:
		return -1
	case a < b:
		return 1
	case textA < textB:
		return -1
	case textA > textB:
		return 1
	}
	return 0
}

// Confidence says how much an answer from reports is worth.
type Confidence struct {
	Level     string  `json:"level"` // high, medium, low
	Days      int     `json:"days"`  // that reports tell of
	Of        int     `json:"of"`    // days of the period
	Messages  int64   `json:"messages"`
	Reporters int     `json:"reporters"`
	Largest   []Share `json:"largest"` // the reporters of the most messages, three at the most
	Silent    int     `json:"silent"`  // who used to report and does not any more
	Text      string  `json:"text"`    // all of it in a sentence
}

// A Share is what part of the messages a reporter told of.
type Share struct {
	Name     string  `json:"name"`
	Messages int64   `json:"messages"`
	Percent  float64 `json:"percent"`
}

// By what the level is told.
const (
	highDays, highMessages, highReporters = 21, 1000, 3
	lowDays, lowMessages                  = 7, 100
)

func confidence(d *insight.Domain, facts *insight.DomainFacts, p insight.Period) Confidence {
	c := Confidence{Of: p.Len(), Messages: d.Now.Messages, Reporters: len(d.Reporters), Silent: len(d.Silent), Largest: []Share{}}
	for _, day := range facts.Days {
		if p.Has(day.Day) && day.Messages > 0 {
			c.Days++
		}
	}
	var told int64
	for _, r := range d.Reporters {
		told += r.Messages
	}
	for _, r := range d.Reporters[:min(len(d.Reporters), 3)] {
		c.Largest = append(c.Largest, Share{r.Name, r.Messages, percent(r.Messages, told)})
	}
	switch {
	case c.Days < lowDays || c.Messages < lowMessages:
		c.Level = "low"
	case c.Days >= highDays && c.Messages >= highMessages && c.Reporters >= highReporters && c.Silent == 0:
		c.Level = "high"
	default:
		c.Level = "medium"
	}
	c.Text = fmt.Sprintf("%s: reports of %d of %d days, from %s, on %s", c.Level, c.Days, c.Of, counted(int64(c.Reporters), "reporter"),
		counted(c.Messages, "message"))
	if len(c.Largest) > 0 {
		c.Text += fmt.Sprintf("; %s told of %s of them", c.Largest[0].Name, insight.Percent(c.Largest[0].Percent))
	}
	if c.Silent > 0 {
		c.Text += fmt.Sprintf("; %s fell silent", counted(int64(c.Silent), "reporter"))
	}
	return c
}

func percent(n, of int64) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) * 100 / float64(of)
}

func counted(n int64, what string) string {
	if n != 1 {
		what += "s"
	}
	return insight.Number(n) + " " + what
}

// failingMost gives the sources with the most failures among those with the most messages.
func (a *Asker) failingMost(ctx context.Context, domain string, p insight.Period) ([]netip.Addr, error) {
	top, err := a.Store.TopSources(ctx, a.question(domain, p), looked)
	if err != nil {
		return nil, err
	}
	top = slices.DeleteFunc(top, func(s store.SourceFigures) bool { return s.Failed() == 0 })
	slices.SortStableFunc(top, func(x, y store.SourceFigures) int {
		return most(x.Failed(), y.Failed(), x.IP.String(), y.IP.String())
	})
	var ips []netip.Addr
	for _, s := range top[:min(len(top), failing)] {
		ips = append(ips, s.IP)
	}
	return ips, nil
}

func (a *Asker) question(domain string, p insight.Period) store.Question {
	return store.Question{Domains: []string{domain}, From: p.From, To: p.To, Verified: a.Insight.Verified}
}
