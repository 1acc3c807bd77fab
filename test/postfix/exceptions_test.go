//go:build linux

package postfix

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// gatepost runs a command beside the gate.
func (b *bench) gatepost(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command(binary, append(args, "--config", b.gate.config)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("gatepost %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func TestExceptionComesIsUsedAndEnds(t *testing.T) {
	b := setUp(t, "")
	known := sender{ip: "192.0.2.9", helo: "mx.example.com", from: "a@example.com"}
	stranger := sender{ip: "192.0.2.10", helo: "mx.example.com", from: "a@example.com"}
	let := func(s sender, mark, author string) bool {
		t.Helper()
		reply := b.send(t, s, message(mark, "From: "+author))
		if !strings.HasPrefix(reply, "250 ") && !strings.HasPrefix(reply, "550 5.7.23 ") {
			t.Fatalf("%s: reply %s", mark, reply)
		}
		return strings.HasPrefix(reply, "250 ")
	}
	if let(known, "before", "a@example.com") {
		t.Fatal("let in without an exception")
	}
	var added struct {
		ID int64 `json:"id"`
	}
	out := b.gatepost(t, "allow", "add", "example.com", "--network", "192.0.2.9", "--until", "1h", "--reason", "they mend it", "--json")
	if err := json.Unmarshal([]byte(out), &added); err != nil || added.ID == 0 {
		t.Fatalf("%v in %s", err, out)
	}
	waitFor(t, "the exception", func() bool { return let(known, "allowed", "a@example.com") })
	if let(stranger, "stranger", "a@example.com") || let(known, "forged", "a@held.example, b@example.com") {
		t.Error("the exception let in another")
	}
	got := b.sink.wait(t, "<allowed@example.com>")
	if results, _ := delivered(t, got); !strings.Contains(results, "spf=softfail") {
		t.Errorf("the results are not as they are: %s", results)
	}
	waitFor(t, "the use", func() bool { return strings.Contains(b.gatepost(t, "allow", "list"), "used 1 time, last ") })
	if log := b.gatepost(t, "log", "--rule", "exception"); !strings.Contains(log, "accept") || !strings.Contains(log, "192.0.2.9") {
		t.Errorf("the log does not show the use:\n%s", log)
	}

	b.gatepost(t, "allow", "extend", "1", "--until", "2s")
	time.Sleep(2 * time.Second) // the end comes with the clock
	waitFor(t, "the end", func() bool { return !let(known, "after", "a@example.com") })
}
