package reports

import (
	"bytes"
	"encoding/json"
	"io"
	"time"

	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/report/aggregate"
)

// An aggregateDocument is an aggregate report as JSON, up to its records. What the report did not have is empty or null.
type aggregateDocument struct {
	Kind          string              `json:"kind"`
	Reporter      string              `json:"reporter"`
	ReporterEmail string              `json:"reporter_email"`
	ExtraContact  string              `json:"extra_contact"`
	Generator     string              `json:"generator"`
	ReportID      string              `json:"report_id"`
	Begin         *time.Time          `json:"begin"`
	End           *time.Time          `json:"end"`
	Version       string              `json:"version"`
	Errors        []string            `json:"errors"`
	Policy        policyDocument      `json:"policy"`
	Extensions    []extensionDocument `json:"extensions"`
}

type policyDocument struct {
	Domain    string `json:"domain"`
	P         string `json:"p"`
	SP        string `json:"sp"`
	NP        string `json:"np"`
	ADKIM     string `json:"adkim"`
	ASPF      string `json:"aspf"`
	Pct       *int   `json:"pct"`
	FO        string `json:"fo"`
	Testing   *bool  `json:"testing"`
	Discovery string `json:"discovery"`
}

type extensionDocument struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	XML       string `json:"xml"`
}

type recordDocument struct {
	SourceIP     string              `json:"source_ip"`
	Count        int64               `json:"count"`
	Disposition  string              `json:"disposition"`
	DKIM         string              `json:"dkim"`
	SPF          string              `json:"spf"`
	Reasons      []store.Reason      `json:"reasons"`
	HeaderFrom   string              `json:"header_from"`
	EnvelopeFrom string              `json:"envelope_from"`
	EnvelopeTo   string              `json:"envelope_to"`
	Auth         authDocument        `json:"auth"`
	Extensions   []extensionDocument `json:"extensions,omitempty"`
}

type authDocument struct {
	DKIM []store.AuthDKIM `json:"dkim"`
	SPF  []store.AuthSPF  `json:"spf"`
}

func timeOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func extensions(all []aggregate.Extension) []extensionDocument {
	documents := make([]extensionDocument, 0, len(all))
	for _, e := range all {
		documents = append(documents, extensionDocument(e))
	}
	return documents
}

func aggregateHead(r *Report) ([]byte, error) {
	f := r.Aggregate
	p := f.Policy
	d := aggregateDocument{
		Kind: r.Kind, Reporter: f.OrgName, ReporterEmail: f.Email, ExtraContact: f.ExtraContact, Generator: f.Generator, ReportID: f.ReportID,
		Begin: timeOrNull(f.Begin), End: timeOrNull(f.End), Version: f.Version, Errors: append([]string{}, f.Errors...),
		Policy: policyDocument{p.Domain, p.P, p.SP, p.NP, p.ADKIM, p.ASPF, percentage(p.Pct), p.FO, nil, p.DiscoveryMethod},
	}
	if p.Testing == "y" || p.Testing == "n" {
		yes := p.Testing == "y"
		d.Policy.Testing = &yes
	}
	d.Extensions = extensions(f.Extensions)
	return head(d)
}

// marshal writes JSON without escaping what only HTML minds.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// head is a document without the brace at its end.
func head(v any) ([]byte, error) {
	b, err := marshal(v)
	return bytes.Clone(bytes.TrimSuffix(b, []byte("}"))), err // without what the buffer has beyond: there may be very many
}

// Document is the report as [Report.WriteJSON] writes it, without the records of an aggregate report, and without the name of its file.
func (r *Report) Document() json.RawMessage {
	var b bytes.Buffer
	b.Write(r.head)
	r.writeWarnings(&b)
	return bytes.Clone(b.Bytes())
}

func (r *Report) writeWarnings(b *bytes.Buffer) {
	warnings, _ := marshal(append([]string{}, r.Warnings...)) // strings always can be written
	b.WriteString(`,"warnings":`)
	b.Write(warnings)
	b.WriteByte('}')
}

// jsonChunk is about how much is written at once.
const jsonChunk = 32 << 10

// WriteJSON writes the report as one JSON document on one line: that of the contract for gatepost reports parse. The records are written
// as they are read.
func (r *Report) WriteJSON(w io.Writer, file string) error {
	name, err := marshal(file)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	kind := []byte(`{"kind":"` + r.Kind + `",`)
	b.Write(kind)
	b.WriteString(`"file":`)
	b.Write(name)
	b.WriteByte(',')
	b.Write(bytes.TrimPrefix(r.head, kind))
	if r.Kind == store.Aggregate {
		if err := r.writeRecords(w, &b); err != nil {
			return err
		}
	}
	r.writeWarnings(&b)
	if len(r.Place) > 0 {
		b.Truncate(b.Len() - 1) // the brace
		b.WriteString(`,"store":`)
		b.Write(r.Place)
		b.WriteByte('}')
	}
	b.WriteByte('\n')
	_, err = w.Write(b.Bytes())
	return err
}

func (r *Report) writeRecords(w io.Writer, b *bytes.Buffer) error {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	b.WriteString(`,"records":[`)
	first := true
	for rec, err := range r.Records() {
		if err != nil {
			return err
		}
		if !first {
			b.WriteByte(',')
		}
		first = false
		s := row(rec)
		d := recordDocument{
			SourceIP: s.SourceIP.String(), Count: s.Count, Disposition: s.Disposition, DKIM: s.DKIM, SPF: s.SPF, Reasons: s.Reasons,
			HeaderFrom: s.HeaderFrom, EnvelopeFrom: s.EnvelopeFrom, EnvelopeTo: s.EnvelopeTo, Auth: authDocument{s.AuthDKIM, s.AuthSPF},
		}
		if d.Reasons == nil {
			d.Reasons = []store.Reason{}
		}
		if d.Auth.DKIM == nil {
			d.Auth.DKIM = []store.AuthDKIM{}
		}
		if d.Auth.SPF == nil {
			d.Auth.SPF = []store.AuthSPF{}
		}
		if len(rec.Extensions) > 0 {
			d.Extensions = extensions(rec.Extensions)
		}
		if err := e.Encode(d); err != nil {
			return err
		}
		b.Truncate(b.Len() - 1) // the line end
		if b.Len() > jsonChunk {
			if _, err := w.Write(b.Bytes()); err != nil {
				return err
			}
			b.Reset()
		}
	}
	b.WriteByte(']')
	return nil
}
