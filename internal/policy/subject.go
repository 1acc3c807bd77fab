package policy

import (
	"fmt"
	"reflect"
	"sync"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"

	"github.com/gatepost-mail/gatepost/internal/verify"
)

// A subject is the message that rules are about: it gives CEL the values of names, straight from the Evaluation.
type subject struct {
	*verify.Evaluation
	now    time.Time // the present if zero
	dkim   ref.Val   // made when first asked for
	memory *Memory   // of what is known of the message; nil: everything is
}

// subjects are kept for the next message, since a gate makes thousands a second.
var subjects = sync.Pool{New: func() any { return new(subject) }}

// ResolveName makes a subject an activation of CEL.
func (s *subject) ResolveName(n string) (any, bool) {
	if known := byName[n]; known != nil {
		if s.memory != nil && !s.memory.Known[n] {
			return s.memory.lacks(n), true
		}
		return known.get(s), true
	}
	return nil, false
}

// Parent is nil: there is nothing else that a rule can see.
func (s *subject) Parent() interpreter.Activation { return nil }

func (s *subject) ip() string {
	if !s.Client.IP.IsValid() {
		return ""
	}
	return s.Client.IP.String()
}

// Where SPF was not evaluated, or there is no such signature, every member is empty.
var (
	noSPF  verify.SPF
	noDKIM verify.DKIM
)

func (s *subject) mailFrom() *verify.SPF {
	return orNone(identity(s.Evaluation, verify.IdentityMailFrom))
}
func (s *subject) helo() *verify.SPF { return orNone(identity(s.Evaluation, verify.IdentityHelo)) }

func orNone(s *verify.SPF) *verify.SPF {
	if s == nil {
		return &noSPF
	}
	return s
}

func (s *subject) part() *verify.DKIM { return orNoSignature(partSignature(s.Evaluation)) }
func (s *subject) open() *verify.DKIM { return orNoSignature(openSignature(s.Evaluation)) }

func orNoSignature(d *verify.DKIM) *verify.DKIM {
	if d == nil {
		return &noDKIM
	}
	return d
}

func (s *subject) signatures() ref.Val {
	if s.dkim == nil {
		all := make([]ref.Val, len(s.DKIM))
		for i := range s.DKIM {
			all[i] = signed{&s.DKIM[i], &s.DMARC, s.memory}
		}
		s.dkim = types.NewRefValList(types.DefaultTypeAdapter, all)
	}
	return s.dkim
}

var signatureType = cel.ObjectType("signature")

// A member is what a signature in dkim has.
type member struct {
	name  string
	typ   *cel.Type
	doc   string
	words []string
	get   func(signed) ref.Val
}

// members are all members, in the order of the document.
var members = []member{
	{"result", cel.StringType, "pass, fail, neutral, policy, temperror or permerror (RFC 8601 2.7.1)", dkimWords,
		func(s signed) ref.Val { return boxed(s.Result) }},
	{"sdid", cel.StringType, "the domain that signed (d=)", nil, func(s signed) ref.Val { return boxed(s.SDID) }},
	{"selector", cel.StringType, "the selector (s=)", nil, func(s signed) ref.Val { return boxed(s.Selector) }},
	{"auid", cel.StringType, "for whom it signed (i=)", nil, func(s signed) ref.Val { return boxed(s.AUID) }},
	{"algorithm", cel.StringType, "such as rsa-sha256", nil, func(s signed) ref.Val { return boxed(s.Algorithm) }},
	{"key_bits", cel.IntType, "the size of the key", nil, func(s signed) ref.Val { return types.Int(s.KeyBits) }},
	{"canonicalization", cel.StringType, "such as relaxed/relaxed", nil, func(s signed) ref.Val { return boxed(s.Canonicalization) }},
	{"signed_headers", cel.ListType(cel.StringType), "the header fields that are signed", nil, func(s signed) ref.Val {
		return types.NewStringList(types.DefaultTypeAdapter, s.SignedHeaders)
	}},
	{"unsigned_bytes", cel.IntType, "the bytes of the body that it leaves unsigned (l=)", nil,
		func(s signed) ref.Val { return types.Int(s.UnsignedBytes) }},
	{"testing", cel.BoolType, "the key is being tested (t=y): the message counts as unsigned", nil,
		func(s signed) ref.Val { return types.Bool(s.Testing) }},
	{"aligned", cel.BoolType, "its domain stands for the one in From (RFC 9989 4.4)", nil,
		func(s signed) ref.Val { return types.Bool(aligned(s.SDID, s.dmarc)) }},
	{"vouches", cel.BoolType, "it passes, is not being tested and covers the whole body", nil,
		func(s signed) ref.Val { return types.Bool(vouches(s.DKIM)) }},
	{"reason", cel.StringType, "why it does not pass", nil, func(s signed) ref.Val { return boxed(s.Reason) }},
}

// signed is a value of CEL: one element of dkim.
type signed struct {
	*verify.DKIM
	dmarc  *verify.DMARC
	memory *Memory
}

func (s signed) ConvertToNative(t reflect.Type) (any, error) {
	return nil, fmt.Errorf("a signature is no %v", t)
}

func (s signed) ConvertToType(t ref.Type) ref.Val {
	return types.NewErr("a signature cannot be made a %s", t.TypeName())
}

// Equal tells whether two are the same signature of the same message.
func (s signed) Equal(other ref.Val) ref.Val {
	o, ok := other.(signed)
	return types.Bool(ok && o.DKIM == s.DKIM)
}

func (s signed) Type() ref.Type { return signatureType }
func (s signed) Value() any     { return s }

// provider tells CEL of the type of signatures.
type provider struct{ types.Provider }

func (p provider) FindStructType(n string) (*types.Type, bool) {
	if n == signatureType.TypeName() {
		return types.NewTypeTypeWithParam(signatureType), true
	}
	return p.Provider.FindStructType(n)
}

func (p provider) FindStructFieldNames(n string) ([]string, bool) {
	if n != signatureType.TypeName() {
		return p.Provider.FindStructFieldNames(n)
	}
	var all []string
	for _, m := range members {
		all = append(all, m.name)
	}
	return all, true
}

func (p provider) FindStructFieldType(n, field string) (*types.FieldType, bool) {
	if n != signatureType.TypeName() {
		return p.Provider.FindStructFieldType(n, field)
	}
	for i := range members {
		if m := &members[i]; m.name == field {
			return &types.FieldType{
				Type:  m.typ,
				IsSet: func(any) bool { return true },
				GetFrom: func(target any) (any, error) {
					s, ok := target.(signed)
					if !ok {
						return nil, fmt.Errorf("%T is no signature", target)
					}
					if s.memory != nil && !s.memory.Signatures[m.name] {
						return s.memory.lacks("dkim." + m.name), nil
					}
					return m.get(s), nil
				},
			}, true
		}
	}
	return nil, false
}

// NewValue is never needed: a rule cannot make a signature.
func (p provider) NewValue(n string, fields map[string]ref.Val) ref.Val {
	if n == signatureType.TypeName() {
		return types.NewErr("a rule cannot make a signature")
	}
	return p.Provider.NewValue(n, fields)
}
