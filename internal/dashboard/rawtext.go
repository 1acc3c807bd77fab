package dashboard

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/unwrap"
)

// ReportRaw is what a report came in, as far as it is shown.
type ReportRaw struct {
	Type     string   `json:"type"` // XML, JSON or mail
	Lines    []string `json:"lines"`
	Size     int64    `json:"size"`     // of the part that holds the report, unpacked
	Cut      bool     `json:"cut"`      // there is more
	Why      string   `json:"why"`      // a sentence: why nothing is shown
	Download bool     `json:"download"` // what arrived can be had as a file
}

const (
	shownBytes  = 40 << 10 // of a report: a page is to stay small
	shownLines  = 3000
	unpackBytes = 16 << 20 // of what arrived, for a page
)

var errFound = errors.New("found")

// rawText finds a report's part in what arrived, and sets it out in lines.
func (d *Desk) rawText(ctx context.Context, info *store.ReportInfo, raw *store.RawInfo) (ReportRaw, error) {
	out := ReportRaw{Download: true}
	body, err := d.Store.OpenRaw(ctx, raw.Hash)
	if errors.Is(err, store.ErrNoRaw) {
		return ReportRaw{}, nil // deleted just now
	}
	if err != nil {
		return out, err
	}
	defer body.Close()
	var text []byte
	err = unwrap.Each(body, unwrap.Limits{Total: unpackBytes}, func(p unwrap.Part) error {
		if p.Body == nil || p.Kind != kindOf(info.Kind) || p.Path != info.Part && raw.Reports > 1 {
			return nil
		}
		out.Size = p.Body.Size()
		text, err = io.ReadAll(io.LimitReader(p.Body.Open(), shownBytes))
		if err != nil {
			return err
		}
		return errFound
	})
	if err != nil && !errors.Is(err, errFound) {
		return out, err
	}
	if text == nil {
		out.Why = "It lies so deep, or is so large, that it is not unpacked for a page. Save it as a file."
		return out, nil
	}
	out.Cut = out.Size > int64(len(text))
	var more bool
	switch info.Kind {
	case store.Aggregate:
		out.Type = "XML"
		out.Lines, more = xmlLines(text)
	case store.TLS:
		out.Type = "JSON"
		out.Lines, more = jsonLines(text)
	default:
		out.Type = "mail"
		out.Lines, more = boundLines(splitLines(string(text)))
	}
	out.Cut = out.Cut || more
	return out, nil
}

func kindOf(report string) unwrap.Kind {
	return map[string]unwrap.Kind{store.Aggregate: unwrap.XML, store.TLS: unwrap.JSON, store.Failure: unwrap.Mail}[report]
}

func boundLines(lines []string) ([]string, bool) {
	for i := range lines {
		lines[i] = strings.ReplaceAll(lines[i], "\t", "  ")
	}
	if len(lines) > shownLines {
		return lines[:shownLines], true
	}
	return lines, false
}

// jsonLines sets JSON out in lines. What is none, or is cut off, stays as it is from there on.
func jsonLines(text []byte) ([]string, bool) {
	var b bytes.Buffer
	if json.Indent(&b, text, "", "  ") != nil {
		b.Reset()
		b.Write(text)
	}
	return boundLines(splitLines(strings.TrimSpace(b.String())))
}

const deepestIndent = 12

// xmlLines sets XML out in lines: an element that holds nothing but a text is one. Nothing is left out but the space between elements;
// what is no XML stays as it is from there on.
func xmlLines(text []byte) ([]string, bool) {
	var lines []string
	var line bytes.Buffer
	depth, simple := 0, false // simple: the line ends with a start tag, or with the text behind one
	flush := func() {
		if line.Len() > 0 {
			lines = append(lines, splitLines(line.String())...)
			line.Reset()
		}
	}
	begin := func(depth int, token []byte) {
		flush()
		line.WriteString(strings.Repeat("  ", min(max(depth, 0), deepestIndent)))
		line.Write(token)
	}
	d := xml.NewDecoder(bytes.NewReader(text))
	d.Strict = false
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil }
	at := 0
	for len(lines) <= shownLines {
		t, err := d.RawToken()
		to := int(d.InputOffset())
		if err != nil || to <= at || to > len(text) {
			break
		}
		token := bytes.TrimSpace(text[at:to])
		if _, isText := t.(xml.CharData); isText {
			at = to
			switch {
			case len(token) == 0:
			case simple:
				line.Write(token)
			default:
				begin(depth, token)
			}
			continue
		}
		switch t.(type) {
		case xml.StartElement:
			begin(depth, token)
			depth, simple = depth+1, true
			if bytes.HasSuffix(token, []byte("/>")) {
				d.RawToken() // its end, which has no bytes of its own
				depth, simple = depth-1, false
			}
		case xml.EndElement:
			depth = max(depth-1, 0)
			if simple {
				line.Write(token)
				flush()
			} else {
				begin(depth, token)
			}
			simple = false
		default:
			begin(depth, token)
			simple = false
		}
		at = to
	}
	flush()
	if rest := bytes.TrimSpace(text[at:]); len(rest) > 0 {
		lines = append(lines, splitLines(string(rest))...)
	}
	return boundLines(lines)
}

func splitLines(text string) []string {
	return strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
}
