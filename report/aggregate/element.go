package aggregate

import "bytes"

// An element is one that the standards know, by its local name.
type element uint8

const (
	end     element = iota // of the element that is being read
	unknown                // an element that no standard knows
	foreign                // an element of another namespace
	feedback
	version
	reportMetadata
	orgName
	email
	extraContact
	reportID
	dateRange
	begin
	endTime
	errorText
	generator
	policyPublished
	domain
	p
	sp
	np
	adkim
	aspf
	pct
	fo
	testingMode
	discoveryMethod
	extension
	record
	row
	sourceIP
	count
	policyEvaluated
	disposition
	dkim
	spf
	reason
	typ
	comment
	identifiers
	headerFrom
	envelopeFrom
	envelopeTo
	authResults
	selector
	scope
	result
	humanResult
	elements
)

var names = [elements]string{
	end: "", unknown: "", foreign: "", feedback: "feedback", version: "version", reportMetadata: "report_metadata", orgName: "org_name",
	email: "email", extraContact: "extra_contact_info", reportID: "report_id", dateRange: "date_range", begin: "begin", endTime: "end",
	errorText: "error", generator: "generator", policyPublished: "policy_published", domain: "domain", p: "p", sp: "sp", np: "np",
	adkim: "adkim", aspf: "aspf", pct: "pct", fo: "fo", testingMode: "testing", discoveryMethod: "discovery_method",
	extension: "extension", record: "record", row: "row", sourceIP: "source_ip", count: "count", policyEvaluated: "policy_evaluated",
	disposition: "disposition", dkim: "dkim", spf: "spf", reason: "reason", typ: "type", comment: "comment", identifiers: "identifiers",
	headerFrom: "header_from", envelopeFrom: "envelope_from", envelopeTo: "envelope_to", authResults: "auth_results",
	selector: "selector", scope: "scope", result: "result", humanResult: "human_result",
}

// aliases are what reporters wrote instead.
var aliases = map[string]element{"identities": identifiers, "identity": identifiers, "identifier": identifiers}

// byHash finds an element by its name. The hash has no collisions among the names: init would not end.
var byHash, hashFactor = func() (t [256]element, factor uint32) {
search:
	for factor = 1; ; factor += 2 {
		t = [256]element{}
		for e := feedback; e < elements; e++ {
			h := hashName([]byte(names[e]), factor)
			if t[h] != end {
				continue search
			}
			t[h] = e
		}
		return t, factor
	}
}()

// hashName tells the names apart by their length, beginning, end and middle.
func hashName(name []byte, factor uint32) uint8 {
	n := len(name)
	h := uint32(n)<<24 ^ uint32(name[0])<<16 ^ uint32(name[n-1])<<8 ^ uint32(name[n/2])
	return uint8(h * (factor*0x9e3779b1 | 1) >> 24)
}

// lookup gives the element of a local name, and whether it was spelt as the standards spell it.
func lookup(local []byte) (element, bool) {
	if len(local) == 0 {
		return unknown, true
	}
	if e := byHash[hashName(local, hashFactor)]; names[e] == string(local) {
		return e, true
	}
	var small [24]byte
	if len(local) > len(small) {
		return unknown, true
	}
	lower := appendLower(small[:0], local)
	if e := byHash[hashName(lower, hashFactor)]; names[e] == string(lower) {
		return e, false
	}
	if e, ok := aliases[string(lower)]; ok {
		return e, false
	}
	return unknown, true
}

// A binding is the declaration of a namespace that is in force.
type binding struct {
	prefix, uri string // prefix "" for the default namespace
	depth       int    // of the element that declares it
}

const maxBindings = 64

// eachAttribute calls f with each attribute of a tag, its value as it stands in the document.
func eachAttribute(attrs []byte, f func(name, value []byte)) {
	for {
		attrs = bytes.TrimLeft(attrs, " \t\r\n/")
		i := bytes.IndexByte(attrs, '=')
		if i < 0 {
			return
		}
		name := bytes.TrimSpace(attrs[:i])
		attrs = bytes.TrimLeft(attrs[i+1:], " \t\r\n")
		if len(attrs) == 0 {
			return
		}
		var value []byte
		if q := attrs[0]; q == '"' || q == '\'' {
			j := bytes.IndexByte(attrs[1:], q)
			if j < 0 {
				return
			}
			value, attrs = attrs[1:1+j], attrs[j+2:]
		} else {
			j := bytes.IndexAny(attrs, " \t\r\n")
			if j < 0 {
				j = len(attrs)
			}
			value, attrs = attrs[:j], attrs[j:]
		}
		f(name, value)
	}
}

// unescape resolves the references of an attribute's value.
func unescape(value []byte) []byte {
	if bytes.IndexByte(value, '&') < 0 {
		return value
	}
	out := make([]byte, 0, len(value))
	for i := 0; i < len(value); {
		if value[i] == '&' {
			if j := bytes.IndexByte(value[i:], ';'); j > 0 && j <= maxReference {
				if c, ok := resolve(value[i+1 : i+j]); ok {
					out = append(out, string(c)...)
					i += j + 1
					continue
				}
			}
		}
		out = append(out, value[i])
		i++
	}
	return out
}

// declare puts the namespaces that the tag just scanned declares into force, for an element at this depth.
func (r *Reader) declare(depth int) {
	if !bytes.Contains(r.lex.attrs, []byte("xmlns")) {
		return
	}
	eachAttribute(r.lex.attrs, func(name, value []byte) {
		prefix, ok := bytes.CutPrefix(name, []byte("xmlns"))
		if !ok || len(prefix) > 0 && prefix[0] != ':' || len(prefix)+len(value) > r.opt.MaxText {
			return
		}
		if len(r.bound) == maxBindings {
			r.warn(wNamespaces, "", "")
			return
		}
		prefix = bytes.TrimPrefix(prefix, []byte(":"))
		r.bound = append(r.bound, binding{r.str.string(prefix), r.clean(unescape(value)), depth})
	})
	r.owned()
}

// undeclare ends what elements deeper than depth declared.
func (r *Reader) undeclare(depth int) {
	n := len(r.bound)
	for n > 0 && r.bound[n-1].depth > depth {
		n--
	}
	r.bound = r.bound[:n]
	r.owned()
}

// namespace is what a prefix stands for.
func (r *Reader) namespace(prefix []byte) (uri string, declared bool) {
	for i := len(r.bound) - 1; i >= 0; i-- {
		if r.bound[i].prefix == string(prefix) {
			return r.bound[i].uri, true
		}
	}
	return "", len(prefix) == 0
}

// owned works out anew whether names without a prefix are the report's.
func (r *Reader) owned() {
	uri, _ := r.namespace(nil)
	r.own = r.isOwn(uri)
}

// isOwn tells whether the elements of a namespace are the report's: reporters mix those of the standards, that of the feedback
// element and none.
func (r *Reader) isOwn(uri string) bool {
	return uri == "" || uri == r.feedback.Namespace || uri == Namespace9990 || uri == Namespace7489
}

// mine tells whether the tag just scanned, whose declarations are in force, is of the report's own elements.
func (r *Reader) mine() bool {
	if r.lex.colon == 0 {
		return r.own
	}
	uri, declared := r.namespace(r.lex.prefix())
	if !declared {
		r.warn(wPrefix, shown(r.lex.prefix()), "")
	}
	return r.isOwn(uri)
}
