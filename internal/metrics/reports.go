package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// reportCounters count the reports that come in.
type reportCounters struct {
	reports          map[[2]string]prometheus.Counter
	setAside, putOff prometheus.Counter
}

// What reports are, and what becomes of them. These are the store's words.
var (
	reportKinds    = []string{"aggregate", "failure", "tls"}
	reportOutcomes = []string{"new", "known", "conflicting"}
)

func (m *Metrics) reportCounters() (c reportCounters) {
	c.reports = map[[2]string]prometheus.Counter{}
	all := m.counters("reports_total", "Reports about our domains that came, by kind and by whether they were in the store.", "kind", "result")
	for _, kind := range reportKinds {
		for _, outcome := range reportOutcomes {
			c.reports[[2]string{kind, outcome}] = all.WithLabelValues(kind, outcome)
		}
	}
	c.setAside = m.counter("reports_set_aside_total", "Files and messages that came as reports and in which none could be read.")
	c.putOff = m.counter("reports_put_off_total", "Times that a file or a message with reports could not be stored, and was left to come again.")
	return c
}

// Report counts one report: its kind, and new, known or conflicting.
func (m *Metrics) Report(kind, outcome string) {
	if m == nil {
		return
	}
	if c := m.intake.reports[[2]string{kind, outcome}]; c != nil {
		c.Inc()
	}
}

// ReportSetAside counts something in which no report could be read.
func (m *Metrics) ReportSetAside() {
	if m != nil {
		m.intake.setAside.Inc()
	}
}

// ReportsPutOff counts what could not be stored now.
func (m *Metrics) ReportsPutOff(n int) {
	if m != nil {
		m.intake.putOff.Add(float64(n))
	}
}

// Intake is how the ways do by which reports come.
type Intake struct {
	Inputs   []Input
	Receiver *Receiver // nil where there is none
}

// An Input fetches reports. Its name is from the administrator's configuration, and no other has it. The totals are since the start.
type Input struct {
	Name        string
	Up          bool
	LastSuccess time.Time
	Items       int64
	Bad         int64
	TooLarge    int64
	Failed      int64
	Waiting     int64
}

// A Receiver is our own door for reports that come as mail. All are totals since the start.
type Receiver struct {
	Connections, TurnedAway, Unknown    uint64
	Stored, SetAside, Deferred, Refused uint64 // messages
}

var (
	inputUp      = desc("report_input_up", "Whether an input of reports sees what it watches.", "input")
	inputSuccess = desc("report_input_last_success_timestamp_seconds", "When an input was last through with all that was there.", "input")
	inputItems   = desc("report_input_items_total", "Files and messages that an input handed over.", "input")
	inputBad     = desc("report_input_bad_total", "Of these, those in which no report could be read.", "input")
	inputLarge   = desc("report_input_too_large_total", "Files and messages that an input did not look at because of their size.", "input")
	inputFailed  = desc("report_input_failed_total", "Times that an input could not get or store a file or a message.", "input")
	inputWaiting = desc("report_input_waiting", "Files and messages that are in the store and could not be put away yet.", "input")

	receiverConnections = desc("report_receiver_connections_total", "Connections to our own receiver, by whether they were taken.", "result")
	receiverUnknown     = desc("report_receiver_unknown_recipients_total", "Recipients that our own receiver refused.")
	receiverMessages    = desc("report_receiver_messages_total", "Messages that came to our own receiver, by what became of them.", "result")
)

var intakeDescs = []*prometheus.Desc{inputUp, inputSuccess, inputItems, inputBad, inputLarge, inputFailed,
	inputWaiting, receiverConnections, receiverUnknown, receiverMessages}

func (i Intake) collect(put func(d *prometheus.Desc, t prometheus.ValueType, v float64, labels ...string)) {
	for _, in := range i.Inputs {
		put(inputUp, prometheus.GaugeValue, truth(in.Up), in.Name)
		if !in.LastSuccess.IsZero() {
			put(inputSuccess, prometheus.GaugeValue, float64(in.LastSuccess.Unix()), in.Name)
		}
		put(inputWaiting, prometheus.GaugeValue, float64(in.Waiting), in.Name)
		put(inputItems, prometheus.CounterValue, float64(in.Items), in.Name)
		put(inputBad, prometheus.CounterValue, float64(in.Bad), in.Name)
		put(inputLarge, prometheus.CounterValue, float64(in.TooLarge), in.Name)
		put(inputFailed, prometheus.CounterValue, float64(in.Failed), in.Name)
	}
	if r := i.Receiver; r != nil {
		put(receiverConnections, prometheus.CounterValue, float64(r.Connections), "taken")
		put(receiverConnections, prometheus.CounterValue, float64(r.TurnedAway), "turned_away")
		put(receiverUnknown, prometheus.CounterValue, float64(r.Unknown))
		for result, n := range map[string]uint64{"stored": r.Stored, "set_aside": r.SetAside, "deferred": r.Deferred, "refused": r.Refused} {
			put(receiverMessages, prometheus.CounterValue, float64(n), result)
		}
	}
}
