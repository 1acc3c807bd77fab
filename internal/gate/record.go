package gate

import (
	"context"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/internal/policy"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/verify"
)

// A record is the line of the log that tells what became of a message.
type record struct {
	evaluation *verify.Evaluation
	verdict    policy.Verdict
	queueID    string
	reference  string // what a reply calls the message
	exception  *store.Exception
	begun      time.Time // MAIL FROM
	ended      time.Time // when the whole message was there
	refused    bool
	forged     int
	failed     error
}

// maxLogged bounds what a sender can make us write of each thing.
const maxLogged = 256

func (r record) write(log *slog.Logger) {
	ctx := context.Background()
	if r.failed != nil {
		log.Error("a message could not be changed", "queue_id", short(r.queueID), "error", r.failed.Error())
	}
	if err := r.verdict.Err(); err != nil {
		log.Error("a rule could not be applied", "rule", r.verdict.Rule, "queue_id", short(r.queueID), "error", err.Error())
	}
	if !log.Enabled(ctx, slog.LevelInfo) {
		return
	}
	e, v := r.evaluation, r.verdict
	now := time.Now()
	attrs := make([]slog.Attr, 0, 20)
	attrs = append(attrs,
		slog.String("queue_id", short(r.queueID)),
		slog.String("verdict", string(v.Action)),
		slog.String("rule", v.Rule),
		slog.Bool("refused", r.refused),
		slog.String("client_ip", addr(e.Client.IP)),
		slog.String("helo", short(e.Client.Helo)),
		slog.String("mail_from", short(e.Client.MailFrom)),
	)
	if !e.Authenticated {
		attrs = append(attrs,
			slog.String("author_domain", short(authorDomain(e))),
			slog.String("spf", spfWord(e)),
			slog.String("dkim", dkimWords(e)),
			slog.String("dmarc", e.DMARC.Result),
			slog.String("arc", e.ARC.Result),
		)
	}
	if v.Reason != "" {
		attrs = append(attrs, slog.String("reason", v.Reason))
	}
	if v.Monitor {
		attrs = append(attrs, slog.String("mode", "monitor"))
	}
	if r.reference != r.queueID {
		attrs = append(attrs, slog.String("ref", r.reference))
	}
	if r.exception != nil {
		attrs = append(attrs, slog.Int64("exception", r.exception.ID))
	}
	if len(v.Watched) > 0 {
		attrs = append(attrs, slog.String("watched", watched(v.Watched)))
	}
	if r.forged > 0 {
		attrs = append(attrs, slog.Int("forged_fields", r.forged))
	}
	attrs = append(attrs,
		slog.Duration("duration", now.Sub(r.begun).Round(time.Microsecond)), // since MAIL FROM
		slog.Duration("wait", now.Sub(r.ended).Round(time.Microsecond)),     // of this, what the mail server waited for us
	)
	log.LogAttrs(ctx, slog.LevelInfo, "message", attrs...)
}

// watched is what rules would have done that only watch: "reject=spf-softfail,mark=helo-fail".
func watched(ws []policy.Watched) string {
	words := make([]string, len(ws))
	for i, w := range ws {
		words[i] = string(w.Action) + "=" + w.Rule
	}
	return strings.Join(words, ",")
}

func authorDomain(e *verify.Evaluation) string {
	if e.DMARC.AuthorDomain != "" {
		return e.DMARC.AuthorDomain
	}
	return strings.Join(e.Author.Domains, ",")
}

func spfWord(e *verify.Evaluation) string {
	if len(e.SPF) == 0 {
		return ""
	}
	return e.SPF[0].Result
}

// dkimWords is the result of each signature with its domain: "pass=example.com,fail=example.net".
func dkimWords(e *verify.Evaluation) string {
	if len(e.DKIM) == 0 {
		return "none"
	}
	var b strings.Builder
	for i := range e.DKIM {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(e.DKIM[i].Result)
		b.WriteByte('=')
		b.WriteString(short(e.DKIM[i].SDID))
	}
	return b.String()
}

func addr(ip netip.Addr) string {
	if !ip.IsValid() {
		return ""
	}
	return ip.String()
}

func short(s string) string {
	if len(s) > maxLogged {
		return s[:maxLogged] + "…"
	}
	return s
}
