package policy

import (
	"strings"
)

// refMark stands in the address of a help page for the reference.
const refMark = "{ref}"

// maxLink bounds the address of a help page: something must be left for the sentence.
const maxLink = 200

// WithReference gives the verdict with a reference that finds the message in our log, and the address of a page that says more, at the
// end of its reply: "; ref 4F1, see https://mail.example.org/why?ref=4F1". The sentence gives way where both do not fit. Either may be
// empty. "{ref}" in the address becomes the reference.
func (v Verdict) WithReference(ref, url string) Verdict {
	if len(v.Reply) < len("550 ") {
		return v
	}
	ref = reference(ref)
	link := part(strings.ReplaceAll(url, refMark, ref), maxReply)
	if len(link) > maxLink || strings.ContainsRune(link, ' ') { // cut, or with a line break in it, it leads nowhere
		link = ""
	}
	tail := ""
	switch {
	case ref != "" && link != "":
		tail = "; ref " + ref + ", see " + link
	case ref != "":
		tail = "; ref " + ref
	case link != "":
		tail = "; see " + link
	}
	v.Reply = line(v.Reply, maxReply-len(tail)-len("\r\n")) + tail
	return v
}

// maxRef bounds a reference: a longer one is none that a person reads out on the telephone.
const maxRef = 64

// reference keeps of a reference what can stand in an address as it is.
func reference(ref string) string {
	kept := strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-._", r) {
			return r
		}
		return -1
	}, ref)
	return kept[:min(len(kept), maxRef)]
}
