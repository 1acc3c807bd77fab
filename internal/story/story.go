// Package story tells what became of one message, from the connection to the verdict, in the words of the log and of the dashboard.
//
//	for _, c := range story.Tell(decision) {
//		fmt.Println(c.Title, c.Result)
//	}
//
// Most of what it tells was written by a stranger, and stands in it as it came: who prints it makes it harmless.
package story

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/store"
)

// A Chapter is a part of what happened.
type Chapter struct {
	Name   string   `json:"name"` // connection, envelope, author, spf, dkim, arc, dmarc, verdict
	Title  string   `json:"title"`
	Result string   `json:"result"` // in a word; empty where nothing was judged
	Tone   string   `json:"tone"`   // good, warn, bad, or empty
	Facts  []Fact   `json:"facts"`
	Means  []string `json:"means"` // sentences: what it means
}

// A Fact is one thing that was seen.
type Fact struct {
	Label string `json:"label"`
	Text  string `json:"text"`
}

// The tones.
const (
	Good = "good"
	Warn = "warn"
	Bad  = "bad"
)

// Tell gives the chapters, in the order in which it happened.
func Tell(d *store.Decision) []Chapter {
	all := []Chapter{connection(d), envelope(d), author(d), spf(d), dkim(d), arc(d), dmarc(d), verdict(d)}
	for i := range all {
		c := &all[i]
		c.Facts = slices.DeleteFunc(c.Facts, func(f Fact) bool { return f.Text == "" })
		if c.Facts == nil {
			c.Facts = []Fact{}
		}
		if c.Means == nil {
			c.Means = []string{}
		}
	}
	return all
}

// client is the address, or what stands for it where there is none.
func client(d *store.Decision) string {
	if d.ClientIP.IsValid() {
		return d.ClientIP.String()
	}
	return "the client"
}

func connection(d *store.Decision) Chapter {
	c := Chapter{Name: "connection", Title: "A mail server connected", Facts: []Fact{
		{"time", d.Time.UTC().Format("2006-01-02 15:04:05") + " UTC"}, {"queue id", d.QueueID}, {"Message-ID", d.MessageID},
	}}
	if d.ClientIP.IsValid() {
		c.Facts = append(c.Facts, Fact{"client", d.ClientIP.String()})
	}
	c.Facts = append(c.Facts, Fact{"HELO", d.Helo})
	return c
}

func envelope(d *store.Decision) Chapter {
	to := strings.Join(d.Recipients, ", ")
	if d.MoreRecipients > 0 {
		to += fmt.Sprintf(" and %d more", d.MoreRecipients)
	}
	c := Chapter{Name: "envelope", Title: "It named sender and recipients", Facts: []Fact{{"MAIL FROM", "<" + d.MailFrom + ">"}, {"RCPT TO", to}}}
	if d.MailFrom == "" {
		c.Means = []string{"The sender is empty, as in a message about another that could not be delivered."}
	}
	return c
}

func author(d *store.Decision) Chapter {
	c := Chapter{Name: "author", Title: "The message named its author", Facts: []Fact{{"author", d.AuthorDomain}}}
	if d.AuthorDomain == "" {
		c.Means = []string{"From names no single domain that could be asked for its policy."}
	}
	return c
}

func dkim(d *store.Decision) Chapter {
	c := Chapter{Name: "dkim", Title: "Its signatures were verified", Result: "none"}
	for i, s := range d.DKIM {
		c.Facts = append(c.Facts, Fact{"dkim", s.Result + ", " + s.SDID + ", selector " + s.Selector})
		c.Means = append(c.Means, signature(&s))
		if i == 0 || s.Result == "pass" {
			c.Result = s.Result
		}
	}
	switch {
	case len(d.DKIM) == 0:
		c.Means = []string{"The message bears no DKIM signature."}
	case c.Result == "pass":
		c.Tone = Good
	default:
		c.Tone = Warn
	}
	return c
}

func signature(s *store.Signature) string {
	switch s.Result {
	case "pass":
		return fmt.Sprintf("The signature of %s is good: the message is as it was when %s signed it.", s.SDID, s.SDID)
	case "fail":
		return fmt.Sprintf("The signature of %s is not good: the message was changed after it was signed, or signed with another key than the one in DNS.", s.SDID)
	case "temperror":
		return fmt.Sprintf("The key of %s could not be looked up.", s.SDID)
	case "permerror":
		return fmt.Sprintf("The signature of %s cannot be verified: its key is not in DNS or is in error, or the signature is.", s.SDID)
	case "policy":
		return fmt.Sprintf("The signature of %s is of a kind that is not accepted here.", s.SDID)
	case "neutral":
		return fmt.Sprintf("The signature of %s could not be read.", s.SDID)
	}
	return fmt.Sprintf("The signature of %s says nothing.", s.SDID)
}

func arc(d *store.Decision) Chapter {
	c := Chapter{Name: "arc", Title: "Those who passed it on were asked", Result: d.ARC, Facts: []Fact{{"arc", d.ARC}}}
	switch d.ARC {
	case "pass":
		c.Tone = Good
		c.Means = []string{"The seals of the servers that passed it on are whole. What they saw counts where the configuration trusts the sealer."}
	case "fail":
		c.Tone = Warn
		c.Means = []string{"The chain of seals is broken, so that nobody vouches for it."}
	case "none":
		c.Means = []string{"No server sealed it on its way."}
	}
	return c
}
