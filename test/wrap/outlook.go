package wrap

import (
	"encoding/binary"
)

const (
	sector     = 512
	miniSector = 64
	cutoff     = 4096
	endOfChain = 0xfffffffe
	free       = 0xffffffff
	fatSector  = 0xfffffffd
)

// Outlook makes a .msg with one attachment (MS-OXMSG in MS-CFB): a root, an attachment's storage in it, and in that its name and bytes.
func Outlook(name string, content []byte) []byte {
	long := utf16le(name)
	streams := [][]byte{long, content}
	var fat, mini []uint32
	var body, small []byte // sectors, and the mini stream
	starts := make([]uint32, len(streams))
	chain := func(table []uint32, n int) []uint32 {
		for i := range n {
			next := uint32(len(table) + 1)
			if i == n-1 {
				next = endOfChain
			}
			table = append(table, next)
		}
		return table
	}
	put := func(b []byte) uint32 {
		if len(b) == 0 {
			return endOfChain
		}
		start := uint32(len(fat))
		n := (len(b) + sector - 1) / sector
		fat = chain(fat, n)
		body = append(append(body, b...), make([]byte, n*sector-len(b))...)
		return start
	}
	for i, s := range streams {
		if len(s) >= cutoff {
			starts[i] = put(s)
			continue
		}
		starts[i] = uint32(len(mini))
		n := (len(s) + miniSector - 1) / miniSector
		mini = chain(mini, n)
		small = append(append(small, s...), make([]byte, n*miniSector-len(s))...)
	}
	smallStart := put(small)
	var miniTable []byte
	for _, v := range mini {
		miniTable = binary.LittleEndian.AppendUint32(miniTable, v)
	}
	for len(miniTable)%sector != 0 {
		miniTable = binary.LittleEndian.AppendUint32(miniTable, free)
	}
	miniStart := put(miniTable)

	var directory []byte
	entry := func(name string, kind byte, left, right, child, start uint32, size int) {
		e := make([]byte, 128)
		n := utf16le(name)
		copy(e, n)
		binary.LittleEndian.PutUint16(e[64:], uint16(len(n)+2))
		e[66] = kind
		for at, v := range map[int]uint32{68: left, 72: right, 76: child, 116: start, 120: uint32(size)} {
			binary.LittleEndian.PutUint32(e[at:], v)
		}
		directory = append(directory, e...)
	}
	entry("Root Entry", 5, free, free, 1, smallStart, len(small))
	entry("__attach_version1.0_#00000000", 1, free, free, 3, 0, 0)
	entry("__substg1.0_3707001F", 2, free, free, free, starts[0], len(long))
	entry("__substg1.0_37010102", 2, free, 2, free, starts[1], len(content))
	directoryStart := put(directory)

	// The allocation table describes its own sectors, too.
	own := 0
	for own*sector/4 < len(fat)+own {
		own++
	}
	fatStart := uint32(len(fat))
	for range own {
		fat = append(fat, fatSector)
	}
	var table []byte
	for _, v := range fat {
		table = binary.LittleEndian.AppendUint32(table, v)
	}
	for len(table) < own*sector {
		table = binary.LittleEndian.AppendUint32(table, free)
	}

	h := make([]byte, sector)
	copy(h, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
	for at, v := range map[int]uint16{24: 0x3e, 26: 3, 28: 0xfffe, 30: 9, 32: 6} {
		binary.LittleEndian.PutUint16(h[at:], v)
	}
	for at, v := range map[int]uint32{44: uint32(own), 48: directoryStart, 56: cutoff, 60: miniStart, 64: uint32(len(miniTable) / sector), 68: endOfChain} {
		binary.LittleEndian.PutUint32(h[at:], v)
	}
	for i := range 109 {
		v := uint32(free)
		if i < own {
			v = fatStart + uint32(i)
		}
		binary.LittleEndian.PutUint32(h[76+4*i:], v)
	}
	return append(append(h, body...), table...)
}
