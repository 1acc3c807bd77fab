package unwrap

import (
	"encoding/binary"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
)

// The attributes of TNEF that attachments are made of (MS-OXTNEF 2.1.3).
const (
	tnefRendering = 0x00069002 // begins an attachment
	tnefTitle     = 0x00018010 // its file's name
	tnefData      = 0x0006800f // its bytes
	tnefProps     = 0x00069005 // its MAPI properties
	tnefLevel     = 2          // of an attachment's attributes
)

// The properties that are looked for among them (MS-OXPROPS), and the types that they may have.
const (
	propLongName = 0x3707
	propObject   = 0x3701

	typeObject  = 0x000d
	typeString  = 0x001e
	typeUnicode = 0x001f
	typeBinary  = 0x0102
)

// tnef goes into the attachments of TNEF, the winmail.dat that Outlook sends (MS-OXTNEF). Checksums are not looked at.
func (w *walker) tnef(b blob) error {
	sec, done, err := w.section(b)
	if err != nil {
		return w.refuse(b, err)
	}
	defer done()
	var name string
	var data *io.SectionReader
	count := 0
	attachment := func() error {
		if data == nil {
			return nil
		}
		if err := w.member(); err != nil {
			return w.refuse(b, err)
		}
		count++
		if name == "" {
			name = "attachment " + strconv.Itoa(count)
		}
		child := b.in(name, data)
		child.at = data
		name, data = "", nil
		return w.look(child)
	}
	const head = 9 // level, attribute, length
	for at := int64(6); at < sec.Size(); {
		var h [head]byte
		if _, err := sec.ReadAt(h[:], at); err != nil {
			if err == io.EOF {
				break // trailing bytes
			}
			return w.refuse(b, err)
		}
		level, id, size := h[0], binary.LittleEndian.Uint32(h[1:]), int64(binary.LittleEndian.Uint32(h[5:]))
		at += head
		if at+size > sec.Size() {
			return w.refuse(b, errors.New("the TNEF is cut off"))
		}
		value := io.NewSectionReader(sec, at, size)
		at += size + 2 // a checksum
		if level != tnefLevel {
			continue
		}
		switch id {
		case tnefRendering:
			if err := attachment(); err != nil {
				return err
			}
			name = ""
		case tnefTitle:
			if name == "" {
				name = strings.TrimRight(string(start(value, mostName)), "\x00")
			}
		case tnefData:
			data = value
		case tnefProps:
			long, object := tnefProperties(value)
			if long != "" {
				name = long
			}
			if object != nil && data == nil {
				data = object
			}
		}
	}
	if err := attachment(); err != nil {
		return err
	}
	if count == 0 {
		return w.give(Part{Path: b.path, What: "a winmail.dat without an attachment"})
	}
	return nil
}

// start gives the first bytes of a value.
func start(r *io.SectionReader, n int) []byte {
	buf := make([]byte, min(int64(n), r.Size()))
	n, _ = r.ReadAt(buf, 0)
	return buf[:n]
}

// mostProps bounds how many properties of an attachment are gone through.
const mostProps = 1000

// tnefProperties gives the name among an attachment's properties, and the message that is attached, itself in TNEF (MS-OXTNEF 2.1.3.4).
// It stops at a property that it cannot read.
func tnefProperties(sec *io.SectionReader) (name string, object *io.SectionReader) {
	p := &props{sec: sec}
	for n := min(p.u32(), mostProps); n > 0 && !p.bad; n-- {
		kind, id := p.u16(), p.u16()
		if id >= 0x8000 { // a named property
			p.skip(16)
			if p.u32() == 0 {
				p.skip(4)
			} else {
				p.skip(padded(int64(p.u32())))
			}
		}
		multiple := kind&0x1000 != 0
		kind &^= 0x1000
		count := uint32(1)
		switch kind {
		case typeString, typeUnicode, typeBinary, typeObject:
			count = p.u32()
		default:
			if multiple {
				count = p.u32()
			}
		}
		if count > mostProps {
			return name, object
		}
		for ; count > 0 && !p.bad; count-- {
			value, ok := p.value(kind)
			switch {
			case !ok:
				return name, object
			case id == propLongName && kind == typeUnicode:
				name = unicodeName(start(value, 4*mostName))
			case id == propLongName && kind == typeString:
				name = strings.TrimRight(string(start(value, mostName)), "\x00")
			case id == propObject && (kind == typeObject || kind == typeBinary) && value.Size() > 16:
				object = value
				if kind == typeObject { // an interface's id stands before it
					object = io.NewSectionReader(value, 16, value.Size()-16)
				}
			}
		}
	}
	return name, object
}

// props reads little-endian values. After what is cut off it gives zeros, and is bad.
type props struct {
	sec *io.SectionReader
	at  int64
	bad bool
}

func (p *props) take(buf []byte) {
	if _, err := p.sec.ReadAt(buf, p.at); err != nil {
		p.bad = true
		clear(buf)
	}
	p.at += int64(len(buf))
}

func (p *props) u16() uint16 {
	var b [2]byte
	p.take(b[:])
	return binary.LittleEndian.Uint16(b[:])
}

func (p *props) u32() uint32 {
	var b [4]byte
	p.take(b[:])
	return binary.LittleEndian.Uint32(b[:])
}

func (p *props) skip(n int64) { p.at += n }

// value gives a property's value, and goes behind it.
func (p *props) value(kind uint16) (*io.SectionReader, bool) {
	size := int64(4)
	switch kind {
	case 0x0001, 0x0002, 0x0003, 0x0004, 0x000a, 0x000b: // nothing, numbers and yes or no: four bytes
	case 0x0005, 0x0006, 0x0007, 0x0014, 0x0040: // numbers and times of eight bytes
		size = 8
	case 0x0048: // an id
		size = 16
	case typeString, typeUnicode, typeBinary, typeObject:
		size = int64(p.u32())
	default:
		return nil, false
	}
	if p.bad || p.at+size > p.sec.Size() {
		p.bad = true
		return nil, false
	}
	value := io.NewSectionReader(p.sec, p.at, size)
	p.skip(padded(size))
	return value, true
}

func padded(n int64) int64 { return (n + 3) &^ 3 }

// unicodeName reads UTF-16, as Microsoft writes it.
func unicodeName(b []byte) string {
	units := make([]uint16, 0, len(b)/2)
	for i := 0; i+1 < len(b); i += 2 {
		units = append(units, binary.LittleEndian.Uint16(b[i:]))
	}
	return strings.TrimRight(string(utf16.Decode(units)), "\x00")
}
