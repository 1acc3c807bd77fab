package starttls

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"strings"
)

// A session is the part of a connection before TLS.
type session struct {
	conn net.Conn
	in   *bufio.Reader
	r    *Result
}

func newSession(conn net.Conn, r *Result) *session {
	return &session{conn, bufio.NewReaderSize(conn, maxLine), r}
}

// greet reads the greeting and says EHLO. It tells whether the server answered both.
func (s *session) greet(hello string) bool {
	code, _, err := s.reply("greeting")
	if err != nil {
		return false
	}
	if code != 220 {
		s.r.fail("greeting", fmt.Errorf("%w: %d", errReply, code))
		return false
	}
	if !s.say("EHLO " + hello) {
		return false
	}
	code, lines, err := s.reply("EHLO")
	switch {
	case err != nil:
		return false
	case code == 500 || code == 502: // RFC 5321 3.2: it knows no extensions
		s.r.did("no EHLO, and so no STARTTLS")
		return true
	case code != 250:
		s.r.fail("EHLO", fmt.Errorf("%w: %d", errReply, code))
		return false
	}
	for _, line := range lines[1:] {
		word, _, _ := strings.Cut(line, " ")
		s.r.Offered = s.r.Offered || strings.EqualFold(word, "STARTTLS")
	}
	if !s.r.Offered {
		s.r.did("no STARTTLS is offered")
	}
	return true
}

// begin says STARTTLS.
func (s *session) begin() bool {
	if !s.say("STARTTLS") {
		return false
	}
	code, _, err := s.reply("STARTTLS")
	switch {
	case err != nil:
		return false
	case code != 220:
		s.r.fail("STARTTLS", fmt.Errorf("it is offered, and the answer is %d", code))
		return false
	case s.in.Buffered() > 0: // RFC 3207 6: whatever stands there was put there by somebody without TLS
		s.r.fail("STARTTLS", errors.New("the server goes on in clear after it agreed to TLS"))
		return false
	}
	return true
}

func (s *session) say(line string) bool {
	if _, err := s.conn.Write([]byte(line + "\r\n")); err != nil {
		s.r.fail(line, err)
		return false
	}
	s.r.did("> " + line)
	return true
}

// reply reads a reply (RFC 5321 4.2), and fails for what is none.
func (s *session) reply(to string) (code int, lines []string, err error) {
	for range maxLines {
		line, err := s.in.ReadSlice('\n')
		if err != nil {
			if errors.Is(err, bufio.ErrBufferFull) {
				err = fmt.Errorf("%w: a line of more than %d octets", errNotSMTP, maxLine)
			}
			s.r.fail(to, err)
			return 0, nil, err
		}
		text := strings.TrimRight(string(line), "\r\n")
		n, rest, last, ok := parseReply(text)
		if !ok || code != 0 && n != code {
			err := fmt.Errorf("%w: %q", errNotSMTP, cut(text))
			s.r.fail(to, err)
			return 0, nil, err
		}
		code = n
		lines = append(lines, rest)
		if last {
			s.r.did("< " + cut(text))
			return code, lines, nil
		}
	}
	err = fmt.Errorf("%w: a reply of more than %d lines", errNotSMTP, maxLines)
	s.r.fail(to, err)
	return 0, nil, err
}

// parseReply takes one line of a reply apart: "250-PIPELINING" is not the last, "250 HELP" and "250" are.
func parseReply(line string) (code int, rest string, last, ok bool) {
	if len(line) < 3 {
		return 0, "", false, false
	}
	for _, c := range []byte(line[:3]) {
		if c < '0' || c > '9' {
			return 0, "", false, false
		}
		code = 10*code + int(c-'0')
	}
	if code < 200 || code > 599 {
		return 0, "", false, false
	}
	switch {
	case len(line) == 3:
		return code, "", true, true
	case line[3] == ' ':
		return code, line[4:], true, true
	case line[3] == '-':
		return code, line[4:], false, true
	}
	return 0, "", false, false
}
