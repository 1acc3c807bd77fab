package upload

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/intake"
	"github.com/gatepost-mail/gatepost/internal/option"
)

// A store stands in for the importer: what begins with "report" is one.
type store struct {
	mu    sync.Mutex
	items []intake.Item
	texts map[string]bool
	away  error
}

func (s *store) Import(_ context.Context, items iter.Seq[intake.Item], done func(intake.Item, intake.Outcome) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for item := range items {
		if s.away != nil {
			return s.away
		}
		r, err := item.Open()
		if err != nil {
			return err
		}
		text, err := io.ReadAll(r)
		r.Close()
		if err != nil {
			return err
		}
		o := intake.Outcome{New: 1}
		switch {
		case !bytes.HasPrefix(text, []byte("report")):
			o = intake.Outcome{Refused: []string{"no report"}}
		case s.texts[string(text)]:
			o = intake.Outcome{Known: 1}
		}
		s.texts[string(text)] = true
		s.items = append(s.items, item)
		if err := done(item, o); err != nil {
			return err
		}
	}
	return nil
}

const (
	plain  = "a-plain-token-of-our-own"
	secret = "another-token-that-is-hashed"
)

type bench struct {
	url   string
	store *store
	file  string
	spool string
}

func setUp(t *testing.T, o Options) *bench {
	t.Helper()
	b := &bench{store: &store{texts: map[string]bool{}}, file: filepath.Join(t.TempDir(), "tokens"), spool: t.TempDir()}
	b.write(t, fmt.Sprintf("# name token domain\nrelay %s\n\nbackup sha256:%x Example.COM.\n", plain, sha256.Sum256([]byte(secret))))
	o.TokenFile, o.Importer, o.SpoolDir = b.file, b.store, b.spool
	h, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/reports", h)
	server := httptest.NewServer(mux)
	b.url = server.URL + "/reports"
	t.Cleanup(func() {
		server.Close()
		h.Close()
		if left, _ := filepath.Glob(filepath.Join(b.spool, "*")); len(left) > 0 {
			t.Errorf("temporary files are left: %v", left)
		}
	})
	return b
}

func (b *bench) write(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(b.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// ask sends a request and gives what came back.
func (b *bench) ask(t *testing.T, method, token, kind string, body io.Reader) (int, answer, http.Header) {
	t.Helper()
	r, err := http.NewRequest(method, b.url, body)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var a answer
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil {
		t.Errorf("the answer is no JSON: %v", err)
	}
	if resp.Header.Get("Content-Type") != "application/json" || resp.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("header %v", resp.Header)
	}
	return resp.StatusCode, a, resp.Header
}

func TestUploadIsStoredAndAnsweredWithWhatBecameOfIt(t *testing.T) {
	b := setUp(t, Options{MemoryBytes: 100})
	for i, c := range []struct {
		method, token, kind, body string
		status                    int
		want                      answer
	}{
		{"POST", plain, "", "report 1", 200, answer{New: 1}},
		{"PUT", secret, "application/x-www-form-urlencoded", "report 2", 200, answer{New: 1}},
		{"POST", plain, "text/html", "report 1", 200, answer{Known: 1}},
		{"POST", plain, "multipart/form-data", "report 3", 200, answer{New: 1}},
		{"POST", plain, "application/gzip", "report" + strings.Repeat("x", 5000), 200, answer{New: 1}},
		{"POST", plain, "", "junk", 422, answer{Refused: []string{"no report"}}},
		{"POST", plain, "", "", 422, answer{Refused: []string{"no report"}}},
	} {
		status, got, _ := b.ask(t, c.method, c.token, c.kind, strings.NewReader(c.body))
		if status != c.status || got.New != c.want.New || got.Known != c.want.Known || len(got.Refused) != len(c.want.Refused) || got.Refused == nil {
			t.Errorf("%d: %d %+v, want %d %+v", i, status, got, c.status, c.want)
		}
	}
	first, second := b.store.items[0], b.store.items[1]
	if first.Sender.TokenDomain != "" || second.Sender.TokenDomain != "example.com" || first.Sender.IP != "127.0.0.1" || first.Input != "http" ||
		first.Name != "upload by relay" || second.Name != "upload by backup" {
		t.Errorf("the items are %+v and %+v", first, second)
	}
}

func form(files ...string) (kind string, body *bytes.Buffer) {
	body = &bytes.Buffer{}
	w := multipart.NewWriter(body)
	w.WriteField("note", "no file")
	for i, text := range files {
		part, _ := w.CreateFormFile("report", fmt.Sprintf(`C:\reports\f%d.xml`, i))
		io.WriteString(part, text)
	}
	w.Close()
	return w.FormDataContentType(), body
}

func TestSeveralFilesComeAsAForm(t *testing.T) {
	b := setUp(t, Options{MaxFiles: 5, MemoryBytes: 10})
	kind, body := form("report a", "junk", "report b")
	status, got, _ := b.ask(t, "POST", plain, kind, body)
	if status != 200 || got.New != 2 || len(got.Refused) != 1 || got.Refused[0] != "f1.xml: no report" {
		t.Errorf("%d %+v", status, got)
	}
	kind, body = form()
	if status, got, _ := b.ask(t, "POST", plain, kind, body); status != 400 || got.Error == "" {
		t.Errorf("without a file: %d %+v", status, got)
	}
	kind, body = form("report 1", "report 2", "report 3", "report 4", "report 5", "report 6")
	if status, _, _ := b.ask(t, "POST", plain, kind, body); status != 413 {
		t.Errorf("six files: %d", status)
	}
	kind, body = form("report cut off")
	if status, _, _ := b.ask(t, "POST", plain, kind, bytes.NewReader(body.Bytes()[:body.Len()-20])); status != 400 {
		t.Errorf("a form that is cut off: %d", status)
	}
	if n := len(b.store.items); n != 3 {
		t.Errorf("%d items", n)
	}
}

func TestOnlyATokenOpens(t *testing.T) {
	b := setUp(t, Options{Failures: 100})
	hash := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(secret)))
	for _, token := range []string{"", " ", "x", strings.ToUpper(plain), plain + "x", plain[:len(plain)-1], hash, hash[7:], "sha256:" + plain} {
		status, _, header := b.ask(t, "POST", token, "", strings.NewReader("report"))
		if status != 401 || !strings.HasPrefix(header.Get("WWW-Authenticate"), "Bearer") {
			t.Errorf("%q: %d", token, status)
		}
	}
	r, _ := http.NewRequest("POST", b.url, strings.NewReader("report"))
	r.SetBasicAuth("relay", plain)
	r.AddCookie(&http.Cookie{Name: "token", Value: plain})
	if resp, err := http.DefaultClient.Do(r); err != nil || resp.StatusCode != 401 {
		t.Errorf("with a password and a cookie: %v %v", resp, err)
	}
	for _, method := range []string{"GET", "OPTIONS", "DELETE"} {
		if status, _, header := b.ask(t, method, plain, "", nil); status != 405 || header.Get("Allow") != "POST, PUT" {
			t.Errorf("%s: %d", method, status)
		}
	}
	if len(b.store.items) != 0 {
		t.Errorf("%d items", len(b.store.items))
	}
}

func TestTokensAreReadAgain(t *testing.T) {
	b := setUp(t, Options{Failures: 1000, PerMinute: 10000})
	b.write(t, "new a-new-token-of-20-characters\n")
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		status, _, _ := b.ask(t, "POST", "a-new-token-of-20-characters", "", strings.NewReader("report"))
		if status == 200 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("not within 20 seconds")
		}
	}
	if status, _, _ := b.ask(t, "POST", plain, "", strings.NewReader("report")); status != 401 {
		t.Errorf("the token that was taken away: %d", status)
	}
}

func TestUploadThatIsTooLargeIsRefused(t *testing.T) {
	b := setUp(t, Options{MaxBytes: 1000})
	if status, _, _ := b.ask(t, "POST", plain, "", strings.NewReader("report"+strings.Repeat("x", 994))); status != 200 {
		t.Errorf("as large as may be: %d", status)
	}
	large := "report" + strings.Repeat("x", 995)
	if status, _, _ := b.ask(t, "POST", plain, "", strings.NewReader(large)); status != 413 {
		t.Errorf("too large, and said so: %d", status)
	}
	if status, _, _ := b.ask(t, "POST", plain, "", io.MultiReader(strings.NewReader(large))); status != 413 {
		t.Errorf("too large, in chunks: %d", status)
	}
	kind, body := form(large)
	if status, _, _ := b.ask(t, "POST", plain, kind, io.MultiReader(body)); status != 413 {
		t.Errorf("too large, in a form: %d", status)
	}
	if len(b.store.items) != 1 {
		t.Errorf("%d items", len(b.store.items))
	}
}

func TestStoreThatIsAwayMakesTheClientComeAgain(t *testing.T) {
	b := setUp(t, Options{})
	b.store.away = errors.New("the database is away: at postgres://secret")
	status, got, header := b.ask(t, "POST", plain, "", strings.NewReader("report"))
	if status != 503 || header.Get("Retry-After") == "" || strings.Contains(got.Error, "secret") {
		t.Errorf("%d %+v %v", status, got, header)
	}
	b.store.away = nil
	for i, want := range []answer{{New: 1}, {Known: 1}} {
		if status, got, _ := b.ask(t, "POST", plain, "", strings.NewReader("report")); status != 200 || got.New != want.New || got.Known != want.Known {
			t.Errorf("%d: %d %+v", i, status, got)
		}
	}
}

func TestUploadThatIsCutOffIsNotStored(t *testing.T) {
	b := setUp(t, Options{})
	nc, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(b.url, "http://"), "/reports"))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(nc, "POST /reports HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 100\r\n\r\nreport", plain)
	nc.(*net.TCPConn).CloseWrite()
	text, _ := io.ReadAll(nc)
	nc.Close()
	if !strings.HasPrefix(string(text), "HTTP/1.1 400 ") || len(b.store.items) != 0 {
		t.Errorf("%d items, and the answer %.100q", len(b.store.items), text)
	}
}

func TestClientThatAsksTooOftenIsToldWhenToCome(t *testing.T) {
	b := setUp(t, Options{PerMinute: 8, Failures: 3})
	for range 3 {
		b.ask(t, "POST", "wrong", "", nil)
	}
	status, _, header := b.ask(t, "POST", plain, "", strings.NewReader("report"))
	if status != 429 || header.Get("Retry-After") == "" {
		t.Errorf("after three wrong tokens: %d", status)
	}
	b = setUp(t, Options{PerMinute: 5})
	for i := range 5 {
		if status, _, _ := b.ask(t, "POST", plain, "", strings.NewReader("report")); status != 200 {
			t.Errorf("request %d: %d", i, status)
		}
	}
	if status, _, header := b.ask(t, "POST", plain, "", strings.NewReader("report")); status != 429 || header.Get("Retry-After") == "" {
		t.Errorf("one more: %d", status)
	}
}

func TestLimiterRemembersABoundedNumberAndLetsInAgain(t *testing.T) {
	l := newLimiter(2)
	now := time.Unix(1_800_000_000, 0)
	ip := netip.MustParseAddr("192.0.2.1")
	for range 2 {
		if l.take(ip, now) != 0 {
			t.Error("refused at once")
		}
	}
	wait := l.take(ip, now)
	if wait <= 0 || wait > 30*time.Second {
		t.Errorf("to wait %v", wait)
	}
	if l.take(ip, now.Add(wait)) != 0 {
		t.Error("refused after the time that was said")
	}
	a := netip.MustParseAddr("2001:db8::").As16()
	for i := range 2 * maxClients {
		a[6], a[5], a[4] = byte(i), byte(i>>8), byte(i>>16)
		l.take(netip.AddrFrom16(a), now)
	}
	if n := len(l.clients); n > maxClients+1 {
		t.Errorf("%d are remembered", n)
	}
	if l.take(netip.MustParseAddr("203.0.113.1"), now.Add(2*time.Minute)) != 0 {
		t.Error("a stranger pays for others, minutes later")
	}
}

func TestOptionErrorNamesTheField(t *testing.T) {
	for field, o := range map[string]Options{
		"token_file": {Importer: &store{}}, "importer": {TokenFile: "x"}, "max_files": {TokenFile: "x", Importer: &store{}, MaxFiles: -1},
	} {
		_, err := New(o)
		var wrong *option.Error
		if !errors.As(err, &wrong) || wrong.Field != field {
			t.Errorf("%s: got %v", field, err)
		}
	}
	path := filepath.Join(t.TempDir(), "tokens")
	for text, want := range map[string]string{
		"a short": "line 1: a token has 20", "\na": "line 2: write a name", "a sha256:00": "SHA-256 has 64", "a " + plain + " bad..domain": "no domain",
		"a " + plain + "\nb " + plain: "line 2: the same token as that of a",
	} {
		os.WriteFile(path, []byte(text), 0o600)
		if _, err := New(Options{TokenFile: path, Importer: &store{}}); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), plain) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
	os.Chmod(path, 0o644)
	if _, err := New(Options{TokenFile: path, Importer: &store{}}); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("got %v", err)
	}
}

// Each token that is read opens, and an error tells nothing of one.
func FuzzTokens(f *testing.F) {
	f.Add("relay a-plain-token-of-our-own\n", plain)
	f.Add("backup sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 example.com", "test")
	f.Add("# c\r\na\tbbbbbbbbbbbbbbbbbbbbbbbbbbb\tB\u00fccher.example", "x")
	f.Fuzz(func(t *testing.T, text, secret string) {
		tokens, err := parseTokens([]byte(text))
		if err != nil {
			return
		}
		got, ok := find(tokens, secret)
		if !ok {
			return
		}
		if got.hash != sha256.Sum256([]byte(secret)) {
			t.Errorf("%q opens the token of %s", secret, got.Name)
		}
		if !strings.Contains(text, secret) && !strings.Contains(strings.ToLower(text), fmt.Sprintf("%x", got.hash)) {
			t.Errorf("%q opens, and is not in the file", secret)
		}
	})
}

// A name from outside holds nothing that changes where or how it is shown.
func FuzzShownName(f *testing.F) {
	f.Add("../../etc/passwd")
	f.Add("C:\\a\\b.xml")
	f.Add("a\x00\r\nb\xff\u009b")
	f.Fuzz(func(t *testing.T, name string) {
		got := shown(name)
		if len(got) > maxName+len("…") || got != "/" && strings.ContainsAny(got, "/\\") || strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			t.Errorf("%q is shown as %q", name, got)
		}
	})
}
