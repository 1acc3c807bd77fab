// Package wrap wraps bytes as reports come wrapped, for tests.
package wrap

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf16"

	"github.com/klauspost/compress/zip"
)

// Gzip compresses, under a name.
func Gzip(name string, content []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Name = name
	z.Write(content)
	z.Close()
	return b.Bytes()
}

// Zlib compresses.
func Zlib(content []byte) []byte {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	z.Write(content)
	z.Close()
	return b.Bytes()
}

// Zip makes an archive of one member, below a directory, as some computers do.
func Zip(name string, content []byte) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	f, _ := z.Create(name)
	f.Write(content)
	z.Close()
	return b.Bytes()
}

// Tar makes an archive of a directory and one member in it.
func Tar(name string, content []byte) []byte {
	var b bytes.Buffer
	t := tar.NewWriter(&b)
	t.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "reports/", Mode: 0o755})
	t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "reports/" + name, Mode: 0o644, Size: int64(len(content))})
	t.Write(content)
	t.Close()
	return b.Bytes()
}

// Base64 encodes in lines.
func Base64(content []byte) []byte {
	text := base64.StdEncoding.EncodeToString(content)
	var b strings.Builder
	for len(text) > 76 {
		b.WriteString(text[:76] + "\r\n")
		text = text[76:]
	}
	return []byte(b.String() + text + "\r\n")
}

// UU encodes as uuencode does.
func UU(name string, content []byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "begin 644 %s\n", name)
	digit := func(v byte) byte {
		if v&0x3f == 0 {
			return '`'
		}
		return v&0x3f + ' '
	}
	for len(content) > 0 {
		n := min(len(content), 45)
		b.WriteByte(digit(byte(n)))
		for i := 0; i < n; i += 3 {
			var g [3]byte
			copy(g[:], content[i:n])
			b.Write([]byte{digit(g[0] >> 2), digit(g[0]<<4 | g[1]>>4), digit(g[1]<<2 | g[2]>>6), digit(g[2])})
		}
		b.WriteByte('\n')
		content = content[n:]
	}
	b.WriteString("`\nend\n")
	return b.Bytes()
}

// TopFields are those of a message without any about its content.
const TopFields = "From: reports@mx.example.net\r\nTo: dmarc@example.com\r\nSubject: Report Domain: example.com; Submitter: mx.example.net;\r\n" +
	"Date: Mon, 23 Nov 2026 01:02:03 +0000\r\nMessage-ID: <1@mx.example.net>\r\nMIME-Version: 1.0\r\n"

// Mail makes a message that is nothing but the content, in base64.
func Mail(fields string, content []byte) []byte {
	return []byte(TopFields + fields + "Content-Transfer-Encoding: base64\r\n\r\n" + string(Base64(content)))
}

// Part makes a MIME part in base64.
func Part(fields string, content []byte) string {
	return fields + "Content-Transfer-Encoding: base64\r\n\r\n" + string(Base64(content))
}

// Multipart makes a message of parts. Its boundary is =_1, or one with a higher number if they have multiparts in them.
func Multipart(subtype string, parts ...string) []byte {
	n := 1
	for strings.Contains(strings.Join(parts, ""), fmt.Sprintf("--=_%d\r", n)) {
		n++
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%sContent-Type: multipart/%s;\r\n\tboundary=\"=_%d\"\r\n\r\nThis is a message in MIME format.\r\n", TopFields, subtype, n)
	for _, p := range parts {
		fmt.Fprintf(&b, "\r\n--=_%d\r\n%s", n, p)
	}
	fmt.Fprintf(&b, "\r\n--=_%d--\r\n", n)
	return []byte(b.String())
}

// Forwarded makes a part of a message.
func Forwarded(message []byte) string {
	return "Content-Type: message/rfc822\r\n\r\n" + string(message)
}

// Mbox makes an mbox.
func Mbox(messages ...[]byte) []byte {
	var b bytes.Buffer
	for _, m := range messages {
		b.WriteString("From reports@mx.example.net Mon Nov 23 01:02:03 2026\n")
		b.Write(bytes.ReplaceAll(m, []byte("\r\n"), []byte("\n")))
		b.WriteString("\n\n")
	}
	return b.Bytes()
}

// TNEF makes a winmail.dat with one attachment (MS-OXTNEF).
func TNEF(name string, content []byte) []byte {
	b := []byte("\x78\x9f\x3e\x22\x01\x00")
	attribute := func(level byte, id uint32, value []byte) {
		b = append(b, level)
		b = binary.LittleEndian.AppendUint32(b, id)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(value)))
		b = append(b, value...)
		sum := uint16(0)
		for _, c := range value {
			sum += uint16(c)
		}
		b = binary.LittleEndian.AppendUint16(b, sum)
	}
	attribute(1, 0x00089006, []byte{0, 0, 1, 0}) // attTnefVersion
	attribute(1, 0x00078008, []byte("IPM.Microsoft Mail.Note\x00"))
	attribute(2, 0x00069002, make([]byte, 14))
	attribute(2, 0x00018010, []byte("REPORT~1.GZ\x00"))
	attribute(2, 0x0006800f, content)
	long := utf16le(name + "\x00")
	p := binary.LittleEndian.AppendUint32(nil, 2)
	p = append(p, 0x03, 0x00, 0x05, 0x37, 1, 0, 0, 0) // PR_ATTACH_METHOD
	p = append(p, 0x1f, 0x00, 0x07, 0x37, 1, 0, 0, 0) // PR_ATTACH_LONG_FILENAME
	p = binary.LittleEndian.AppendUint32(p, uint32(len(long)))
	p = append(p, long...)
	for len(p)%4 != 0 {
		p = append(p, 0)
	}
	attribute(2, 0x00069005, p)
	return b
}

func utf16le(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}
