package unwrap

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zip"
	"github.com/klauspost/compress/zlib"
)

var (
	buffers  = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 16<<10) }}
	gzippers sync.Pool
)

// gzip goes into gzip (RFC 1952): all members, one behind another, and not into what stands after them.
func (w *walker) gzip(b blob) error {
	in := buffers.Get().(*bufio.Reader)
	in.Reset(b.r)
	z, _ := gzippers.Get().(*gzip.Reader)
	if z == nil {
		z = new(gzip.Reader)
	}
	defer func() {
		gzippers.Put(z)
		in.Reset(nil)
		buffers.Put(in)
	}()
	if err := z.Reset(in); err != nil {
		return w.refuse(b, named("gzip", err))
	}
	z.Multistream(false)
	name := innerName(b.name, ".gz", ".gzip")
	if name == "" {
		name = path.Base(strings.ReplaceAll(z.Name, `\`, "/"))
		if z.Name == "" {
			name = "content"
		}
	}
	child := b.in(name, nil)
	child.r = w.meter(&gunzip{z: z, in: in, notes: child.notes})
	return w.look(child)
}

// A gunzip reads gzip members until something else stands there.
type gunzip struct {
	z     *gzip.Reader
	in    *bufio.Reader
	notes *notes
	err   error
}

func (g *gunzip) Read(p []byte) (int, error) {
	for g.err == nil {
		n, err := g.z.Read(p)
		if err == io.EOF {
			g.err = g.next()
		} else if err != nil {
			g.err = named("gzip", err)
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, g.err
}

// next goes to the next member.
func (g *gunzip) next() error {
	start, err := g.in.Peek(2)
	if len(start) == 0 {
		return err // the end, or what is wrong with the bytes
	}
	if len(start) == 2 && start[0] == 0x1f && start[1] == 0x8b {
		if err := g.z.Reset(g.in); err == nil {
			g.z.Multistream(false)
			return nil
		}
	}
	g.notes.add("bytes after the end of the gzip: left out")
	return io.EOF
}

// named says in what an error is, and that something was cut off where it was.
func named(what string, err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the %s is cut off", what)
	}
	text := strings.TrimPrefix(err.Error(), what+": ")
	return &wrapped{what + ": " + text, err}
}

type wrapped struct {
	text string
	err  error
}

func (e *wrapped) Error() string { return e.text }
func (e *wrapped) Unwrap() error { return e.err }

// reworded reads on, and says of an error in what it is.
type reworded struct {
	what string
	r    io.Reader
}

func (r reworded) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if err != nil && err != io.EOF {
		err = named(r.what, err)
	}
	return n, err
}

// deflate goes into zlib (RFC 1950), or into what lies in it without its frame (RFC 1951).
func (w *walker) deflate(b blob, f format) error {
	var r io.Reader
	if f == zlibBytes {
		z, err := zlib.NewReader(b.r)
		if err != nil {
			return w.refuse(b, named("zlib", err))
		}
		r = z
	} else {
		r = flate.NewReader(b.r)
	}
	return w.look(b.in("content", w.meter(reworded{"zlib", r})))
}

// isZlib tells whether bytes begin with a zlib header (RFC 1950 2.2) and something that can be unpacked.
func isZlib(head []byte) bool {
	if len(head) < 8 || head[0]&0x0f != 8 || head[0] > 0x78 || (int(head[0])<<8|int(head[1]))%31 != 0 || head[1]&0x20 != 0 {
		return false
	}
	return inflates(head[2:])
}

// isDeflate tells whether bytes unpack to text that could be a report: nothing else shows that they are deflated.
func isDeflate(head []byte) bool { return len(head) >= 8 && head[0]&0x06 != 0x06 && inflates(head) }

func inflates(b []byte) bool {
	var text [64]byte
	n, _ := io.ReadFull(flate.NewReader(bytes.NewReader(b)), text[:])
	start := bytes.TrimLeft(bytes.TrimPrefix(text[:n], []byte("\xef\xbb\xbf")), " \t\r\n")
	return len(start) > 8 && (start[0] == '<' || start[0] == '{') && isText(start)
}

// mostBzip2 is how many streams of bzip2 are read: each takes 4 MB of memory anew, however little is in it.
const mostBzip2 = 32

func (w *walker) bzip2Stream() error {
	if w.bzip2s++; w.bzip2s > mostBzip2 {
		return w.reached("more than " + strconv.Itoa(mostBzip2) + " pieces compressed by bzip2")
	}
	return nil
}

func (w *walker) bzip2(b blob) error {
	if err := w.bzip2Stream(); err != nil {
		return w.refuse(b, err)
	}
	name := innerName(b.name, ".bz2")
	if name == "" {
		name = "content"
	}
	return w.look(b.in(name, w.meter(reworded{"bzip2", bzip2.NewReader(b.r)})))
}

// mostDirectory is how many bytes of a zip's directory are read: it is held in memory, several times over.
const mostDirectory = 4 << 20

// zip goes into the members of a zip. Bytes after its end, or before its beginning, do not matter.
func (w *walker) zip(b blob) error {
	sec, done, err := w.section(b)
	if err != nil {
		return w.refuse(b, err)
	}
	defer done()
	bounded := &boundedReaderAt{r: sec, left: mostDirectory}
	z, err := zip.NewReader(bounded, sec.Size())
	if bounded.left < 0 {
		return w.refuse(b, w.reached("a zip with more members than anyone needs"))
	}
	if err != nil {
		if errors.Is(err, zip.ErrFormat) {
			err = errors.New("the zip has no directory at its end: it is cut off or damaged")
		}
		return w.refuse(b, err)
	}
	bounded.left = 1 << 62
	z.RegisterDecompressor(zipBzip2, func(r io.Reader) io.ReadCloser { return io.NopCloser(bzip2.NewReader(r)) })
	if len(z.File) == 0 {
		return w.give(Part{Path: b.path, What: "a zip with nothing in it"})
	}
	for _, f := range z.File {
		if err := w.zipped(b, f); err != nil {
			return err
		}
	}
	return nil
}

const (
	zipEncrypted = 1 << 0 // bit 0 of the flags
	zipBzip2     = 12
)

func (w *walker) zipped(b blob, f *zip.File) error {
	if err := w.member(); err != nil {
		return w.refuse(b, err)
	}
	if strings.HasSuffix(f.Name, "/") || isLitter(f.Name) {
		return nil
	}
	child := b.in(f.Name, nil)
	child.name = path.Base(strings.ReplaceAll(f.Name, `\`, "/"))
	child.path = join(b.path, child.name)
	if f.Flags&zipEncrypted != 0 {
		return w.refuse(child, errors.New("encrypted with a password that is not known"))
	}
	if f.Method == zipBzip2 {
		if err := w.bzip2Stream(); err != nil {
			return w.refuse(child, err)
		}
	}
	r, err := f.Open()
	switch {
	case errors.Is(err, zip.ErrAlgorithm):
		return w.refuse(child, fmt.Errorf("compressed by the zip method %s, which is not read", strconv.Itoa(int(f.Method))))
	case err != nil:
		return w.refuse(child, named("zip", err))
	}
	defer r.Close()
	child.r = w.meter(reworded{"zip", r})
	return w.look(child)
}

// isLitter tells whether an archive's member is one that a computer put there for itself.
func isLitter(name string) bool {
	return strings.HasPrefix(name, "__MACOSX/") || path.Base(name) == ".DS_Store" || strings.HasPrefix(path.Base(name), "._")
}

// A boundedReaderAt reads no more than so many bytes.
type boundedReaderAt struct {
	r    io.ReaderAt
	left int64
}

func (b *boundedReaderAt) ReadAt(p []byte, off int64) (int, error) {
	if b.left -= int64(len(p)); b.left < 0 {
		return 0, errors.New("too much")
	}
	return b.r.ReadAt(p, off)
}

func (w *walker) tar(b blob) error {
	t := tar.NewReader(b.r)
	for {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return w.refuse(b, named("tar", err))
		}
		if err := w.member(); err != nil {
			return w.refuse(b, err)
		}
		if h.Typeflag != tar.TypeReg || isLitter(h.Name) {
			continue
		}
		name := path.Base(h.Name)
		child := b.in(name, w.meter(reworded{"tar", t}))
		if err := w.look(child); err != nil {
			return err
		}
	}
}

const (
	tarBlock    = 512
	tarChecksum = 148
)

// isTar tells whether bytes begin with a tar header: its checksum is right.
func isTar(head []byte) bool {
	if len(head) < tarBlock || head[0] == 0 {
		return false
	}
	want, err := strconv.ParseInt(string(bytes.Trim(head[tarChecksum:tarChecksum+8], " \x00")), 8, 64)
	if err != nil {
		return false
	}
	var sum int64
	for i, c := range head[:tarBlock] {
		if i >= tarChecksum && i < tarChecksum+8 {
			c = ' '
		}
		sum += int64(c)
	}
	return sum == want
}
