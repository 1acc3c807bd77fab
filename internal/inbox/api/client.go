package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/internal/inbox"
)

const (
	mostJSON     = 16 << 20 // of an answer that is read whole
	mostError    = 64 << 10
	attempts     = 5
	longestPause = time.Minute     // within a request; what is to wait longer ends the round
	stall        = 2 * time.Minute // without a byte
)

// A Client makes requests to one service with a token.
type Client struct {
	Header http.Header // for each request

	base   *url.URL
	source *Source
	http   *http.Client
	pause  time.Duration // the first one before a request is made again; for tests
}

// NewClient makes one for the service at base; caFile as in [TLS].
func NewClient(base string, source *Source, caFile string) (*Client, error) {
	if err := CheckURL(base); err != nil {
		return nil, err
	}
	u, err := url.Parse(strings.TrimRight(base, "/"))
	if err != nil {
		return nil, err
	}
	client, err := HTTP(caFile)
	if err != nil {
		return nil, err
	}
	return &Client{base: u, source: source, http: client, pause: time.Second}, nil
}

// Pause sets how long to wait before a request is made again for the first time, for tests.
func (c *Client) Pause(d time.Duration) { c.pause = d }

// A StatusError is an answer that the service gave instead of what was asked for.
type StatusError struct {
	Status  int
	Code    string // as the service calls it: "ErrorItemNotFound", "rateLimitExceeded"
	Message string

	after time.Duration // how long the service wants us to wait
}

func (e *StatusError) Error() string {
	text := fmt.Sprintf("the service answered %d", e.Status)
	for _, more := range []string{e.Code, e.Message} {
		if more != "" {
			text += ": " + inbox.Line(more, 300)
		}
	}
	return text
}

// NotFound tells whether what was asked for is not there.
func NotFound(err error) bool {
	var s *StatusError
	return errors.As(err, &s) && (s.Status == http.StatusNotFound || s.Status == http.StatusGone)
}

// again tells whether the same request may succeed a little later.
func (e *StatusError) again() bool {
	switch e.Status {
	case http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	case http.StatusForbidden: // so Gmail says that there were too many requests
		return e.Code == "rateLimitExceeded" || e.Code == "userRateLimitExceeded"
	}
	return false
}

// URL makes the address of a path below the base. An address that the service itself gave must lie on the same host.
func (c *Client) URL(path string, query url.Values) (string, error) {
	if strings.HasPrefix(path, "/") {
		address := c.base.String() + path
		if len(query) > 0 {
			address += "?" + query.Encode()
		}
		return address, nil
	}
	u, err := url.Parse(path)
	if err != nil || u.Scheme != c.base.Scheme || !strings.EqualFold(u.Host, c.base.Host) || u.User != nil {
		return "", fmt.Errorf("the service points to %q, which is another place than %s", inbox.Line(path, 200), c.base.Host)
	}
	return path, nil
}

// Do makes a request with a JSON body, if send is not nil, and reads the JSON answer into result, if that is not nil. Where the service
// is busy it is made again after a while.
func (c *Client) Do(ctx context.Context, method, path string, query url.Values, send, result any) error {
	return c.Stream(ctx, method, path, query, send, func(body io.Reader) error {
		if result == nil {
			_, err := io.Copy(io.Discard, io.LimitReader(body, mostError))
			return err
		}
		text, err := io.ReadAll(io.LimitReader(body, mostJSON+1))
		if err != nil {
			return err
		}
		if len(text) > mostJSON {
			return fmt.Errorf("the service's answer is longer than %d MiB", mostJSON>>20)
		}
		if err := json.Unmarshal(text, result); err != nil {
			return fmt.Errorf("the service's answer is not what was asked for: %w", err)
		}
		return nil
	})
}

// Stream is like Do, and hands the answer's body to read.
func (c *Client) Stream(ctx context.Context, method, path string, query url.Values, send any, read func(io.Reader) error) error {
	address, err := c.URL(path, query)
	if err != nil {
		return err
	}
	var body []byte
	if send != nil {
		if body, err = json.Marshal(send); err != nil {
			return err
		}
	}
	b := inbox.Backoff{First: c.pause, Most: longestPause}
	expired := false
	for attempt := 1; ; attempt++ {
		err := c.once(ctx, method, address, body, read)
		var refused *StatusError
		if !errors.As(err, &refused) {
			return err
		}
		switch {
		case refused.Status == http.StatusUnauthorized && !expired:
			expired = true // it may have been withdrawn before its time
			c.source.Expire()
			continue
		case !refused.again():
			return err
		case attempt >= attempts || refused.after > longestPause:
			return inbox.Wait(err, refused.after)
		}
		inbox.Sleep(ctx, max(b.Next(), refused.after))
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

func (c *Client) once(ctx context.Context, method, address string, body []byte, read func(io.Reader) error) error {
	token, err := c.source.Token(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("User-Agent", "gatepost")
	for name, values := range c.Header {
		req.Header[name] = values
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	watched := &watchedReader{ctx: ctx, r: resp.Body, timer: time.AfterFunc(stall, func() { cancel(errStalled) })}
	defer watched.timer.Stop()
	if resp.StatusCode/100 != 2 {
		return statusError(resp, watched)
	}
	return read(watched)
}

// A watchedReader ends a request that stalls.
type watchedReader struct {
	ctx   context.Context
	r     io.Reader
	timer *time.Timer
}

var errStalled = fmt.Errorf("the service sent nothing for %v", stall)

func (w *watchedReader) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	w.timer.Reset(stall)
	if err != nil && context.Cause(w.ctx) == errStalled {
		err = errStalled
	}
	return n, err
}

// statusError reads what Graph and Google's services say in an error: {"error":{"code":…,"message":…,"errors":[{"reason":…}]}}.
func statusError(resp *http.Response, body io.Reader) error {
	e := &StatusError{Status: resp.StatusCode, after: retryAfter(resp.Header.Get("Retry-After"), time.Now())}
	text, _ := io.ReadAll(io.LimitReader(body, mostError))
	var answer struct {
		Error struct {
			Code    json.RawMessage
			Message string
			Status  string
			Errors  []struct{ Reason string }
		}
	}
	if json.Unmarshal(text, &answer) != nil {
		return e
	}
	e.Message, e.Code = answer.Error.Message, answer.Error.Status
	var code string
	if json.Unmarshal(answer.Error.Code, &code) == nil {
		e.Code = code
	}
	if len(answer.Error.Errors) > 0 && answer.Error.Errors[0].Reason != "" {
		e.Code = answer.Error.Errors[0].Reason
	}
	return e
}

// retryAfter reads seconds or a date (RFC 9110 10.2.3).
func retryAfter(value string, now time.Time) time.Duration {
	const most = time.Hour
	if n, err := strconv.ParseUint(value, 10, 32); err == nil {
		return min(time.Duration(n)*time.Second, most)
	}
	if t, err := http.ParseTime(value); err == nil {
		return min(max(t.Sub(now), 0), most)
	}
	return 0
}
