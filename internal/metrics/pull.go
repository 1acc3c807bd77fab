package metrics

import "github.com/prometheus/client_golang/prometheus"

// Sources are asked each time that Prometheus reads. A nil one is left out. They must not wait for the network.
type Sources struct {
	Journal    func() Journal
	Exceptions func() Exceptions
	Keys       func() []Key
	Intake     func() Intake
}

// A Journal is how far the store is behind the mail. The totals are since the start.
type Journal struct {
	Bytes           int64 // on the disk
	Segments        int   // files
	Pending         int64 // messages that are not in the store yet
	InMemory        int64 // of these, counted in memory, since the journal cannot be written
	Committed       int64 // messages written to the store
	Dropped         int64 // decisions given up for want of room, while their messages were counted
	Lost            int64 // messages that were not even counted
	StoreFailures   int64 // attempts to write to the store that failed
	JournalFailures int64 // attempts to write to the journal that failed
	StoreUp         bool  // the last attempt to write to the store went well
}

// Exceptions are counted by how long they have.
type Exceptions struct {
	Active int
	Ending int // of these, within seven days
}

// A Key is one that signs, did or will. Domain and selector are the administrator's.
type Key struct {
	Domain, Selector, Algorithm, State string
	Published                          bool // its public half was in DNS when last looked at
}

// Attach sets where the gauges come from, in the place of those before.
func (m *Metrics) Attach(s Sources) {
	if m != nil {
		m.sources.Store(&s)
	}
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(namespace+"_"+name, help, labels, nil)
}

// pull is the collector of what is asked for and not counted here.
type pull struct{ m *Metrics }

var (
	journalBytes    = desc("journal_bytes", "Size of the journal of decisions that are not in the store yet.")
	journalSegments = desc("journal_segments", "Files of the journal.")
	journalPending  = desc("journal_pending", "Messages whose decisions are not in the store yet.")
	journalInMemory = desc("journal_in_memory", "Messages counted in memory alone, since the journal cannot be written.")
	journalDropped  = desc("journal_dropped_total", "Decisions given up for want of room, while their messages were counted.")
	journalLost     = desc("journal_lost_total", "Messages that were not even counted.")
	journalFailures = desc("journal_failures_total", "Attempts to write to the journal that failed.")
	storeCommitted  = desc("store_committed_total", "Messages written to the store.")
	storeFailures   = desc("store_failures_total", "Attempts to write to the store that failed.")
	storeUp         = desc("store_up", "Whether the last attempt to write to the store went well.")
	exceptions      = desc("exceptions", "Exceptions that hold.")
	exceptionsEnd   = desc("exceptions_ending", "Exceptions that end within seven days.")
	keyState        = desc("key_state", "Always 1; the labels say in which state a signing key is.", "domain", "selector", "algorithm", "state")
	keyPublished    = desc("key_published", "Whether the public half of a key was in DNS when last looked at.", "domain", "selector", "algorithm", "state")
)

func (p *pull) Describe(out chan<- *prometheus.Desc) {
	for _, d := range append([]*prometheus.Desc{journalBytes, journalSegments, journalPending, journalInMemory, journalDropped,
		journalLost, journalFailures, storeCommitted, storeFailures, storeUp, exceptions, exceptionsEnd, keyState, keyPublished}, intakeDescs...) {
		out <- d
	}
}

func (p *pull) Collect(out chan<- prometheus.Metric) {
	s := p.m.sources.Load()
	if s == nil {
		return
	}
	put := func(d *prometheus.Desc, t prometheus.ValueType, v float64, labels ...string) {
		if metric, err := prometheus.NewConstMetric(d, t, v, labels...); err == nil {
			out <- metric
		}
	}
	if s.Journal != nil {
		j := s.Journal()
		put(journalBytes, prometheus.GaugeValue, float64(j.Bytes))
		put(journalSegments, prometheus.GaugeValue, float64(j.Segments))
		put(journalPending, prometheus.GaugeValue, float64(j.Pending))
		put(journalInMemory, prometheus.GaugeValue, float64(j.InMemory))
		put(journalLost, prometheus.CounterValue, float64(j.Lost))
		put(journalFailures, prometheus.CounterValue, float64(j.JournalFailures))
		put(storeCommitted, prometheus.CounterValue, float64(j.Committed))
		put(journalDropped, prometheus.CounterValue, float64(j.Dropped))
		put(storeFailures, prometheus.CounterValue, float64(j.StoreFailures))
		put(storeUp, prometheus.GaugeValue, truth(j.StoreUp))
	}
	if s.Exceptions != nil {
		e := s.Exceptions()
		put(exceptions, prometheus.GaugeValue, float64(e.Active))
		put(exceptionsEnd, prometheus.GaugeValue, float64(e.Ending))
	}
	if s.Keys != nil {
		seen := map[Key]bool{} // one series twice would spoil the whole answer
		for _, k := range s.Keys() {
			id := k
			id.Published = false
			if seen[id] {
				continue
			}
			seen[id] = true
			put(keyState, prometheus.GaugeValue, 1, k.Domain, k.Selector, k.Algorithm, k.State)
			put(keyPublished, prometheus.GaugeValue, truth(k.Published), k.Domain, k.Selector, k.Algorithm, k.State)
		}
	}
	if s.Intake != nil {
		s.Intake().collect(put)
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
