//go:build linux

package postfix

import (
	"fmt"
	"io"
	"net"
	"net/textproto"
	"testing"
	"time"
)

// A dialogue is an SMTP session that a test leads step by step.
type dialogue struct {
	conn net.Conn
	text *textproto.Conn
}

// begin comes as far as the recipients of a message.
func (s sender) begin(t *testing.T, address string) *dialogue {
	t.Helper()
	nc, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	nc.SetDeadline(time.Now().Add(2 * time.Minute))
	d := &dialogue{nc, textproto.NewConn(nc)}
	d.want(t, 220)
	d.write(t, "EHLO test\r\n", 250)
	d.write(t, "XCLIENT ADDR="+s.ip+" NAME=[UNAVAILABLE]\r\n", 220)
	d.write(t, "EHLO "+s.helo+"\r\n", 250)
	d.write(t, "MAIL FROM:<"+s.from+">\r\n", 250)
	for _, to := range s.recipients() {
		d.write(t, fmt.Sprintf("RCPT TO:<%s>\r\n", to), 250)
	}
	return d
}

func (d *dialogue) write(t *testing.T, text string, want int) {
	t.Helper()
	if _, err := io.WriteString(d.conn, text); err != nil {
		t.Fatal(err)
	}
	d.want(t, want)
}

func (d *dialogue) want(t *testing.T, code int) {
	t.Helper()
	if _, _, err := d.text.ReadResponse(code); err != nil {
		t.Errorf("reply %v, want %d", err, code)
	}
}

func (d *dialogue) close() { d.conn.Close() }
