package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"syscall"
)

// A Client speaks to the gate of one socket.
type Client struct {
	path string
	http http.Client
}

// maxAnswer bounds what is read of a gate.
const maxAnswer = 1 << 20

// NewClient makes a client. Nothing is asked yet.
func NewClient(path string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}
	return &Client{path: path, http: http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

// Reload makes the gate read its configuration again. The error is a [*Refusal] where it is bad, and an [*Unreachable] where no gate
// answers.
func (c *Client) Reload(ctx context.Context) error {
	var a answer
	status, err := c.ask(ctx, http.MethodPost, "/reload", &a)
	switch {
	case err != nil:
		return err
	case status != http.StatusOK:
		return &Refusal{a.Error}
	}
	return nil
}

// Status asks the gate how it is.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var s Status
	status, err := c.ask(ctx, http.MethodGet, "/status", &s)
	if err == nil && status != http.StatusOK {
		err = &Unreachable{c.path, fmt.Errorf("it answers with HTTP status %d", status)}
	}
	return s, err
}

func (c *Client) ask(ctx context.Context, method, path string, v any) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://gatepost"+path, nil)
	if err != nil {
		return 0, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, &Unreachable{c.path, plainly(err)}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return 0, &Unreachable{c.path, plainly(err)}
	}
	if err := json.Unmarshal(text, v); err != nil {
		return 0, &Unreachable{c.path, errors.New("what answers there is no gate")}
	}
	return resp.StatusCode, nil
}

// plainly says what is wrong in the words of who asked.
func plainly(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("there is no such socket; start the gate with gatepost serve, or name its socket with --socket")
	case errors.Is(err, syscall.ECONNREFUSED):
		return errors.New("the gate that made it has gone; start it again")
	case errors.Is(err, fs.ErrPermission):
		return errors.New("permission denied; run as root or as the user that the gate runs as")
	case errors.Is(err, context.DeadlineExceeded):
		return errors.New("no answer in time")
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}
