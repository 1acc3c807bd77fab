//go:build linux

package postfix

import (
	"encoding/json"
	"fmt"
	"net/mail"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/notice"
	"github.com/gatepost-mail/gatepost/internal/store"
)

func TestWhoeverIsWrittenToMendsItBouncesOrWantsNoMore(t *testing.T) {
	sideBySide(t)
	o := meetOwners(t)
	for domain := range o.zones {
		if reply := o.write(t, domain, "192.0.2.1", "good-"+domain); !strings.HasPrefix(reply, "250 ") {
			t.Fatalf("%s from its own server: %s", domain, reply)
		}
		for i := range 2 {
			if reply := o.write(t, domain, "192.0.2.9", fmt.Sprintf("%d-%s", i, domain)); !strings.HasPrefix(reply, "550 5.7.23 ") {
				t.Fatalf("%s from an address that its record does not name: %s", domain, reply)
			}
		}
	}
	waitFor(t, "the decisions", func() bool { return strings.Count(o.gatepost(t, "log", "--json"), `"spf-softfail"`) == 6 })
	if cases := o.cases(t); len(cases) > 0 {
		t.Fatalf("cases without a rule: %+v", cases)
	}

	// The rules are written down, and the cases open: of two domains they wait, and the third is written to.
	o.gate.configure(t, o.dns.Addr, o.settings+noticeRules)
	o.gate.cmd.Process.Signal(syscall.SIGHUP)
	for _, domain := range []string{mends, tired} {
		if n := o.becomes(t, domain, store.NoticeProposed); n.Author != "rule softfail" || len(n.Letters) > 0 {
			t.Errorf("%+v", n)
		}
	}
	o.bounces(t)
	id := map[string]string{}
	for domain, n := range o.cases(t) {
		id[domain] = fmt.Sprint(n.ID)
	}
	o.gatepost(t, "allow", "add", mends, "--network", "192.0.2.9", "--until", "30d", "--reason", "until they mend it")
	o.gatepost(t, "notice", "approve", id[mends], id[tired])
	o.gatepost(t, "notice", "send", id[mends], id[tired])
	o.arrives(t)
	o.stops(t, id[tired])
	o.mended(t, id[mends])
	o.figures(t)
}

// bounces is what comes of the letter to a mailbox that is not there: Postfix sends it back, and that is obeyed.
func (o *owners) bounces(t *testing.T) {
	t.Helper()
	n := o.becomes(t, empty, store.NoticeBounced)
	if len(n.Letters) != 1 || n.Letters[0].Recipient != "hostmaster@"+empty || n.Letters[0].State != store.LetterBounced || !strings.HasPrefix(n.Detail, "5.1.1: ") {
		t.Errorf("after the bounce: %+v", n)
	}
	if log := o.gate.log.String(); strings.Contains(log, "set aside") || !strings.Contains(log, "obeyed: bounce") {
		t.Error("an answer that was obeyed is told of as a report that cannot be read, or not at all")
	}
	if list := o.gatepost(t, "notice", "suppress"); !strings.Contains(list, "hostmaster@"+empty) {
		t.Errorf("who does not exist may be written to again:\n%s", list)
	}
}

// arrives looks at the letters that were approved as who gets them does.
func (o *owners) arrives(t *testing.T) {
	t.Helper()
	for _, domain := range []string{mends, tired} {
		text := o.letter(t, domain)
		m, err := mail.ReadMessage(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		back := strings.Trim(m.Header.Get("Return-Path"), "<>")
		for name, want := range map[string]string{
			"From": `"Example GmbH" <postmaster@example.org>`, "To": "<hostmaster@" + domain + ">", "Auto-Submitted": "auto-generated",
			"List-Unsubscribe": "<mailto:" + back + "?subject=unsubscribe>", "Reply-To": "<postmaster@example.org>",
		} {
			if got := m.Header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		if !strings.HasPrefix(back, "notices+") || !strings.HasSuffix(back, "@example.org") {
			t.Errorf("what comes back goes to %q", back)
		}
		// As the mail server of somebody else sees it, which gets it from an address that our record names.
		path := filepath.Join(t.TempDir(), "letter.eml")
		writeFile(t, path, text)
		var v struct {
			DMARC struct {
				Result  string
				Aligned struct{ SPF, DKIM bool }
			}
		}
		out, _ := exec.Command(binary, "verify", "--ip", "192.0.2.1", "--helo", "mx.example.org", "--mail-from", back, "--resolver", o.dns.Addr, "--json", path).Output()
		if err := json.Unmarshal(out, &v); err != nil || v.DMARC.Result != "pass" || !v.DMARC.Aligned.SPF || !v.DMARC.Aligned.DKIM {
			t.Errorf("%v, %+v: the letter is not aligned by SPF and DKIM:\n%s", err, v, out)
		}
		if results := dkimpy(t, o.gate.keys(t), []string{text})[0]; len(results) < 2 || strings.Trim(strings.Join(results, ""), "pas") != "" {
			t.Errorf("dkimpy says %q of\n%s", results, text)
		}
	}
}

// stops is what comes of a mail to the address that ends the letters.
func (o *owners) stops(t *testing.T, id string) {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(o.letter(t, tired)))
	if err != nil {
		t.Fatal(err)
	}
	to, _, _ := strings.Cut(strings.TrimPrefix(m.Header.Get("List-Unsubscribe"), "<mailto:"), "?")
	from := sender{ip: "192.0.2.1", helo: "mx." + tired, from: "hostmaster@" + tired, to: []string{to}}
	if reply := o.send(t, from, "From: hostmaster@"+tired+"\r\nTo: "+to+"\r\nSubject: unsubscribe\r\nMessage-ID: <stop@"+tired+">\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\n\r\n"); !strings.HasPrefix(reply, "250 ") {
		t.Fatalf("reply %s", reply)
	}
	o.becomes(t, tired, store.NoticeClosed)
	if list := o.gatepost(t, "notice", "suppress"); !strings.Contains(list, "hostmaster@"+tired) {
		t.Errorf("who wants no more may be written to again:\n%s", list)
	}
	o.gate.run(t, 0, "notice", "draft", tired, "--open", "--resolver", o.dns.Addr)
	again := fmt.Sprint(o.cases(t)[tired].ID)
	o.gatepost(t, "notice", "approve", again)
	if out := o.gate.run(t, 1, "notice", "send", again); again == id || !strings.Contains(out, "not to be written to") {
		t.Errorf("case %s, once more %s: %s", id, again, out)
	}
	o.gatepost(t, "notice", "decline", again, "--reason", "they want no more")
}

// zoneLine is a record as a letter gives it to be published.
var zoneLine = regexp.MustCompile(`(?m)^ *([a-z.]+)\. [0-9]+ IN TXT "(v=spf1 .*)"$`)

// mended is what comes of it when the record of the letter is published.
func (o *owners) mended(t *testing.T, id string) {
	t.Helper()
	line := zoneLine.FindStringSubmatch(o.gatepost(t, "notice", "show", id))
	if line == nil || line[1] != mends {
		t.Fatalf("there is no record to publish in\n%s", o.gatepost(t, "notice", "show", id))
	}
	o.look(t, id) // it is not mended yet
	if n := o.cases(t)[mends]; n.State != store.NoticeSent {
		t.Errorf("nothing was mended, and the case is %s", n.State)
	}
	o.zones[mends] = line[2]
	o.publishAll(t)
	o.look(t, id)
	n := o.becomes(t, mends, store.NoticeMended)
	if n.Mended.IsZero() || n.Author != "recheck" {
		t.Errorf("%+v", n)
	}
	if list := o.gatepost(t, "allow", "list"); !strings.Contains(list, "ended 20") {
		t.Errorf("the exception that was made for it did not end:\n%s", list)
	}
	waitFor(t, "mail from the server that was missing", func() bool {
		return strings.HasPrefix(o.write(t, mends, "192.0.2.9", "after"), "250 ")
	})
	got := o.sink.wait(t, "<after@example.com>")
	if results, _ := cutField(got); !strings.Contains(results, "spf=pass") {
		t.Errorf("it came by something else than SPF: %s", results)
	}

	// Something else is wrong now, and it is too early for another letter.
	o.zones[mends] = "v=spf1 ip4:192.0.2.1 ip4:192.0.2.300 -all"
	o.publishAll(t)
	waitFor(t, "the other fault", func() bool {
		o.gatepost(t, "notice", "draft", mends, "--open", "--resolver", o.dns.Addr)
		return o.cases(t)[mends].State == store.NoticeProposed
	})
	again := fmt.Sprint(o.cases(t)[mends].ID)
	o.gatepost(t, "notice", "approve", again)
	if out := o.gate.run(t, 1, "notice", "send", again); !strings.Contains(out, "a letter went to "+mends) {
		t.Errorf("within 90 days: %s", out)
	}
	o.gate.run(t, 0, "notice", "send", again, "--at", time.Now().Add(notice.Quiet+time.Hour).UTC().Format(time.RFC3339)) // and when it is not
}

// look starts the gate again when it is time to look at a case, and waits until it did.
func (o *owners) look(t *testing.T, id string) {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(o.gate.state, "gatepost.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var number int64
	fmt.Sscan(id, &number)
	before := time.Now().Add(-48 * time.Hour)
	if err := s.CheckedNotice(t.Context(), number, before); err != nil {
		t.Fatal(err)
	}
	o.gate.terminate(t)
	o.gate.start(t)
	waitFor(t, "a look at the case", func() bool {
		n, err := s.Notice(t.Context(), number)
		return err == nil && n.Checked.After(before.Add(time.Hour))
	})
}

func (o *owners) figures(t *testing.T) {
	t.Helper()
	var f notice.Figures
	out := o.gatepost(t, "notice", "figures", "--json")
	if err := json.Unmarshal([]byte(out), &f); err != nil || f.Written != 4 || f.Mended != 1 || f.Bounced != 1 || f.Closed != 1 {
		t.Errorf("%v in %s", err, out)
	}
}
