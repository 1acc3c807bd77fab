package facts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/dns"
)

// DKIMFacts are what is known of a domain's keys (RFC 6376 3.6).
type DKIMFacts struct {
	Below     Asked      // _domainkey itself: where it does not exist, nor does any key
	Wildcard  Asked      // a selector that nobody uses: where it answers, every selector does
	ADSP      Asked      // _adsp._domainkey, which RFC 5617 had and nobody reads any more
	Selectors []Selector // those that answered, in the order in which they were tried
	Dangling  []Alias    // those that are aliases for nothing
	Tried     int        // selectors
}

// A Selector is one under which there is something.
type Selector struct {
	Name     string
	Asked    Asked
	Alias    string     // where its record is instead, if the name is an alias
	Guessed  bool       // nobody named it: it was tried since others use it
	Wildcard bool       // its record is the one that every selector has
	Texts    []string   // those that are meant as key records; one is right
	Text     string     // the first that is a key record; without one, the first that is meant as one
	Tags     []dkim.Tag // of Text, also where it is no key; none if it is no list of tags at all
	Key      *dkim.Key  // nil where Text is none
	Err      error
}

// An Alias is a name that stands for another.
type Alias struct {
	Selector string
	Name     string
	Target   string
	Free     bool // the domain that the target is in is not registered
}

// Usable tells whether signatures can be verified with the key.
func (s *Selector) Usable() bool { return s.Err == nil && s.Key != nil && s.Key.Public != nil }

// Hash is a short name for the key, the same wherever it is published; empty without one.
func (s *Selector) Hash() string {
	if !s.Usable() {
		return ""
	}
	return KeyHash(s.Key)
}

// KeyHash is a short name for a public key, the same wherever and with whatever tags it is published.
func KeyHash(key *dkim.Key) string {
	text := dkim.Record(key.Public)
	sum := sha256.Sum256([]byte(text[strings.LastIndex(text, "p=")+2:]))
	return hex.EncodeToString(sum[:])
}

const (
	mostFailures = 4  // of selectors that were guessed, before we stop to guess
	mostTexts    = 16 // that are looked at under one selector
)

// dkim looks for keys.
func (g *gatherer) dkim(ctx context.Context) {
	d := &g.f.DKIM
	below := "_domainkey." + g.f.Domain
	d.Below = Asked{Name: below, Type: dns.TypeTXT}
	d.Below.Answer, d.Below.Err = g.r.Lookup(ctx, below, dns.TypeTXT)
	wanted := g.selectors()
	if errors.Is(d.Below.Err, dns.ErrNXDomain) {
		// Nothing is below a name that does not exist (RFC 8020). Some name servers say so of names that have only names below them:
		// what was named to us is asked for all the same.
		wanted = slices.DeleteFunc(wanted, func(c candidate) bool { return c.guessed })
	} else {
		d.ADSP = g.ask(ctx, DKIM, "_adsp."+below, dns.TypeTXT)
		if !g.wildcard(ctx, below) {
			wanted = slices.DeleteFunc(wanted, func(c candidate) bool { return c.guessed })
		}
	}
	d.Tried = len(wanted)
	g.trySelectors(ctx, below, wanted)
	if d.Below.Unknown() && !d.anyUsable() { // else it is not needed
		g.fail(DKIM, below, d.Below.Type.String(), d.Below.Err)
	}
}

// wildcard finds out what a selector is answered that nobody uses. It tells whether guessing leads anywhere: where that is not known, or
// each name gets an answer of its own, it does not.
func (g *gatherer) wildcard(ctx context.Context, below string) bool {
	sum := sha256.Sum256([]byte(below))
	d := &g.f.DKIM
	d.Wildcard = g.ask(ctx, DKIM, hex.EncodeToString(sum[:6])+"."+below, dns.TypeTXT)
	if !d.Wildcard.Found() {
		return d.Wildcard.Absent()
	}
	again := g.ask(ctx, DKIM, hex.EncodeToString(sum[6:12])+"."+below, dns.TypeTXT)
	return again.Found() && sameTexts(again.TXT, d.Wildcard.TXT)
}

func sameTexts(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// trySelectors asks for the records of selectors, some at a time. That a selector which was only guessed could not be had matters only where no
// other answers.
func (g *gatherer) trySelectors(ctx context.Context, below string, wanted []candidate) {
	found := make([]*Selector, len(wanted))
	aliases := make([]string, len(wanted))
	var failures atomic.Int32
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(atOnce, len(wanted)) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(wanted); i = int(next.Add(1)) - 1 {
				if c := &wanted[i]; !c.guessed || failures.Load() < mostFailures {
					found[i], aliases[i] = g.selector(ctx, below, c)
					if c.failure != nil {
						failures.Add(1)
					}
				}
			}
		})
	}
	wg.Wait()
	d := &g.f.DKIM
	for i, s := range found {
		switch {
		case s != nil:
			d.Selectors = append(d.Selectors, *s)
		case aliases[i] != "":
			d.Dangling = append(d.Dangling, Alias{Selector: wanted[i].name, Name: wanted[i].name + "." + below, Target: aliases[i]})
		}
	}
	for i := range d.Dangling[:min(len(d.Dangling), maxOrphans)] {
		if a := &d.Dangling[i]; !isBelow(a.Target, g.f.Organizational) {
			a.Free = g.free(ctx, DKIM, a.Target)
		}
	}
	for _, c := range wanted {
		if c.failure != nil && (!c.guessed || !d.anyUsable()) {
			g.fail(DKIM, c.name+"."+below, c.what, c.failure)
		}
	}
}

func (d *DKIMFacts) anyUsable() bool {
	return slices.ContainsFunc(d.Selectors, func(s Selector) bool { return s.Usable() })
}

// selector asks for one. Where there is nothing it tells whether that is since the name is an alias for nothing.
func (g *gatherer) selector(ctx context.Context, below string, c *candidate) (found *Selector, dangling string) {
	name := c.name + "." + below
	answer, err := g.r.Lookup(ctx, name, dns.TypeTXT)
	asked := Asked{Name: name, Type: dns.TypeTXT, Answer: answer, Err: err}
	switch {
	case asked.Unknown():
		c.failure, c.what = err, asked.Type.String()
		return nil, ""
	case asked.Absent():
		return nil, g.dangling(err, c)
	}
	s := &Selector{Name: c.name, Asked: asked, Guessed: c.guessed}
	if answer.Name != "" && answer.Name != name {
		s.Alias = answer.Name
	}
	s.Wildcard = g.f.DKIM.Wildcard.Found() && sameTexts(answer.TXT, g.f.DKIM.Wildcard.TXT)
	s.read()
	if c.guessed && (s.Wildcard || len(s.Texts) == 0) {
		return nil, ""
	}
	return s, ""
}

// dangling is what a name without a text is an alias for; empty where it is none, or where every name has one.
func (g *gatherer) dangling(err error, c *candidate) string {
	var e *dns.Error
	if c.guessed && g.f.DKIM.Wildcard.Found() || !errors.As(err, &e) {
		return ""
	}
	return e.Alias
}

// read finds the key among the texts, as a verifier does (see [dkim.LookupKey]).
func (s *Selector) read() {
	for _, text := range s.Asked.TXT[:min(len(s.Asked.TXT), mostTexts)] {
		if MeantAsKey(text) {
			s.Texts = append(s.Texts, text)
		}
	}
	texts := s.Texts
	if len(texts) == 0 {
		texts = s.Asked.TXT[:min(len(s.Asked.TXT), 1)]
	}
	for i, text := range texts {
		key, err := dkim.ParseKey(text)
		revoked := errors.Is(err, dkim.ErrRevoked)
		if i == 0 || err == nil || revoked && !errors.Is(s.Err, dkim.ErrRevoked) {
			s.Text, s.Key, s.Err = text, key, err
		}
		if err == nil {
			break
		}
	}
	s.Tags, _ = dkim.EveryTag(s.Text)
}

// MeantAsKey tells whether a text is a key record, or would be one but for a fault in it. A stray token or another protocol's record is
// not.
func MeantAsKey(text string) bool {
	plain := strings.ToLower(strings.Trim(text, "\"'\\ \t\r\n"))
	if strings.HasPrefix(plain, "v=") {
		rest := strings.TrimLeft(plain[2:], " \t\"")
		return strings.HasPrefix(rest, "dkim")
	}
	tags, err := dkim.EveryTag(text)
	if err != nil {
		return strings.HasPrefix(plain, "k=rsa") || strings.HasPrefix(plain, "k=ed25519") || strings.HasPrefix(plain, "p=mi")
	}
	known := 0
	for _, t := range tags {
		switch t.Name {
		case "p":
			return true
		case "v":
			return strings.HasPrefix(strings.ToLower(t.Value), "dkim")
		case "k", "h", "s", "t", "n", "g":
			known++
		}
	}
	return known > 0 && known == len(tags)
}
