package moving

import (
	"fmt"
	"strings"
)

// A uclValue is a value of a UCL file: a text, a list, or an object. Of UCL, rspamd's configuration language, this reads what stands
// in a dkim_signing.conf: "name = value;", "name: value", "name { … }", lists in brackets, comments. Macros such as .include are kept
// aside, and heredocs are not read.
type uclValue struct {
	text   string
	list   []*uclValue
	object []uclMember
	kind   uclKind
	line   int
}

// A uclMember is one name of an object with its value.
type uclMember struct {
	name  string
	value *uclValue
}

type uclKind int

const (
	uclText uclKind = iota
	uclList
	uclObject
	uclMacro // ".include …": the text is what follows the name
)

// get gives the last member of a name, or nil: of two that are the same, the later one counts.
func (v *uclValue) get(name string) *uclValue {
	if v == nil {
		return nil
	}
	for i := len(v.object) - 1; i >= 0; i-- {
		if v.object[i].name == name {
			return v.object[i].value
		}
	}
	return nil
}

const (
	maxUCLDepth  = 20
	maxUCLValues = 50000
)

// A uclReader goes through a file once. What is open is kept in a stack of its own: depth costs no calls.
type uclReader struct {
	text  string
	at    int
	line  int
	count int
}

func (r *uclReader) fail(format string, args ...any) error {
	return fmt.Errorf("line %d: %s", r.line, fmt.Sprintf(format, args...))
}

// parseUCL reads a file as the inside of an object.
func parseUCL(text string) (*uclValue, error) {
	r := &uclReader{text: text, line: 1}
	root := &uclValue{kind: uclObject, line: 1}
	stack := []*uclValue{root}
	for {
		if err := r.space(); err != nil {
			return nil, err
		}
		top := stack[len(stack)-1]
		if r.at == len(r.text) {
			if len(stack) > 1 {
				return nil, fmt.Errorf("line %d: what is opened here is not closed", top.line)
			}
			return root, nil
		}
		if r.count++; r.count > maxUCLValues {
			return nil, r.fail("more than %d values: this is something else", maxUCLValues)
		}
		closes := map[uclKind]byte{uclObject: '}', uclList: ']'}[top.kind]
		switch c := r.text[r.at]; {
		case c == ';' || c == ',':
			r.at++
			continue
		case c == closes && len(stack) > 1:
			r.at++
			stack = stack[:len(stack)-1]
			continue
		case c == '}' || c == ']':
			return nil, r.fail("%q closes nothing", c)
		}
		opened, err := r.element(top)
		if err != nil {
			return nil, err
		}
		if opened != nil {
			if len(stack) > maxUCLDepth {
				return nil, r.fail("deeper than %d levels", maxUCLDepth)
			}
			stack = append(stack, opened)
		}
	}
}

// element reads a member of an object, or an element of a list. If it opens another object or list, that is given.
func (r *uclReader) element(top *uclValue) (opened *uclValue, err error) {
	if top.kind == uclList {
		v, err := r.value()
		if err != nil {
			return nil, err
		}
		top.list = append(top.list, v)
		return open(v), nil
	}
	if r.text[r.at] == '.' {
		v := &uclValue{kind: uclMacro, line: r.line, text: r.rest()}
		top.object = append(top.object, uclMember{".", v})
		return nil, nil
	}
	name, err := r.word(true)
	if err != nil {
		return nil, err
	}
	// "domain example.com { … }" is "domain { example.com { … } }".
	for {
		if err := r.space(); err != nil {
			return nil, err
		}
		if r.at == len(r.text) {
			return nil, r.fail("%.60q has no value", name)
		}
		c := r.text[r.at]
		if c == '=' || c == ':' {
			r.at++
			if err := r.space(); err != nil {
				return nil, err
			}
			break
		}
		if c == '{' || c == '[' {
			break
		}
		inner := &uclValue{kind: uclObject, line: r.line}
		top.object = append(top.object, uclMember{name, inner})
		top = inner
		if r.count++; r.count > maxUCLValues {
			return nil, r.fail("more than %d values: this is something else", maxUCLValues)
		}
		if name, err = r.word(true); err != nil {
			return nil, err
		}
	}
	v, err := r.value()
	if err != nil {
		return nil, err
	}
	top.object = append(top.object, uclMember{name, v})
	return open(v), nil
}

func open(v *uclValue) *uclValue {
	if v.kind == uclObject || v.kind == uclList {
		return v
	}
	return nil
}

// value reads a text, or what opens an object or a list.
func (r *uclReader) value() (*uclValue, error) {
	v := &uclValue{line: r.line}
	if r.at == len(r.text) {
		return nil, r.fail("a value is missing")
	}
	switch r.text[r.at] {
	case '{':
		r.at++
		v.kind = uclObject
		return v, nil
	case '[':
		r.at++
		v.kind = uclList
		return v, nil
	}
	if strings.HasPrefix(r.text[r.at:], "<<") {
		return nil, r.fail("a text over several lines (<<) is not read here: write it in quotes")
	}
	var err error
	v.text, err = r.word(false)
	return v, err
}

// word reads a name or a text, quoted or bare.
func (r *uclReader) word(name bool) (string, error) {
	if q := r.text[r.at]; q == '"' || q == '\'' {
		return r.quoted(q)
	}
	stops := "\r\n;,}]#"
	if name {
		stops = " \t\r\n;,{}[]=:#\"'"
	}
	end := strings.IndexAny(r.text[r.at:], stops)
	if end < 0 {
		end = len(r.text) - r.at
	}
	word := strings.TrimRight(r.text[r.at:r.at+end], " \t")
	if word == "" {
		return "", r.fail("%q is in the wrong place", r.text[r.at])
	}
	r.at += end
	return word, nil
}

// quoted reads a text in quotes with JSON's escapes, of which double quotes have all and single ones but two.
func (r *uclReader) quoted(q byte) (string, error) {
	line := r.line
	var b strings.Builder
	for r.at++; r.at < len(r.text); r.at++ {
		c := r.text[r.at]
		switch {
		case c == q:
			r.at++
			return b.String(), nil
		case c == '\n':
			r.line++
			b.WriteByte(c)
		case c == '\\' && r.at+1 < len(r.text):
			r.at++
			e := r.text[r.at]
			if i := strings.IndexByte(`ntr`, e); i >= 0 && q == '"' {
				e = "\n\t\r"[i]
			} else if e == 'u' && q == '"' {
				return "", r.fail(`\u is not read here`)
			} else if e == '\n' {
				r.line++
			}
			b.WriteByte(e)
		default:
			b.WriteByte(c)
		}
	}
	return "", fmt.Errorf("line %d: the quote is not closed", line)
}

// rest reads to the end of a line.
func (r *uclReader) rest() string {
	end := strings.IndexByte(r.text[r.at:], '\n')
	if end < 0 {
		end = len(r.text) - r.at
	}
	text := strings.TrimRight(r.text[r.at:r.at+end], " \t\r;")
	r.at += end
	return text
}

// space passes over white space and comments. Comments between /* and */ may hold others.
func (r *uclReader) space() error {
	for r.at < len(r.text) {
		switch c := r.text[r.at]; {
		case c == '\n':
			r.line++
			r.at++
		case c == ' ' || c == '\t' || c == '\r':
			r.at++
		case c == '#':
			end := strings.IndexByte(r.text[r.at:], '\n')
			if end < 0 {
				end = len(r.text) - r.at
			}
			r.at += end
		case strings.HasPrefix(r.text[r.at:], "/*"):
			if err := r.comment(); err != nil {
				return err
			}
		default:
			return nil
		}
	}
	return nil
}

func (r *uclReader) comment() error {
	line, depth := r.line, 0
	for r.at < len(r.text) {
		switch {
		case strings.HasPrefix(r.text[r.at:], "/*"):
			depth++
			r.at += 2
		case strings.HasPrefix(r.text[r.at:], "*/"):
			depth--
			r.at += 2
			if depth == 0 {
				return nil
			}
		default:
			if r.text[r.at] == '\n' {
				r.line++
			}
			r.at++
		}
	}
	return fmt.Errorf("line %d: the comment is not closed", line)
}
