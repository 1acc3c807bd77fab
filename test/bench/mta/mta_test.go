package mta_test

import (
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/d--j/go-milter"

	"github.com/gatepost-mail/gatepost/test/bench/mta"
)

// heard is a milter that writes down what it is told, and puts a field on top.
type heard struct {
	milter.NoOpMilter
	mu    *sync.Mutex
	lines *[]string
	field string
	end   *milter.Response
}

func (h heard) note(parts ...string) (*milter.Response, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	*h.lines = append(*h.lines, strings.Join(parts, " "))
	return milter.RespContinue, nil
}

func (h heard) Connect(host, family string, _ uint16, addr string, _ milter.Modifier) (*milter.Response, error) {
	return h.note("connect", host, family, addr)
}
func (h heard) Helo(name string, _ milter.Modifier) (*milter.Response, error) {
	return h.note("helo", name)
}
func (h heard) MailFrom(from, _ string, m milter.Modifier) (*milter.Response, error) {
	return h.note("mail", from, m.Get(milter.MacroAuthAuthen))
}
func (h heard) RcptTo(to, _ string, _ milter.Modifier) (*milter.Response, error) {
	return h.note("rcpt", to)
}
func (h heard) Header(name, value string, _ milter.Modifier) (*milter.Response, error) {
	return h.note("header", name+":"+value)
}
func (h heard) BodyChunk(chunk []byte, _ milter.Modifier) (*milter.Response, error) {
	return h.note("body", string(chunk))
}
func (h heard) Abort(milter.Modifier) error {
	_, err := h.note("abort")
	return err
}
func (h heard) EndOfMessage(m milter.Modifier) (*milter.Response, error) {
	if err := m.InsertHeader(1, "Authentication-Results", h.field); err != nil {
		return nil, err
	}
	return h.end, nil
}

// listen runs such a milter, and gives what it heard.
func listen(t *testing.T, field string, end *milter.Response, options milter.OptProtocol) (mta.Filter, func() []string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var lines []string
	server := milter.NewServer(
		milter.WithMilter(func() milter.Milter { return heard{mu: &mu, lines: &lines, field: field, end: end} }),
		milter.WithActions(milter.OptAddHeader|milter.OptChangeHeader), milter.WithProtocols(options))
	go server.Serve(ln)
	t.Cleanup(func() { server.Close() })
	return mta.Filter{Network: "tcp", Address: ln.Addr().String()}, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return lines
	}
}

const raw = "Subject: a\r\n\tfold\r\nX-None:x\r\n\r\nhello\r\n"

var client = mta.Client{IP: "192.0.2.1", Name: "mx.example", Helo: "helo.example", Login: "alice"}

func deliver(t *testing.T, filters ...mta.Filter) mta.Answer {
	t.Helper()
	m, err := mta.NewMessage("a@example.com", "b@example.org", []byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	s, err := mta.Dial(client, filters...)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	answer, err := s.Deliver(m)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func TestEveryFilterIsToldAllOfAMessageWithWhatThoseBeforeAdded(t *testing.T) {
	for name, options := range map[string]milter.OptProtocol{
		"in lockstep": milter.OptHeaderLeadingSpace, "without answers": milter.OptHeaderLeadingSpace | milter.OptNoReplies,
	} {
		first, _ := listen(t, " first", milter.RespContinue, options)
		second, lines := listen(t, " second", milter.RespAccept, options)
		answer := deliver(t, first, second)
		if answer.Class() != 2 || answer.Field("authentication-results") != " first\n second" {
			t.Errorf("%s: got class %d, %q", name, answer.Class(), answer.Field("authentication-results"))
		}
		want := []string{
			"connect mx.example tcp4 192.0.2.1", "helo helo.example", "mail a@example.com alice", "rcpt b@example.org",
			"header Authentication-Results: first", "header Subject: a\n\tfold", "header X-None:x", "body hello\r\n",
		}
		if got := strings.Join(lines(), "|"); got != strings.Join(want, "|") {
			t.Errorf("%s\ngot  %q\nwant %q", name, got, strings.Join(want, "|"))
		}
	}
}

func TestFilterThatWantsNoLeadingSpaceGetsNone(t *testing.T) {
	filter, lines := listen(t, "x", milter.RespAccept, milter.OptNoReplies|milter.OptNoConnect|milter.OptNoHelo|milter.OptNoMailFrom|milter.OptNoRcptTo|milter.OptNoBody)
	answer := deliver(t, filter)
	if got := answer.Field("Authentication-Results"); got != " x" {
		t.Errorf("got field %q, want %q", got, " x")
	}
	if got, want := strings.Join(lines(), "|"), "header Subject:a\n\tfold|header X-None:x"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRefusalOfOneFilterIsTheAnswerAndTheNextIsNotTold(t *testing.T) {
	refusal, err := milter.RejectWithCodeAndReason(550, "5.7.1 no")
	if err != nil {
		t.Fatal(err)
	}
	first, _ := listen(t, " x", refusal, milter.OptNoReplies)
	second, lines := listen(t, " y", milter.RespAccept, milter.OptNoReplies)
	if answer := deliver(t, first, second); answer.Class() != 5 || answer.Text != "550 5.7.1 no" {
		t.Errorf("got class %d, %q", answer.Class(), answer.Text)
	}
	for _, line := range lines() {
		if strings.HasPrefix(line, "header") {
			t.Errorf("the second filter heard %q", line)
		}
	}
}

func TestMessageThatStopsHalfwayIsAbortedAndTheSessionGoesOn(t *testing.T) {
	filter, lines := listen(t, " x", milter.RespAccept, milter.OptNoReplies)
	m, err := mta.NewMessage("a@example.com", "b@example.org", []byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	s, err := mta.Dial(client, filter)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Envelope(m); err != nil {
		t.Fatal(err)
	}
	if answer, err := s.Content(m, mta.Pace{Pause: time.Millisecond, Stop: 2}); err != nil || answer.Code != 0 {
		t.Fatalf("got %v, %v, want no answer", answer, err)
	}
	if err := s.Abort(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if answer, err := s.Deliver(m); err != nil || answer.Class() != 2 {
			t.Fatalf("got %v, %v", answer, err)
		}
	}
	if got := strings.Join(lines(), "|"); !strings.Contains(got, "header X-None:x|abort|mail") || strings.Count(got, "body") != 2 {
		t.Errorf("got %q", got)
	}
}
