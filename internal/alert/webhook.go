package alert

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/internal/outbox"
	"github.com/gatepost-mail/gatepost/internal/secretfile"
	"github.com/gatepost-mail/gatepost/internal/trust"
)

// SignatureHeader holds the time in seconds since 1970 and the HMAC-SHA-256 (RFC 2104) of that time, a dot and the body, in hexadecimal:
//
//	Gatepost-Signature: t=1795590000,v1=5257a869e7ec…
//
// Who receives it makes the same of what came, compares in constant time, and refuses what is older than some minutes.
const SignatureHeader = "Gatepost-Signature"

const (
	webhookTimeout = 10 * time.Second
	mostAnswer     = 4 << 10
	mostSecret     = 4 << 10
)

// post posts each alert.
func (r *Runner) post(ctx context.Context, all []Alert, now time.Time) error {
	client, secret, err := r.client()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	for i := range all {
		body, err := json.Marshal(&all[i])
		if err != nil {
			return err
		}
		if err := deliver(ctx, client, r.Config.Webhook, secret, body, now); err != nil {
			return err
		}
	}
	return nil
}

func (r *Runner) client() (*http.Client, []byte, error) {
	var secret []byte
	if r.Config.SecretFile != "" {
		text, err := readSecret(r.Config.SecretFile)
		if err != nil {
			return nil, nil, err
		}
		secret = text
	}
	config, err := trust.TLS(r.Config.CAFile)
	if err != nil {
		return nil, nil, err
	}
	return &http.Client{
		Timeout:   webhookTimeout,
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: config, MaxResponseHeaderBytes: 16 << 10},
		// Where an answer leads, nobody configured.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, secret, nil
}

func readSecret(path string) ([]byte, error) {
	line, err := secretfile.Line(path)
	if err != nil {
		return nil, err
	}
	text := []byte(strings.TrimSpace(line))
	if len(text) < 16 {
		return nil, fmt.Errorf("%s: a secret has 16 characters at least; \"openssl rand -hex 32\" makes one", path)
	}
	return text, nil
}

// Sign makes what stands in [SignatureHeader].
func Sign(secret, body []byte, now time.Time) string {
	t := strconv.FormatInt(now.Unix(), 10)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

func deliver(ctx context.Context, client *http.Client, address string, secret, body []byte, now time.Time) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return errors.New("its address is none")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "gatepost")
	if len(secret) > 0 {
		req.Header.Set(SignatureHeader, Sign(secret, body, now))
	}
	answer, err := client.Do(req)
	if err != nil {
		// The address, which the error names, may be secret.
		var at *url.Error
		if errors.As(err, &at) {
			err = at.Err
		}
		return fmt.Errorf("%s: %w", req.URL.Hostname(), err)
	}
	defer answer.Body.Close()
	io.Copy(io.Discard, io.LimitReader(answer.Body, mostAnswer))
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("%s answered %s", req.URL.Hostname(), outbox.Plain(answer.Status, 60))
	}
	return nil
}
