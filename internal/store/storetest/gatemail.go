package storetest

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/gatepost-mail/gatepost/internal/store"
)

// GateMail is what a gate of a site with many correspondents brings into the store in one day: so many observations, and the decisions that
// are kept whole. The number is that of the day, from 0.
func GateMail(day time.Time, number, observations, decisions int) store.Batch {
	random := rand.New(rand.NewPCG(5, uint64(number)))
	batch := store.Batch{Source: "mix", Number: int64(number + 1)}
	for i := range observations {
		o := madeUp(day, i, random)
		batch.Counts = append(batch.Counts, store.Count{Observation: o, Count: 1 + int64(random.ExpFloat64()*3)})
		if i < decisions {
			batch.Decisions = append(batch.Decisions, decided(&o, fmt.Sprintf("%08x", number*decisions+i), time.Duration(i)*24*time.Hour/time.Duration(decisions)))
		}
	}
	return batch
}

// madeUp is one observation: of ten, eight pass by SPF, one by DKIM alone, and one has a softfail.
func madeUp(day time.Time, i int, random *rand.Rand) store.Observation {
	o := store.Observation{Day: day, AuthorDomain: fmt.Sprintf("d%d.example", int(random.ExpFloat64()*5000)),
		EnvelopeDomain: fmt.Sprintf("b%d.example", i), SourceIP: netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), SPF: "pass", DMARC: "pass",
		Policy: "reject", Record: "v=DMARC1; p=reject", AlignedSPF: true, ARC: "none", Verdict: "accept", Mode: "enforce", Done: "accept"}
	switch random.IntN(10) {
	case 0:
		o.SPF, o.DMARC, o.Policy, o.Record, o.AlignedSPF, o.Verdict, o.Rule = "softfail", "none", "", "", false, "mark", "spf-softfail"
	case 1:
		o.SPF, o.AlignedSPF, o.AlignedDKIM = "none", false, true
		o.DKIM = []store.Signature{{Result: "pass", SDID: o.AuthorDomain, Selector: "s1"}}
	}
	return o
}

// decided is a message that the observation is of.
func decided(o *store.Observation, reference string, at time.Duration) store.Decision {
	return store.Decision{Time: o.Day.Add(at), Reference: reference, QueueID: "4" + reference, MessageID: "<" + reference + "@" + o.AuthorDomain + ">",
		ClientIP: o.SourceIP, Helo: "mail." + o.EnvelopeDomain, MailFrom: "news@" + o.EnvelopeDomain, EnvelopeDomain: o.EnvelopeDomain,
		Recipients: []string{"ada@domain0.example"}, AuthorDomain: o.AuthorDomain, SPF: []store.SPF{{Identity: "mailfrom", Domain: o.EnvelopeDomain, Result: o.SPF}},
		DKIM: o.DKIM, ARC: o.ARC, DMARC: o.DMARC, PolicyDomain: o.PolicyDomain, Policy: o.Policy, Record: o.Record, AlignedSPF: o.AlignedSPF,
		AlignedDKIM: o.AlignedDKIM, Verdict: o.Verdict, Rule: o.Rule, Mode: o.Mode, Done: o.Done}
}
