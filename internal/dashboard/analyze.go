package dashboard

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/authres"
	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/examine"
	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/policy"
	"github.com/gatepost-mail/gatepost/internal/verify"
	"github.com/gatepost-mail/gatepost/message"
)

// AnalyzingIn asks for the page on which a message is pasted.
type AnalyzingIn struct{}

// Analyzing says what can be analyzed.
type Analyzing struct {
	MostPasted int    `json:"most_pasted"` // bytes
	MostFile   int    `json:"most_file"`
	Policy     string `json:"policy"` // that decides
}

// Bounds of what is analyzed.
const (
	mostPasted    = 1 << 20
	mostFile      = 10 << 20
	analyzeAtOnce = 4
)

// Analyzing shows the form.
func (d *Desk) Analyzing(context.Context, *people.Access, *AnalyzingIn) (*Analyzing, error) {
	return &Analyzing{mostPasted, mostFile, d.Config().Policy}, nil
}

// AnalyzeIn is a message, or its header, and who handed it over.
type AnalyzeIn struct {
	Body struct {
		Message  string `json:"message" required:"false" doc:"The message as it came, or its header alone"`
		File     []byte `json:"file" required:"false" doc:"The message as a file, in place of message"`
		IP       string `json:"ip" required:"false" doc:"The client's address"`
		Helo     string `json:"helo" required:"false" doc:"The client's name in HELO or EHLO"`
		MailFrom string `json:"mail_from" required:"false" doc:"The address in MAIL FROM"`
		Received bool   `json:"received" required:"false" doc:"Take what is not given of these from the topmost Received field and Return-Path"`
	}
}

// An Analysis is what is to be said of a message.
type Analysis struct {
	From       string             `json:"from"`
	Subject    string             `json:"subject"`
	HeaderOnly bool               `json:"header_only"` // there was no body: of signatures nothing is known, and no verdict is given
	Client     string             `json:"client"`      // where the client was taken from, as a sentence
	Rows       []examine.Row      `json:"rows"`
	Evaluation *verify.Evaluation `json:"evaluation"`
	Verdict    *policy.Verdict    `json:"verdict"` // null where there is only a header
	Policy     string             `json:"policy"`  // that decided
	Monitor    bool               `json:"monitor"` // the gate only watches
	Results    string             `json:"authentication_results"`
	Claims     []ResultClaim      `json:"claims"`
	Hops       []examine.Hop      `json:"hops"`

	sent map[string]string
}

// A ResultClaim is an Authentication-Results field that the message brought along. Anybody may have written it.
type ResultClaim struct {
	Field   string           `json:"field"` // its name
	By      string           `json:"by"`    // who says so
	Ours    bool             `json:"ours"`  // by our name
	Results []authres.Result `json:"results"`
	Text    string           `json:"text"`
	Broken  string           `json:"broken"` // why it could not be read to its end
}

// Analyze verifies a message as gatepost verify does. Nothing of it is kept.
func (d *Desk) Analyze(ctx context.Context, who *people.Access, in *AnalyzeIn) (*Analysis, error) {
	raw, q, err := in.read()
	if err != nil {
		return nil, err
	}
	if err := d.audits.beginAnalysis(who); err != nil {
		return nil, err
	}
	defer d.audits.endAnalysis()
	c := d.Config()
	rules, err := policy.Named(c.Policy)
	if err != nil {
		return nil, err
	}
	v := verify.New(d.verifyOptions(c, who))
	o, err := examine.Message(ctx, v, bytes.NewReader(raw), q)
	client := clientSentence(q, nil)
	if none := (*examine.ClientError)(nil); errors.As(err, &none) {
		q.Received, client = false, clientSentence(q, none)
		o, err = examine.Message(ctx, v, bytes.NewReader(raw), q)
	}
	switch {
	case errors.Is(err, message.ErrNoHeader):
		return nil, invalid("message", "That is no message: its first line is no header field. Paste it as it came, with its header.")
	case err != nil:
		return nil, err
	}
	a := &Analysis{
		From: o.From, Subject: o.Subject, HeaderOnly: o.HeaderOnly, Client: client, Evaluation: o.Evaluation, Policy: c.Policy,
		Monitor: c.Mode == config.Monitor, Claims: claimsOf(o.Header, c.AuthservID), Hops: examine.Hops(o.Header), sent: in.sent(),
		Results: strings.Join(strings.Fields(o.Evaluation.AuthenticationResults(c.AuthservID)), " "),
	}
	if !o.HeaderOnly {
		o.Verdict = rules.DecideAt(o.Evaluation, d.now())
		a.Verdict = &o.Verdict
	}
	a.Rows = o.Rows(noteOf(o.Note))
	return a, nil
}

// read reads the form.
func (in *AnalyzeIn) read() ([]byte, examine.Query, error) {
	b := &in.Body
	q := examine.Query{Received: b.Received, Partial: true}
	raw := b.File
	switch {
	case len(raw) > mostFile:
		return nil, q, invalid("file", "The file is larger than %d MB.", mostFile>>20)
	case len(raw) == 0 && len(b.Message) > mostPasted:
		return nil, q, invalid("message", "That is more than %d MB. Send it as a file.", mostPasted>>20)
	case len(raw) == 0 && b.Message == "":
		return nil, q, invalid("message", "Paste a message or its header, or choose a file.")
	case len(raw) == 0:
		raw = []byte(b.Message)
	}
	if b.IP != "" {
		ip, err := netip.ParseAddr(strings.Trim(b.IP, "[]"))
		if err != nil {
			return nil, q, invalid("ip", "“%s” is no address; write it as 192.0.2.1 or 2001:db8::1.", b.IP)
		}
		q.Client.IP = ip.Unmap().WithZone("")
	}
	q.Client.Helo, q.Client.MailFrom = b.Helo, strings.TrimSuffix(strings.TrimPrefix(b.MailFrom, "<"), ">")
	q.Given.Helo, q.Given.MailFrom = b.Helo != "", b.MailFrom != ""
	return raw, q, nil
}

// sent is the form as it was sent, to be sent again with a change.
func (in *AnalyzeIn) sent() map[string]string {
	b := &in.Body
	sent := map[string]string{"message": b.Message, "ip": b.IP, "helo": b.Helo, "mail_from": b.MailFrom}
	if b.Received {
		sent["received"] = "on"
	}
	return sent
}

// Sent is the form as it was sent.
func (a *Analysis) Sent() map[string]string { return a.sent }

func (d *Desk) verifyOptions(c *config.Config, who *people.Access) verify.Options {
	l := &c.Limits
	return verify.Options{
		Resolver: d.DNS, AuthservID: c.AuthservID, Timeout: time.Duration(l.Time), MaxQueries: l.Queries, MaxSignatures: l.Signatures,
		Limits: message.Limits{HeaderBytes: int(l.HeaderBytes), Fields: l.Fields}, Method: c.DMARC.Method, Sealers: c.ARC.TrustedSealers,
		Diagnose: true, Detail: who.Everywhere() >= people.Viewer, Now: d.now(),
	}
}

// clientSentence says where the client was taken from.
func clientSentence(q examine.Query, none *examine.ClientError) string {
	switch {
	case none != nil:
		return "Who handed it over is not known: " + none.Text + "."
	case q.Client.IP.IsValid() && q.Received && !(q.Given.Helo && q.Given.MailFrom):
		return "The address is the one that you gave; what you left out was taken from the topmost Received field and Return-Path."
	case q.Client.IP.IsValid():
		return "The client is the one that you gave."
	case q.Received:
		return "The client was taken from the topmost Received field and Return-Path: believe it where a server of your own wrote these."
	}
	return "Who handed it over is not known, and so SPF was not evaluated: give the client's address."
}

func noteOf(n examine.Note) string {
	switch n {
	case examine.NoClient:
		return "not evaluated: the client's address is not known"
	case examine.NoDomain:
		return "neither MAIL FROM nor HELO is given: there is no domain to ask about"
	case examine.NoMailFrom:
		return "no MAIL FROM: HELO stands for it"
	case examine.NoReturnPath:
		return "no Return-Path: HELO stands for MAIL FROM"
	}
	return ""
}

const maxClaims = 20

// claimsOf are the results that the message brought along.
func claimsOf(h message.Header, authservID string) []ResultClaim {
	all := []ResultClaim{}
	for _, f := range h {
		value, named := f.Value(), f.Name
		switch {
		case len(all) == maxClaims:
			return all
		case f.Is(authres.Name):
		case f.Is("ARC-Authentication-Results"):
			_, value, _ = strings.Cut(value, ";") // i=1
		default:
			continue
		}
		read, err := authres.Parse(value)
		claim := ResultClaim{
			Field: named, By: read.AuthservID, Ours: strings.EqualFold(read.AuthservID, authservID), Results: read.Results, Text: examine.Unfold(f.Value()),
		}
		if claim.Results == nil {
			claim.Results = []authres.Result{}
		}
		if err != nil {
			claim.Broken = err.Error()
		}
		all = append(all, claim)
	}
	return all
}

// beginAnalysis lets somebody have a message analyzed, unless they ask for too many, or all do.
func (a *audits) beginAnalysis(who *people.Access) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.busy >= analyzeAtOnce {
		return &Busy{"Several messages are being analyzed just now. Try again in a moment."}
	}
	if err := a.allow(who, "", time.Now()); err != nil {
		return err
	}
	a.busy++
	return nil
}

func (a *audits) endAnalysis() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.busy--
}

// Fresh is the form as it stands when nothing was sent yet.
func (a *Analyzing) Fresh() map[string]string { return map[string]string{"received": "on"} }
