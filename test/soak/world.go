//go:build linux

package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/gatepost-mail/gatepost/test/bench/lab"
)

const (
	authservID = "mx.example.org"
	recipient  = "bob@example.org"
	domains    = 20
)

// A world is who sends mail, and what they publish.
type world struct {
	senders []*lab.Sender
	dns     *lab.DNS
	outages outages
}

// Names in the zone that do something wrong, or that others abuse.
const (
	softDomain    = "soft.example"       // -all replaced by ~all
	evilDomain    = "evil.example"       // allows everybody
	heldDomain    = "held.example"       // p=quarantine
	brokenDomain  = "broken.example"     // no server answers for it
	stretchDomain = "stretch.example"    // has outages; every name below it is there, and nobody may keep the answers
	permDomain    = "permerror.example." // its SPF record cannot be read
)

// broken never ends.
var broken = lab.Outage{Suffix: brokenDomain + "."}

func newWorld() (*world, error) {
	w := &world{}
	var zone strings.Builder
	for i := range domains {
		s, err := lab.NewSender(fmt.Sprintf("sender%d.example", i))
		if err != nil {
			return nil, err
		}
		w.senders = append(w.senders, s)
		zone.WriteString(s.Zone())
	}
	fmt.Fprintf(&zone, `25.2.0.192.in-addr.arpa. PTR %s.
66.100.51.198.in-addr.arpa. PTR mail.%s.
%[2]s. TXT "v=spf1 +all"
mail.%[2]s. A %[3]s
%[4]s. TXT "v=spf1 ip4:192.0.2.0/24 ~all"
%[5]s. TXT "v=spf1 ip4:192.0.2.0/24 -all"
_dmarc.%[5]s. TXT "v=DMARC1; p=quarantine"
*.%[6]s. 0 TXT "v=spf1 ip4:192.0.2.0/24 -all"
_dmarc.%[6]s. 0 TXT "v=DMARC1; p=reject"
%[7]s TXT "v=spf1 ip4:192.0.2.0/24 nonsense:x -all"
`, w.senders[0].Host(), evilDomain, lab.OtherIP, softDomain, heldDomain, stretchDomain, permDomain)
	var err error
	if w.dns, err = lab.StartDNS("127.0.0.1:0", zone.String()); err != nil {
		return nil, err
	}
	w.dns.Fail(broken)
	return w, nil
}

func (w *world) sender(r *rand.Rand) *lab.Sender { return w.senders[r.IntN(len(w.senders))] }

// outages are the stretches of time in which questions for stretchDomain fail.
type outages struct {
	mu    sync.Mutex
	begun time.Time // of the present one; zero if there is none
	ended time.Time // of the one before
}

// begin and end enclose an outage from outside: whoever was asked between them surely met it.
func (o *outages) begin(d *lab.DNS, silent bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	d.Fail(broken, lab.Outage{Suffix: stretchDomain + ".", Silent: silent})
	o.begun = time.Now()
}

func (o *outages) end(d *lab.DNS) {
	o.mu.Lock()
	defer o.mu.Unlock()
	d.Fail(broken)
	o.begun, o.ended = time.Time{}, time.Now()
}

// afterglow is for how long a question that was asked in an outage may be waited for by others.
const afterglow = 10 * time.Second

// met tells whether a message that began then and has just got its answer surely met an outage, and whether it surely met none.
func (o *outages) met(start time.Time) (surely, never bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	surely = !o.begun.IsZero() && start.After(o.begun)
	never = o.begun.IsZero() && start.After(o.ended.Add(afterglow))
	return surely, never
}
