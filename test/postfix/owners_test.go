//go:build linux

package postfix

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// owners are the domains whose mail is refused, and where letters to them go: a Postfix of theirs, with Maildirs.
type owners struct {
	*bench
	theirs   string // the folder with the Maildirs
	back     string // where what comes back goes: the gate's own SMTP
	zones    map[string]string
	settings string
}

// The domains. Nobody reads mail at the last.
const (
	mends = "example.net"
	tired = "tired.example"
	empty = "empty.example"
)

// wrong is what each publishes: one of its two servers is missing, and what is not quite sure.
const wrong = "v=spf1 ip4:192.0.2.1 ~all"

const noticeTables = `
[notice]
from = "Example GmbH <postmaster@example.org>"
return_address = "notices@example.org"
organization = "Example GmbH"
`

// noticeRules open cases: of one domain that is certain, and of the others for somebody to approve.
const noticeRules = `
[[notice.rule]]
name = "softfail"
rules = ["spf-softfail"]
messages = 2
domains = ["example.net", "tired.example"]
[[notice.rule]]
name = "at once"
rules = ["spf-softfail"]
messages = 2
domains = ["empty.example"]
send = true
`

func meetOwners(t *testing.T) *owners {
	t.Helper()
	needPostfix(t)
	ours, theirs := newPostfix(t), newPostfix(t)
	o := &owners{theirs: filepath.Join(theirs.dir, "mail"), back: freePort(t), zones: map[string]string{mends: wrong, tired: wrong, empty: wrong}}
	o.settings = signingTable + fmt.Sprintf("[mail]\nserver = %q\n[reports]\ndomains = [\"example.org\"]\n[reports.address]\nhost = \"reports.example.org\"\n[reports.smtp]\nlisten = [%q]\n",
		ours.address, o.back) + noticeTables
	o.bench = prepare(t, o.settings)
	o.publishKeys(t)
	o.publishAll(t)
	o.gate.start(t)

	o.mta = ours
	_, back, _ := net.SplitHostPort(o.back)
	_, sink, _ := net.SplitHostPort(o.sink.address)
	_, there, _ := net.SplitHostPort(theirs.address)
	domains := strings.Join([]string{mends, tired, empty}, ", ")
	transports := fmt.Sprintf("{notices@example.org=smtp:[127.0.0.1]:%s}, {example.org=smtp:[127.0.0.1]:%s}", back, sink)
	for domain := range o.zones {
		transports += fmt.Sprintf(", {%s=smtp:[127.0.0.1]:%s}", domain, there)
	}
	ours.run(t, relaying(ours, "example.org, "+domains, transports)+strings.ReplaceAll(documentedLines(t), documented, o.gate.address)+
		"recipient_delimiter = +\n", fmt.Sprintf(masterCF, ours.address, "n"))

	if err := os.Mkdir(o.theirs, 0o755); err != nil {
		t.Fatal(err)
	}
	command(t, "chown", "nobody", o.theirs)
	theirs.run(t, relaying(theirs, "", "{example.invalid=error:}")+"virtual_mailbox_limit = 0\nvirtual_uid_maps = static:65534\nvirtual_gid_maps = static:65534\n"+
		"virtual_mailbox_base = "+o.theirs+"\nvirtual_mailbox_domains = "+domains+"\n"+
		fmt.Sprintf("virtual_mailbox_maps = inline:{{hostmaster@%[1]s=%[1]s/}, {hostmaster@%[2]s=%[2]s/}}\n", mends, tired),
		fmt.Sprintf(masterCF, theirs.address, "n")+"virtual unix - n n - - virtual\n")
	return o
}

// relaying is the main.cf of a Postfix that passes mail on in a way of its own.
func relaying(m *mta, domains, transports string) string {
	var lines []string
	for line := range strings.Lines(fmt.Sprintf(mainCF, m.dir, "25")) {
		switch name, _, _ := strings.Cut(line, " ="); name {
		case "relay_domains":
			line = "relay_domains = " + domains + "\n"
		case "transport_maps":
			line = "transport_maps = inline:{" + transports + "}\n"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "")
}

// publishAll has DNS show our keys and what the domains publish, which nobody remembers for longer than a second.
func (o *owners) publishAll(t *testing.T) {
	t.Helper()
	text := ourZone
	for _, k := range o.gate.keys(t) {
		text += dkim.ZoneRecord(k.Selector, "example.org", k.Record) + "\n"
	}
	for domain, spf := range o.zones {
		text += strings.ReplaceAll("DOMAIN. 1 SOA ns.DOMAIN. hostmaster.DOMAIN. 1 3600 600 86400 1\nDOMAIN. 1 MX 10 mx.DOMAIN.\nmx.DOMAIN. 1 A 192.0.2.1\n", "DOMAIN", domain)
		text += fmt.Sprintf("%s. 1 TXT %q\n", domain, spf)
	}
	o.dns.SetZone(t, text)
}

// write sends a message of a domain from one of its servers.
func (o *owners) write(t *testing.T, domain, ip, mark string) string {
	t.Helper()
	from := sender{ip: ip, helo: "mx." + domain, from: "a@" + domain}
	return o.send(t, from, message(mark, "From: a@"+domain))
}

// letter is what lies in a domain's mailbox, with its lines as they came.
func (o *owners) letter(t *testing.T, domain string) string {
	t.Helper()
	var found []string
	waitFor(t, "the letter to "+domain, func() bool {
		found, _ = filepath.Glob(filepath.Join(o.theirs, domain, "new", "*"))
		return len(found) > 0
	})
	if len(found) != 1 {
		t.Fatalf("%s got %d letters, want one", domain, len(found))
	}
	text, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "\n", "\r\n")
}

// cases are all of them, by domain.
func (o *owners) cases(t *testing.T) map[string]store.Notice {
	t.Helper()
	var all []store.Notice
	out := o.gatepost(t, "notice", "list", "--json")
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	by := map[string]store.Notice{}
	for _, n := range all {
		if _, known := by[n.Domain]; !known { // the latest
			by[n.Domain] = n
		}
	}
	return by
}

// becomes waits until the case of a domain is in a state.
func (o *owners) becomes(t *testing.T, domain, state string) store.Notice {
	t.Helper()
	var n store.Notice
	waitFor(t, "the case of "+domain+" to be "+state, func() bool {
		n = o.cases(t)[domain]
		return n.State == state
	})
	return n
}
