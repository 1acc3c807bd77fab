package store

import (
	"context"
	"slices"
	"strings"
)

// verified tells whether who sent a report was not found to be somebody else: nobody looked, or its mail passed DMARC; and whether it
// came to the address of the domain that it is about, or of one above it. Of several domains, each must be such a one.
func (r *storedRaw) verified(domains ...string) bool {
	if r.dmarc != "" && r.dmarc != "pass" {
		return false
	}
	tokens := strings.Fields(strings.ToLower(r.token)) // one mail may go to the addresses of several
	return len(tokens) == 0 || !slices.ContainsFunc(domains, func(domain string) bool {
		domain = strings.ToLower(domain)
		return !slices.ContainsFunc(tokens, func(token string) bool {
			return domain == token || strings.HasSuffix(domain, "."+token)
		})
	})
}

// doubtful tells whether who sent it was found to be somebody else.
func (r *storedRaw) doubtful() bool { return r.dmarc != "" && r.dmarc != "pass" }

// trust takes over how bytes came that came before by a way which is trusted less, and verifies what they hold.
func (w *arriving) trust(ctx context.Context, raw *storedRaw, now *Raw) error {
	next := storedRaw{dmarc: clean(now.DMARC, maxWord), token: clean(now.TokenDomain, maxLongText)}
	switch {
	case next.doubtful(), !raw.doubtful() && (raw.token == "" || raw.token == next.token):
		return nil
	case !raw.doubtful() && next.token != "":
		tokens := strings.Fields(raw.token)
		for _, token := range strings.Fields(next.token) {
			if !slices.Contains(tokens, token) {
				tokens = append(tokens, token)
			}
		}
		if len(tokens) == len(strings.Fields(raw.token)) {
			return nil
		}
		next.token = strings.Join(tokens, " ")
	}
	if len(next.token) > maxLongText {
		return nil
	}
	_, err := w.tx.ExecContext(ctx, `UPDATE raws SET input = $2, client_ip = $3, mail_from = $4, author_domain = $5, dmarc = $6, token_domain = $7
		WHERE id = $1`, raw.id, clean(now.Input, maxText), clean(now.ClientIP, maxWord), clean(now.MailFrom, maxAddress),
		clean(now.AuthorDomain, maxDomain), next.dmarc, next.token)
	if err != nil {
		return err
	}
	raw.dmarc, raw.token = next.dmarc, next.token
	held, err := w.stored(ctx, heldBy, raw.id)
	if err != nil {
		return err
	}
	for i := range held {
		verified, err := w.verifiedBy(ctx, &held[i])
		if err != nil {
			return err
		}
		if err := w.verify(ctx, &held[i], verified); err != nil {
			return err
		}
	}
	return nil
}
