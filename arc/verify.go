package arc

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/message"
)

// A Verifier validates the chain of one message. Its methods are called from one goroutine: Write for each piece of the body, then
// Result. Close ends it at any time.
type Verifier struct {
	o      Options
	chain  *chain
	body   *dkim.Body
	hashes []*dkim.BodyHash // of each set's message signature
	keys   keys
	seals  []*pendingKey
	signed []*pendingKey
}

// NewVerifier begins with the chain in a header. Where its structure is sound, its keys are looked up from now on, each once. The
// header must not change until Result returns.
func NewVerifier(ctx context.Context, r dns.Resolver, header message.Header, o Options) *Verifier {
	v := &Verifier{o: o, chain: readChain(header), body: o.Body, keys: keys{ctx: ctx, resolver: r}}
	if v.body == nil {
		v.body = dkim.NewBody()
	}
	if v.o.Now.IsZero() {
		v.o.Now = time.Now()
	}
	if v.chain.err != nil {
		return v
	}
	for _, s := range v.chain.sets {
		v.hashes = append(v.hashes, v.body.Want(s.signature.Canonicalization.Body, s.signature.BodyLength))
		v.seals = append(v.seals, v.keys.ask(s.seal.Selector, s.seal.SDID))
		v.signed = append(v.signed, v.keys.ask(s.signature.Selector, s.signature.SDID))
	}
	return v
}

// Write takes the next piece of the body, as it came over the wire. It never fails. Where Options.Body is shared, whoever owns it
// writes to it instead.
func (v *Verifier) Write(p []byte) (int, error) { return v.body.Write(p) }

// Close ends what still runs. It may be called again, and after Result.
func (v *Verifier) Close() error {
	v.keys.close()
	return nil
}

// Result says that the body has ended, waits for the keys, and judges the chain (RFC 8617 5.2).
func (v *Verifier) Result() Result {
	v.body.Close()
	v.keys.wait()
	sets := v.chain.sets
	r := Result{Code: None, Instances: len(sets), Err: v.chain.err}
	for _, s := range sets {
		if s.seal != nil {
			r.Sealers = append(r.Sealers, s.seal.SDID)
		}
		if s.aar >= 0 {
			r.AuthResults = append(r.AuthResults, payload(v.chain.header[s.aar]))
		}
	}
	switch {
	case r.Err != nil:
		r.Code = Fail
		r.Ended = len(sets) > 0 && v.chain.ended()
	case len(sets) > 0:
		r.Code, r.OldestPass, r.Err = v.judge()
		if limit := sets[len(sets)-1].signature.BodyLength; limit >= 0 {
			r.Unsigned = max(0, v.hashes[len(sets)-1].Length()-limit)
		}
	}
	return r
}

// ended tells whether the newest seal says cv=fail: such a chain is not to be extended (RFC 8617 5.1.2).
func (c *chain) ended() bool {
	newest := c.sets[len(c.sets)-1]
	if newest.as < 0 {
		return false
	}
	seal, err := dkim.ParseSeal(c.header[newest.as].Value())
	if err != nil {
		return false
	}
	cv, _ := seal.Tag("cv")
	return strings.EqualFold(cv, "fail")
}

// judge validates the newest message signature, every seal, and then the older message signatures for as far as they still hold.
func (v *Verifier) judge() (Code, int, error) {
	n := len(v.chain.sets)
	var unknown error // a key that could not be fetched: the chain fails all the same if something else is wrong
	check := func(err error, format string, instance int) error {
		if e := (*dkim.KeyError)(nil); errors.As(err, &e) && e.Code == dkim.TempError {
			if unknown == nil {
				unknown = fmt.Errorf(format, instance, err)
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf(format, instance, err)
		}
		return nil
	}
	if err := check(v.checkMessage(n-1), "the message signature of instance %d: %w", n); err != nil {
		return Fail, 0, err
	}
	hashes := v.sealHashes()
	for i := n - 1; i >= 0; i-- {
		if err := check(v.checkSeal(i, hashes[i]), "the seal of instance %d: %w", i+1); err != nil {
			return Fail, 0, err
		}
	}
	if unknown != nil {
		return TempError, 0, unknown
	}
	for i := n - 2; i >= 0; i-- {
		if v.checkMessage(i) != nil {
			return Pass, i + 2, nil
		}
	}
	return Pass, 0, nil
}

// checkMessage validates the message signature of a set.
func (v *Verifier) checkMessage(i int) error {
	s := v.chain.sets[i].signature
	switch {
	case s.Expiration >= 0 && v.o.Now.Unix() > s.Expiration:
		return errors.New("it expired")
	case s.BodyLength > v.hashes[i].Length():
		return fmt.Errorf("it is over l=%d octets of body, and there are only %d", s.BodyLength, v.hashes[i].Length())
	case string(v.hashes[i].Sum()) != string(s.BodyHash):
		return dkim.ErrBodyHash
	}
	hashed := sha256.Sum256(s.AppendSigned(nil, v.chain.header, v.chain.sets[i].ams))
	return v.verify(v.signed[i], s, hashed[:])
}

func (v *Verifier) checkSeal(i int, hashed []byte) error {
	return v.verify(v.seals[i], v.chain.sets[i].seal, hashed)
}

func (v *Verifier) verify(p *pendingKey, s *dkim.Signature, hashed []byte) error {
	if p.err != nil {
		return p.err
	}
	if p.key.Type == "rsa" && p.key.Bits < v.o.MinRSABits {
		return fmt.Errorf("the key has %d bits; %d are asked for here", p.key.Bits, v.o.MinRSABits)
	}
	return p.key.Verify(s.Algorithm, hashed, s.Value)
}

// sealHashes gives what each seal is made over: all sets up to its own, the seal itself without its b= (RFC 8617 5.1.1). The sets
// are hashed once, however many seals there are.
func (v *Verifier) sealHashes() [][]byte {
	sums := make([][]byte, len(v.chain.sets))
	all := sha256.New()
	var buf []byte
	for i, s := range v.chain.sets {
		buf = dkim.Relaxed.AppendHeader(buf[:0], v.chain.header[s.aar])
		buf = dkim.Relaxed.AppendHeader(buf, v.chain.header[s.ams])
		all.Write(buf)
		sums[i] = sumWith(all, dkim.Relaxed.AppendUnsigned(buf[:0], v.chain.header[s.as], s.seal))
		all.Write(dkim.Relaxed.AppendHeader(buf[:0], v.chain.header[s.as]))
	}
	return sums
}

// sumWith is the sum of what was hashed and of p, and leaves the hash as it is.
func sumWith(h hash.Hash, p []byte) []byte {
	clone, err := h.(hash.Cloner).Clone()
	if err != nil {
		panic(err) // SHA-256 can always be cloned
	}
	clone.Write(p)
	return clone.Sum(nil)
}

// Verify validates the chain of a whole message. The error is about reading it; see [message.Read].
func Verify(ctx context.Context, r dns.Resolver, m io.Reader, o Options) (Result, error) {
	msg, err := message.Read(m, message.Limits{})
	if err != nil {
		return Result{}, err
	}
	v := NewVerifier(ctx, r, msg.Header, o)
	defer v.Close()
	if _, err := io.Copy(v, msg.Body); err != nil {
		return Result{}, err
	}
	return v.Result(), nil
}
