package message

import (
	"bytes"
	"strings"
)

// wireLines makes each LF that no CR precedes a CRLF. What needs no change is returned as it is.
func wireLines(s string) string {
	bare := 0
	for i := 0; ; bare++ {
		n := nextBareLF(s, i)
		if n < 0 {
			break
		}
		i = n + 1
	}
	if bare == 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + bare)
	for i := 0; ; {
		n := nextBareLF(s, i)
		if n < 0 {
			b.WriteString(s[i:])
			return b.String()
		}
		b.WriteString(s[i:n])
		b.WriteString("\r\n")
		i = n + 1
	}
}

// nextBareLF finds the first LF at or after i that no CR precedes, or -1.
func nextBareLF(s string, i int) int {
	for {
		n := strings.IndexByte(s[i:], '\n')
		if n < 0 {
			return -1
		}
		n += i
		if n == 0 || s[n-1] != '\r' {
			return n
		}
		i = n + 1
	}
}

// hasBareLF tells whether a piece of a stream holds an LF that no CR precedes; afterCR says how the piece before ended.
func hasBareLF(p []byte, afterCR bool) bool {
	for i := 0; ; {
		n := bytes.IndexByte(p[i:], '\n')
		if n < 0 {
			return false
		}
		n += i
		if n == 0 && !afterCR || n > 0 && p[n-1] != '\r' {
			return true
		}
		i = n + 1
	}
}

// appendWire appends p with each bare LF as CRLF.
func appendWire(dst, p []byte, afterCR bool) []byte {
	for {
		n := bytes.IndexByte(p, '\n')
		if n < 0 {
			return append(dst, p...)
		}
		if n > 0 {
			afterCR = p[n-1] == '\r'
		}
		dst = append(dst, p[:n]...)
		if !afterCR {
			dst = append(dst, '\r')
		}
		dst = append(dst, '\n')
		p, afterCR = p[n+1:], false
	}
}
