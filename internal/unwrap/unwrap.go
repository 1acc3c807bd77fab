// Package unwrap finds what could be a report in any bytes, by what they are and not by what they are called: it looks into mail
// (MIME, TNEF, Outlook's .msg, mbox), archives (zip, tar), compression (gzip, zlib, bzip2) and text made of bytes (base64, uuencode),
// whatever is wrapped in what.
//
//	err := unwrap.Each(file, unwrap.Limits{}, func(p unwrap.Part) error {
//		switch {
//		case p.Refused != nil:
//			log.Print(p.Path, p.Refused)
//		case p.Kind == unwrap.XML:
//			return read(p.Body)
//		}
//		return nil
//	})
//
// Bytes come from anyone: how much is unpacked, how deep and how many parts, is bounded, so that a bomb ends in a [LimitError] after
// bounded work, in bounded memory. No name that stands in the bytes is ever one of a file that is written.
package unwrap

import (
	"errors"
	"io"
	"slices"
)

// A Kind is what a part is, as far as its first bytes tell.
type Kind int

// The kinds of parts.
const (
	Other Kind = iota // nothing that could be a report: a greeting, a picture
	XML               // what could be an aggregate report
	JSON              // what could be a TLS report
	Mail              // a message that is itself a failure report
)

// A Part is what was found at a place.
type Part struct {
	Path    string // "2.1/report.xml.gz/report.xml": the number of the MIME part, then names from the outermost to the innermost
	Kind    Kind
	What    string   // Other in words: "a text of 1.2 KB"
	Body    *Spool   // of XML, JSON and Mail. It is closed after the call, unless it is kept
	Notes   []string // liberties taken on the way here: "bytes after the end of the gzip: left out"
	Guessed bool     // Mail that does not say that it is a failure report, and only reads like one
	Refused error    // why it was not looked into; then there is no Body
}

// Each calls each for every part of r. What is wrong with the bytes is a Part that is refused. An error of Each means that the bytes
// could not be had or put aside, or is that of each itself.
//
// A part that breaks a limit is refused with a [LimitError], and is the last.
func Each(r io.Reader, l Limits, each func(Part) error) error {
	w := &walker{limits: l.withDefaults(), each: each}
	b := blob{r: &inputReader{w: w, r: r}}
	if sec := whole(r); sec != nil {
		w.input = sec.Size()
		b = blob{r: sec, at: sec}
		if sec.Size() > w.limits.Total {
			return w.refuse(b, &LimitError{What: "more than " + bytesInWords(w.limits.Total)})
		}
	}
	err := w.look(b)
	if errors.Is(err, errStopped) {
		return nil
	}
	return err
}

// whole gives what can be read anywhere, from where it stands to its end.
func whole(r io.Reader) *io.SectionReader {
	f, ok := r.(interface {
		io.ReaderAt
		io.Seeker
	})
	if !ok {
		return nil
	}
	start, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil
	}
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil
	}
	if _, err := f.Seek(start, io.SeekStart); err != nil || end <= start {
		return nil // a device says that it has no bytes
	}
	return io.NewSectionReader(systemReaderAt{f}, start, end-start)
}

// A blob is bytes that are still to be looked at.
type blob struct {
	path  string
	name  string // its own, the last of the path; empty if nobody gave it one
	depth int
	r     io.Reader
	at    *io.SectionReader // the same as r, where it can be read anywhere
	mail  *mail             // the message whose part it is
	notes *notes
}

// in gives a blob that is wrapped in b.
func (b blob) in(name string, r io.Reader) blob {
	return blob{path: join(b.path, name), name: name, depth: b.depth + 1, r: r, notes: &notes{up: b.notes}}
}

// notes are the liberties taken with what is wrapped around a blob, which may become known only while the blob is being read.
type notes struct {
	up   *notes
	list []string
}

const mostNotes = 20

func (n *notes) add(text string) {
	if len(n.list) < mostNotes && !slices.Contains(n.list, text) {
		n.list = append(n.list, text)
	}
}

func (n *notes) all() []string {
	var all []string
	for ; n != nil; n = n.up {
		all = append(slices.Clone(n.list), all...)
	}
	return all
}

// A walker goes through everything that came, and keeps count.
type walker struct {
	limits   Limits
	each     func(Part) error
	input    int64 // bytes that came, as far as they were read
	unpacked int64 // bytes that all of the unwrapping gave
	members  int
	bzip2s   int
	over     *LimitError // the limit that was reached, if one was: a decoder may not hand the error on as it was
}

// errStopped ends the walk after a limit was reached.
var errStopped = errors.New("stopped")

// refuse hands on why something cannot be looked into. The walk goes on, unless the reason is a limit or ours.
func (w *walker) refuse(b blob, err error) error {
	var system *systemError
	if errors.As(err, &system) {
		return system.err
	}
	if errors.Is(err, errStopped) {
		return err
	}
	limit := w.over
	if limit != nil || errors.As(err, &limit) {
		err = limit
	}
	if given := w.each(Part{Path: b.path, Refused: err, Notes: b.notes.all()}); given != nil {
		return given
	}
	if limit != nil {
		return errStopped
	}
	return nil
}

// give hands on a part.
func (w *walker) give(p Part) error {
	if p.Body != nil {
		defer p.Body.done()
	}
	return w.each(p)
}

// found hands on the bytes of something that could be a report.
func (w *walker) found(b blob, kind Kind, guessed bool) error {
	s, err := w.spool(b.r)
	if err != nil {
		return w.refuse(b, err)
	}
	return w.give(Part{Path: b.path, Kind: kind, Body: s, Notes: b.notes.all(), Guessed: guessed})
}

// section gives a blob that can be read anywhere, and what is to be done with it in the end.
func (w *walker) section(b blob) (*io.SectionReader, func(), error) {
	if b.at != nil {
		return b.at, func() {}, nil
	}
	s, err := w.spool(b.r)
	if err != nil {
		return nil, nil, err
	}
	return io.NewSectionReader(s, 0, s.Size()), func() { s.Close() }, nil
}
