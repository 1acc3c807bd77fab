//go:build linux

package postfix

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/gatepost-mail/gatepost/arc"
	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/policy"
)

// reconfigure has the gate read another configuration, and waits until it has.
func (b *bench) reconfigure(t *testing.T, more string) {
	t.Helper()
	const done = "configuration read again"
	before := strings.Count(b.gate.log.String(), done)
	b.gate.configure(t, b.dns.Addr, more)
	b.gate.cmd.Process.Signal(syscall.SIGHUP)
	waitFor(t, "the new configuration", func() bool { return strings.Count(b.gate.log.String(), done) > before })
}

// The table of presets, as an administrator reads it.
func TestEachPresetDoesAsItsTableSays(t *testing.T) {
	sideBySide(t)
	b := setUp(t, "")
	b.dns.SetZone(t, zone+`
broken.example.   TXT "v=spf1 ip4:192.0.2.300 -all"
watched.example.  TXT "v=spf1 ip4:192.0.2.1 -all"
_dmarc.watched.example. TXT "v=DMARC1; p=none"
plain.example.    TXT "v=spf1 ip4:192.0.2.1 -all"
`)
	messages := []struct {
		name, from, author, ip string
		want                   map[string]string // by preset: the reply's beginning, or what stands in the verdict field
	}{
		{"SPF fail", "a@fail.example", "a@fail.example", "192.0.2.9", map[string]string{"standard": "550 5.7.23", "strict": "550 5.7.23", "lockdown": "550 5.7.23"}},
		{"SPF softfail", "a@example.com", "a@plain.example", "192.0.2.9", map[string]string{"standard": "mark; rule=spf-softfail", "strict": "550 5.7.23", "lockdown": "550 5.7.23"}},
		{"SPF permerror", "a@broken.example", "a@broken.example", "192.0.2.9", map[string]string{"standard": "mark; rule=spf-permerror", "strict": "550 5.7.24", "lockdown": "550 5.7.24"}},
		{"DMARC reject", "a@plain.example", "a@example.com", "192.0.2.1", map[string]string{"standard": "550 5.7.26", "strict": "550 5.7.26", "lockdown": "550 5.7.26"}},
		{"DMARC fail under p=none", "a@plain.example", "a@watched.example", "192.0.2.1", map[string]string{"standard": "", "strict": "held", "lockdown": "550 5.7.26"}},
		{"no DMARC policy", "a@plain.example", "a@plain.example", "192.0.2.1", map[string]string{"standard": "", "strict": "", "lockdown": "550 5.7.26"}},
		{"nothing authenticates", "a@silent.example", "a@silent.example", "192.0.2.9", map[string]string{"standard": "mark; rule=unauthenticated", "strict": "held", "lockdown": "550 5.7."}},
		{"everything does", "a@example.com", "a@example.com", "192.0.2.1", map[string]string{"standard": "", "strict": "", "lockdown": ""}},
	}
	for _, preset := range policy.Names() {
		b.reconfigure(t, `policy = "`+preset+`"`)
		for i, m := range messages {
			mark := preset + string(rune('a'+i))
			held := b.mta.held()
			reply := b.send(t, sender{ip: m.ip, helo: "mx.example.com", from: m.from}, message(mark, "From: "+m.author))
			want := m.want[preset]
			switch {
			case strings.HasPrefix(want, "550"):
				if !strings.HasPrefix(reply, want) {
					t.Errorf("%s, %s: reply %s, want %s", preset, m.name, reply, want)
				}
			case !strings.HasPrefix(reply, "250 "):
				t.Errorf("%s, %s: reply %s, want 250", preset, m.name, reply)
			case want == "held":
				waitFor(t, preset+", "+m.name+": the message on hold", func() bool { return b.mta.held() == held+1 })
			default:
				_, rest := cutField(b.sink.wait(t, "<"+mark+"@example.com>"))
				verdict, _ := cutField(rest)
				if has := strings.HasPrefix(verdict, "X-Gatepost-Verdict: "); has != (want != "") || !strings.Contains(verdict, want) {
					t.Errorf("%s, %s: got %s, want %q", preset, m.name, verdict, want)
				}
			}
		}
	}
}

func TestRecipientDomainsHaveTheirOwnPolicies(t *testing.T) {
	sideBySide(t)
	b := setUp(t, "help_url = \"https://mail.example.org/why?{ref}\"\n[[recipients]]\ndomains = [\"lenient.example\"]\npolicy = \"standard\"")
	softfail := sender{ip: "192.0.2.9", helo: "mx.example.com", from: "a@example.com"}
	var putOff []string
	softfail.putOff = func(reply string) { putOff = append(putOff, reply) }

	reply := b.send(t, softfail, message("strict", "From: a@none.example"))
	if !strings.HasPrefix(reply, "550 5.7.23 ") || !strings.Contains(reply, ", see https://mail.example.org/why?") {
		t.Errorf("reply %s, want a refusal that names a page", reply)
	}
	softfail.to = []string{"b@lenient.example", "b@example.org", "c@lenient.example"}
	if reply := b.send(t, softfail, message("mixed", "From: a@none.example")); !strings.HasPrefix(reply, "250 ") {
		t.Errorf("reply %s, want 250 for the domain that is lenient", reply)
	}
	if len(putOff) != 1 || !strings.HasPrefix(putOff[0], "452 ") || !strings.Contains(putOff[0], "4.5.3") {
		t.Errorf("put off %q, want the recipient of the other domain", putOff)
	}
	b.sink.wait(t, "<mixed@example.com>")
	if to := b.sink.to("<mixed@example.com>"); strings.Contains(to, "example.org") {
		t.Errorf("delivered to %s, though one was put off", to)
	}
}

func TestQuarantineGoesToAMailbox(t *testing.T) {
	sideBySide(t)
	b := setUp(t, "")
	rules := filepath.Join(filepath.Dir(b.gate.config), "own.toml")
	err := os.WriteFile(rules, []byte(`
then = "strict"

[[rule]]
name = "softfail-aside"
when = 'spf.result == "softfail"'
action = "quarantine"
quarantine = "redirect"
redirect = "quarantine@example.org"
reason = "softfail of {spf.domain}"
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	b.reconfigure(t, `policy = "own.toml"`)
	softfail := sender{ip: "192.0.2.9", helo: "mx.example.com", from: "a@example.com", to: []string{"b@example.org", "c@lenient.example"}}
	if reply := b.send(t, softfail, message("aside", fromGood)); !strings.HasPrefix(reply, "250 ") {
		t.Fatalf("reply %s, want 250", reply)
	}
	got := b.sink.wait(t, "<aside@example.com>")
	if to := b.sink.to("<aside@example.com>"); to != "quarantine@example.org" {
		t.Errorf("delivered to %s, want the mailbox alone", to)
	}
	if !strings.Contains(strings.Join(strings.Fields(got), " "), `X-Gatepost-Verdict: quarantine; rule=softfail-aside; reason="softfail of example.com"`) {
		t.Errorf("no reason in\n%.600s", got)
	}
}

func TestTrustedSealerStandsInForDMARC(t *testing.T) {
	sideBySide(t)
	b := setUp(t, "")
	text := b.sign(t, message("list", fromGood, "Subject: hikers")) + "-- \r\nthe list\r\n"
	b.publish(t, "list.example")
	sealer := arc.Sealer{Domain: "list.example", Selector: "s1", Key: b.key, AuthservID: "mx.list.example"}
	resolver := dns.NewClient(dns.ClientOptions{Servers: []string{b.dns.Addr}})
	fields, err := arc.Seal(context.Background(), resolver, strings.NewReader(text), sealer, "dmarc=pass (p=reject) header.from=example.com")
	if err != nil {
		t.Fatal(err)
	}
	for i := len(fields) - 1; i >= 0; i-- {
		text = fields[i].Raw + text
	}
	list := sender{ip: "192.0.2.1", helo: "mx.example.com", from: "bounces@held.example"}
	if reply := b.send(t, list, text); !strings.HasPrefix(reply, "550 5.7.26 ") {
		t.Errorf("a stranger's seal: reply %s, want 550 5.7.26", reply)
	}
	b.reconfigure(t, "[arc]\ntrusted_sealers = [\"list.example\"]")
	if reply := b.send(t, list, text); !strings.HasPrefix(reply, "250 ") {
		t.Errorf("a trusted seal: reply %s, want 250", reply)
	}
	results, _ := delivered(t, b.sink.wait(t, "<list@example.com>"))
	if !strings.Contains(results, "arc=pass") || !strings.Contains(results, "dmarc=fail") {
		t.Errorf("the results are not as they are: %s", results)
	}
	if !strings.Contains(b.gate.log.String(), "rule=arc-vouched") {
		t.Error("the log does not say that a seal stood in for DMARC")
	}
}

func TestForwardedMailIsSealed(t *testing.T) {
	sideBySide(t)
	b := setUp(t, "")
	b.publish(t, "fwd.example")
	b.reconfigure(t, "[arc]\nseal_domain = \"fwd.example\"\nseal_selector = \"s1\"\nseal_key = "+fmt.Sprintf("%q", b.keyFile(t))+"\nseal_recipients = [\"example.org\"]")
	sent := b.sign(t, message("forwarded", fromGood, "Subject: to be\r\n\tforwarded"))
	if reply := b.send(t, good, sent); !strings.HasPrefix(reply, "250 ") {
		t.Fatalf("reply %s, want 250", reply)
	}
	got := b.sink.wait(t, "<forwarded@example.com>")
	resolver := dns.NewClient(dns.ClientOptions{Servers: []string{b.dns.Addr}})
	chain, err := arc.Verify(context.Background(), resolver, strings.NewReader(got), arc.Options{})
	if err != nil || chain.Code != arc.Pass || !strings.Contains(strings.Join(chain.AuthResults, ""), "dmarc=pass") {
		t.Errorf("got %+v, %v, want a chain with our results in\n%.1500s", chain, err, got)
	}
}
