package unwrap

import (
	"cmp"
	"fmt"
	"io"
)

// Limits bound what unwrapping may take. The zero value stands for the defaults.
type Limits struct {
	Total   int64  // bytes that all unwrapping may give, each wrapping counted; four times what came, if that is more. 2 GiB
	Ratio   int64  // how many times what came they may be, beyond the first 16 MiB. 250
	Depth   int    // wrappings within one another. 32
	Members int    // parts and archive members in all; one for each KiB that came, if that is more. 100,000
	Memory  int    // bytes of a part that are kept in memory; the others go to a temporary file. 1 MiB
	Dir     string // where temporary files are made; the system's directory for them if empty
}

// ratioFree is how much may be unpacked whatever the ratio: small things compress well.
const ratioFree = 16 << 20

func (l Limits) withDefaults() Limits {
	l.Total = cmp.Or(l.Total, 2<<30)
	l.Ratio = cmp.Or(l.Ratio, 250)
	l.Depth = cmp.Or(l.Depth, 32)
	l.Members = cmp.Or(l.Members, 100_000)
	l.Memory = cmp.Or(l.Memory, 1<<20)
	return l
}

// A LimitError is why unwrapping stopped.
type LimitError struct{ What string }

func (e *LimitError) Error() string { return e.What + ": looks like a bomb, not unpacked" }

func (w *walker) reached(what string) error {
	if w.over == nil {
		w.over = &LimitError{what}
	}
	return w.over
}

// charge counts bytes that unwrapping gave, or had to look through.
func (w *walker) charge(n int64) error {
	w.unpacked += n
	if total := max(w.limits.Total, 4*w.input); w.unpacked > total {
		return w.reached("it unpacks to more than " + bytesInWords(total))
	}
	if w.unpacked > ratioFree && (w.unpacked-ratioFree)/w.limits.Ratio > w.input {
		return w.reached(fmt.Sprintf("it unpacks to more than %d times its size", w.limits.Ratio))
	}
	return nil
}

// member counts one more part.
func (w *walker) member() error {
	w.members++
	if most := max(int64(w.limits.Members), w.input>>10); int64(w.members) > most {
		return w.reached(fmt.Sprintf("more than %d parts", most))
	}
	return nil
}

// meter counts what r gives. All decoders are read through one.
func (w *walker) meter(r io.Reader) io.Reader { return &meter{w: w, r: r} }

type meter struct {
	w   *walker
	r   io.Reader
	err error
}

func (m *meter) Read(p []byte) (int, error) {
	if m.err != nil {
		return 0, m.err
	}
	n, err := m.r.Read(p)
	if over := m.w.charge(int64(n)); over != nil {
		m.err = over
		return 0, over
	}
	m.err = err
	return n, err
}

// An inputReader counts what came. Its errors are not those of a bad report.
type inputReader struct {
	w *walker
	r io.Reader
}

func (i *inputReader) Read(p []byte) (int, error) {
	n, err := i.r.Read(p)
	i.w.input += int64(n)
	if i.w.input > i.w.limits.Total {
		return 0, i.w.reached("more than " + bytesInWords(i.w.limits.Total))
	}
	if err != nil && err != io.EOF {
		err = &systemError{err}
	}
	return n, err
}

// A systemError is one of reading what came or of writing a temporary file: it says nothing about the bytes.
type systemError struct{ err error }

func (e *systemError) Error() string { return e.err.Error() }
func (e *systemError) Unwrap() error { return e.err }

type systemReaderAt struct{ io.ReaderAt }

func (s systemReaderAt) ReadAt(p []byte, off int64) (int, error) {
	n, err := s.ReaderAt.ReadAt(p, off)
	if err != nil && err != io.EOF {
		err = &systemError{err}
	}
	return n, err
}

// bytesInWords is "1.2 KB".
func bytesInWords(n int64) string {
	switch {
	case n == 1:
		return "1 byte"
	case n < 1<<10:
		return fmt.Sprintf("%d bytes", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GB", float64(n)/(1<<30))
}
