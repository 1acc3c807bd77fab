// Package demo makes a store with a quarter of a made-up company's mail in it, for whoever wants to see what Gatepost shows before any
// report of their own has come, and for tests that need a world with a story.
//
//	d, err := demo.Make(ctx, demo.Options{Dir: dir, End: yesterday})
//	fmt.Println(d.Config, d.Zone)
//
// Nothing is written into the store that did not come in as real data does: reports are written by the writers of the protocols, packed,
// and read by the intake; messages are verified and judged by the policy before they are counted; records are watched, letters are written
// and answered by those who do that in the gate. DNS is a file beside the store, so that nothing is asked of the network.
//
// The same seed and end give the same figures.
package demo

import (
	"context"
	"embed"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// Options say where to make it, and of which days.
type Options struct {
	Dir  string    // is there, and empty
	End  time.Time // its day is the last one
	Seed uint64
}

// A Demo is what was made.
type Demo struct {
	Config string // the paths of the files
	Store  string
	Zone   string
	Now    time.Time // the moment to look at it from: the morning after the last day

	Reports   int    // that were imported
	Messages  int    // that the gate judged
	Reference string // of the last message of the supplier that was stopped
}

// Days is how many days there are.
const Days = 90

// Domains are those of the company: the one it writes from, that of its shop, and one that sends no mail.
var Domains = []string{"example.com", "example.org", "example.net"}

// The story: when things happened, in days before the last one.
const (
	newKey        = 47 // s2026b takes the place of s2026a
	oldKeyGone    = 33
	waveBegins    = 27 // strangers write in the company's name, for a fortnight
	newPolicy     = 20 // p=none becomes p=quarantine
	fellSilent    = 20 // the last day that Tidewater reported of
	tlsBroken     = 12 // mx2 offers no TLS, for three days
	supplierMove  = 11 // it writes from a server that it does not list
	scanner       = 16 // so does the accountant's
	excepted      = 9  // which is then let in
	logisticsBad  = 29 // its record is in error
	logisticsTold = 26
	logisticsGood = 19
	broken        = 8 // a report that was cut off
)

//go:embed zone.txt config.toml
var files embed.FS

// A maker makes one demo.
type maker struct {
	o      Options
	end    time.Time // the last day
	random *rand.Rand
	store  store.Store
	config *config.Config
	zone   *dns.Zone
	out    *Demo
}

// Make makes a demo.
func Make(ctx context.Context, o Options) (*Demo, error) {
	m := &maker{o: o, end: o.End.UTC().Truncate(24 * time.Hour), random: rand.New(rand.NewPCG(o.Seed, 0)), out: &Demo{
		Config: filepath.Join(o.Dir, "gatepost.toml"), Store: filepath.Join(o.Dir, "gatepost.db"), Zone: filepath.Join(o.Dir, "zone"),
	}}
	m.out.Now = m.day(0).Add(33 * time.Hour)
	if err := m.write(); err != nil {
		return nil, err
	}
	var err error
	if m.store, err = store.Open(ctx, m.out.Store, store.Options{Create: true}); err != nil {
		return nil, err
	}
	defer m.store.Close()
	for _, part := range []struct {
		what string
		make func(context.Context) error
	}{{"reports", m.reports}, {"names of the sources", m.names}, {"records", m.records}, {"mail", m.mail}, {"letters", m.letters}} {
		if err := part.make(ctx); err != nil {
			return nil, fmt.Errorf("demo: %s: %w", part.what, err)
		}
	}
	return m.out, nil
}

// day is the one so many before the last.
func (m *maker) day(ago int) time.Time { return m.end.AddDate(0, 0, -ago) }

// write writes the files, and reads them as the program does.
func (m *maker) write() error {
	text, err := zoneText(0)
	if err != nil {
		return err
	}
	if err := os.WriteFile(m.out.Zone, []byte(text), 0o600); err != nil {
		return err
	}
	if text, err = read("config.toml"); err != nil {
		return err
	}
	if err := os.WriteFile(m.out.Config, []byte(text), 0o600); err != nil {
		return err
	}
	if m.zone, err = dns.ReadZone(m.out.Zone); err != nil {
		return err
	}
	m.config, err = config.Load(m.out.Config)
	return err
}

func read(name string) (string, error) {
	text, err := files.ReadFile(name)
	return string(text), err
}
