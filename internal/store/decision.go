package store

import (
	"net/netip"
	"time"
)

// A Decision is what became of one message, and why. Nothing of its body is in it. What is longer than the bounds below is cut
// when it is written down.
type Decision struct {
	ID        int64     `json:"id"` // given by the store, upwards
	Time      time.Time `json:"time"`
	Reference string    `json:"reference"` // what the SMTP reply calls the message
	QueueID   string    `json:"queue_id"`
	MessageID string    `json:"message_id"`

	ClientIP       netip.Addr `json:"client_ip,omitzero"`
	Helo           string     `json:"helo"`
	MailFrom       string     `json:"mail_from"`
	EnvelopeDomain string     `json:"envelope_domain"` // of MAIL FROM
	Recipients     []string   `json:"rcpt_to"`
	MoreRecipients int64      `json:"more_recipients,omitempty"` // those that Recipients has no room for

	AuthorDomain string      `json:"author_domain"`
	SPF          []SPF       `json:"spf"` // MAIL FROM first, then HELO
	DKIM         []Signature `json:"dkim"`
	ARC          string      `json:"arc"`
	DMARC        string      `json:"dmarc"`
	PolicyDomain string      `json:"policy_domain"`
	Policy       string      `json:"policy"`
	Disposition  string      `json:"disposition"` // what the policy asks for
	Record       string      `json:"record"`      // the published policy's text
	AlignedSPF   bool        `json:"aligned_spf"`
	AlignedDKIM  bool        `json:"aligned_dkim"`

	Verdict   string    `json:"verdict"`
	Rule      string    `json:"rule"`
	Mode      string    `json:"mode"` // enforce or monitor
	Done      string    `json:"done"` // what was really done
	Exception int64     `json:"exception,omitempty"`
	Reason    string    `json:"reason"`
	Watched   []Watched `json:"watched,omitempty"` // rules that only watch, and matched
}

// SPF is the result for one identity: mailfrom or helo.
type SPF struct {
	Identity string `json:"identity"`
	Domain   string `json:"domain"`
	Result   string `json:"result"`
}

// A Signature is the result of one DKIM signature.
type Signature struct {
	Result   string `json:"result"`
	SDID     string `json:"sdid"`
	Selector string `json:"selector"`
}

// Watched is a rule that only watches, and what it would have done.
type Watched struct {
	Rule   string `json:"rule"`
	Action string `json:"action"`
}

// The bounds, in bytes and elements: a sender writes most of this.
const (
	maxWord       = 64 // results, rules, references
	maxDomain     = 255
	maxAddress    = 320 // RFC 5321 4.5.3.1: 64, "@" and 255
	maxText       = 512
	maxRecipients = 10
	maxSignatures = 10
	maxSPF        = 2
	maxWatched    = 16
)

// MaxEncoded bounds what AppendBinary writes for a Decision or an Observation.
const MaxEncoded = 24 << 10

// fields goes through the members in an order that never changes: what was written by an older program must be read by a newer
// one. New members are added at the end.
func (d *Decision) fields(c *coder) {
	c.time(&d.Time)
	c.text(&d.Reference, maxWord)
	c.text(&d.QueueID, maxWord)
	c.text(&d.MessageID, maxText)
	c.addr(&d.ClientIP)
	c.text(&d.Helo, maxDomain)
	c.text(&d.MailFrom, maxAddress)
	c.text(&d.EnvelopeDomain, maxDomain)
	c.recipients(&d.Recipients, &d.MoreRecipients)
	c.text(&d.AuthorDomain, maxDomain)
	c.spf(&d.SPF)
	c.signatures(&d.DKIM)
	c.text(&d.ARC, maxWord)
	c.text(&d.DMARC, maxWord)
	c.text(&d.PolicyDomain, maxDomain)
	c.text(&d.Policy, maxWord)
	c.text(&d.Disposition, maxWord)
	c.text(&d.Record, maxText)
	c.flag(&d.AlignedSPF)
	c.flag(&d.AlignedDKIM)
	c.text(&d.Verdict, maxWord)
	c.text(&d.Rule, maxWord)
	c.text(&d.Mode, maxWord)
	c.text(&d.Done, maxWord)
	c.number(&d.Exception)
	c.text(&d.Reason, maxText)
	c.watched(&d.Watched)
}

// AppendBinary appends the decision, without its ID. It never fails.
func (d *Decision) AppendBinary(b []byte) ([]byte, error) {
	c := coder{buf: b}
	d.fields(&c)
	return c.buf, nil
}

// UnmarshalBinary reads what AppendBinary wrote.
func (d *Decision) UnmarshalBinary(b []byte) error {
	*d = Decision{}
	c := coder{rest: string(b), reading: true}
	d.fields(&c)
	return c.err
}
