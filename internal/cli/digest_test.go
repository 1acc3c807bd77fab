package cli

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/gatepost-mail/gatepost/internal/store"
)

// reported STORE FILE: what FILE says is put into the store as reports say it, a report of one day a line: a date, a reporter, a domain,
// and rows as store.Row.
func reported(ts *testscript.TestScript, neg bool, args []string) {
	s, err := store.Open(context.Background(), ts.MkAbs(args[0]), store.Options{Create: true})
	ts.Check(err)
	defer s.Close()
	var all []store.Arrival
	for line := range strings.Lines(ts.ReadFile(args[1])) {
		var r struct {
			Day, Reporter, Domain string
			Policy                json.RawMessage
			Rows                  []store.Row
		}
		ts.Check(json.Unmarshal([]byte(line), &r))
		day, err := time.Parse(time.DateOnly, r.Day)
		ts.Check(err)
		document, err := json.Marshal(map[string]any{"policy": r.Policy})
		ts.Check(err)
		hash := sha256.Sum256([]byte(line))
		all = append(all, store.Arrival{
			Raw: store.Raw{Hash: hash, Size: int64(len(line)), At: day.Add(30 * time.Hour),
				Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(line)), nil }},
			Reports: []store.Report{{Kind: store.Aggregate, Reporter: r.Reporter, ReportID: r.Day, Domain: r.Domain, Begin: day,
				End: day.Add(24*time.Hour - time.Second), Content: hash, Document: document, Rows: func(yield func(store.Row, error) bool) {
					for _, row := range r.Rows {
						if !yield(row, nil) {
							return
						}
					}
				}}},
		})
	}
	_, err = s.AddArrivals(context.Background(), all)
	ts.Check(err)
}

// claimed STORE NAME PERIOD TIME: a letter was being sent when the program ended.
func claimed(ts *testscript.TestScript, neg bool, args []string) {
	s, err := store.Open(context.Background(), ts.MkAbs(args[0]), store.Options{Create: true})
	ts.Check(err)
	defer s.Close()
	at, err := time.Parse(time.RFC3339, args[3])
	ts.Check(err)
	_, _, err = s.ClaimLetter(context.Background(), store.Letter{Name: args[1], Period: args[2], At: at, MessageID: "x@example.org"}, false)
	ts.Check(err)
}

// mailhost CONFIG MAILBOX [CODE]: a mail server listens until the script ends; CONFIG gets a table that names it in front, and MAILBOX what it takes. With
// a code it answers with that to every message.
func mailhost(ts *testscript.TestScript, neg bool, args []string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	b := &postbox{file: ts.MkAbs(args[1])}
	if len(args) > 2 {
		_, err := fmt.Sscan(args[2], &b.code)
		ts.Check(err)
	}
	server := smtp.NewServer(b)
	server.Domain = "mx.example.org"
	go server.Serve(ln)
	ts.Defer(func() { server.Close() })
	text := fmt.Sprintf("[mail]\nserver = %q\nfrom = \"Gatepost <gatepost@example.org>\"\n\n", ln.Addr())
	rest, _ := os.ReadFile(ts.MkAbs(args[0]))
	if _, after, ok := strings.Cut(string(rest), "[[digest]]"); ok {
		rest = []byte("[[digest]]" + after)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), append([]byte(text), rest...), 0o600))
}

// A postbox writes into a file what it takes.
type postbox struct {
	file string
	code int
	mu   sync.Mutex
}

func (b *postbox) NewSession(*smtp.Conn) (smtp.Session, error) { return postSession{b}, nil }

type postSession struct{ b *postbox }

func (postSession) Mail(string, *smtp.MailOptions) error { return nil }
func (postSession) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (postSession) Reset()                               {}
func (postSession) Logout() error                        { return nil }

func (s postSession) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if s.b.code != 0 {
		return &smtp.SMTPError{Code: s.b.code, EnhancedCode: smtp.EnhancedCode{s.b.code / 100, 0, 0}, Message: "so it is"}
	}
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	f, err := os.OpenFile(s.b.file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.Write(text)
	return err
}
