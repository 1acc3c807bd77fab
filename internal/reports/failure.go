package reports

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"io"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/unwrap"
	"github.com/gatepost-mail/gatepost/report/failure"
)

// A failureDocument is a failure report as JSON; the warnings stand at its end.
type failureDocument struct {
	Kind string `json:"kind"`
	failure.Document
	Warnings *struct{} `json:"warnings,omitempty"` // hides those of the document
}

func readFailure(s *unwrap.Spool, o Options) (*Report, error) {
	f, err := failure.Read(body{s.Open()}, o.Failure)
	if err != nil {
		return nil, err
	}
	r := &Report{
		Kind: store.Failure, Failure: f, Reporter: f.Reporter, Email: f.ReporterEmail, ReportID: f.ReportID, Domain: f.ReportedDomain(),
		Warnings: f.Warnings,
	}
	r.Begin = f.ArrivalDate
	if r.Begin.IsZero() {
		r.Begin = f.Date
	}
	r.End = r.Begin
	r.Domain = cmp.Or(r.Domain, f.AuthorDomain)
	if r.Content, err = bodyHash(s.Open()); err != nil {
		return nil, err
	}
	r.head, err = head(failureDocument{Kind: r.Kind, Document: f.Document()})
	return r, err
}

// bodyHash is the hash of a message's body with bare LF, which is the same by whichever way it came: each server adds to the header.
func bodyHash(in io.Reader) (store.Hash, error) {
	var sum store.Hash
	hash := sha256.New()
	lines := bufio.NewReader(body{in})
	inBody, top, middle := false, true, false
	for {
		line, err := lines.ReadSlice('\n')
		full := errors.Is(err, bufio.ErrBufferFull)
		if err != nil && err != io.EOF && !full {
			return sum, err
		}
		text := bytes.TrimRight(line, "\r\n")
		if inBody {
			hash.Write(text)
			if !full {
				hash.Write([]byte{'\n'})
			}
		} else if len(text) == 0 && !middle && !top && err == nil {
			inBody = true
		}
		top = top && len(text) == 0
		middle = full
		if err == io.EOF {
			hash.Sum(sum[:0])
			return sum, nil
		}
	}
}

// failed is what the store has of the message that a failure report is about.
func failed(f *failure.Report) *store.FailedMessage {
	return &store.FailedMessage{
		Arrived: f.ArrivalDate, SourceIP: f.SourceIP, AuthorDomain: f.AuthorDomain, AuthFailure: f.AuthFailure,
		Alignment: strings.Join(f.IdentityAlignment, ","), DeliveryResult: f.DeliveryResult,
	}
}
