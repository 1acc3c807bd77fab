//go:build linux

package postfix

import (
	"fmt"
	"strings"
	"testing"
)

// Senders of ours.
var (
	ownNetwork = sender{from: "a@example.org"}
	loggedIn   = sender{ip: "192.0.2.77", helo: "laptop", from: "a@example.org", login: "a"}
)

// outgoing are messages that have something about them that a signature may not survive.
var outgoing = []struct{ name, text string }{
	{"plain", message("NAME", "From: a@example.org", "Subject: hello")},
	{"folded", message("NAME", "From: A\r\n\t<a@example.org>", "Subject:  two  spaces\r\n and a fold \t", "Cc: b@example.org,\r\n  c@example.org")},
	{"eight bits", message("NAME", "From: =?utf-8?q?J=C3=B6rg?= <a@example.org>", "Subject: Grüße", "MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit") + "Grüße\r\n"},
	{"no body", strings.TrimSuffix(message("NAME", "From: a@example.org"), "hello\r\n.\r\n..two dots\r\n")},
	{"blank lines at the end", message("NAME", "From: a@example.org") + "\r\n \r\n\r\n\r\n"},
	{"long lines", message("NAME", "From: a@example.org") + strings.Repeat(strings.Repeat("0123456789", 99)+"\r\n", 300)},
	{"a signature of somebody else", message("NAME", "DKIM-Signature: v=1; a=rsa-sha256; d=example.net; s=x;\r\n\th=from; bh=; b=", "From: a@example.org")},
}

func TestOurMailIsSignedAndArrivesByteForByte(t *testing.T) {
	sideBySide(t)
	b := prepare(t, signingTable)
	b.publishKeys(t)
	b.open(t)
	var arrived []string
	for _, s := range []struct {
		name    string
		sender  sender
		results string
	}{
		{"own network", ownNetwork, ""},
		{"logged in", loggedIn, "Authentication-Results: mx.example.org;\r\n\tauth=pass\r\n"},
	} {
		for i, o := range outgoing {
			mark := fmt.Sprintf("out-%s-%d", s.name[:3], i)
			sent := strings.ReplaceAll(o.text, "NAME", mark)
			if reply := b.send(t, s.sender, sent); !strings.HasPrefix(reply, "250 ") {
				t.Errorf("%s, %s: reply %s, want 250", s.name, o.name, reply)
				continue
			}
			got := b.sink.wait(t, "<"+mark+"@example.com>")
			arrived = append(arrived, got)
			if passed := algorithms(t, b.dns.Addr, withoutOthers(got)); passed != "rsa-sha256 ed25519-sha256" {
				t.Errorf("%s, %s: what passes is %q, want both algorithms\n%.2000s", s.name, o.name, passed, got)
			}
			rest, ok := strings.CutPrefix(got, s.results)
			first, rest := cutField(rest)
			second, rest := cutField(rest)
			received, rest := cutField(rest)
			if !ok || !strings.HasPrefix(first, "DKIM-Signature: ") || !strings.HasPrefix(second, "DKIM-Signature: ") ||
				!strings.HasPrefix(received, "Received: ") || rest != sent {
				t.Errorf("%s, %s: delivered\n%.3000q\nwant two signatures and Postfix's own field above\n%.2000q", s.name, o.name, got, sent)
			}
		}
	}
	for i, results := range dkimpy(t, b.gate.keys(t), arrived) {
		if len(results) < 2 || results[0] != "pass" || results[1] != "pass" {
			t.Errorf("dkimpy says %q of\n%.2000s", results, arrived[i])
		}
	}
}

// withoutOthers leaves out the signature that one of the messages came with, which nobody can verify.
func withoutOthers(message string) string {
	before, rest, found := strings.Cut(message, "DKIM-Signature: v=1; a=rsa-sha256; d=example.net;")
	if !found {
		return message
	}
	_, rest = cutField("X:" + rest)
	return before + rest
}

// Postfix completes the header of a message from its own networks before the gate sees it.
func TestFieldsThatPostfixAddsAreSigned(t *testing.T) {
	sideBySide(t)
	b := prepare(t, signingTable)
	b.publishKeys(t)
	b.open(t)
	if reply := b.send(t, ownNetwork, "From: a@example.org\r\nTo: b\r\nSubject: bare\r\n\r\nno Date, no Message-ID\r\n"); !strings.HasPrefix(reply, "250 ") {
		t.Fatalf("reply %s, want 250", reply)
	}
	got := b.sink.wait(t, "Subject: bare")
	for _, field := range []string{"\r\nDate: ", "\r\nMessage-Id: ", "\r\nTo: b@mx.example.org\r\n"} {
		if !strings.Contains(got, field) {
			t.Errorf("Postfix did not write%q: the test shows nothing\n%s", field, got)
		}
	}
	if passed := algorithms(t, b.dns.Addr, got); passed != "rsa-sha256 ed25519-sha256" {
		t.Errorf("what passes is %q, want both algorithms\n%s", passed, got)
	}
}

func TestMailOfDomainsThatAreNotOursIsTreatedAsUnsignedSays(t *testing.T) {
	sideBySide(t)
	b := prepare(t, signingTable)
	b.publishKeys(t)
	b.open(t)
	const why = "This message cannot be signed: example.net is not a domain that this server signs for"
	for i, c := range []struct{ unsigned, want string }{
		{"accept", "250 "}, {"reject", "550 5.7.1 " + why}, {"defer", "451 4.7.0 " + why},
	} {
		b.reconfigure(t, signingTable+"unsigned = \""+c.unsigned+"\"")
		for j, s := range []sender{ownNetwork, loggedIn} {
			mark := fmt.Sprintf("foreign-%d-%d", i, j)
			before := b.gate.metric(t, "gatepost_unsigned_total")
			reply := b.send(t, s, message(mark, "From: a@example.net"))
			if !strings.HasPrefix(reply, c.want) {
				t.Errorf("unsigned = %s: reply %s, want %s", c.unsigned, reply, c.want)
			}
			if n := b.gate.metric(t, "gatepost_unsigned_total") - before; n != 1 {
				t.Errorf("unsigned = %s: %g messages are counted as not signed, want 1", c.unsigned, n)
			}
			if strings.HasPrefix(reply, "250 ") {
				if got := b.sink.wait(t, "<"+mark+"@example.com>"); strings.Contains(got, "DKIM-Signature:") {
					t.Errorf("it was signed:\n%s", got)
				}
			}
			ours := "ours-" + mark
			if reply := b.send(t, s, message(ours, "From: a@example.org")); !strings.HasPrefix(reply, "250 ") {
				t.Errorf("unsigned = %s: our own domain: reply %s, want 250", c.unsigned, reply)
			}
			if passed := algorithms(t, b.dns.Addr, b.sink.wait(t, "<"+ours+"@example.com>")); passed == "" {
				t.Errorf("unsigned = %s: mail of our own domain is not signed", c.unsigned)
			}
		}
	}
}

func TestMailFromOutsideIsNeverSigned(t *testing.T) {
	sideBySide(t)
	b := prepare(t, signingTable)
	b.publishKeys(t)
	b.open(t)
	outside := sender{ip: "192.0.2.1", helo: "mx.example.com", from: "a@example.org"}
	untrusted := outside
	untrusted.login = "a"
	for _, c := range []struct {
		name, more string
		sender     sender
	}{
		{"a server that SPF of our domain allows", signingTable, outside},
		{"a login that is not trusted", "trust_authenticated = false\n" + signingTable, untrusted},
		{"a network that is not ours any more", "own_networks = []\n" + signingTable, sender{from: "a@example.org"}},
	} {
		b.reconfigure(t, c.more)
		mark := strings.ReplaceAll(c.name, " ", "-")
		reply := b.send(t, c.sender, message(mark, "From: a@example.org"))
		if c.sender.ip == "" { // SPF of example.org does not allow loopback
			if !strings.HasPrefix(reply, "550 5.7.23") {
				t.Errorf("%s: reply %s, want 550 5.7.23", c.name, reply)
			}
			continue
		}
		if !strings.HasPrefix(reply, "250 ") {
			t.Fatalf("%s: reply %s, want 250", c.name, reply)
		}
		got := b.sink.wait(t, "<"+mark+"@example.com>")
		if strings.Contains(got, "DKIM-Signature:") || !strings.Contains(got, "dmarc=pass") {
			t.Errorf("%s: want our results and no signature\n%s", c.name, got)
		}
	}
}
