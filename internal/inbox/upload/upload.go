// Package upload is our own door for reports that come by HTTP: POST or PUT of a file, or of several as a form, with a token.
//
//	handler, err := upload.New(upload.Options{TokenFile: "upload-tokens", Importer: importer})
//	mux.Handle("/reports", handler)
//
//	curl -H 'Authorization: Bearer TOKEN' --data-binary @report.xml.gz https://reports.example.net/reports
//	curl -H 'Authorization: Bearer TOKEN' -F report=@a.zip -F report=@b.eml https://reports.example.net/reports
//
// What a file is, its bytes say: the content type matters only where it is that of a form. The answer is JSON, and comes when what was read
// is committed:
//
//	{"new":1,"known":0,"conflicting":0,"refused":[]}
//
//	200  everything that could be read is in the store
//	400  it was cut off, or is a form without a file
//	401  no token that is known
//	405  another method than POST and PUT
//	413  too large, or too many files
//	422  nothing in it could be read; it was set aside whole
//	429  too many requests; Retry-After says when to come again
//	503  it cannot be stored now; Retry-After says when to come again
//
// The token is a header field that no other site can have a browser send without our consent, which is never given: cookies count for
// nothing here.
package upload

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/internal/client"
	"github.com/gatepost-mail/gatepost/internal/inbox/batch"
	"github.com/gatepost-mail/gatepost/internal/inbox/refresh"
	"github.com/gatepost-mail/gatepost/internal/intake"
	"github.com/gatepost-mail/gatepost/internal/option"
	"github.com/gatepost-mail/gatepost/internal/spool"
)

// Options are set once. The zero value of each member means its default, but for the first two.
type Options struct {
	TokenFile string // see ReadTokens; read again when it changes
	Importer  batch.Importer

	MaxBytes  int64         // of a request; 64 MiB
	MaxFiles  int           // of a form; 100
	PerMinute int           // requests from one IPv4 address or IPv6 /64; 120
	Failures  int           // of these without a token that is known; 10
	Timeout   time.Duration // for a request to come whole; 10 min

	TrustedProxies []netip.Prefix // whose X-Forwarded-For is believed

	SpoolDir    string // of temporary files; the system's if empty
	MemoryBytes int64  // of a file that are kept in memory; 256 KiB

	Batch batch.Options
	Log   *slog.Logger // none if nil
}

func (o *Options) check() error {
	switch {
	case o.TokenFile == "":
		return option.Errorf("token_file", "there is none")
	case o.Importer == nil:
		return option.Errorf("importer", "there is none")
	}
	for _, n := range []struct {
		field string
		value int64
	}{
		{"max_bytes", o.MaxBytes}, {"max_files", int64(o.MaxFiles)}, {"per_minute", int64(o.PerMinute)}, {"failures", int64(o.Failures)},
		{"timeout", int64(o.Timeout)}, {"memory_bytes", o.MemoryBytes},
	} {
		if n.value < 0 {
			return option.Errorf(n.field, "less than nothing")
		}
	}
	o.MaxBytes = cmp.Or(o.MaxBytes, 64<<20)
	o.MaxFiles = cmp.Or(o.MaxFiles, 100)
	o.PerMinute = cmp.Or(o.PerMinute, 120)
	o.Failures = cmp.Or(o.Failures, 10)
	o.Timeout = cmp.Or(o.Timeout, 10*time.Minute)
	o.MemoryBytes = cmp.Or(o.MemoryBytes, 256<<10)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

// A Handler takes uploads. It is safe for concurrent use.
type Handler struct {
	o        Options
	room     *spool.Room
	tokens   *refresh.File[[]Token]
	batch    *batch.Batcher
	requests *limiter
	failures *limiter
}

// New prepares a Handler. The error is an [*option.Error], or that of reading the tokens.
func New(o Options) (*Handler, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	h := &Handler{o: o, requests: newLimiter(o.PerMinute), failures: newLimiter(o.Failures)}
	h.tokens = refresh.New(func() ([]Token, error) { return ReadTokens(o.TokenFile) }, o.TokenFile)
	if _, err := h.tokens.Get(); err != nil {
		return nil, err
	}
	h.room = &spool.Room{Dir: o.SpoolDir, Most: spool.Unbounded, Each: o.MemoryBytes} // connections are bounded
	h.batch = batch.New(o.Importer, o.Batch)
	return h, nil
}

// Close ends what is under way: those who wait for an answer are told to come again.
func (h *Handler) Close() { h.batch.Close() }

// An answer is what a request hears.
type answer struct {
	New         int      `json:"new"`
	Known       int      `json:"known"`
	Conflicting int      `json:"conflicting"`
	Refused     []string `json:"refused"`
	Error       string   `json:"error,omitempty"`
}

// A failure is why a request was not worked through.
type failure struct {
	status int
	text   string
	retry  time.Duration // when to come again; 0: that is no use
}

func (f *failure) Error() string { return f.text }

// retryStore is when to come again where the store is away.
const retryStore = 30 * time.Second

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodPost && r.Method != http.MethodPut {
		header.Set("Allow", "POST, PUT")
		h.answer(w, http.StatusMethodNotAllowed, answer{Error: "send reports with POST or PUT"})
		return
	}
	var a answer
	err := h.take(w, r, &a)
	var f *failure
	switch {
	case errors.As(err, &f):
		if f.retry > 0 {
			header.Set("Retry-After", strconv.Itoa(int((f.retry+time.Second-1)/time.Second)))
		}
		if f.status == http.StatusUnauthorized {
			header.Set("WWW-Authenticate", `Bearer realm="reports"`)
		}
		a.Error = f.text
		h.answer(w, f.status, a)
	case a.New+a.Known == 0:
		h.answer(w, http.StatusUnprocessableEntity, a)
	default:
		h.answer(w, http.StatusOK, a)
	}
}

func (h *Handler) answer(w http.ResponseWriter, status int, a answer) {
	if a.Refused == nil {
		a.Refused = []string{}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(a) // a client that has gone has gone
}

// take works a request through. The error is a *failure.
func (h *Handler) take(w http.ResponseWriter, r *http.Request, a *answer) error {
	ip := client.Proxies(h.o.TrustedProxies).Address(r)
	token, err := h.admit(ip, r)
	if err != nil {
		return err
	}
	if r.ContentLength > h.o.MaxBytes {
		return tooLarge(h.o.MaxBytes)
	}
	// Not every server can: the one that we are mounted in has a bound of its own then.
	deadlines, now := http.NewResponseController(w), time.Now()
	deadlines.SetReadDeadline(now.Add(h.o.Timeout))
	deadlines.SetWriteDeadline(now.Add(h.o.Timeout + time.Minute)) // of the answer, which comes after the store's
	files, err := h.read(w, r)
	defer func() {
		for _, f := range files {
			f.kept.Close()
		}
	}()
	if err != nil {
		return err
	}
	sender := intake.Sender{TokenDomain: token.Domain}
	if ip.IsValid() {
		sender.IP = ip.String()
	}
	return h.store(r, token, sender, files, a)
}

// admit tells whose token it is.
func (h *Handler) admit(ip netip.Addr, r *http.Request) (Token, error) {
	now := time.Now()
	if wait := h.requests.take(ip, now); wait > 0 {
		return Token{}, &failure{http.StatusTooManyRequests, "too many requests", wait}
	}
	if wait := h.failures.peek(ip, now); wait > 0 {
		return Token{}, &failure{http.StatusTooManyRequests, "too many requests without a token that is known", wait}
	}
	tokens, err := h.tokens.Get()
	if err != nil {
		h.o.Log.Error("the tokens for uploads cannot be read; those from before hold", "error", err.Error())
	}
	scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") {
		if token, ok := find(tokens, strings.TrimSpace(secret)); ok {
			return token, nil
		}
	}
	h.failures.take(ip, now)
	h.o.Log.Warn("an upload without a token that is known", "client", ip.String())
	return Token{}, &failure{http.StatusUnauthorized, "write Authorization: Bearer and a token that is known", 0}
}

// store imports files side by side, so that they are committed together.
func (h *Handler) store(r *http.Request, token Token, sender intake.Sender, files []file, a *answer) error {
	type result struct {
		outcome intake.Outcome
		err     error
	}
	results := make([]chan result, len(files))
	for i, f := range files {
		results[i] = make(chan result, 1)
		item := intake.Item{
			Name: fmt.Sprintf("upload by %s%s", token.Name, f.called()), Input: "http", Received: time.Now().UTC(), Sender: sender, Open: f.kept.Open,
		}
		go func() {
			outcome, err := h.batch.Import(r.Context(), item)
			results[i] <- result{outcome, err}
		}()
	}
	var failed error
	for i, f := range files {
		res := <-results[i]
		if res.err != nil {
			failed = res.err
			continue
		}
		a.New += res.outcome.New
		a.Known += res.outcome.Known
		a.Conflicting += res.outcome.Conflicting
		for _, reason := range res.outcome.Refused {
			if f.name != "" {
				reason = f.name + ": " + reason
			}
			a.Refused = append(a.Refused, reason)
		}
	}
	log := h.o.Log.With("token", token.Name, "client", sender.IP, "files", len(files))
	if failed != nil {
		log.Error("an upload could not be stored; its sender is told to come again", "error", failed.Error())
		return &failure{http.StatusServiceUnavailable, "it cannot be stored now; send it again later", retryStore}
	}
	log.Info("reports came", "new", a.New, "known", a.Known, "refused", len(a.Refused))
	return nil
}

// A file is one thing that was sent.
type file struct {
	name string // as the client calls it; empty for a body that is no form
	kept *spool.Spool
}

func (f file) called() string {
	if f.name == "" {
		return ""
	}
	return ": " + f.name
}

func tooLarge(most int64) error {
	return &failure{http.StatusRequestEntityTooLarge, fmt.Sprintf("larger than %d bytes", most), 0}
}
