package unwrap

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode/utf8"
)

var heads = sync.Pool{New: func() any { return new([headSize]byte) }}

// look finds out what a blob is, and goes into it or hands it on. Its error ends the walk.
func (w *walker) look(b blob) error {
	if b.depth > w.limits.Depth {
		return w.refuse(b, w.reached(fmt.Sprintf("more than %d wrappings within one another", w.limits.Depth)))
	}
	pooled := heads.Get().(*[headSize]byte)
	defer heads.Put(pooled)
	buf := pooled[:]
	var n int
	var err error
	if b.at != nil {
		n, err = b.at.ReadAt(buf, 0)
	} else {
		n, err = io.ReadFull(b.r, buf)
	}
	all := err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) && n < len(buf)
	if err == io.ErrUnexpectedEOF || err == io.EOF {
		err = nil
	}
	if err != nil {
		return w.refuse(b, err)
	}
	head := buf[:n]
	f, skip, what := sniff(head, all)
	if b.at != nil {
		b.at = io.NewSectionReader(b.at, int64(skip), b.at.Size()-int64(skip))
		b.r = b.at
	} else {
		b.r = io.MultiReader(bytes.NewReader(head[skip:]), b.r)
	}
	return w.enter(b, f, what, head[skip:])
}

func (w *walker) enter(b blob, f format, what string, head []byte) error {
	switch f {
	case xmlText:
		return w.found(b, XML, false)
	case jsonText:
		return w.found(b, JSON, false)
	case gzipBytes:
		return w.gzip(b)
	case zlibBytes, deflateBytes:
		return w.deflate(b, f)
	case bzip2Bytes:
		return w.bzip2(b)
	case zipBytes:
		return w.zip(b)
	case tarBytes:
		return w.tar(b)
	case base64Text:
		child := b.in(innerName(b.name, ".b64", ".base64"), nil)
		child.r = w.meter(newBase64(b.r, child.notes))
		return w.look(child)
	case uuText:
		u := newUU(b.r)
		return w.look(b.in(u.name, w.meter(u)))
	case mailText:
		return w.message(b)
	case mboxText:
		return w.mbox(b)
	case tnefBytes:
		return w.tnef(b)
	case compoundBytes:
		return w.compound(b)
	case foreign:
		return w.refuse(b, fmt.Errorf("%s compression is not read; zip, gzip, bzip2 and tar are", what))
	}
	if b.mail != nil && (f == plainText || f == htmlText) && readsLikeFailure(head) {
		b.mail.hint = true
	}
	size, exact := w.measure(b)
	return w.give(Part{Path: b.path, What: describe(f, what, head, size, exact), Notes: b.notes.all()})
}

// measureMost is how much of a part is read only to say how long it is.
const measureMost = 1 << 20

func (w *walker) measure(b blob) (size int64, exact bool) {
	if b.at != nil {
		return b.at.Size(), true
	}
	n, err := io.Copy(io.Discard, io.LimitReader(b.r, measureMost))
	return n, err == nil && n < measureMost
}

// mostName bounds a name in a path.
const mostName = 100

// join adds a name to a path. What could be taken for another step, or moves a terminal's cursor, is left out.
func join(path, name string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '/' || r == '\\' || r == utf8.RuneError {
			return '_'
		}
		return r
	}, name)
	if len(name) > mostName {
		name = strings.ToValidUTF8(name[:mostName], "") + "…"
	}
	switch {
	case name == "":
		return path
	case path == "":
		return name
	}
	return path + "/" + name
}

// innerName is the name of what is in a file that only compresses it.
func innerName(name string, suffixes ...string) string {
	for _, s := range suffixes {
		if len(name) > len(s) && strings.EqualFold(name[len(name)-len(s):], s) {
			return name[:len(name)-len(s)]
		}
	}
	return ""
}
