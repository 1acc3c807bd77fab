package signing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gatepost-mail/gatepost/dkim"
)

// A walk takes the keys of one domain on, with its lock held.
type walk struct {
	o     *Options
	state *Domain
	save  func() error
	now   time.Time
	hurry string // a selector whose next wait is left out; what DNS must show it must show still
	due   time.Time
	tried map[string]bool // which records were changed, by selector and state
}

// step takes all steps of a domain that are due, and tells when the next may be.
func (o *Options) step(ctx context.Context, domain string, now time.Time, hurry string) (due time.Time, err error) {
	due = now.Add(hourly)
	if state, err := o.Directory.Load(domain); err != nil {
		return due, err
	} else if len(state.Keys) == 0 && !o.scheduled(domain) {
		return due, nil // nothing to be locked
	}
	err = o.Directory.Update(ctx, domain, func(state *Domain, save func() error) error {
		w := &walk{o: o, state: state, save: save, now: now, hurry: hurry, due: due, tried: map[string]bool{}}
		err := w.run(ctx)
		due = w.due
		return err
	})
	return due, err
}

func (o *Options) scheduled(domain string) bool {
	return o.Settings.every > 0 && slices.Contains(o.Settings.SDIDs(), domain)
}

func (w *walk) run(ctx context.Context) error {
	if w.o.scheduled(w.state.Name) {
		if err := w.schedule(); err != nil {
			return err
		}
	}
	for i := range w.state.Keys {
		if err := w.advance(ctx, &w.state.Keys[i]); err != nil {
			return fmt.Errorf("the key %s of %s: %w", w.state.Keys[i].Selector, w.state.Name, err)
		}
	}
	return nil
}

// schedule names the next key where the present one is old enough, or where there is none.
func (w *walk) schedule() error {
	for _, a := range w.o.Settings.algorithms {
		if w.state.coming(a) != nil {
			continue
		}
		if k := w.state.current(a); k != nil && w.now.Before(k.Since.Add(w.o.Settings.every)) {
			w.wait(k.Since.Add(w.o.Settings.every))
			continue
		}
		if err := w.state.name(w.o.Settings.selector, a, w.now); err != nil {
			return err
		}
		if err := w.save(); err != nil {
			return err
		}
	}
	return nil
}

// name adds a key that is still to be made.
func (d *Domain) name(pattern string, a Algorithm, now time.Time) error {
	selector, err := newSelector(pattern, a, now, func(s string) bool { return d.Find(s) != nil })
	if err != nil {
		return err
	}
	d.Keys = append(d.Keys, Key{Selector: selector, Algorithm: a, State: Making, Since: now, Created: now, File: selector + ".pem"})
	return nil
}

func (w *walk) wait(until time.Time) {
	if until.Before(w.due) {
		w.due = until
	}
}

// advance takes a key as far as it can go. Each step is on the disk before the next is begun. DNS is asked once, and again after we
// changed it: a second Tick would see no more than this one.
func (w *walk) advance(ctx context.Context, k *Key) error {
	var seen *look
	for {
		before := *k
		changed := false
		switch k.State {
		case Making:
			if err := w.make(k); err != nil {
				return err
			}
		case Removed:
			if err := w.destroy(k); err != nil {
				return err
			}
		default:
			if seen == nil {
				l := w.o.Views.look(ctx, w.state.Name, k)
				seen = &l
			}
			changed = w.seen(ctx, k, seen)
		}
		if *k != before {
			if err := w.save(); err != nil {
				return err
			}
			w.report(&before, k)
		}
		switch {
		case changed:
			seen = nil
		case k.State == before.State:
			return nil
		}
	}
}

// seen takes a step of a key whose record is looked at. It tells whether the record was changed.
func (w *walk) seen(ctx context.Context, k *Key, l *look) (changed bool) {
	switch k.State {
	case Publish:
		return w.publish(ctx, k, l)
	case Revoke:
		return w.revoke(ctx, k, l)
	case Remove:
		return w.remove(ctx, k, l)
	}
	w.check(k, l)
	switch k.State {
	case Waiting:
		w.settle(k, l)
	case Retiring:
		w.retire(k)
	case Revoked:
		if w.reached(k, k.Since.Add(max(w.o.Settings.keepRevoked, time.Duration(k.TTL)))) {
			k.enter(Remove, w.now)
		}
	}
	return false
}

// reached tells whether it is time, or nobody wants to wait this once.
func (w *walk) reached(k *Key, t time.Time) bool {
	if !w.now.Before(t) {
		return true
	}
	if w.hurry == k.Selector {
		w.hurry = ""
		return true
	}
	w.wait(t)
	return false
}

// make makes the private half of a key that has a name.
func (w *walk) make(k *Key) error {
	key, err := w.o.Vault.Create(w.state.Name, k.File, k.Algorithm, w.o.Settings.rsaBits)
	if err != nil {
		return err
	}
	k.Record = dkim.Record(key.Public())
	k.enter(Publish, w.now)
	return nil
}

// check notes what DNS says of a key, if it says anything. Without an answer the last one holds.
func (w *walk) check(k *Key, l *look) {
	if l.any != Unknown && l.any != k.Check {
		k.Check, k.Checked = l.any, w.now
	}
	k.Problem = ""
	right := OK
	if k.State == Revoked {
		right = IsRevoked
	}
	if l.every != right {
		k.Problem = "DNS: " + l.detail
		if l.detail == "" {
			k.Problem = "DNS: there is no resolver to ask"
		}
		w.wait(w.now.Add(soon))
	}
}

// publish waits until all see the record, and puts it there where it may.
func (w *walk) publish(ctx context.Context, k *Key, l *look) (changed bool) {
	w.wait(w.now.Add(soon))
	if l.every == OK {
		wait := max(w.o.Settings.settle, w.negative(ctx, k), time.Duration(k.TTL))
		k.Check, k.Checked, k.TTL = OK, w.now, Duration(l.ttl)
		k.enter(Waiting, w.now)
		k.Ready = w.now.Add(wait)
		return false
	}
	k.Problem = ""
	if l.any == OK { // not everywhere yet
		k.Problem = "DNS: " + l.detail
		return false
	}
	if l.any != Missing && l.any != Unknown {
		k.TTL = max(k.TTL, Duration(l.ttl))
		k.Problem = "DNS: " + l.detail
	}
	return w.change(ctx, k, "", k.Record)
}

// unknownTTL is for how long a "no such name" may be remembered where the zone does not say.
const unknownTTL = time.Hour

func (w *walk) negative(ctx context.Context, k *Key) time.Duration {
	if ttl := w.o.Views.negativeTTL(ctx, k.Name(w.state.Name)); ttl > 0 {
		return ttl
	}
	return unknownTTL
}

// settle waits until nobody can remember that there was no record, and then lets the key sign. Its predecessors retire in the same
// moment: one file says both.
func (w *walk) settle(k *Key, l *look) {
	switch {
	case l.every == OK && w.reached(k, k.Ready):
		for i := range w.state.Keys {
			if old := &w.state.Keys[i]; old != k && old.Algorithm == k.Algorithm && old.State == Signing {
				old.enter(Retiring, w.now)
			}
		}
		k.enter(Signing, w.now)
		k.Ready = time.Time{}
	case l.every != OK && l.every != Unknown, l.any != OK && l.any != Unknown: // it was taken away
		k.enter(Publish, w.now)
		k.Ready = time.Time{}
	}
}

// retire waits until mail that was signed with the key has arrived. As long as DNS does not show its successor it stays as it is.
func (w *walk) retire(k *Key) {
	next := w.state.current(k.Algorithm)
	if next == nil || next.Check != OK {
		return
	}
	if w.reached(k, k.Since.Add(w.o.Settings.keepRetired)) {
		k.enter(Revoke, w.now)
	}
}

func (w *walk) revoke(ctx context.Context, k *Key, l *look) (changed bool) {
	w.wait(w.now.Add(soon))
	k.Problem = ""
	switch {
	case l.gone: // whoever removed it did more than was asked
		k.enter(Remove, w.now)
	case l.every == IsRevoked:
		k.enter(Revoked, w.now)
		k.TTL = Duration(l.ttl)
		k.Check, k.Checked = IsRevoked, w.now
	default:
		return w.change(ctx, k, k.Record, k.RevokedRecord())
	}
	return false
}

func (w *walk) remove(ctx context.Context, k *Key, l *look) (changed bool) {
	w.wait(w.now.Add(soon))
	k.Problem = ""
	switch {
	case l.gone:
		k.enter(Removed, w.now)
		k.Check, k.Checked = Missing, w.now
	case l.any == IsRevoked:
		return w.change(ctx, k, k.RevokedRecord(), "")
	default:
		return w.change(ctx, k, k.Record, "")
	}
	return false
}

// destroy destroys the private half of a key that DNS does not show any more.
func (w *walk) destroy(k *Key) error {
	if k.File == "" {
		return nil
	}
	if err := w.o.Vault.Destroy(w.state.Name, k.File); err != nil {
		return err
	}
	k.File = ""
	return nil
}

// change has the record changed, where somebody is there to do it, and tells whether DNS is to be looked at anew. What stands in the
// way is noted, and tried again.
func (w *walk) change(ctx context.Context, k *Key, before, after string) (changed bool) {
	id := k.Selector + " " + string(k.State)
	if w.o.Publisher == nil || w.tried[id] {
		return false
	}
	w.tried[id] = true
	w.o.Directory.hook("change " + k.Selector)
	err := w.o.Publisher.Change(ctx, k.Name(w.state.Name), before, after)
	w.o.Directory.hook("changed " + k.Selector)
	switch {
	case errors.Is(err, ErrNotOurs):
		return false
	case err != nil:
		k.Problem = err.Error()
		return false
	}
	return true
}

// report writes down what changed.
func (w *walk) report(before, k *Key) {
	log := w.o.Log.With("domain", w.state.Name, "selector", k.Selector, "algorithm", k.Algorithm)
	if before.State != k.State {
		log.Info("signing key", "state", k.State, "before", before.State)
	}
	if before.Check != k.Check && k.State == Signing {
		if k.Check == OK {
			log.Info("signing key: DNS shows it", "check", k.Check)
		} else {
			log.Error("signing key: DNS does not show it, and it is not used", "check", k.Check, "detail", k.Problem, "forced", w.o.Settings.force)
		}
	} else if before.Problem != k.Problem && k.Problem != "" {
		log.Warn("signing key", "state", k.State, "problem", k.Problem)
	}
}
