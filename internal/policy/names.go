package policy

import (
	"cmp"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// A name is one thing that a rule can speak of. The same table declares it to CEL, gives its value, and is what docs/policy.md is
// held to.
type name struct {
	name  string
	typ   *cel.Type
	doc   string
	words []string // what it can be, where that is a few words
	room  int      // octets of it that go into a sentence
	get   func(*subject) ref.Val
}

// The results that RFC 8601 2.7 names.
var (
	spfWords     = []string{"pass", "fail", "softfail", "neutral", "none", "temperror", "permerror", ""}
	dkimWords    = []string{"pass", "fail", "neutral", "none", "policy", "temperror", "permerror"}
	arcWords     = []string{"pass", "fail", "none", "temperror", "permerror", ""}
	dmarcWords   = []string{"pass", "fail", "none", "temperror", "permerror", ""}
	iprevWords   = []string{"pass", "fail", "none", "temperror", "permerror", ""}
	dispositions = []string{"none", "quarantine", "reject", ""}
)

// How much of a thing that the sender wrote goes into a sentence. Together they stay within a reply.
const (
	domainLength  = 80
	addressLength = 80
	reasonLength  = 120
	longest       = 240 // of any one piece
)

// names are all names, in the order of the document.
var names = []name{
	text("client.ip", "the client's IP address; empty if it is not known", domainLength, func(s *subject) string { return s.ip() }),
	text("client.helo", "its name in HELO or EHLO", domainLength, func(s *subject) string { return s.Client.Helo }),
	text("client.mail_from", "the address in MAIL FROM, without angle brackets; empty for the null sender", addressLength,
		func(s *subject) string { return s.Client.MailFrom }),
	list("client.ptr", "its names in reverse DNS, confirmed or not", func(s *subject) []string { return s.Client.PTR }),
	list("rcpt", "the addresses in RCPT TO; none where they are not known", func(s *subject) []string { return s.Client.Recipients }),
	flag("authenticated", "a user of our own who logged in, or our own network: nothing was verified",
		func(s *subject) bool { return s.Authenticated }),
	word("iprev.result", "whether a name of the client leads back to its address (RFC 8601 2.7.3)", iprevWords,
		func(s *subject) string { return s.IPRev.Result }),
	list("iprev.names", "the names that do", func(s *subject) []string { return s.IPRev.Names }),

	word("spf.result", "SPF of MAIL FROM, or of HELO for the null sender (RFC 7208); empty if it was not evaluated", spfWords,
		func(s *subject) string { return s.mailFrom().Result }),
	text("spf.domain", "the domain whose record was asked", domainLength, func(s *subject) string { return s.mailFrom().Domain }),
	text("spf.term", "the term of the record that matched, such as ~all; empty if none did", domainLength,
		func(s *subject) string { return s.mailFrom().Term }),
	text("spf.record", "the record", reasonLength, func(s *subject) string { return s.mailFrom().Record }),
	text("spf.explanation", "what the domain has to say of a fail (exp=)", reasonLength, func(s *subject) string { return s.mailFrom().Explanation }),
	text("spf.reason", "why temperror or permerror", reasonLength, func(s *subject) string { return s.mailFrom().Reason }),
	number("spf.lookups", "terms that asked DNS, of the 10 allowed", func(s *subject) int64 { return int64(s.mailFrom().Lookups) }),
	number("spf.void_lookups", "of these, without an answer", func(s *subject) int64 { return int64(s.mailFrom().VoidLookups) }),

	word("helo.result", "SPF of the HELO name (RFC 7208 2.3); empty if it was not evaluated", spfWords,
		func(s *subject) string { return s.helo().Result }),
	text("helo.domain", "that name", domainLength, func(s *subject) string { return s.helo().Domain }),
	text("helo.term", "the term of its record that matched", domainLength, func(s *subject) string { return s.helo().Term }),
	text("helo.record", "its record", reasonLength, func(s *subject) string { return s.helo().Record }),
	text("helo.explanation", "what its domain has to say of a fail", reasonLength, func(s *subject) string { return s.helo().Explanation }),
	text("helo.reason", "why temperror or permerror", reasonLength, func(s *subject) string { return s.helo().Reason }),
	number("helo.lookups", "terms that asked DNS", func(s *subject) int64 { return int64(s.helo().Lookups) }),
	number("helo.void_lookups", "of these, without an answer", func(s *subject) int64 { return int64(s.helo().VoidLookups) }),

	{name: "dkim", typ: cel.ListType(signatureType), doc: "the DKIM signatures, the topmost first; what each has is below", room: longest,
		get: func(s *subject) ref.Val { return s.signatures() }},

	word("arc.result", "the ARC chain (RFC 8617); none if there is none", arcWords, func(s *subject) string { return s.ARC.Result }),
	number("arc.instances", "the sets in it", func(s *subject) int64 { return int64(s.ARC.Instances) }),
	list("arc.sealers", "the domains that sealed it, the first hop first", func(s *subject) []string { return s.ARC.Sealers }),
	word("arc.vouch", "pass where a sealer that the configuration trusts saw the domain in From authenticated, temperror where one might have; else empty",
		[]string{"pass", "temperror", ""}, func(s *subject) string { return s.ARC.Vouch }),
	text("arc.vouched_by", "that sealer's domain", domainLength, func(s *subject) string { return s.ARC.VouchedBy }),
	text("arc.reason", "why it fails", reasonLength, func(s *subject) string { return s.ARC.Reason }),

	word("dmarc.result", "DMARC for the domain in From (RFC 9989); none if it publishes no policy", dmarcWords,
		func(s *subject) string { return s.DMARC.Result }),
	text("dmarc.author_domain", "the domain in From", domainLength, func(s *subject) string { return s.DMARC.AuthorDomain }),
	text("dmarc.organizational_domain", "the domain of the organization that it belongs to", domainLength,
		func(s *subject) string { return s.DMARC.OrganizationalDomain }),
	text("dmarc.policy_domain", "the domain whose policy applies", domainLength, func(s *subject) string { return s.DMARC.PolicyDomain }),
	word("dmarc.policy", "the policy that applies, as published; empty if there is none, or it is not known", dispositions,
		func(s *subject) string { return s.DMARC.Policy }),
	word("dmarc.disposition", "what it asks for this message", dispositions, func(s *subject) string { return s.DMARC.Disposition }),
	word("dmarc.on_fail", "what it asks for a message that fails: one step less than the policy if t=y; empty if it is not known", dispositions,
		func(s *subject) string { return onFail(s.Evaluation) }),
	flag("dmarc.testing", "its owner is trying it out (t=y)", func(s *subject) bool { return s.DMARC.Testing }),
	flag("dmarc.aligned.spf", "SPF passes for a domain that stands for the one in From", func(s *subject) bool { return s.DMARC.Aligned.SPF }),
	flag("dmarc.aligned.dkim", "DKIM passes for one", func(s *subject) bool { return s.DMARC.Aligned.DKIM }),
	text("dmarc.record", "the record", reasonLength, func(s *subject) string { return s.DMARC.Record }),
	text("dmarc.reason", "why temperror or permerror", reasonLength, func(s *subject) string { return s.DMARC.Reason }),

	list("author.domains", "every domain in From", func(s *subject) []string { return s.Author.Domains }),
	text("author.reason", "why there is no single one whose policy could be asked; empty if there is", reasonLength,
		func(s *subject) string { return s.Author.Reason }),
	list("limits", "the bounds that the message reached, each with its reason", func(s *subject) []string { return s.Limits }),
	{name: "now", typ: cel.TimestampType, doc: "the time of the verdict, in UTC", room: domainLength,
		get: func(s *subject) ref.Val { return types.Timestamp{Time: s.when()} }},

	flag("unauthenticated", "nobody vouches for the message: no SPF pass of MAIL FROM, no DKIM signature that passes, is not being tested and covers the whole body",
		func(s *subject) bool { return unauthenticated(s.Evaluation) }),
	flag("only_part_signed", "DMARC passes only by signatures that leave a part of the body to anyone (l=, RFC 6376 8.2)",
		func(s *subject) bool { return onlyPartSigned(s.Evaluation) }),
	text("part_signature.sdid", "the domain of such a signature", domainLength, func(s *subject) string { return s.part().SDID }),
	number("part_signature.unsigned_bytes", "the bytes that it leaves unsigned", func(s *subject) int64 { return s.part().UnsignedBytes }),
	flag("dmarc_open", "a temporary failure hides a DMARC fail that the policy would act upon", func(s *subject) bool { return dmarcOpen(s.Evaluation) }),
	flag("signature_open", "nothing vouches for the message, except perhaps a signature whose key could not be looked up",
		func(s *subject) bool { return signatureOpen(s.Evaluation) }),
	text("open_signature.sdid", "the domain of that signature", domainLength, func(s *subject) string { return s.open().SDID }),
	text("open_signature.selector", "its selector", domainLength, func(s *subject) string { return s.open().Selector }),
	text("open_signature.reason", "why the key could not be looked up", reasonLength, func(s *subject) string { return s.open().Reason }),
	flag("no_author", "there is no single domain in From whose policy could be met (RFC 9989 11.5)", func(s *subject) bool { return noAuthor(s.Evaluation) }),
	flag("limited", "a bound was reached before the message was verified to the end, and nothing shows that it is good",
		func(s *subject) bool { return limited(s.Evaluation) }),

	text("text.client", `for a sentence: the client's address, or "the client"`, domainLength, func(s *subject) string { return client(s.Evaluation) }),
	text("text.sender", `for a sentence: the address in MAIL FROM, or "the null sender with HELO …"`, longest,
		func(s *subject) string { return mailFrom(s.Evaluation) }),
	text("text.spf", `for a sentence: which term of the SPF record matched, and what the domain explains, as in ' (its record ends in "~all")'`, 2*longest,
		func(s *subject) string { return because(s.mailFrom()) }),
	text("text.helo", "the same for the HELO name", 2*longest, func(s *subject) string { return because(s.helo()) }),
	text("text.dkim", "for a sentence: what came of an aligned signature that does not pass, as in ' (DKIM fail: …)'", longest,
		func(s *subject) string { return failedSignature(s.Evaluation) }),
	text("text.policy", `for a sentence: the published policy, with its t=y, as in "reject with t=y"`, domainLength,
		func(s *subject) string { return published(&s.DMARC) }),
}

func text(n, doc string, room int, get func(*subject) string) name {
	return name{name: n, typ: cel.StringType, doc: doc, room: room, get: func(s *subject) ref.Val { return boxed(get(s)) }}
}

func word(n, doc string, words []string, get func(*subject) string) name {
	return name{name: n, typ: cel.StringType, doc: doc, room: domainLength, words: words, get: func(s *subject) ref.Val { return boxed(get(s)) }}
}

func flag(n, doc string, get func(*subject) bool) name {
	return name{name: n, typ: cel.BoolType, doc: doc, room: domainLength, get: func(s *subject) ref.Val { return types.Bool(get(s)) }}
}

func number(n, doc string, get func(*subject) int64) name {
	return name{name: n, typ: cel.IntType, doc: doc, room: domainLength, get: func(s *subject) ref.Val { return types.Int(get(s)) }}
}

func list(n, doc string, get func(*subject) []string) name {
	return name{name: n, typ: cel.ListType(cel.StringType), doc: doc, room: longest, get: func(s *subject) ref.Val {
		return types.NewStringList(types.DefaultTypeAdapter, get(s))
	}}
}

// byName is the table again, for look-ups.
var byName = func() map[string]*name {
	m := make(map[string]*name, len(names))
	for i := range names {
		m[names[i].name] = &names[i]
	}
	return m
}()

// frequent are the results that most messages have, made into values once: making one takes memory.
var frequent = func() map[string]ref.Val {
	m := map[string]ref.Val{}
	for _, words := range [][]string{spfWords, dkimWords, dispositions} {
		for _, w := range words {
			m[w] = types.String(w)
		}
	}
	return m
}()

func boxed(s string) ref.Val {
	if len(s) <= len("quarantine") {
		if v, ok := frequent[s]; ok {
			return v
		}
	}
	return types.String(s)
}

// when is the time that rules see.
func (s *subject) when() time.Time { return cmp.Or(s.now, time.Now()).UTC() }
