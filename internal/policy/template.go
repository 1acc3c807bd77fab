package policy

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
)

// A template is a sentence with values in it: "SPF {spf.result}: {client.ip} is not authorised". What stands in braces is an
// expression; a brace as such is written twice.
type template struct{ pieces []piece }

// A piece is a text as it is, or an expression with the room that its value gets.
type piece struct {
	text  string
	value *expression
	room  int
}

// unknown stands for a value that could not be had: the rule matched, and its verdict does not hang on a word.
const unknown = "(unknown)"

// parseTemplate compiles a sentence.
func parseTemplate(text string) (*template, *fault) {
	t := &template{}
	var b strings.Builder
	flush := func() {
		if b.Len() > 0 {
			t.pieces = append(t.pieces, piece{text: b.String()})
			b.Reset()
		}
	}
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case (c == '{' || c == '}') && i+1 < len(text) && text[i+1] == c:
			b.WriteByte(c)
			i++
		case c == '}':
			return nil, &fault{i, errors.New(`"}" without "{"; write }} for a brace as such`)}
		case c == '{':
			flush()
			end := closing(text, i+1)
			if end < 0 {
				return nil, &fault{i, errors.New(`"{" is never closed; write {{ for a brace as such`)}
			}
			p, f := parsePiece(text[i+1 : end])
			if f != nil {
				f.at += i + 1
				return nil, f
			}
			t.pieces = append(t.pieces, p)
			i = end
		case c == '\n':
			b.WriteByte(' ')
		case !printable(c):
			return nil, &fault{i, errors.New("a reply is printable ASCII; write it without other characters (RFC 5321 4.2)")}
		default:
			b.WriteByte(c)
		}
		if b.Len() > maxReply {
			return nil, &fault{i, fmt.Errorf("longer than a reply can be; %d octets are the most", maxReply)}
		}
	}
	flush()
	if len(t.pieces) > maxPieces {
		return nil, &fault{0, fmt.Errorf("more than %d values in one sentence", maxPieces/2)}
	}
	return t, nil
}

const maxPieces = 64

// closing finds the brace that ends an expression: one that is neither within a text nor the end of a map.
func closing(text string, i int) int {
	depth := 0
	for quote := byte(0); i < len(text); i++ {
		c := text[i]
		switch {
		case quote != 0 && c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '{':
			depth++
		case c == '}' && depth == 0:
			return i
		case c == '}':
			depth--
		}
	}
	return -1
}

func parsePiece(text string) (piece, *fault) {
	x, f := compile(text)
	if f != nil {
		return piece{}, f
	}
	if !showable(x.typ) {
		return piece{}, &fault{0, fmt.Errorf("%s cannot stand in a sentence; choose a text, a number or a list of texts", x.typ)}
	}
	room := longest
	if x.only != nil {
		room = x.only.room
	}
	return piece{value: x, room: room}, nil
}

func showable(t *cel.Type) bool {
	switch t.Kind() {
	case types.StringKind, types.IntKind, types.UintKind, types.DoubleKind, types.BoolKind, types.TimestampKind:
		return true
	}
	return t.IsExactType(strs)
}

// render writes the sentence for a message: printable ASCII, at most n octets.
func (t *template) render(s *subject, n int) string {
	if t == nil {
		return ""
	}
	var b strings.Builder
	for _, p := range t.pieces {
		if p.value == nil {
			b.WriteString(p.text)
			continue
		}
		v, err := p.value.eval(s)
		if err != nil {
			b.WriteString(unknown)
			continue
		}
		b.WriteString(part(show(v), p.room))
	}
	return line(b.String(), n)
}

// show is a value as text.
func show(v ref.Val) string {
	switch v := v.(type) {
	case types.String:
		return string(v)
	case types.Timestamp:
		return v.Time.UTC().Format(time.RFC3339)
	case types.Double:
		return strconv.FormatFloat(float64(v), 'g', 6, 64)
	case types.Int, types.Uint, types.Bool:
		return fmt.Sprint(v.Value())
	}
	all, err := v.ConvertToNative(stringsType)
	if err != nil {
		return unknown
	}
	return strings.Join(all.([]string), "; ")
}
