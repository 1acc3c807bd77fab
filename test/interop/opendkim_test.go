//go:build linux

package interop

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/d--j/go-milter"

	"github.com/gatepost-mail/gatepost/authres"
	"github.com/gatepost-mail/gatepost/message"
)

// An opendkim is a running daemon, spoken to as a mail server would.
type opendkim struct {
	socket string
	log    *bytes.Buffer
}

// startOpenDKIM runs a daemon with the given lines of configuration, in which DIR is its directory.
func startOpenDKIM(t *testing.T, config string, files map[string]string) *opendkim {
	t.Helper()
	dir, err := os.MkdirTemp("", "interop") // short: a socket's path has room for 107 characters
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	config = "Socket local:DIR/socket\nBackground no\nPidFile DIR/pid\nRequireSafeKeys no\n" + config
	for name, text := range files {
		write(t, filepath.Join(dir, name), text)
	}
	write(t, filepath.Join(dir, "conf"), strings.ReplaceAll(config, "DIR", dir))
	o := &opendkim{socket: filepath.Join(dir, "socket"), log: new(bytes.Buffer)}
	cmd := exec.Command("opendkim", "-f", "-x", filepath.Join(dir, "conf"))
	cmd.Stdout, cmd.Stderr = o.log, o.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { defer close(exited); cmd.Wait() }()
	t.Cleanup(func() { cmd.Process.Kill(); <-exited })
	for range 500 {
		select {
		case <-exited:
			t.Fatalf("opendkim ended: %s", o.log)
		case <-time.After(10 * time.Millisecond):
		}
		if c, err := net.Dial("unix", o.socket); err == nil {
			c.Close()
			return o
		}
	}
	t.Fatal("opendkim does not listen after five seconds")
	return nil
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// filter hands messages to the daemon, one connection for all, and gives the fields that it inserts into each.
func (o *opendkim) filter(t *testing.T, messages [][]byte) [][]message.Field {
	t.Helper()
	s, err := milter.NewClient("unix", o.socket).Session(milter.NewMacroBag())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	check := func(a *milter.Action, err error) {
		t.Helper()
		if err != nil || a.Type != milter.ActionContinue && a.Type != milter.ActionAccept {
			t.Fatalf("opendkim: %v, %v", a, err)
		}
	}
	check(s.Conn("mx.example.com", milter.FamilyInet, 25, "192.0.2.1"))
	check(s.Helo("mx.example.com"))
	fields := make([][]message.Field, len(messages))
	for i, text := range messages {
		m, err := message.Read(bytes.NewReader(text), message.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		check(s.Mail("alice@example.com", ""))
		check(s.Rcpt("bob@example.org", ""))
		check(s.DataStart())
		for _, f := range m.Header {
			value := f.Value()
			if !s.ProtocolOption(milter.OptHeaderLeadingSpace) {
				value = strings.TrimPrefix(value, " ")
			}
			check(s.HeaderField(f.Name, strings.ReplaceAll(value, "\r\n", "\n"), nil))
		}
		check(s.HeaderEnd())
		body, err := io.ReadAll(m.Body)
		if err != nil {
			t.Fatal(err)
		}
		if len(body) == 0 {
			body = []byte("\r\n") // the client's library cannot send nothing; to both canonical forms it is the same
		}
		changes, action, err := s.BodyReadFrom(bytes.NewReader(body))
		if err != nil || action.StopProcessing() {
			t.Fatalf("opendkim: message %d: %v, %v", i, action, err)
		}
		for _, c := range changes {
			if c.Type != milter.ActionInsertHeader && c.Type != milter.ActionAddHeader {
				continue
			}
			value := c.HeaderValue
			if !s.ProtocolOption(milter.OptHeaderLeadingSpace) {
				value = " " + value
			}
			fields[i] = append(fields[i], message.NewField(c.HeaderName, value))
		}
	}
	return fields
}

// verify gives opendkim's result for each signature by the first eight characters of its b=.
func (o *opendkim) verify(t *testing.T, messages [][]byte) []map[string]string {
	t.Helper()
	results := make([]map[string]string, len(messages))
	for i, fields := range o.filter(t, messages) {
		results[i] = map[string]string{}
		for _, f := range fields {
			if !f.Is(authres.Name) {
				continue
			}
			ar, err := authres.Parse(f.Value())
			if err != nil {
				t.Fatalf("%v in %q", err, f.Raw)
			}
			for _, r := range ar.Results {
				for _, p := range r.Properties {
					if r.Method == "dkim" && p.Type == "header" && p.Name == "b" {
						results[i][p.Value] = fmt.Sprint(r.Value, " ", r.Comment, r.Reason)
					}
				}
			}
		}
	}
	return results
}
