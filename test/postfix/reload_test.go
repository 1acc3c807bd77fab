//go:build linux

package postfix

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/dkim"
)

// rules are a policy that says in each verdict whose it is.
const rules = `
[[rule]]
name = "refused-by-NAME"
when = 'spf.result != "pass"'
action = "reject"
reply = "550 5.7.1 refused by NAME"

[[rule]]
name = "marked-by-NAME"
when = 'true'
action = "mark"
field = "X-Which"
value = "NAME"
`

// whole is a configuration of which every part says whose it is.
func (b *bench) whole(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Dir(b.gate.config)
	writeFile(t, filepath.Join(dir, name+".toml"), strings.ReplaceAll(rules, "NAME", name))
	return fmt.Sprintf("listen = [%q]\nauthserv_id = \"mx-%[3]s.example.org\"\nstate_dir = %[2]q\npolicy = \"%[3]s.toml\"\nhelp_url = \"https://%[3]s.example/\"\n"+
		"[web]\nlisten = [%[4]q]\n[resolver]\nservers = [%[5]q]\n", b.gate.address, b.gate.state, name, b.gate.web, b.dns.Addr)
}

// put replaces the configuration in one piece.
func (p *process) put(t *testing.T, text string) {
	t.Helper()
	writeFile(t, p.config+".new", text)
	if err := os.Rename(p.config+".new", p.config); err != nil {
		t.Fatal(err)
	}
}

// oneOf wants an answer or a message to be of one configuration in all its parts.
func oneOf(t *testing.T, mark, text string, parts ...string) {
	t.Helper()
	whose := ""
	for _, name := range []string{"a", "b"} {
		all := true
		for _, part := range parts {
			all = all && strings.Contains(text, strings.ReplaceAll(part, "NAME", name))
		}
		if all {
			whose += name
		}
	}
	if len(whose) != 1 {
		t.Errorf("%s is of the configurations %q, want one\n%.1000s", mark, whose, text)
	}
}

func TestReloadUnderLoadLosesNothingAndMixesNothing(t *testing.T) {
	sideBySide(t)
	b := prepare(t, "")
	whole := []string{b.whole(t, "a"), b.whole(t, "b")}
	bad := []string{
		"listen = [", whole[0] + "no_such_key = 1\n", strings.Replace(whole[0], "a.toml", "none.toml", 1),
		strings.Replace(whole[0], `policy = "a.toml"`, `policy = "stict"`, 1),
		whole[1] + "[arc]\nseal_domain = \"fwd.example\"\nseal_selector = \"s\"\nseal_key = \"none.pem\"\n",
		whole[1] + "[signing]\ndomains = [\"example.org\"]\n[[signing.nsupdate]]\nzone = \"example.org\"\nserver = \"127.0.0.1\"\nsecret_file = \"none\"\n",
	}
	b.gate.put(t, whole[0])
	b.open(t)
	const senders, reloads = 4, 36
	l := startLoad(b.mta.address, senders, 0, func(s, i int) letter {
		m := mixed("reload")(s, i)
		forged := "Authentication-Results: mx-a.example.org; dmarc=pass\r\nAuthentication-Results: mx-b.example.org; dmarc=pass\r\n"
		return letter{m.from, m.mark, forged + m.text}
	})
	log := func(line string) int { return strings.Count(b.gate.log.String(), line) }
	for i := range reloads {
		next, want := whole[i/2%2], 0
		if i%3 == 2 {
			next, want = bad[i/3%len(bad)], 1
		}
		b.gate.put(t, next)
		if i%2 == 0 {
			b.gate.run(t, want, "reload", "--socket", filepath.Join(b.gate.state, "control"))
		} else {
			line := []string{"configuration read again", "the configuration was not read again"}[want]
			before := log(line)
			b.gate.cmd.Process.Signal(syscall.SIGHUP)
			waitFor(t, "SIGHUP to be heard", func() bool { return log(line) > before })
		}
		if want == 0 { // what begins from now on is treated by it
			name := []string{"a", "b"}[i/2%2]
			reply := b.send(t, sender{ip: "192.0.2.9", helo: "mx.example.com", from: "a@example.com"}, message("after", fromGood))
			if !strings.HasPrefix(reply, "550 5.7.1 refused by "+name+"; ref ") {
				t.Errorf("after %s was read: %s", name, reply)
			}
		}
	}
	l.wait(t, 2, 10)
	l.stop()
	l.checkAll(t, b.sink)
	for _, a := range l.all() {
		switch a.code {
		case 250:
		case 550:
			oneOf(t, a.mark, a.text, "refused by NAME; ref ", ", see https://NAME.example/")
		default:
			t.Errorf("%s: reply %d %s", a.mark, a.code, a.text)
		}
	}
	for _, m := range b.sink.all() {
		// Of two results that were forged, that of the configuration in force was taken out.
		other := strings.NewReplacer("mx-a.example.org; dmarc=pass", "mx-b.example.org; was here", "mx-b.example.org; dmarc=pass", "mx-a.example.org; was here")
		oneOf(t, markOf(m), other.Replace(m), "Authentication-Results: mx-NAME.example.org;\r\n", "\r\nX-Which: NAME\r\n", "Results: mx-NAME.example.org; was here")
	}
	ok, failed := b.gate.metric(t, `gatepost_config_reloads_total{result="ok"}`), b.gate.metric(t, `gatepost_config_reloads_total{result="failed"}`)
	if ok != reloads/3*2 || failed != reloads/3 {
		t.Errorf("%g reloads are counted as good and %g as failed, want %d and %d", ok, failed, reloads/3*2, reloads/3)
	}
	b.gate.terminate(t)
	checkDecisionsOf(t, b, l)
	codes := l.codes()
	t.Logf("%d reloads, a third of them of bad files; %d accepted, %d refused, none put off", reloads, codes[2], codes[5])
}

// checkDecisionsOf is checkDecisions where no answer was lost. Messages that the test sent beside the load are in the store too.
func checkDecisionsOf(t *testing.T, b *bench, l *load) {
	t.Helper()
	books := b.gate.books(t)
	beside := int64(0)
	for id, d := range books.decisions {
		if d.MessageID == "<after@example.com>" {
			delete(books.decisions, id)
			beside++
		}
	}
	books.counted -= beside
	if unanswered := checkDecisions(t, books, l, b.mta); unanswered != 0 {
		t.Errorf("%d decisions without an answer, though nothing was killed", unanswered)
	}
}

// A large policy takes a while to be read.
func TestSIGTERMIsHeardAmongManySIGHUPs(t *testing.T) {
	sideBySide(t)
	b := prepare(t, "")
	b.gate.start(t)
	var large strings.Builder
	for i := range 500 {
		fmt.Fprintf(&large, "[[rule]]\nname = \"rule-%d\"\nwhen = 'spf.domain == \"%d.example\" && dmarc.result != \"pass\"'\naction = \"reject\"\nreply = \"550 5.7.1 no\"\n", i, i)
	}
	writeFile(t, filepath.Join(filepath.Dir(b.gate.config), "large.toml"), large.String())
	b.gate.configure(t, b.dns.Addr, `policy = "large.toml"`)
	done := func() int { return strings.Count(b.gate.log.String(), "configuration read again") }
	for n := 0; n < 20 || done() == 0 && n < 5000; n++ { // apart, since the system makes one of two that wait
		b.gate.cmd.Process.Signal(syscall.SIGHUP)
		time.Sleep(2 * time.Millisecond)
	}
	b.gate.terminate(t)
	if done() == 0 {
		t.Errorf("no reload came to its end: the test shows nothing")
	}
}

// A gate that begins to sign by being told so while it runs looks after its keys as one that was started so.
func TestSigningThatBeginsByReload(t *testing.T) {
	sideBySide(t)
	b := setUp(t, "")
	b.reconfigure(t, signingTable)
	b.gate.run(t, 0, "keys", "rotate", "example.org")
	text := ourZone
	for _, k := range b.gate.keys(t) {
		text += dkim.ZoneRecord(k.Selector, "example.org", k.Record) + "\n"
	}
	b.dns.SetZone(t, text)
	for _, k := range b.gate.keys(t) { // as if it were time to look again, which is every five minutes
		b.gate.run(t, 0, "keys", "next", "example.org", "--skip-wait", k.Selector)
	}
	waitFor(t, "the gate to notice", func() bool { return strings.Count(b.gate.metrics(t), `state="signing"} 1`) == 4 })
	if reply := b.send(t, ownNetwork, message("late", "From: a@example.org")); !strings.HasPrefix(reply, "250 ") {
		t.Errorf("reply %s, want 250", reply)
	}
	if passed := algorithms(t, b.dns.Addr, b.sink.wait(t, "<late@example.com>")); passed != "rsa-sha256 ed25519-sha256" {
		t.Errorf("what passes is %q, want both algorithms", passed)
	}

	b.reconfigure(t, "") // and it ends in the same way: nothing is signed, and nothing is missed
	before := b.gate.metric(t, "gatepost_unsigned_total")
	b.send(t, ownNetwork, message("later", "From: a@example.org"))
	if got := b.sink.wait(t, "<later@example.com>"); strings.Contains(got, "DKIM-Signature") {
		t.Errorf("signed, though it is no longer configured:\n%s", got)
	}
	if n := b.gate.metric(t, "gatepost_unsigned_total") - before; n != 0 {
		t.Errorf("%g messages are counted as not signed, though nothing is to be", n)
	}
}
