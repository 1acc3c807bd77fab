package signing

import (
	"context"
	"time"

	"github.com/gatepost-mail/gatepost/dkim"
)

// A Task is what a key's state asks for.
type Task struct {
	Do     string    `json:"do"`               // one of the Do… values
	Name   string    `json:"name,omitempty"`   // of the record
	Record string    `json:"record,omitempty"` // its text
	Zone   string    `json:"zone,omitempty"`   // the same as in a master file
	Server string    `json:"server,omitempty"` // who is asked to do it by dynamic update; empty: a person is to do it
	Until  time.Time `json:"until,omitzero"`   // when to wait for; a key that signs is followed by another then
}

// What is to be done.
const (
	DoNothing = ""
	DoPublish = "publish" // the record
	DoReplace = "replace" // the record by this one
	DoRemove  = "remove"  // the record
	DoWait    = "wait"
)

// Task says what a key's state asks for.
func (r *Rotor) Task(domain string, k *Key) Task {
	o := r.options()
	t := Task{}
	record := func(do, text string) {
		t.Do, t.Name, t.Record = do, k.Name(domain), text
		if text != "" {
			t.Zone = dkim.ZoneRecord(k.Selector, domain, text)
		}
		if u, ok := o.Publisher.(*Updates); ok {
			t.Server = u.Server(t.Name)
		}
	}
	switch k.State {
	case Publish:
		record(DoPublish, k.Record)
	case Waiting:
		t.Do, t.Until = DoWait, k.Ready
	case Signing:
		if o.Settings.every > 0 {
			t.Until = k.Since.Add(o.Settings.every)
		}
	case Retiring:
		t.Do, t.Until = DoWait, k.Since.Add(o.Settings.keepRetired)
	case Revoke:
		record(DoReplace, k.RevokedRecord())
	case Revoked:
		t.Do, t.Until = DoWait, k.Since.Add(max(o.Settings.keepRevoked, time.Duration(k.TTL)))
	case Remove:
		record(DoRemove, "")
	}
	return t
}

// Ask tells what DNS says of a key now, and who says otherwise if not all agree. Nothing is changed.
func (r *Rotor) Ask(ctx context.Context, domain string, k *Key) (Check, string) {
	o := r.options()
	l := o.Views.look(ctx, domain, k)
	return l.any, l.detail
}

// Settle is for how long a record is seen at least before its key signs.
func (s *Settings) Settle() time.Duration { return s.settle }
