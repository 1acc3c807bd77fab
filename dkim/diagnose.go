package dkim

import (
	"fmt"
	"strings"

	"github.com/gatepost-mail/gatepost/message"
)

// A budget bounds what the diagnosis of one message may cost, however many signatures it has and whoever wrote it.
type budget struct {
	octets        int // that may still be hashed or gone over
	verifications int // that may still be made with a key
}

const (
	diagnosisRounds        = 64 // times DiagnoseBytes may be hashed
	headerRounds           = 16 // of these, kept for headers
	diagnosisVerifications = 512
)

// A diagnosis looks for the change that explains why one signature failed. It guesses what a relay may have done, undoes that, and
// holds the outcome to the signature: only a guess that fits is told.
type diagnosis struct {
	*budget
	sig    *Signature
	header message.Header
	own    int // the index of the signature's field
	key    *Key
	name   string // where the key is published
	body   []byte // as it came, or its beginning
	length int64  // of all of it
	octets int64  // of all of it in canonical form
	text   []byte // body in canonical form, once it was asked for
	signed []byte // the hash that an RSA signature was made over
	picked []int  // the indices of the fields that h= picks
	data   []byte // what was last held to the signature
	keep   int    // octets of the budget that are not to be spent now
	short  bool   // the budget was not enough
}

// spend takes n octets from the budget, if they are there.
func (d *diagnosis) spend(n int) bool {
	if n > d.budget.octets-d.keep {
		d.short = true
		return false
	}
	d.budget.octets -= n
	return true
}

// diagnose says what likely happened to the message in transit, or nothing.
func (v *Verifier) diagnose(c *check) string {
	if v.budget == nil {
		v.budget = &budget{diagnosisRounds * v.o.DiagnoseBytes, diagnosisVerifications}
	}
	d := &diagnosis{
		budget: v.budget, sig: &c.sig, header: v.header, own: c.own, key: c.query.key, name: c.query.name,
		body: v.kept, length: v.length, octets: c.body.Length(),
	}
	return d.run(c)
}

func (d *diagnosis) run(c *check) string {
	code, _ := c.judgeBody()
	if code == "" {
		return d.explainHeader()
	}
	d.keep = min(headerRounds*len(d.body), d.budget.octets/2)
	body := d.explainBody()
	d.keep, d.short = 0, false
	if d.key == nil {
		return body // the key could not be fetched, so there is no more to be known
	}
	if code, _ := c.judgeSignature(); code == Pass {
		return body + "; the header is as it was signed"
	}
	return body + "; and " + d.explainHeader()
}

// tooLong is said where not every guess could be tried.
const tooLong = "what was changed in it would take too long to find out"

// list joins words as a sentence does.
func list(words []string) string {
	switch n := len(words); n {
	case 0:
		return ""
	case 1:
		return words[0]
	default:
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
