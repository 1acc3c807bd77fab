package examine

import (
	"net/mail"
	"net/netip"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/message"
)

// A Hop is one server that a message went through, as the field says that it wrote. Whoever sent the message may have written those below
// the first server that one trusts.
type Hop struct {
	From string        `json:"from"` // what the client called itself
	IP   netip.Addr    `json:"ip,omitzero"`
	By   string        `json:"by"`
	With string        `json:"with"` // the protocol: ESMTPS
	At   time.Time     `json:"at,omitzero"`
	Took time.Duration `json:"took_ns"` // since the hop before; 0 where that is not known, less where a clock is wrong
	Text string        `json:"text"`    // the field, as one line
}

const maxHops = 100

// Hops reads the Received fields: the first hop first, which is the lowest field.
func Hops(h message.Header) []Hop {
	all := []Hop{}
	for i := len(h) - 1; i >= 0 && len(all) < maxHops; i-- {
		if !h[i].Is("Received") {
			continue
		}
		hop := readHop(Unfold(h[i].Value()))
		if n := len(all); n > 0 && !hop.At.IsZero() && !all[n-1].At.IsZero() {
			hop.Took = hop.At.Sub(all[n-1].At)
		}
		all = append(all, hop)
	}
	return all
}

// readHop reads what it finds of "from NAME (…) by NAME with PROTOCOL …; DATE".
func readHop(text string) Hop {
	hop := Hop{Text: text}
	body := text
	if i := strings.LastIndexByte(text, ';'); i >= 0 {
		body = text[:i]
		if at, err := mail.ParseDate(strings.TrimSpace(text[i+1:])); err == nil && at.Year() > 1980 && at.Year() < 2200 {
			hop.At = at.UTC()
		}
	}
	if c, err := parseReceived(body); err == nil {
		hop.IP = c.IP
	}
	word := ""
	for rest := body; rest != ""; {
		rest = strings.TrimLeft(rest, " \t")
		if strings.HasPrefix(rest, "(") {
			_, after, err := cutComment(rest)
			if err != nil {
				break
			}
			rest = after
			continue
		}
		next, after := rest, ""
		if end := strings.IndexAny(rest, " \t("); end >= 0 {
			next, after = rest[:end], rest[end:]
		}
		rest = after
		for name, to := range map[string]*string{"from": &hop.From, "by": &hop.By, "with": &hop.With} {
			if word == name && *to == "" {
				*to = next
			}
		}
		word = strings.ToLower(next)
	}
	return hop
}
