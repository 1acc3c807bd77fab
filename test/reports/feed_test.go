//go:build linux

package reports

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// Feeders hand parcels over, each as often as it takes.
type feeders struct {
	s       *scene
	todo    map[string]chan *parcel
	running sync.WaitGroup
	stop    chan struct{}

	acknowledged, refused, broken atomic.Int64 // what they heard: well done, come again, nothing
	left                          atomic.Int64 // parcels that are not acknowledged

	mu  sync.Mutex
	bad error // what should never happen
}

// sideBySide is how many senders there are of each way.
var sideBySide = map[string]int{bySMTP: 3, byLMTP: 2, byHTTP: 3, byIMAP: 1, byFolder: 1, byMaildir: 1}

func startFeeders(t *testing.T, s *scene, most int) *feeders {
	t.Helper()
	f := &feeders{s: s, todo: map[string]chan *parcel{}, stop: make(chan struct{})}
	hand := map[string]func(*parcel) error{bySMTP: f.smtp, byLMTP: f.lmtp, byHTTP: f.http, byIMAP: f.append, byFolder: f.put, byMaildir: f.deliver}
	for way, n := range sideBySide {
		todo := make(chan *parcel, most)
		f.todo[way] = todo
		for range n {
			f.running.Go(func() { f.feed(todo, hand[way]) })
		}
	}
	t.Cleanup(sync.OnceFunc(func() {
		close(f.stop)
		f.running.Wait()
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.bad != nil {
			t.Error(f.bad)
		}
	}))
	return f
}

// give lets parcels go.
func (f *feeders) give(parcels []*parcel) {
	f.left.Add(int64(len(parcels)))
	for _, p := range parcels {
		f.todo[p.way] <- p
	}
}

// An answer is one that means: come again.
type answer struct{ text string }

func (a *answer) Error() string { return a.text }

// A fault is an answer that should never come.
type fault struct{ text string }

func (a *fault) Error() string { return a.text }

func (f *feeders) feed(todo <-chan *parcel, hand func(*parcel) error) {
	for {
		var p *parcel
		select {
		case p = <-todo:
		case <-f.stop:
			return
		}
		for done := false; !done; {
			err := hand(p)
			var again *answer
			var wrong *fault
			switch {
			case err == nil:
				f.acknowledged.Add(1)
				f.left.Add(-1)
				done = true
				continue
			case errors.As(err, &wrong):
				f.mu.Lock()
				f.bad = errors.Join(f.bad, fmt.Errorf("%s by %s: %w", p.name, p.way, err))
				f.mu.Unlock()
				f.left.Add(-1)
				done = true
				continue
			case errors.As(err, &again):
				f.refused.Add(1)
			default:
				f.broken.Add(1)
			}
			select {
			case <-time.After(20 * time.Millisecond):
			case <-f.stop:
				return
			}
		}
	}
}

func (f *feeders) node() *node { return f.s.nodes[rand.IntN(len(f.s.nodes))] }

const replyPatience = time.Minute

func (f *feeders) smtp(p *parcel) error {
	raw, err := net.DialTimeout("tcp", f.node().smtp, 5*time.Second)
	if err != nil {
		return err
	}
	return talk(smtp.NewClient(raw), "mx.example.net", p)
}

func (f *feeders) lmtp(p *parcel) error {
	raw, err := net.DialTimeout("unix", f.node().lmtp, 5*time.Second)
	if err != nil {
		return err
	}
	return talk(smtp.NewClientLMTP(raw), "mx.example.net", p)
}

// talk hands a mail over.
func talk(c *smtp.Client, helo string, p *parcel) error {
	defer c.Close()
	c.CommandTimeout, c.SubmissionTimeout = replyPatience, replyPatience
	err := func() error {
		if err := c.Hello(helo); err != nil {
			return err
		}
		if err := c.Mail("reports@mx.example.net", nil); err != nil {
			return err
		}
		if err := c.Rcpt(rua, nil); err != nil {
			return err
		}
		w, err := c.Data()
		if err != nil {
			return err
		}
		if _, err := w.Write(p.raw); err != nil {
			return err
		}
		return w.Close()
	}()
	var reply *smtp.SMTPError
	if !errors.As(err, &reply) {
		return err
	}
	if reply.Temporary() {
		return &answer{reply.Error()}
	}
	return &fault{reply.Error()}
}

var upload = &http.Client{Timeout: replyPatience}

func (f *feeders) http(p *parcel) error {
	req, err := http.NewRequest(http.MethodPost, "http://"+f.node().web+"/reports", bytes.NewReader(p.raw))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("X-Forwarded-For", fmt.Sprintf("192.0.2.%d", rand.IntN(256))) // or there were too many from one
	resp, err := upload.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusOK && !p.bad, resp.StatusCode == http.StatusUnprocessableEntity && p.bad:
		return nil
	case resp.StatusCode >= 500, resp.StatusCode == http.StatusNotFound: // not found: while the way is changed
		return &answer{resp.Status}
	}
	return &fault{resp.Status}
}

func (f *feeders) append(p *parcel) error {
	c, err := f.s.imap.client()
	if err != nil {
		return err
	}
	defer c.Close()
	cmd := c.Append("INBOX", int64(len(p.raw)), nil)
	if _, err := cmd.Write(p.raw); err != nil {
		return err
	}
	if err := cmd.Close(); err != nil {
		return err
	}
	_, err = cmd.Wait()
	return err
}

// put makes a file in the directory as a program does that knows what it does, and long ago, so that nobody waits for its end.
func (f *feeders) put(p *parcel) error {
	path := filepath.Join(f.s.in, p.name)
	if err := os.WriteFile(path+".tmp", p.raw, 0o600); err != nil {
		return &fault{err.Error()}
	}
	then := time.Now().Add(-time.Hour)
	if err := errors.Join(os.Chtimes(path+".tmp", then, then), os.Rename(path+".tmp", path)); err != nil {
		return &fault{err.Error()}
	}
	return nil
}

func (f *feeders) deliver(p *parcel) error {
	tmp := filepath.Join(f.s.mail, "tmp", p.name)
	if err := os.WriteFile(tmp, p.raw, 0o600); err != nil {
		return &fault{err.Error()}
	}
	if err := os.Rename(tmp, filepath.Join(f.s.mail, "new", p.name)); err != nil {
		return &fault{err.Error()}
	}
	return nil
}
