package signing

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/dns"
)

var start = time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)

// A fakeDNS is a resolver, and a publisher that changes what it answers.
type fakeDNS struct {
	mu      sync.Mutex
	texts   map[string][]string
	down    bool
	changes int
	minimum int // of the SOA
}

func newDNS() *fakeDNS { return &fakeDNS{texts: map[string][]string{}, minimum: 300} }

func (f *fakeDNS) Lookup(_ context.Context, name string, typ dns.Type) (dns.Answer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down {
		return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: dns.ErrTimeout}
	}
	if typ == dns.TypeSOA && name == "example.com" {
		return dns.Answer{Records: []string{fmt.Sprint("ns.example.com. host.example.com. 1 3600 600 86400 ", f.minimum)}}, nil
	}
	if typ == dns.TypeTXT && len(f.texts[name]) > 0 {
		return dns.Answer{Name: name, TXT: slices.Clone(f.texts[name]), TTL: time.Hour}, nil
	}
	return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: dns.ErrNXDomain}
}

func (f *fakeDNS) Change(_ context.Context, name, before, after string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	present := strings.Join(f.texts[name], "|")
	if present != after && present != before {
		return fmt.Errorf("%s has a record that is not ours", name)
	}
	f.changes++
	delete(f.texts, name)
	if after != "" {
		f.texts[name] = []string{after}
	}
	return nil
}

func (f *fakeDNS) set(name string, texts ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.texts[name] = texts
}

// A bench is a rotor with a DNS and a clock of its own.
type bench struct {
	t   *testing.T
	dns *fakeDNS
	dir *Directory
	o   Options
	*Rotor
	now time.Time
	log *strings.Builder
}

// newBench makes a rotor for example.com and those below it. Keys are Ed25519 unless the configuration is changed: they are quick.
func newBench(t *testing.T, change func(*Config, *Options)) *bench {
	t.Helper()
	dir, err := OpenDirectory(filepath.Join(workplace(t), "keys"))
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, dns: newDNS(), dir: dir, now: start, log: new(strings.Builder)}
	c := DefaultConfig()
	c.Domains, c.Algorithms = []string{"example.com", "*.example.com"}, []Algorithm{Ed25519}
	b.o = Options{Directory: dir, Views: Views{Resolvers: []View{{"resolver", b.dns}}}, Log: slog.New(slog.NewTextHandler(b.log, nil))}
	if change != nil {
		change(&c, &b.o)
	}
	b.o.Settings = settings(t, c)
	b.restart()
	return b
}

func settings(t *testing.T, c Config) *Settings {
	t.Helper()
	s, _, err := c.Settings()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (b *bench) restart() {
	b.t.Helper()
	r, err := NewRotor(b.o)
	if err != nil {
		b.t.Fatal(err)
	}
	b.Rotor = r
}

// tick lets time pass and ticks, twice: the second must change nothing.
func (b *bench) tick(pass time.Duration) {
	b.t.Helper()
	b.now = b.now.Add(pass)
	if _, err := b.Tick(b.t.Context(), b.now); err != nil {
		b.t.Fatal(err)
	}
	before, changes := b.texts(), b.dns.changes
	if _, err := b.Tick(b.t.Context(), b.now); err != nil {
		b.t.Fatal(err)
	}
	if b.texts() != before || b.dns.changes != changes {
		b.t.Errorf("a second tick at the same time changed something:\n%s\n%s", before, b.texts())
	}
	b.safe()
}

// safe holds the keys to what must be so at any time.
func (b *bench) safe() {
	b.t.Helper()
	for _, s := range b.Keyring().Signers("example.com") {
		if judge(b.dns.texts[s.Selector+"._domainkey.example.com"], dkim.Record(s.Key.Public())) != OK && !b.dns.down {
			b.t.Errorf("%s signs, and DNS does not show it", s.Selector)
		}
	}
}

func (b *bench) texts() string { return fmt.Sprint(b.states(), slices.Sorted(maps.Keys(b.dns.texts))) }

// states tells the state of each key: "gp-2026-11-e=signing".
func (b *bench) states() string {
	b.t.Helper()
	d, err := b.dir.Load("example.com")
	if err != nil {
		b.t.Fatal(err)
	}
	var all []string
	for _, k := range d.Keys {
		all = append(all, k.Selector+"="+string(k.State))
	}
	return strings.Join(all, " ")
}

func (b *bench) key(selector string) *Key {
	b.t.Helper()
	d, err := b.dir.Load("example.com")
	if err != nil || d.Find(selector) == nil {
		b.t.Fatal(selector, err)
	}
	return d.Find(selector)
}

// publish does by hand what the key's state asks for.
func (b *bench) publish(selector string) {
	k := b.key(selector)
	switch name := k.Name("example.com"); k.State {
	case Publish:
		b.dns.set(name, k.Record)
	case Revoke:
		b.dns.set(name, k.RevokedRecord())
	case Remove:
		b.dns.set(name)
	default:
		b.t.Fatalf("%s asks for nothing: %s", selector, k.State)
	}
}

func (b *bench) rotate() {
	b.t.Helper()
	if err := b.Rotate(b.t.Context(), "example.com", b.o.Settings.algorithms, b.now); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) want(states string, signers ...string) {
	b.t.Helper()
	if got := b.states(); got != states {
		b.t.Errorf("got  %s\nwant %s", got, states)
	}
	var got []string
	for _, s := range b.Keyring().Signers("example.com") {
		got = append(got, s.Selector)
	}
	if !slices.Equal(got, signers) {
		b.t.Errorf("%v sign, want %v", got, signers)
	}
}

// workplace is in memory where there is such a place: a killed process leaves behind what it wrote, on a disk or not.
func workplace(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "gatepost-crash")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
