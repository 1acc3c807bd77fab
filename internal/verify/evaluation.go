package verify

import (
	"net/netip"
)

// An Evaluation is what is so about one message. No policy is in it. Its JSON form is a contract that scripts rely on.
type Evaluation struct {
	Client Client   `json:"client"`
	IPRev  IPRev    `json:"iprev"`
	SPF    []SPF    `json:"spf"`  // MAIL FROM first, then HELO; empty where SPF was not evaluated
	DKIM   []DKIM   `json:"dkim"` // topmost signature first
	ARC    ARC      `json:"arc"`
	DMARC  DMARC    `json:"dmarc"`
	Author Author   `json:"author,omitzero"`
	Limits []string `json:"limits,omitempty"` // the bounds on reading that were reached, each with its reason

	// Reached are all the bounds that were, those that show in a result by its reason too.
	Reached []Limit `json:"-"`

	Trace []string `json:"trace,omitempty"`

	// Authenticated is true for submissions by our own users and from our own networks: nothing was verified.
	Authenticated bool `json:"authenticated,omitempty"`
}

// Unknown names the first method whose answer a temporary failure kept from us; empty if there is none.
func (e *Evaluation) Unknown() string {
	const unknown = "temperror"
	for _, s := range e.SPF {
		if s.Result == unknown {
			return "SPF for " + s.Domain
		}
	}
	for _, d := range e.DKIM {
		if d.Result == unknown {
			return "the DKIM key of " + d.SDID
		}
	}
	switch unknown {
	case e.ARC.Result:
		return "the key of an ARC set"
	case e.DMARC.Result:
		return "the DMARC policy of " + e.DMARC.AuthorDomain
	}
	return ""
}

// A Limit is a bound on what one message can make us do.
type Limit string

// The limits.
const (
	LimitHeader     Limit = "header"     // bytes or fields of the header, or of From
	LimitBody       Limit = "body"       // bytes of the message
	LimitQueries    Limit = "queries"    // DNS queries
	LimitTime       Limit = "time"       // for look-ups
	LimitSignatures Limit = "signatures" // looked at
)

// A Client is who handed the message to us, and the envelope.
type Client struct {
	IP       netip.Addr `json:"ip,omitzero"`
	Helo     string     `json:"helo"`
	MailFrom string     `json:"mail_from"` // without angle brackets
	PTR      []string   `json:"ptr"`

	Recipients []string `json:"rcpt_to,omitempty"` // without angle brackets; none where they are not known
}

// IPRev is the reverse DNS of the client, confirmed forwards (RFC 8601 2.7.3).
type IPRev struct {
	Result string   `json:"result"` // pass, fail, temperror, permerror; none where there is no IP
	Names  []string `json:"names"`
}

// The identities that SPF answers for (RFC 7208 2.3, 2.4). A null reverse-path makes the first the same as the second.
const (
	IdentityMailFrom = "mailfrom"
	IdentityHelo     = "helo"
)

// SPF is the result for one identity.
type SPF struct {
	Identity    string   `json:"identity"` // "mailfrom" or "helo"
	Domain      string   `json:"domain"`
	Result      string   `json:"result"`
	Term        string   `json:"term,omitempty"`
	Record      string   `json:"record,omitempty"`
	Explanation string   `json:"explanation"`
	Lookups     int      `json:"lookups"`
	VoidLookups int      `json:"void_lookups"`
	Reason      string   `json:"reason"`
	Trace       []string `json:"trace,omitempty"`
}

// DKIM is the result for one signature.
type DKIM struct {
	Result           string   `json:"result"`
	SDID             string   `json:"sdid"`
	Selector         string   `json:"selector"`
	AUID             string   `json:"auid"`
	Algorithm        string   `json:"algorithm"`
	KeyBits          int      `json:"key_bits"`
	Canonicalization string   `json:"canonicalization"`
	SignedHeaders    []string `json:"signed_headers"`
	BodyLength       *int64   `json:"body_length"` // l=; null if absent
	UnsignedBytes    int64    `json:"unsigned_bytes,omitempty"`
	Testing          bool     `json:"testing"`
	Reason           string   `json:"reason"`
	Diagnosis        string   `json:"diagnosis"`

	signatureTail string
}

// ARC is the state of the chain.
type ARC struct {
	Result    string   `json:"result"`
	Instances int      `json:"instances"`
	Sealers   []string `json:"sealers"`
	Reason    string   `json:"reason"`

	// Vouch is pass where a trusted sealer saw the Author Domain authenticated, and temperror where one might have: a key could not
	// be looked up. It is empty otherwise.
	Vouch     string `json:"vouch,omitempty"`
	VouchedBy string `json:"vouched_by,omitempty"` // that sealer's domain

	oldestPass int
}

// DMARC is the result for the Author Domain.
type DMARC struct {
	Result               string  `json:"result"`
	AuthorDomain         string  `json:"author_domain"`
	OrganizationalDomain string  `json:"organizational_domain"`
	PolicyDomain         string  `json:"policy_domain"`
	Policy               string  `json:"policy"`
	Disposition          string  `json:"disposition"`
	Testing              bool    `json:"testing,omitempty"`
	Aligned              Aligned `json:"aligned"`
	Record               string  `json:"record"`
	Reason               string  `json:"reason"`
}

// Aligned says which mechanism passed with an aligned identifier.
type Aligned struct {
	SPF  bool `json:"spf"`
	DKIM bool `json:"dkim"`
}

// Author is what the From field says.
type Author struct {
	Domains []string `json:"domains"`          // every domain in it, in order, each once
	Reason  string   `json:"reason,omitempty"` // why there is no single Author Domain; empty if there is
}
