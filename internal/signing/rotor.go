package signing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// A Publisher changes key records in DNS.
type Publisher interface {
	// Change replaces one record by another; an empty one means none. It does nothing if that is done already, and never touches a
	// record that is not the one to be replaced. ErrNotOurs means that it has no say over the name.
	Change(ctx context.Context, name, before, after string) error
}

// ErrNotOurs is the error of a [Publisher] that cannot change a name: a person is to do it.
var ErrNotOurs = errors.New("no [[signing.nsupdate]] is for this zone")

// Options make a Rotor. Directory and Settings are needed.
type Options struct {
	Directory *Directory
	Settings  *Settings
	Views     Views        // without any, no key is ever seen in DNS
	Publisher Publisher    // nil: records are published by hand
	Vault     Vault        // where private keys lie; Directory if nil
	Log       *slog.Logger // slog's default if nil

	watch time.Duration // how often it is looked whether another process changed a state; tests have no time
}

// A Rotor takes keys from one state to the next, and keeps a [Keyring] of those that may sign. It is safe for concurrent use.
type Rotor struct {
	keyring Keyring
	ticking sync.Mutex // one Tick at a time: it may wait for DNS
	swap    sync.Mutex // one change of the ring at a time: it waits for nobody

	mu     sync.Mutex
	o      Options
	states []KeyState
	wake   chan struct{}
}

// NewRotor reads the keys. It asks nobody: keys that DNS showed when it was last asked sign at once.
func NewRotor(o Options) (*Rotor, error) {
	r := &Rotor{wake: make(chan struct{}, 1)}
	if err := r.Reload(o); err != nil {
		return nil, err
	}
	return r, nil
}

// Keyring is where the gate finds who signs. It stays the same over reloads.
func (r *Rotor) Keyring() *Keyring { return &r.keyring }

// Reload takes other options, and reads the keys anew. If anything of it is wrong, all stays as it is.
func (r *Rotor) Reload(o Options) error {
	if o.Vault == nil {
		o.Vault = o.Directory
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if err := r.rebuild(&o); err != nil {
		return err
	}
	select {
	case r.wake <- struct{}{}:
	default:
	}
	return nil
}

func (r *Rotor) options() Options {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.o
}

// rebuild reads what is on disk and swaps the ring, and the options if there are new ones, all or nothing.
func (r *Rotor) rebuild(changed *Options) error {
	r.swap.Lock()
	defer r.swap.Unlock()
	o := r.options()
	if changed != nil {
		o = *changed
	}
	ring, err := newRing(o.Directory, o.Vault, o.Settings)
	if err != nil {
		return err
	}
	states, err := keyStates(o)
	if err != nil {
		return err
	}
	r.keyring.ring.Store(ring)
	r.mu.Lock()
	r.o, r.states = o, states
	r.mu.Unlock()
	return nil
}

const (
	hourly   = time.Hour
	soon     = 5 * time.Minute // when something is awaited that DNS is to show
	watching = 5 * time.Second
	tickTime = 30 * time.Minute // bounds a Tick in Run
	atOnce   = 8                // domains at once
)

// Tick takes every step that is due at a time, for all domains, and checks all keys against DNS. It returns when to come again, an
// hour later at most. What stands in the way of one domain does not hold up others; the error joins them all.
func (r *Rotor) Tick(ctx context.Context, now time.Time) (next time.Time, err error) {
	r.ticking.Lock()
	defer r.ticking.Unlock()
	o := r.options()
	domains, err := o.domains()
	if err != nil {
		return now.Add(soon), err
	}
	now = tidy(now)
	next = now.Add(hourly)
	due, failed := make([]time.Time, len(domains)), make([]error, len(domains)+1)
	var group errgroup.Group
	group.SetLimit(atOnce) // it is DNS that takes its time
	for i, domain := range domains {
		group.Go(func() error {
			if due[i], failed[i] = o.step(ctx, domain, now, ""); failed[i] != nil {
				due[i] = now.Add(soon)
			}
			return nil
		})
	}
	group.Wait()
	for _, t := range due {
		if t.Before(next) {
			next = t
		}
	}
	if err := r.rebuild(nil); err != nil { // with the options of now: a Reload does not wait for a Tick
		failed[len(domains)] = fmt.Errorf("the keys before stay in use: %w", err)
	}
	return next, errors.Join(failed...)
}

// Run ticks when something is due, at least hourly, until ctx is done. It notices what another process, such as "gatepost keys", does
// to the keys within seconds.
func (r *Rotor) Run(ctx context.Context) {
	stamp := ""
	due := time.Time{}
	for ctx.Err() == nil {
		o := r.options()
		now := time.Now()
		if found := o.stamp(); found != stamp || !now.Before(due) {
			stamp = found // what changes from here on is looked at again, our own changes too
			bounded, cancel := context.WithTimeout(ctx, tickTime)
			next, err := r.Tick(bounded, now)
			cancel()
			if err != nil && ctx.Err() == nil {
				o.Log.Error("signing keys", "error", err)
			}
			due = next
		}
		select {
		case <-ctx.Done():
		case <-r.wake:
			due = time.Time{}
		case <-time.After(cmp.Or(o.watch, watching)):
		}
	}
}

// stamp changes when a state on disk does: each is a new file.
func (o *Options) stamp() string {
	domains, err := o.domains()
	if err != nil {
		return err.Error()
	}
	stamp := ""
	for _, domain := range domains {
		if info, err := os.Stat(o.Directory.file(domain, stateName)); err == nil {
			stamp += fmt.Sprint(domain, info.ModTime().UnixNano(), info.Size(), "\n")
		}
	}
	return stamp
}

// domains are those that are signed for, and those that have keys.
func (o *Options) domains() ([]string, error) {
	all := o.Settings.SDIDs()
	kept, err := o.Directory.Domains()
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, d := range all {
		seen[d] = true
	}
	for _, d := range kept {
		if !seen[d] {
			all = append(all, d)
		}
	}
	return all, nil
}

// A KeyState is a key as metrics and people see it.
type KeyState struct {
	Domain     string `json:"domain"`
	Configured bool   `json:"configured"` // mail is signed for the domain
	InUse      bool   `json:"in_use"`     // mail is signed with the key
	Key
}

// States lists all keys that are not removed.
func (r *Rotor) States() []KeyState {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.states
}

func keyStates(o Options) ([]KeyState, error) {
	domains, err := o.domains()
	if err != nil {
		return nil, err
	}
	ours := map[string]bool{}
	for _, d := range o.Settings.SDIDs() {
		ours[d] = true
	}
	var all []KeyState
	for _, domain := range domains {
		state, err := o.Directory.Load(domain)
		if err != nil {
			return nil, err
		}
		for i := range state.Keys {
			k := &state.Keys[i]
			if k.State == Removed {
				continue
			}
			use := ours[domain] && k == state.current(k.Algorithm) && (k.Usable() || o.Settings.force)
			all = append(all, KeyState{Domain: domain, Configured: ours[domain], InUse: use, Key: *k})
		}
	}
	return all, nil
}

// Refresh reads the keys anew, as another process may have changed them. If anything is wrong, all stays as it is.
func (r *Rotor) Refresh() error { return r.rebuild(nil) }
