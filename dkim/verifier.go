package dkim

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"runtime/debug"
	"sync"
	"time"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/message"
)

// A Verifier judges the signatures of one message. Its methods are called from one goroutine: Write for each piece of the body,
// then Results. Close ends it at any time.
type Verifier struct {
	o        Options
	ctx      context.Context
	cancel   context.CancelFunc
	resolver dns.Resolver
	header   message.Header
	body     *Body
	checks   []check
	beyond   int // signatures that are not looked at
	queries  []*keyQuery
	tasks    sync.WaitGroup
	results  []Result
	judged   bool
	kept     []byte  // the beginning of the body as it came, for the diagnosis
	length   int64   // of the body as it came
	budget   *budget // of the diagnosis
}

// A check is one signature on its way to its result.
type check struct {
	sig    Signature
	own    int   // the index of its field in the header
	code   Code  // settled without its key, if not empty
	err    error // why
	hashed [sha256.Size]byte
	body   *BodyHash
	query  *keyQuery
}

// A keyQuery is a key on its way. A goroutine of its own asks for it and does nothing else, so that its small stack is enough; the
// answer is read by Results.
type keyQuery struct {
	selector, sdid string
	name           string
	answer         dns.Answer
	key            *Key
	err            error
	panicked       string // what went wrong in the resolver, with the stack
}

const (
	defaultSignatures    = 10
	defaultDiagnoseBytes = 1 << 20
)

// scratch holds what header hashes are computed over.
var scratch = sync.Pool{New: func() any { return new([]byte) }}

// maxScratch bounds what a message with a large header leaves behind.
const maxScratch = 64 << 10

// NewVerifier begins with the signatures in a header: those that can still pass have their keys looked up from now on, each key
// once. The header must not change until Results returns.
func NewVerifier(ctx context.Context, r dns.Resolver, header message.Header, o Options) *Verifier {
	v := &Verifier{o: o, ctx: ctx, resolver: r, header: header, body: o.Body}
	if v.body == nil {
		v.body = NewBody()
	}
	v.o.MaxSignatures = cmp.Or(max(o.MaxSignatures, 0), defaultSignatures)
	v.o.MinRSABits = max(o.MinRSABits, minRSABits)
	v.o.DiagnoseBytes = cmp.Or(max(o.DiagnoseBytes, 0), defaultDiagnoseBytes)
	if o.Now.IsZero() {
		v.o.Now = time.Now()
	}
	n := header.Count("DKIM-Signature")
	if n > v.o.MaxSignatures { // before DNS is asked (RFC 6376 8.4)
		n, v.beyond = v.o.MaxSignatures, n-v.o.MaxSignatures
	}
	v.checks = make([]check, n)
	for i, own := 0, -1; i < n; i++ {
		for own++; !header[own].Is("DKIM-Signature"); own++ {
		}
		v.checks[i].own = own
		v.begin(&v.checks[i])
	}
	return v
}

// begin reads a signature, hashes the header that it signs, and asks for its key and its body hash.
func (v *Verifier) begin(c *check) {
	if err := c.sig.parse(v.header[c.own].Value(), dkimSignature); err != nil {
		c.code, c.err = PermError, fmt.Errorf("the signature is not valid: %w", err)
		return
	}
	if c.code, c.err = v.judgeField(&c.sig); c.code != "" {
		return
	}
	c.query = v.ask(c.sig.Selector, c.sig.SDID)
	c.body = v.body.Want(c.sig.Canonicalization.Body, c.sig.BodyLength)
	buf := scratch.Get().(*[]byte)
	*buf = c.sig.AppendSigned((*buf)[:0], v.header, c.own)
	c.hashed = sha256.Sum256(*buf)
	if cap(*buf) <= maxScratch {
		scratch.Put(buf)
	}
}

// ask starts to look up a key, unless that has been done.
func (v *Verifier) ask(selector, sdid string) *keyQuery {
	for _, q := range v.queries {
		if q.selector == selector && q.sdid == sdid {
			return q
		}
	}
	if v.cancel == nil {
		v.ctx, v.cancel = context.WithCancel(v.ctx)
	}
	q := &keyQuery{selector: selector, sdid: sdid}
	v.queries = append(v.queries, q)
	if q.name, q.err = keyName(selector, sdid); q.err == nil {
		v.tasks.Go(func() { q.run(v.ctx, v.resolver) })
	}
	return q
}

func (q *keyQuery) run(ctx context.Context, r dns.Resolver) {
	defer func() {
		if p := recover(); p != nil {
			q.panicked = fmt.Sprintf("%v\n%s", p, debug.Stack())
		}
	}()
	q.answer, q.err = r.Lookup(ctx, q.name, dns.TypeTXT)
}

// Write takes the next piece of the body, as it came over the wire. It never fails. Where Options.Body is shared, the body is
// written here or there, not to both.
func (v *Verifier) Write(p []byte) (int, error) {
	if v.o.Diagnose {
		room := v.o.DiagnoseBytes - len(v.kept)
		v.kept = append(v.kept, p[:min(len(p), room)]...)
		v.length += int64(len(p))
	}
	return v.body.Write(p)
}

// Results says that the body has ended, waits for the keys, and judges each signature, the topmost first. There are none where the
// message has no signature. Where it has more than Options.MaxSignatures, one [Policy] result stands for all those below.
//
// A panic of the resolver is raised again here.
func (v *Verifier) Results() []Result {
	if v.judged {
		return v.results
	}
	v.body.Close()
	v.end(false)
	for _, q := range v.queries {
		if q.panicked != "" {
			panic(q.panicked)
		}
		q.key, q.err = readKey(q.name, q.answer, q.err)
	}
	v.judged = true
	v.results = make([]Result, 0, len(v.checks)+min(v.beyond, 1))
	for i := range v.checks {
		v.results = append(v.results, v.judge(&v.checks[i]))
	}
	if v.beyond > 0 {
		v.results = append(v.results, Result{
			Code: Policy, BodyLength: -1,
			Err: fmt.Errorf("%d more signatures were not looked at: %d are the most", v.beyond, v.o.MaxSignatures),
		})
	}
	return v.results
}

// Beyond is the number of signatures that are not looked at, since there are more than Options.MaxSignatures.
func (v *Verifier) Beyond() int { return v.beyond }

// Close ends what still runs, and waits for that. It may be called again, and after Results.
func (v *Verifier) Close() error {
	v.end(true)
	return nil
}

// end waits for the look-ups, after telling them to stop if they are not needed any more.
func (v *Verifier) end(early bool) {
	if v.cancel == nil {
		return
	}
	if early {
		v.cancel()
	}
	v.tasks.Wait()
	v.cancel()
}

// Verify judges the signatures of a whole message. The error is about reading it; see [message.Read]. For the order of the results
// see [Verifier.Results].
func Verify(ctx context.Context, r dns.Resolver, m io.Reader, o Options) ([]Result, error) {
	msg, err := message.Read(m, o.Limits)
	if err != nil {
		return nil, err
	}
	v := NewVerifier(ctx, r, msg.Header, o)
	defer v.Close()
	if _, err := io.Copy(v, msg.Body); err != nil {
		return nil, err
	}
	return v.Results(), nil
}
