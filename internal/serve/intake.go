package serve

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/inbox"
	"github.com/gatepost-mail/gatepost/internal/metrics"
	"github.com/gatepost-mail/gatepost/internal/web"
)

// inputNames are the names of inputs, each another: two may be of the same mailbox.
func inputNames(inputs []inbox.Input) []string {
	names := make([]string, len(inputs))
	for i, in := range inputs {
		name := in.Name()
		for n := 2; slices.Contains(names[:i], name); n++ {
			name = fmt.Sprintf("%s#%d", in.Name(), n)
		}
		names[i] = name
	}
	return names
}

// reportChecks are what must be well for reports to come in. Mail does not suffer from it.
func (b *back) reportChecks() []web.Check {
	if b.importer == nil {
		return nil
	}
	return []web.Check{{Name: "reports", Look: func(context.Context) error { return b.reports().trouble() }}}
}

// trouble says what keeps reports from coming in. Inputs that another node sees to are its own to tell of.
func (r *reception) trouble() error {
	if r == nil {
		return nil
	}
	var all []string
	for i, in := range r.inputs {
		if s := in.State(); s.LastError != "" && !elsewhere(in) {
			all = append(all, r.names[i]+": "+s.LastError)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, d := range r.doors {
		if err := r.closed[d]; err != nil {
			all = append(all, fmt.Sprintf("%s at %s: %v", d.protocol, d.address, err))
		}
	}
	if len(all) == 0 {
		return nil
	}
	return web.Degraded(strings.Join(all, "; "))
}

// intake is what the metrics show of it.
func (r *reception) intake() metrics.Intake {
	var i metrics.Intake
	if r == nil {
		return i
	}
	for n, in := range r.inputs {
		if elsewhere(in) {
			continue
		}
		s := in.State()
		i.Inputs = append(i.Inputs, metrics.Input{
			Name: r.names[n], Up: s.Connected, LastSuccess: s.LastSuccess, Items: s.Items, Bad: s.Bad, TooLarge: s.TooLarge, Failed: s.Failed,
			Waiting: s.Waiting,
		})
	}
	if r.receiver != nil {
		c := r.receiver.Counts()
		i.Receiver = &metrics.Receiver{
			Connections: c.Connections, TurnedAway: c.TurnedAway, Unknown: c.Unknown, Stored: c.Stored - min(c.SetAside, c.Stored),
			SetAside: c.SetAside, Deferred: c.Deferred, Refused: c.Refused,
		}
	}
	return i
}

// reports is the reception that is in force.
func (b *back) reports() *reception {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.reception
}

// shut remembers why a door is closed; nil: it is open.
func (r *reception) shut(d door, why error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed[d] = why
}

// errClosedDoor is of a door that closed without a word.
var errClosedDoor = errors.New("it was closed")
