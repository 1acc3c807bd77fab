package signing

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/dkim"
)

// Rotate makes the next key of each algorithm. One that is already on its way is taken for it: nothing is made twice.
func (r *Rotor) Rotate(ctx context.Context, domain string, algorithms []Algorithm, now time.Time) error {
	o := r.options()
	return o.Directory.Update(ctx, domain, func(state *Domain, save func() error) error {
		w := &walk{o: &o, state: state, save: save, now: tidy(now)}
		for _, a := range algorithms {
			if state.coming(a) == nil {
				if err := state.name(o.Settings.selector, a, w.now); err != nil {
					return err
				}
				if err := save(); err != nil {
					return err
				}
			}
			k := state.coming(a)
			if k.State != Making {
				continue
			}
			if err := w.make(k); err != nil {
				return err
			}
			if err := save(); err != nil {
				return err
			}
		}
		return nil
	})
}

// Next takes the steps of a domain that are due. The key of the selector skip, if one is named, does not wait for its time this once.
func (r *Rotor) Next(ctx context.Context, domain, skip string, now time.Time) error {
	r.ticking.Lock()
	defer r.ticking.Unlock()
	o := r.options()
	if skip != "" {
		if _, err := o.find(domain, skip); err != nil {
			return err
		}
	}
	if _, err := o.step(ctx, domain, tidy(now), skip); err != nil {
		return err
	}
	return r.rebuild(nil)
}

func (o *Options) find(domain, selector string) (*Key, error) {
	state, err := o.Directory.Load(domain)
	if err != nil {
		return nil, err
	}
	return state.find(selector)
}

func (d *Domain) find(selector string) (*Key, error) {
	if k := d.Find(selector); k != nil {
		return k, nil
	}
	var names []string
	for _, k := range d.Keys {
		if k.State != Removed {
			names = append(names, k.Selector)
		}
	}
	if names == nil {
		return nil, fmt.Errorf("%s has no keys; \"gatepost keys rotate %s\" makes them", d.Name, d.Name)
	}
	return nil, fmt.Errorf("%s has no key %q; there are %s", d.Name, selector, strings.Join(names, ", "))
}

// Add takes a key that was made elsewhere. It signs as soon as DNS shows it; if another key of its kind signs already, it becomes that
// one's successor, unless it is given as retired: then it is only kept until its time has come.
func (d *Directory) Add(ctx context.Context, domain, selector string, key crypto.Signer, retired bool, now time.Time) error {
	domain, err := DomainName(domain)
	if err != nil {
		return err
	}
	if selector, err = SelectorName(selector); err != nil {
		return err
	}
	a, err := algorithmOf(key)
	if err != nil {
		return err
	}
	if err := (&dkim.Signer{Domain: domain, Selector: selector, Key: key}).Check(); err != nil {
		return err
	}
	now = tidy(now)
	return d.Update(ctx, domain, func(state *Domain, save func() error) error {
		k := Key{Selector: selector, Algorithm: a, Since: now, Created: now, File: selector + ".pem", Record: dkim.Record(key.Public())}
		if present := state.Find(selector); present != nil {
			if present.Record == k.Record {
				return nil // the same, again
			}
			return fmt.Errorf("%s has another key %s already", domain, selector)
		}
		switch {
		case retired:
			k.State = Retiring
		case state.coming(a) != nil:
			return fmt.Errorf("%s is on its way to sign for %s; wait for it, or remove it first", state.coming(a).Selector, domain)
		case state.current(a) != nil:
			k.State = Publish
		default:
			k.State = Signing
		}
		if err := d.adopt(domain, k.File, key); err != nil {
			return err
		}
		state.Keys = append(state.Keys, k)
		return save()
	})
}

// adopt writes a key file. It never replaces one.
func (d *Directory) adopt(domain, name string, key crypto.Signer) error {
	present, err := d.Open(domain, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return d.put(domain, name, key)
	case err != nil:
		return err
	case dkim.Record(present.Public()) != dkim.Record(key.Public()):
		return fmt.Errorf("%s is there already, and no state knows it; move it away", d.file(domain, name))
	}
	return nil // a process that died had come as far
}

// ErrLast is the error of taking away the only key that signs for a domain.
var ErrLast = errors.New("no other key signs: mail would leave without a signature")

// Revoke stops signing with a key at once and has its record say that it is revoked. Without last, the only key that may sign stays.
func (d *Directory) Revoke(ctx context.Context, domain, selector string, last bool, now time.Time) error {
	return d.end(ctx, domain, selector, last, now, func(k *Key, now time.Time) error {
		switch k.State {
		case Revoke, Revoked:
			return nil
		case Remove, Removed:
			return fmt.Errorf("the key %s of %s is past that: its state is %q", k.Selector, domain, k.State)
		case Making:
			k.enter(Removed, now) // nobody has seen it
			return nil
		}
		k.enter(Revoke, now)
		return nil
	})
}

// Remove stops using a key at once, has its record removed, and then destroys it. Without last, the only key that may sign stays.
func (d *Directory) Remove(ctx context.Context, domain, selector string, last bool, now time.Time) error {
	return d.end(ctx, domain, selector, last, now, func(k *Key, now time.Time) error {
		switch k.State {
		case Remove, Removed:
			return nil
		case Making:
			k.enter(Removed, now)
			return nil
		}
		k.enter(Remove, now)
		return nil
	})
}

func (d *Directory) end(ctx context.Context, domain, selector string, last bool, now time.Time, change func(*Key, time.Time) error) error {
	if state, err := d.Load(domain); err != nil {
		return err
	} else if _, err := state.find(selector); err != nil {
		return err // before a folder is made for a name that is misspelt
	}
	return d.Update(ctx, domain, func(state *Domain, save func() error) error {
		k, err := state.find(selector)
		if err != nil {
			return err
		}
		if k.State == Signing && !last && !state.otherSigns(k) {
			return fmt.Errorf("the key %s of %s: %w", selector, domain, ErrLast)
		}
		before := *k
		if err := change(k, tidy(now)); err != nil || *k == before {
			return err
		}
		return save()
	})
}

// otherSigns tells whether another key than k may sign.
func (d *Domain) otherSigns(k *Key) bool {
	for i := range d.Keys {
		if other := &d.Keys[i]; other != k && other.Usable() {
			return true
		}
	}
	return false
}
