package imap

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-sasl"

	"github.com/gatepost-mail/gatepost/internal/inbox"
	"github.com/gatepost-mail/gatepost/internal/option"
	"github.com/gatepost-mail/gatepost/internal/secretfile"
)

// A refused login is not tried again at once: providers lock accounts.
const afterRefusal = 30 * time.Second

func (s *session) login(ctx context.Context) error {
	if s.in.tokens != nil {
		return s.loginToken(ctx)
	}
	password, err := secretfile.Line(s.in.o.PasswordFile)
	if err != nil {
		return option.Errorf("PasswordFile", "%w", err)
	}
	user := s.in.o.User
	err = s.do(func() error {
		caps := s.c.Caps()
		switch {
		case caps == nil:
			return errors.New("the server does not say what it can do")
		case caps.Has(imap.AuthCap(sasl.Plain)):
			return s.c.Authenticate(sasl.NewPlainClient("", user, password))
		case !caps.Has(imap.CapLoginDisabled):
			return s.c.Login(user, password).Wait()
		case caps.Has(imap.AuthCap(loginMechanism)):
			return s.c.Authenticate(sasl.NewLoginClient(user, password))
		}
		return fmt.Errorf("the server takes no password; it takes %s", mechanisms(caps))
	})
	return refusal(err)
}

// loginToken logs in with a token; a second one, if the first was not good any more.
func (s *session) loginToken(ctx context.Context) error {
	token, err := s.in.tokens.Token(ctx)
	if err != nil {
		return err
	}
	client := &bearer{user: s.in.o.User, token: token}
	err = s.do(func() error {
		caps := s.c.Caps()
		switch {
		case caps == nil:
			return errors.New("the server does not say what it can do")
		case caps.Has(imap.AuthCap(sasl.OAuthBearer)):
			client.mechanism = sasl.OAuthBearer
		case caps.Has(imap.AuthCap(xoauth2)):
			client.mechanism = xoauth2
		default:
			return fmt.Errorf("the server takes no OAuth token; it takes %s", mechanisms(caps))
		}
		return s.c.Authenticate(client)
	})
	if err != nil {
		s.in.tokens.Expire()
	}
	err = refusal(err)
	if err != nil && client.status != "" {
		err = fmt.Errorf("%w (%s)", err, inbox.Line(client.status, 100))
	}
	return err
}

func mechanisms(caps imap.CapSet) string {
	all := caps.AuthMechanisms()
	if len(all) == 0 {
		return "none at all"
	}
	slices.Sort(all)
	return inbox.Line(strings.Join(all, ", "), 200)
}

func refusal(err error) error {
	var refused *refusedError
	if errors.As(err, &refused) {
		return inbox.Wait(fmt.Errorf("the server refused the login: %w", err), afterRefusal)
	}
	return err
}

const xoauth2, loginMechanism = "XOAUTH2", "LOGIN"

// A bearer logs in with an OAuth token: by RFC 7628, or as Google and Microsoft did it before.
type bearer struct {
	mechanism, user, token string
	status                 string // why the server did not like the token
}

// Start is the method of sasl.Client.
func (b *bearer) Start() (string, []byte, error) {
	if b.mechanism == xoauth2 {
		return xoauth2, []byte("user=" + b.user + "\x01auth=Bearer " + b.token + "\x01\x01"), nil
	}
	name := strings.NewReplacer("=", "=3D", ",", "=2C").Replace(b.user) // RFC 5801 4
	return b.mechanism, []byte("n,a=" + name + ",\x01auth=Bearer " + b.token + "\x01\x01"), nil
}

// Next takes the reason of a failure; the server wants an answer to it before it refuses.
func (b *bearer) Next(challenge []byte) ([]byte, error) {
	var answer struct{ Status string }
	if json.Unmarshal(challenge, &answer) == nil {
		b.status = answer.Status
	}
	return []byte{1}, nil
}
