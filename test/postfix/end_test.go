//go:build linux

package postfix

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/control"
)

// A gate that is told to end finishes what is under way, and has everything in the store when it has ended.
func TestGateThatEndsFinishesItsMessagesAndItsBooks(t *testing.T) {
	sideBySide(t)
	b := setUp(t, "")
	l := startLoad(b.mta.address, 4, 0, mixed("end"))
	for range 3 {
		l.wait(t, 2, 30)
		slow := good.begin(t, b.mta.address)
		slow.write(t, "DATA\r\n", 354)
		ended := make(chan struct{})
		go func() { defer close(ended); b.gate.terminate(t) }()
		waitFor(t, "the gate to stop", func() bool { return !answers(b.gate.address) })
		slow.write(t, message("slow", fromGood)+".\r\n", 250) // its envelope was there before
		slow.close()
		<-ended
		if left := b.gate.journal(t); len(left) != 0 {
			t.Errorf("left in the journal: %q", left)
		}
		b.gate.start(t)
	}
	l.wait(t, 2, 30)
	l.stop()
	b.gate.terminate(t)
	books := b.gate.books(t)
	for id, d := range books.decisions {
		if d.MessageID == "<slow@example.com>" {
			delete(books.decisions, id)
			books.counted--
		}
	}
	if unanswered := checkDecisions(t, books, l, b.mta); unanswered != 0 {
		t.Errorf("%d decisions without an answer, though nothing was killed", unanswered)
	}
}

// What /metrics, gatepost status and the store say is what was sent.
func TestNumbersAreThoseOfTheMailThatWasSent(t *testing.T) {
	sideBySide(t)
	b := prepare(t, "policy = \"standard\"\n"+signingTable)
	b.publishKeys(t)
	b.open(t)
	b.dns.Fail("slow.example", 1) // SERVFAIL
	kinds := []struct {
		n                   int
		from                sender
		author              string
		verdict, rule, done string
	}{
		{7, good, "a@example.com", "accept", "", "accept"},
		{5, sender{ip: "192.0.2.9", helo: "mx.example.com", from: "a@fail.example"}, "a@fail.example", "reject", "spf-fail", "reject"},
		{4, sender{ip: "192.0.2.1", helo: "mx.example.com", from: "a@fail.example"}, "a@example.com", "reject", "dmarc-reject", "reject"},
		{3, sender{ip: "192.0.2.1", helo: "mx.example.com", from: "a@slow.example"}, "a@slow.example", "defer", "spf-temperror", "defer"},
		{2, sender{ip: "192.0.2.9", helo: "mx.example.com", from: "a@none.example"}, "a@none.example", "mark", "unauthenticated", "mark"},
		{1, sender{ip: "192.0.2.1", helo: "mx.example.com", from: "a@fail.example"}, "a@held.example", "quarantine", "dmarc-quarantine", "quarantine"},
		{3, ownNetwork, "a@example.org", "accept", "own-network", "accept"},
		{2, loggedIn, "a@example.org", "accept", "authenticated", "accept"},
		{2, loggedIn, "a@example.net", "accept", "unsigned", "accept"},
	}
	sent, refused := 0, 0
	done := map[string]int64{}
	for i, k := range kinds {
		for j := range k.n {
			b.send(t, k.from, message(fmt.Sprintf("number-%d-%d", i, j), "From: "+k.author))
		}
		sent += k.n
		done[k.done] += int64(k.n)
		if k.verdict == "reject" || k.verdict == "defer" {
			refused += k.n
		}
	}
	want := map[string]float64{
		"gatepost_messages_refused_total": float64(refused), "gatepost_message_wait_seconds_count": float64(sent),
		"gatepost_signatures_total": 2 * 5, "gatepost_unsigned_total": 2, "gatepost_panics_total": 0,
		`gatepost_results_total{method="spf",result="fail"}`: 5, `gatepost_results_total{method="spf",result="temperror"}`: 3,
		`gatepost_results_total{method="spf",result="pass"}`: 12, `gatepost_results_total{method="dmarc",result="fail"}`: 5,
	}
	for _, k := range kinds {
		want[fmt.Sprintf(`gatepost_messages_total{mode="enforce",rule=%q,verdict=%q}`, k.rule, k.verdict)] += float64(k.n)
	}
	total := 0.0
	for series, n := range want {
		if got := b.gate.metric(t, series); got != n {
			t.Errorf("%s is %g, want %g", series, got, n)
		}
		if strings.HasPrefix(series, "gatepost_messages_total{") {
			total += n
		}
	}
	if total != float64(sent) || strings.Count(b.gate.metrics(t), "\ngatepost_messages_total{") != len(kinds) {
		t.Errorf("there are other series of messages than those %d:\n%s", len(kinds), b.gate.metrics(t))
	}
	waitFor(t, "everything in the store", func() bool { return b.gate.metric(t, "gatepost_journal_pending") == 0 })
	if n := b.gate.metric(t, "gatepost_store_committed_total"); n != float64(sent) {
		t.Errorf("%g messages are in the store, want %d", n, sent)
	}
	var status control.Status
	if err := json.Unmarshal([]byte(b.gate.run(t, 0, "status", "--json")), &status); err != nil {
		t.Fatal(err)
	}
	if status.Messages != uint64(sent) || status.Refused != uint64(refused) || status.Pending != 0 || len(status.Problems) != 0 {
		t.Errorf("gatepost status says %+v, want %d messages, %d of them refused", status, sent, refused)
	}
	books := b.gate.books(t)
	for action, n := range done {
		if books.verdicts[action] != n {
			t.Errorf("the store counts %d %s, want %d", books.verdicts[action], action, n)
		}
	}
	if books.counted != int64(sent) || len(books.decisions) != sent {
		t.Errorf("the store counts %d and has %d, want %d", books.counted, len(books.decisions), sent)
	}
	if time.Since(status.Started) > time.Hour {
		t.Errorf("started %v", status.Started)
	}
}
