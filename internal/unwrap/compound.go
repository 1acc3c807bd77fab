package unwrap

import (
	"encoding/binary"
	"errors"
	"io"
	"strconv"
)

// The streams of an Outlook message (MS-OXMSG 2.1.3): the tag of a property and its type in hexadecimal.
const (
	msgData      = "__substg1.0_37010102" // an attachment's bytes
	msgLongName  = "__substg1.0_3707001F" // its name
	msgLongName8 = "__substg1.0_3707001E" // the same in one byte a character
)

// compound goes into the attachments of an Outlook message, .msg (MS-OXMSG), which is a compound file. Those of a message within the
// message lie in the same file.
func (w *walker) compound(b blob) error {
	sec, done, err := w.section(b)
	if err != nil {
		return w.refuse(b, err)
	}
	defer done()
	c, err := openCompound(sec)
	if err != nil {
		return w.refuse(b, err)
	}
	names := c.attachmentNames()
	count := 0
	for i, e := range c.entries {
		if e.kind != compoundStream || e.name != msgData {
			continue
		}
		if err := w.member(); err != nil {
			return w.refuse(b, err)
		}
		count++
		name := names[i]
		if name == "" {
			name = "attachment " + strconv.Itoa(count)
		}
		if err := w.look(b.in(name, w.meter(c.open(e)))); err != nil {
			return err
		}
	}
	if count == 0 {
		return w.give(Part{Path: b.path, What: "an Outlook message or Office document without an attachment"})
	}
	return nil
}

// A compoundFile is a Microsoft compound file (MS-CFB), as far as its streams are to be read. Only its directory is held in memory.
// Nothing follows a chain for longer than the file is.
type compoundFile struct {
	sec        *io.SectionReader
	shift      uint     // of the size of a sector
	fat        []uint32 // the sectors of the allocation table
	miniFAT    []uint32
	mini       []uint32 // the sectors of the stream that small streams lie in
	entries    []compoundEntry
	tableSize  int
	tableCache []byte
	tableAt    int64
}

// A compoundEntry is an entry of the directory (MS-CFB 2.6).
type compoundEntry struct {
	name               string
	kind               byte
	left, right, child uint32
	start              uint32
	size               int64
}

const (
	compoundHeader  = 512
	compoundStream  = 2
	compoundRoot    = 5
	compoundEnd     = 0xfffffffa // this and above are no sectors
	compoundCutoff  = 4096       // streams that are shorter lie in the mini stream
	compoundMini    = 6          // the shift of its sectors
	compoundDirSize = 128        // of an entry

	mostCompoundEntries = 100_000
	mostCompoundSectors = 1 << 22 // 2 GiB in small sectors
)

var errCompound = errors.New("the compound file (.msg) is damaged")

func openCompound(sec *io.SectionReader) (*compoundFile, error) {
	var h [compoundHeader]byte
	if _, err := sec.ReadAt(h[:], 0); err != nil {
		return nil, orDamaged(err)
	}
	word := func(at int) uint32 { return binary.LittleEndian.Uint32(h[at:]) }
	c := &compoundFile{sec: sec, shift: uint(binary.LittleEndian.Uint16(h[30:])), tableAt: -1}
	if c.shift != 9 && c.shift != 12 {
		return nil, errCompound
	}
	c.tableSize = 1 << c.shift
	sectors := int(sec.Size()>>c.shift) + 1
	for at := 76; at < compoundHeader && len(c.fat) < sectors; at += 4 {
		if s := word(at); s < compoundEnd {
			c.fat = append(c.fat, s)
		}
	}
	buf := make([]byte, c.tableSize)
	for s, n := word(68), 0; s < compoundEnd; n++ { // where the table does not fit into the header
		if n > sectors {
			return nil, errCompound
		}
		if err := c.sector(s, buf); err != nil {
			return nil, err
		}
		for at := 0; at < len(buf)-4 && len(c.fat) < sectors; at += 4 {
			if s := binary.LittleEndian.Uint32(buf[at:]); s < compoundEnd {
				c.fat = append(c.fat, s)
			}
		}
		s = binary.LittleEndian.Uint32(buf[len(buf)-4:])
	}
	directory, err := c.chain(word(48), mostCompoundEntries*compoundDirSize>>c.shift)
	if err != nil {
		return nil, err
	}
	for _, s := range directory {
		if err := c.sector(s, buf); err != nil {
			return nil, err
		}
		for at := 0; at < len(buf); at += compoundDirSize {
			c.entries = append(c.entries, readCompoundEntry(buf[at:at+compoundDirSize], c.shift == 12))
		}
	}
	if len(c.entries) == 0 || c.entries[0].kind != compoundRoot {
		return nil, errCompound
	}
	if c.miniFAT, err = c.chain(word(60), mostCompoundSectors); err != nil {
		return nil, err
	}
	c.mini, err = c.chain(c.entries[0].start, mostCompoundSectors)
	return c, err
}

// orDamaged takes the end of the file for damage, and leaves other errors as they are.
func orDamaged(err error) error {
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		return errCompound
	}
	return err
}

func readCompoundEntry(b []byte, long bool) compoundEntry {
	word := func(at int) uint32 { return binary.LittleEndian.Uint32(b[at:]) }
	e := compoundEntry{kind: b[66], left: word(68), right: word(72), child: word(76), start: word(116), size: int64(word(120))}
	if long {
		e.size = int64(binary.LittleEndian.Uint64(b[120:]))
	}
	if n := int(binary.LittleEndian.Uint16(b[64:])); n >= 2 && n <= 64 {
		e.name = unicodeName(b[:n-2])
	}
	return e
}

// sector reads one. The last may be cut short.
func (c *compoundFile) sector(s uint32, buf []byte) error {
	n, err := c.sec.ReadAt(buf, int64(s+1)<<c.shift)
	if n == 0 || err != nil && err != io.EOF {
		return orDamaged(err)
	}
	clear(buf[n:])
	return nil
}

// next is the sector behind another in its chain, by a table that lies in the sectors given.
func (c *compoundFile) next(table []uint32, s uint32) (uint32, error) {
	at := int64(s) * 4
	i := int(at >> c.shift)
	if i >= len(table) {
		return 0, errCompound
	}
	if sector := int64(table[i]); sector != c.tableAt {
		if c.tableCache == nil {
			c.tableCache = make([]byte, c.tableSize)
		}
		if err := c.sector(table[i], c.tableCache); err != nil {
			return 0, err
		}
		c.tableAt = sector
	}
	return binary.LittleEndian.Uint32(c.tableCache[at&int64(c.tableSize-1):]), nil
}

// chain gives the sectors of a chain. One that is longer than the file goes in a circle.
func (c *compoundFile) chain(s uint32, most int) ([]uint32, error) {
	var all []uint32
	most = min(most, int(c.sec.Size()>>c.shift)+1)
	for s < compoundEnd {
		if len(all) >= most {
			return nil, errCompound
		}
		all = append(all, s)
		var err error
		if s, err = c.next(c.fat, s); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// open reads a stream.
func (c *compoundFile) open(e compoundEntry) io.Reader {
	return &compoundReader{c: c, at: e.start, left: e.size, small: e.size < compoundCutoff}
}

type compoundReader struct {
	c     *compoundFile
	at    uint32 // the sector
	off   int64  // in it
	left  int64
	small bool
}

func (r *compoundReader) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	if r.at >= compoundEnd {
		return 0, errCompound
	}
	shift, table := r.c.shift, r.c.fat
	offset := int64(r.at+1)<<shift + r.off
	if r.small {
		shift, table = compoundMini, r.c.miniFAT
		i := int64(r.at) << compoundMini >> r.c.shift
		if i >= int64(len(r.c.mini)) {
			return 0, errCompound
		}
		offset = int64(r.c.mini[i]+1)<<r.c.shift + int64(r.at)<<compoundMini&(1<<r.c.shift-1) + r.off
	}
	size := int64(1) << shift
	n := min(int64(len(p)), size-r.off, r.left)
	read, err := r.c.sec.ReadAt(p[:n], offset)
	if int64(read) < n {
		return read, orDamaged(err)
	}
	r.left -= n
	if r.off += n; r.off == size {
		r.off = 0
		if r.left > 0 {
			if r.at, err = r.c.next(table, r.at); err != nil {
				return int(n), err
			}
		}
	}
	return int(n), nil
}

// attachmentNames gives the name of each attachment, by the entry that holds its bytes. They are siblings in the directory.
func (c *compoundFile) attachmentNames() map[int]string {
	names := map[int]string{}
	seen := make([]bool, len(c.entries))
	for _, storage := range c.entries {
		if storage.kind == compoundStream {
			continue
		}
		data, name := -1, ""
		for todo := []uint32{storage.child}; len(todo) > 0; {
			i := todo[len(todo)-1]
			todo = todo[:len(todo)-1]
			if int64(i) >= int64(len(c.entries)) || seen[i] {
				continue
			}
			seen[i] = true
			e := c.entries[i]
			todo = append(todo, e.left, e.right)
			switch e.name {
			case msgData:
				data = int(i)
			case msgLongName, msgLongName8:
				buf := make([]byte, max(0, min(e.size, 4*mostName)))
				n, _ := io.ReadFull(c.open(e), buf)
				if name = string(buf[:n]); e.name == msgLongName {
					name = unicodeName(buf[:n])
				}
			}
		}
		if data >= 0 {
			names[data] = name
		}
	}
	return names
}
