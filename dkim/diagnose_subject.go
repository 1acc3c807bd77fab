package dkim

import (
	"fmt"
	"mime"
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/message"
)

const maxTagWords = 6 // of a tag, before the Subject or after it

// subjects gives the Subjects that the message may have had before a tag was put into it.
func (d *diagnosis) subjects() []change {
	i := slices.IndexFunc(d.picked, func(at int) bool { return d.header[at].Is("Subject") })
	if i < 0 {
		return nil
	}
	at := d.picked[i]
	f := d.header[at]
	var changes []change
	add := func(value, said string) {
		e := edit{at, 1, message.NewField(f.Name, value)}
		changes = append(changes, change{fmt.Sprintf("with Subject %s: %s", quote(strings.TrimSpace(value)), said), []edit{e}})
	}
	value := unfold(f.Value())
	if len(value) > 2<<10 {
		return nil
	}
	for _, v := range withoutTag(value) {
		add(v.value, v.said)
	}
	text, err := new(mime.WordDecoder).DecodeHeader(value)
	if err != nil || text == value {
		return changes
	}
	// The tag stands within an encoded word. How the Subject was spelled before, nobody knows; these are the common ways.
	for _, v := range withoutTag(text) {
		plain := strings.TrimSpace(v.value)
		for _, spelled := range []string{
			plain, mime.QEncoding.Encode("utf-8", plain), mime.QEncoding.Encode("UTF-8", plain),
			mime.BEncoding.Encode("utf-8", plain), mime.BEncoding.Encode("UTF-8", plain),
		} {
			if !strings.ContainsAny(spelled, "\r\n") {
				add(" "+spelled, v.said)
			}
		}
	}
	return changes
}

// An untagged is a Subject without its tag.
type untagged struct{ value, said string }

// withoutTag takes words off the front of a Subject, or from behind its "Re:", or off its end; and a tag that stands without a space
// before the first word.
func withoutTag(value string) []untagged {
	words := strings.Fields(value)
	var out []untagged
	add := func(rest []string, tag []string, where string) {
		v := " " + strings.Join(rest, " ")
		out = append(out, untagged{v, fmt.Sprintf("%s was put %s it in transit", quote(strings.Join(tag, " ")), where)})
	}
	for skip := 0; skip <= min(2, len(words)); skip++ {
		if skip > 0 && !isReply(words[skip-1]) {
			break
		}
		for n := 1; n <= maxTagWords && skip+n <= len(words); n++ {
			add(append(slices.Clone(words[:skip]), words[skip+n:]...), words[skip:skip+n], "before")
		}
	}
	for n := 1; n <= maxTagWords && n < len(words); n++ {
		add(words[:len(words)-n], words[len(words)-n:], "after")
	}
	const atMost = 80
	head := strings.TrimLeft(value, " \t")
	if i := strings.IndexAny(head[:min(len(head), atMost)], "])}>*:"); i >= 0 && i+1 < len(head) && head[i+1] != ' ' {
		add([]string{head[i+1:]}, []string{head[:i+1]}, "before")
	}
	return out
}

// isReply tells whether a word is "Re:" or what stands for it in some language.
func isReply(word string) bool {
	const longest = 5
	return len(word) > 1 && len(word) <= longest && word[len(word)-1] == ':'
}

// originals are the fields that may hold the From that a list has rewritten.
var originals = []string{"X-Original-From", "Original-From", "X-Google-Original-From", "Author", "X-From", "Old-From", "Reply-To"}

// froms gives the From fields that the message may have had before a list wrote its own address there.
func (d *diagnosis) froms() []change {
	i := slices.IndexFunc(d.picked, func(at int) bool { return d.header[at].Is("From") })
	if i < 0 {
		return nil
	}
	at := d.picked[i]
	f := d.header[at]
	var changes []change
	add := func(value, source string, drop int) {
		said := fmt.Sprintf("with From %s, which stands in %s now: From was rewritten in transit", quote(strings.TrimSpace(unfold(value))), source)
		edits := []edit{{at, 1, message.NewField(f.Name, value)}}
		changes = append(changes, change{said, edits})
		if drop >= 0 {
			changes = append(changes, change{said + fmt.Sprintf(", and %s added", source), append(slices.Clone(edits), edit{at: drop})})
		}
	}
	for _, name := range originals {
		source := slices.IndexFunc(d.header, func(f message.Field) bool { return f.Is(name) })
		if source < 0 {
			continue
		}
		drop := -1
		if slices.Contains(d.picked, source) {
			drop = source
		}
		value := d.header[source].Value()
		add(value, name, drop)
		// "Alice via List" <list@example.net>, with Alice's bare address elsewhere.
		if who, _, via := strings.Cut(unfold(f.Value()), " via "); via {
			address := bare(value)
			who = strings.Trim(who, ` "'`)
			add(fmt.Sprintf(" %s <%s>", who, address), name, drop)
			add(fmt.Sprintf(" \"%s\" <%s>", who, address), name, drop)
		}
	}
	return changes
}

// bare is the address in angle brackets, or all of the text.
func bare(value string) string {
	if i := strings.LastIndexByte(value, '<'); i >= 0 {
		value, _, _ = strings.Cut(value[i+1:], ">")
	}
	return strings.TrimSpace(unfold(value))
}
