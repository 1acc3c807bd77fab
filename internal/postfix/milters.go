// Package postfix puts the gate among the milters of a Postfix, and takes it out again, by Postfix's own postconf.
//
//	p := postfix.Postfix{}
//	changes, notes, err := p.Enable(ctx, postfix.Gate{Address: "inet:127.0.0.1:8891"})
//	err = p.Apply(ctx, changes)
//
// Nothing else in main.cf is changed: what Postfix is to do while the gate is away stands in the gate's own entry
// (MILTER_README, "Advanced policy for Milter applications"), so that other milters keep theirs.
package postfix

import (
	"errors"
	"fmt"
	"strings"
)

var errBraces = errors.New("its braces do not match")

// split takes the value of smtpd_milters apart: entries that commas or spaces separate, those in braces whole.
func split(value string) ([]string, error) {
	var entries []string
	depth, begin := 0, -1
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case c == '{':
			if depth == 0 && begin < 0 {
				begin = i
			}
			depth++
		case c == '}':
			if depth--; depth < 0 {
				return nil, errBraces
			}
		case depth > 0:
		case c == ',' || c == ' ' || c == '\t' || c == '\n' || c == '\r':
			if begin >= 0 {
				entries = append(entries, value[begin:i])
				begin = -1
			}
		case begin < 0:
			begin = i
		}
	}
	if depth != 0 {
		return nil, errBraces
	}
	if begin >= 0 {
		entries = append(entries, value[begin:])
	}
	return entries, nil
}

// address is where an entry leads: its first word, in braces or not.
func address(entry string) string {
	entry = strings.TrimSpace(strings.TrimPrefix(entry, "{"))
	end := strings.IndexAny(entry, ", \t\r\n}")
	if end < 0 {
		end = len(entry)
	}
	return strings.ToLower(entry[:end])
}

// put gives a value in which the gate stands once: where it stood, or else before all others, since a milter that changes a message
// breaks its signatures.
func put(value, entry string, ours func(address string) bool) (string, error) {
	entries, err := split(value)
	if err != nil {
		return "", err
	}
	var all []string
	placed := false
	for _, e := range entries {
		switch {
		case !ours(address(e)):
			all = append(all, e)
		case !placed:
			all = append(all, entry)
			placed = true
		}
	}
	if !placed {
		all = append([]string{entry}, all...)
	}
	return strings.Join(all, ", "), nil
}

// take gives a value in which the gate does not stand. One in which it did not stays as it is written.
func take(value string, ours func(address string) bool) (string, error) {
	entries, err := split(value)
	if err != nil {
		return "", err
	}
	var others []string
	for _, e := range entries {
		if !ours(address(e)) {
			others = append(others, e)
		}
	}
	if len(others) == len(entries) {
		return value, nil
	}
	return strings.Join(others, ", "), nil
}

// A Gate is what Postfix is to know of it.
type Gate struct {
	Address string // as Postfix writes it: inet:HOST:PORT or unix:PATH
	Monitor bool   // mail passes while the gate is away, as it does while it is there
	Sign    bool   // ask it about mail that is submitted on this host without SMTP too
}

// entry is the gate's own in a list of milters. The timeouts are those of docs/postfix.md.
func (g Gate) entry() string {
	action := "tempfail"
	if g.Monitor {
		action = "accept"
	}
	return fmt.Sprintf("{ %s, protocol=6, default_action=%s, connect_timeout=10s, command_timeout=30s, content_timeout=300s }", g.Address, action)
}

// usual are the addresses at which a gate is found, whatever it listens on now: an entry of one is replaced, not joined by another.
var usual = []string{"inet:127.0.0.1:8891", "inet:localhost:8891", "unix:gatepost/milter", "unix:/gatepost/milter"}

func (g Gate) is(address string) bool {
	if address == strings.ToLower(g.Address) {
		return true
	}
	for _, a := range usual {
		if address == a {
			return true
		}
	}
	return false
}
