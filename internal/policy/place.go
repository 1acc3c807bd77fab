package policy

import (
	"bytes"
	"unicode/utf8"
)

// offsets finds where each octet of a string's value stands in the TOML text that it was read from: the raw text with its quotes. It
// takes every kind of string, since an error in the fifth line of a rule is to be shown there.
func offsets(raw []byte) []int {
	quote, at := 1, 1
	if len(raw) < 2 {
		return nil
	}
	basic := raw[0] == '"'
	if len(raw) >= 6 && raw[1] == raw[0] && raw[2] == raw[0] {
		quote, at = 3, 3
		switch { // a line break right behind the quotes is not part of the value
		case bytes.HasPrefix(raw[at:], []byte("\r\n")):
			at += 2
		case bytes.HasPrefix(raw[at:], []byte("\n")):
			at++
		}
	}
	end := len(raw) - quote
	var all []int
	for at < end {
		if !basic || raw[at] != '\\' {
			all = append(all, at)
			at++
			continue
		}
		value, length := escape(raw[at:end])
		for range value {
			all = append(all, at)
		}
		at += length
	}
	return append(all, max(at, 0))
}

// escape tells how many octets an escape stands for, and how many it takes.
func escape(raw []byte) (value, length int) {
	if len(raw) < 2 {
		return 1, 1
	}
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[raw[1]]
	switch {
	case digits > 0 && len(raw) >= 2+digits:
		r := rune(0)
		for _, c := range raw[2 : 2+digits] {
			r = r<<4 | rune(hexValue(c))
		}
		return max(utf8.RuneLen(r), 1), 2 + digits
	case bytes.IndexByte([]byte(" \t\r\n"), raw[1]) >= 0: // the line goes on at the next word
		rest := bytes.TrimLeft(raw[1:], " \t\r\n")
		return 0, len(raw) - len(rest)
	}
	return 1, 2
}

func hexValue(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return (c | 0x20) - 'a' + 10
	}
	return 0
}

// lineColumn is the place of an octet, both from 1, columns in characters.
func lineColumn(text []byte, at int) (line, column int) {
	at = min(max(at, 0), len(text))
	line = 1 + bytes.Count(text[:at], []byte("\n"))
	begin := bytes.LastIndexByte(text[:at], '\n') + 1
	return line, 1 + utf8.RuneCount(text[begin:at])
}
