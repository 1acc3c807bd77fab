package serve

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/gatepost-mail/gatepost/internal/fetch"
	"github.com/gatepost-mail/gatepost/internal/inbox/receiver"
	"github.com/gatepost-mail/gatepost/internal/intake"
	"github.com/gatepost-mail/gatepost/internal/letters"
	"github.com/gatepost-mail/gatepost/internal/notice"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// office is who writes to the owners of other domains.
func (s *Server) office() (*notice.Office, error) {
	current := s.state()
	return letters.Office(letters.NoticeOptions{
		Options: letters.Options{
			Config: current.config, Store: s.back.memory.store.kept, DNS: current.dns, Table: current.senders, Log: current.log,
		},
		Web:     fetch.New(fetch.Options{Resolver: current.dns}),
		Signers: s.back.rotor.Keyring().Signers,
	})
}

// answers reads among the reports what comes back to letters of ours, and has it obeyed.
type answers struct {
	store store.Store

	mu     sync.Mutex
	tokens *notice.Tokens // nil where no letters are written
}

// follow has answers known by the addresses of a configuration.
func (a *answers) follow(s *state) error {
	var tokens *notice.Tokens
	if s.config.Notice.Enabled() {
		var err error
		if tokens, err = letters.Tokens(letters.Options{Config: s.config}); err != nil {
			return err
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tokens = tokens
	return nil
}

func (a *answers) now() *notice.Tokens {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.tokens
}

// read implements Read of [intake.Importer]. An answer is kept as what holds no report is, with what it was as the reason.
func (a *answers) read(ctx context.Context, r io.Reader) (intake.Contents, error) {
	tokens := a.now()
	if tokens == nil {
		return intake.Read(ctx, r)
	}
	head, err := io.ReadAll(io.LimitReader(r, notice.MaxAnswer))
	if err != nil {
		return intake.Contents{}, err
	}
	answer, ok := tokens.Read(bytes.NewReader(head))
	if !ok {
		return intake.Read(ctx, io.MultiReader(bytes.NewReader(head), r))
	}
	office := notice.Office{Store: a.store}
	n, err := office.Take(ctx, answer, time.Now())
	if notice.IsUnknown(err) {
		return intake.Contents{Refusals: []string{"an answer to a letter that the store does not know"}}, nil
	}
	if err != nil {
		return intake.Contents{}, err
	}
	return intake.Contents{Refusals: []string{intake.Settled(fmt.Sprintf("an answer to the letter of the case %d, and obeyed: %s", n.ID, answer.Kind))}}, nil
}

// recipients are those of reports, and the addresses that letters are answered to.
type recipients struct {
	receiver.Recipients
	answers *answers
}

// Recipient implements [receiver.Recipients].
func (r recipients) Recipient(to string) (string, error) {
	if tokens := r.answers.now(); tokens != nil && tokens.Recipient(to) {
		return "", nil
	}
	return r.Recipients.Recipient(to)
}
