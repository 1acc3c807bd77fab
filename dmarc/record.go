package dmarc

import (
	"fmt"
	"strings"
)

// A Record is a published policy (RFC 9989 4.7). Members hold the defaults of tags that are absent or invalid.
type Record struct {
	Text string // as published

	Policy             Disposition // p
	SubdomainPolicy    Disposition // sp; p if absent
	NonExistentPolicy  Disposition // np; sp if absent
	StrictDKIM         bool        // adkim=s
	StrictSPF          bool        // aspf=s
	AggregateURIs      []URI       // rua
	FailureURIs        []URI       // ruf
	FailureOptions     string      // fo; "0" if absent
	PublicSuffixDomain byte        // psd: 'y', 'n' or 'u'
	Testing            bool        // t=y
	Tags               []Tag       // all, in the order published, unknown ones and duplicates too
	Warnings           []string    // what was odd and which default took its place
}

// A Tag is one tag as it was written.
type Tag struct {
	Name, Value string
	Pos         int // of the name, in bytes from the beginning of the text
}

// A URI is where reports go.
type URI struct {
	Text   string // without the obsolete size limit
	Scheme string // lower case: "mailto", "https"
	Size   string // the obsolete "!10m", without the mark
}

// Address is the mailbox of a mailto URI, without its query, or empty.
func (u URI) Address() string {
	if u.Scheme != "mailto" {
		return ""
	}
	_, address, _ := strings.Cut(u.Text, ":")
	address, _, _ = strings.Cut(address, "?")
	return address
}

// A SyntaxError says why a text is no usable DMARC record.
type SyntaxError struct {
	Pos    int // in bytes from the beginning of the text
	Reason string
}

func (e *SyntaxError) Error() string { return e.Reason }

// IsRecord tells whether a TXT record claims to be a DMARC record: whether it begins with v=DMARC1 (RFC 9989 4.10).
func IsRecord(txt string) bool {
	_, ok := version(txt)
	return ok
}

// version gives where the tags after v=DMARC1 begin. The value is case-sensitive, the tag name is not (4.7, 4.8).
func version(txt string) (rest int, ok bool) {
	i := 0
	if i == len(txt) || txt[i]|0x20 != 'v' {
		return 0, false
	}
	i = skipSpace(txt, i+1)
	if i == len(txt) || txt[i] != '=' {
		return 0, false
	}
	i = skipSpace(txt, i+1)
	if !strings.HasPrefix(txt[i:], "DMARC1") {
		return 0, false
	}
	i = skipSpace(txt, i+len("DMARC1"))
	return i, i == len(txt) || txt[i] == ';'
}

func skipSpace(s string, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\t') {
		i++
	}
	return i
}

// Parse reads a record. The error is a [*SyntaxError], for a text that is no DMARC record or holds no policy to act on.
//
// A tag that is unknown is ignored, one whose value is invalid counts as absent. Only p, sp and np weigh more: where one of them is
// unusable, the record means p=none if somebody asks for reports, and nothing otherwise (4.10.1).
func Parse(txt string) (*Record, error) {
	r, err := Inspect(txt)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Inspect reads a record as [Parse] does, and gives it also where it is of no use to a receiver, for those who tell its owner why. It
// is nil only where the text is no DMARC record at all.
func Inspect(txt string) (*Record, error) {
	pos, ok := version(txt)
	if !ok {
		return nil, &SyntaxError{0, "does not begin with v=DMARC1"}
	}
	r := &Record{Text: txt, FailureOptions: "0", PublicSuffixDomain: 'u'}
	r.readTags(pos)
	var np, sp Disposition
	unusable := 0
	seenPolicy := false
	for i, t := range r.Tags {
		if r.duplicate(i) {
			r.warn("%s stands twice: the first counts", shown(t.Name))
			continue
		}
		switch t.Name {
		case "p":
			seenPolicy = true
			r.Policy, unusable = r.disposition(t, unusable)
		case "sp":
			sp, unusable = r.disposition(t, unusable)
		case "np":
			np, unusable = r.disposition(t, unusable)
		default:
			r.apply(t)
		}
	}
	if !seenPolicy {
		unusable++
		r.warn("p is missing")
	}
	var err error
	if unusable > 0 {
		if len(r.AggregateURIs) == 0 {
			err = &SyntaxError{0, "no usable policy: " + strings.Join(r.Warnings, "; ")}
		}
		r.Policy, sp, np = DispositionNone, "", ""
	}
	r.SubdomainPolicy = or(sp, r.Policy)
	r.NonExistentPolicy = or(np, r.SubdomainPolicy)
	if len(r.FailureURIs) == 0 {
		r.FailureOptions = "0" // fo is ignored without ruf (4.7)
	}
	return r, err
}

// Tag is the first tag of a name, which is the one that counts.
func (r *Record) Tag(name string) (Tag, bool) {
	for _, t := range r.Tags {
		if t.Name == name {
			return t, true
		}
	}
	return Tag{}, false
}

func or(d, fallback Disposition) Disposition {
	if d == "" {
		return fallback
	}
	return d
}

// maxWarnings bounds what there is to say of one record.
const maxWarnings = 32

func (r *Record) warn(format string, args ...any) {
	if len(r.Warnings) == maxWarnings {
		return
	}
	r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...))
}

// shown is a piece of the record, fit for a message: as it stands where it is short and printable ASCII, and otherwise cut and quoted.
func shown(s string) string {
	const most = 60
	for i := range len(s) {
		if i == most || s[i] < ' ' || s[i] >= 0x7f {
			return fmt.Sprintf("%+.*q", most, s)
		}
	}
	return s
}

// maxTags bounds what one record makes us keep.
const maxTags = 64

// readTags cuts the text from pos on into tags.
func (r *Record) readTags(pos int) {
	for pos < len(r.Text) && len(r.Tags) < maxTags {
		pos = skipSpace(r.Text, pos+1) // behind the semicolon
		stop := strings.IndexByte(r.Text[pos:], ';')
		if stop < 0 {
			stop = len(r.Text) - pos
		}
		part := r.Text[pos : pos+stop]
		name, value, ok := strings.Cut(part, "=")
		switch {
		case ok:
			r.Tags = append(r.Tags, Tag{strings.ToLower(trim(name)), trim(value), pos})
		case trim(part) != "":
			r.warn("%+.60q is no tag: it has no =", part)
		}
		pos += stop
	}
}

func trim(s string) string { return strings.Trim(s, " \t") }

func (r *Record) duplicate(i int) bool {
	for _, t := range r.Tags[:i] {
		if t.Name == r.Tags[i].Name {
			return true
		}
	}
	return false
}

func (r *Record) disposition(t Tag, unusable int) (Disposition, int) {
	switch d := Disposition(strings.ToLower(t.Value)); d {
	case DispositionNone, DispositionQuarantine, DispositionReject:
		return d, unusable
	}
	r.warn("%s=%s: the value is none, quarantine or reject", t.Name, shown(t.Value))
	return "", unusable + 1
}

// apply takes over a tag that cannot make the record unusable.
func (r *Record) apply(t Tag) {
	value := strings.ToLower(t.Value)
	switch t.Name {
	case "adkim":
		r.StrictDKIM = r.oneOf(t, value, "r", "s") == "s"
	case "aspf":
		r.StrictSPF = r.oneOf(t, value, "r", "s") == "s"
	case "psd":
		r.PublicSuffixDomain = r.oneOf(t, value, "u", "y", "n")[0]
	case "t":
		r.Testing = r.oneOf(t, value, "n", "y") == "y"
	case "fo":
		r.failureOptions(value)
	case "rua":
		r.AggregateURIs = r.uris(t)
	case "ruf":
		r.FailureURIs = r.uris(t)
	case "pct", "rf", "ri":
		r.warn("%s is gone since RFC 9989 and has no effect", t.Name)
	case "v":
		r.warn("v stands twice")
	}
}

// oneOf gives the value if it is one of those allowed, of which the first is the default.
func (r *Record) oneOf(t Tag, value string, allowed ...string) string {
	for _, a := range allowed {
		if value == a {
			return a
		}
	}
	r.warn("%s=%s: the value is one of %s; %s is assumed", t.Name, shown(t.Value), strings.Join(allowed, ", "), allowed[0])
	return allowed[0]
}

// failureOptions reads fo: 0 or 1, and d and s beside either (4.7).
func (r *Record) failureOptions(value string) {
	seen := map[string]bool{}
	for option := range strings.SplitSeq(value, ":") {
		option = trim(option)
		switch option {
		case "0", "1", "d", "s":
			seen[option] = true
		default:
			r.warn("fo=%s: %+.60q is none of 0, 1, d, s; 0 is assumed", shown(value), option)
			return
		}
	}
	if seen["0"] && seen["1"] {
		r.warn("fo=%s: 0 and 1 exclude each other; 0 is assumed", shown(value))
		return
	}
	r.FailureOptions = value
}

// maxURIs bounds where one record can make reports go.
const maxURIs = 10

func (r *Record) uris(t Tag) []URI {
	var uris []URI
	for text := range strings.SplitSeq(t.Value, ",") {
		u, err := ParseURI(text)
		if u.Size != "" {
			r.warn("%s=%s: a size limit is gone since RFC 9989", t.Name, shown(trim(text)))
		}
		switch {
		case err != nil:
			r.warn("%s: %v", t.Name, err)
		case len(uris) == maxURIs:
			r.warn("%s names more than %d addresses; the first are used", t.Name, maxURIs)
			return uris
		default:
			uris = append(uris, u)
		}
	}
	return uris
}

// ParseURI reads one of the addresses of rua or ruf.
func ParseURI(text string) (URI, error) {
	text = trim(text)
	u := URI{Text: text}
	u.Text, u.Size, _ = strings.Cut(text, "!")
	scheme, rest, ok := strings.Cut(u.Text, ":")
	u.Scheme = strings.ToLower(scheme)
	local, domain, hasAt := strings.Cut(u.Address(), "@")
	switch {
	case !ok || !isScheme(scheme) || rest == "" || strings.ContainsAny(rest, " \t"):
		return u, fmt.Errorf("%+.60q is no URI; an address is written mailto:name@example.com", text)
	case u.Scheme == "mailto" && (!hasAt || local == "" || domain == ""):
		return u, fmt.Errorf("%+.60q holds no mail address", text)
	}
	return u, nil
}

// isScheme follows RFC 3986 3.1.
func isScheme(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i] | 0x20
		letter := 'a' <= c && c <= 'z'
		if !letter && (i == 0 || !('0' <= s[i] && s[i] <= '9' || s[i] == '+' || s[i] == '-' || s[i] == '.')) {
			return false
		}
	}
	return s != ""
}
