package store

import (
	"context"
	"io"
	"iter"
	"net/netip"
	"time"
)

func (k *kept) AddArrivals(ctx context.Context, all []Arrival) ([]Added, error) {
	return ask(ctx, k, func(s Store) ([]Added, error) { return s.AddArrivals(ctx, all) })
}

func (k *kept) Reread(ctx context.Context, a Arrival) (Added, error) {
	return ask(ctx, k, func(s Store) (Added, error) { return s.Reread(ctx, a) })
}

func (k *kept) Reports(ctx context.Context, f ReportFilter) ([]ReportInfo, error) {
	return ask(ctx, k, func(s Store) ([]ReportInfo, error) { return s.Reports(ctx, f) })
}

func (k *kept) Report(ctx context.Context, id int64) (ReportInfo, error) {
	return ask(ctx, k, func(s Store) (ReportInfo, error) { return s.Report(ctx, id) })
}

func (k *kept) Inputs(ctx context.Context, since time.Time) ([]InputFigures, error) {
	return ask(ctx, k, func(s Store) ([]InputFigures, error) { return s.Inputs(ctx, since) })
}

func (k *kept) OpenRaw(ctx context.Context, h Hash) (io.ReadCloser, error) {
	return ask(ctx, k, func(s Store) (io.ReadCloser, error) { return s.OpenRaw(ctx, h) })
}

func (k *kept) Domains(ctx context.Context, q Question) ([]DomainFigures, error) {
	return ask(ctx, k, func(s Store) ([]DomainFigures, error) { return s.Domains(ctx, q) })
}

func (k *kept) ReportDays(ctx context.Context, q Question) ([]DayFigures, error) {
	return ask(ctx, k, func(s Store) ([]DayFigures, error) { return s.ReportDays(ctx, q) })
}

func (k *kept) TopSources(ctx context.Context, q Question, limit int) ([]SourceFigures, error) {
	return ask(ctx, k, func(s Store) ([]SourceFigures, error) { return s.TopSources(ctx, q, limit) })
}

func (k *kept) Alike(ctx context.Context, q Question, ips []netip.Addr, limit int) ([]Alike, error) {
	return ask(ctx, k, func(s Store) ([]Alike, error) { return s.Alike(ctx, q, ips, limit) })
}

func (k *kept) Source(ctx context.Context, q Question, ip netip.Addr) (SourceDetail, error) {
	return ask(ctx, k, func(s Store) (SourceDetail, error) { return s.Source(ctx, q, ip) })
}

func (k *kept) NewSources(ctx context.Context, q Question, limit int) ([]SourceFigures, error) {
	return ask(ctx, k, func(s Store) ([]SourceFigures, error) { return s.NewSources(ctx, q, limit) })
}

func (k *kept) Reporters(ctx context.Context, q Question) ([]ReporterInfo, error) {
	return ask(ctx, k, func(s Store) ([]ReporterInfo, error) { return s.Reporters(ctx, q) })
}

func (k *kept) Policies(ctx context.Context, q Question) ([]PolicySeen, error) {
	return ask(ctx, k, func(s Store) ([]PolicySeen, error) { return s.Policies(ctx, q) })
}

func (k *kept) TLSDays(ctx context.Context, q Question) ([]TLSDay, error) {
	return ask(ctx, k, func(s Store) ([]TLSDay, error) { return s.TLSDays(ctx, q) })
}

func (k *kept) TLSFailures(ctx context.Context, q Question, limit int) ([]TLSFailure, error) {
	return ask(ctx, k, func(s Store) ([]TLSFailure, error) { return s.TLSFailures(ctx, q, limit) })
}

func (k *kept) Failures(ctx context.Context, f FailureFilter) ([]FailureInfo, error) {
	return ask(ctx, k, func(s Store) ([]FailureInfo, error) { return s.Failures(ctx, f) })
}

func (k *kept) RedactFailures(ctx context.Context, domain string, before time.Time) (bool, error) {
	return ask(ctx, k, func(s Store) (bool, error) { return s.RedactFailures(ctx, domain, before) })
}

func (k *kept) SetMark(ctx context.Context, m SourceMark) error {
	return tell(ctx, k, func(s Store) error { return s.SetMark(ctx, m) })
}

func (k *kept) RemoveMark(ctx context.Context, domain, source string) error {
	return tell(ctx, k, func(s Store) error { return s.RemoveMark(ctx, domain, source) })
}

func (k *kept) Marks(ctx context.Context, domain string) ([]SourceMark, error) {
	return ask(ctx, k, func(s Store) ([]SourceMark, error) { return s.Marks(ctx, domain) })
}

func (k *kept) Addresses(ctx context.Context, ips []netip.Addr) ([]Address, error) {
	return ask(ctx, k, func(s Store) ([]Address, error) { return s.Addresses(ctx, ips) })
}

func (k *kept) PutAddresses(ctx context.Context, all []Address) error {
	return tell(ctx, k, func(s Store) error { return s.PutAddresses(ctx, all) })
}

func (k *kept) AddressesBefore(ctx context.Context, before time.Time, limit int) ([]netip.Addr, error) {
	return ask(ctx, k, func(s Store) ([]netip.Addr, error) { return s.AddressesBefore(ctx, before, limit) })
}

func (k *kept) ReportRows(ctx context.Context, id int64) iter.Seq2[Row, error] {
	return each(ctx, k, func(s Store) iter.Seq2[Row, error] { return s.ReportRows(ctx, id) })
}

func (k *kept) Raws(ctx context.Context, f RawFilter) iter.Seq2[RawInfo, error] {
	return each(ctx, k, func(s Store) iter.Seq2[RawInfo, error] { return s.Raws(ctx, f) })
}
