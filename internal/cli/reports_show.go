package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/internal/reports"
	"github.com/gatepost-mail/gatepost/internal/store"
)

const reportsShowHelp = `Show reports of the store as "gatepost reports parse" prints them, and where
each came from: when, by which way, in which bytes.

An ID is the number that "gatepost reports list" prints. A HASH is that of bytes
that arrived, or its beginning with 8 digits at least: all that was read from
them is shown, and what was refused and why.

With --raw the bytes that arrived are written, exactly as they came.

Exit status: 0 shown; 2 it could not be done, or there is no such report.`

type showFlags struct {
	store storeFlags
	raw   bool
}

func reportsShowCommand() *cobra.Command {
	var o showFlags
	cmd := &cobra.Command{
		Use:   "show ID|HASH... [--raw]",
		Short: "Show a report of the store, and where it came from",
		Long:  reportsShowHelp,
		Example: `  gatepost reports show 17
  gatepost reports show 9f86d081884c --raw >report.eml`,
		RunE: func(cmd *cobra.Command, args []string) error { return runReportsShow(cmd, &o, args) },
	}
	cmd.Flags().BoolVar(&o.raw, "raw", false, "write the bytes that arrived")
	o.store.add(cmd)
	return cmd
}

func runReportsShow(cmd *cobra.Command, o *showFlags, args []string) error {
	switch {
	case len(args) == 0:
		return usageError(cmd, "no report is named; \"gatepost reports list\" lists them")
	case o.raw && len(args) > 1:
		return usageError(cmd, "%q: --raw takes one report at a time", args[1])
	case o.raw && terminal(cmd.OutOrStdout()) != nil:
		return usageError(cmd, "--raw: the bytes may be anything, and are not written to a terminal; redirect them into a file")
	}
	s, err := o.store.open(cmd.Context(), cmd)
	if err != nil {
		return err
	}
	defer s.Close()
	c := commonFlags(cmd)
	p := &shower{ctx: cmd.Context(), store: s, out: newScreen(cmd.OutOrStdout(), c.NoColor), json: c.JSON}
	if o.raw {
		return p.raw(cmd, args[0])
	}
	for _, arg := range args {
		if err := p.show(cmd, arg); err != nil {
			return err
		}
	}
	return nil
}

// A shower shows reports of the store.
type shower struct {
	ctx   context.Context
	store store.Store
	out   screen
	json  bool
	shown int
}

// leastHash is how many digits of a hash must be there: a number with fewer is that of a report.
const leastHash = 8

// wanted is what an argument names: a report, or something that arrived.
type wanted struct {
	report int64
	raw    *store.RawInfo
}

// find looks for what an argument names. All digits are an ID, unless they are so many that it can only be a hash.
func (p *shower) find(cmd *cobra.Command, arg string) (found wanted, err error) {
	id, err := strconv.ParseInt(arg, 10, 64)
	if err == nil && id > 0 && len(arg) < leastHash {
		return wanted{report: id}, nil
	}
	if len(arg) < leastHash {
		return found, usageError(cmd, "%q: neither a number nor a hash with %d digits or more", arg, leastHash)
	}
	raw, err := rawByHash(p.ctx, p.store, arg)
	switch {
	case errors.Is(err, store.ErrNotHash):
		return found, usageError(cmd, "%q: neither a number nor a hash in hexadecimal", arg)
	case errors.Is(err, store.ErrNoRaw) && id > 0:
		return wanted{report: id}, nil
	}
	return wanted{raw: raw}, err
}

// rawByHash gives what arrived with a hash that begins so. It wraps ErrNoRaw.
func rawByHash(ctx context.Context, s store.Store, hash string) (*store.RawInfo, error) {
	var found *store.RawInfo
	for r, err := range s.Raws(ctx, store.RawFilter{Hash: hash, Limit: 2}) {
		switch {
		case err != nil:
			return nil, err
		case found != nil:
			return nil, fmt.Errorf("%s: several begin like this; give more digits", hash)
		}
		found = &r
	}
	if found == nil {
		return nil, fmt.Errorf("%w: %s", store.ErrNoRaw, hash)
	}
	return found, nil
}

func (p *shower) show(cmd *cobra.Command, arg string) error {
	found, err := p.find(cmd, arg)
	if err != nil {
		return err
	}
	if found.raw == nil {
		return p.report(found.report)
	}
	raw := found.raw
	n := 0
	for r, err := range eachReport(p.ctx, p.store, store.ReportFilter{Raw: raw.ID}, 0) {
		if err == nil {
			err = p.report(r.ID)
		}
		if err != nil {
			return err
		}
		n++
	}
	if p.json {
		if n == 0 {
			return printJSONLine(p.out.w, listed(raw))
		}
		return nil
	}
	if n == 0 {
		p.gap()
		p.out.line(p.out.paint(bold, elide(printable(display(raw.Name)), p.out.width)))
		p.arrived(raw)
	}
	for i, reason := range raw.Refusals {
		p.out.value(map[bool]string{true: "refused"}[i == 0], reason)
	}
	return nil
}

func (p *shower) gap() {
	if p.shown++; p.shown > 1 {
		p.out.line("")
	}
}

// report shows one report.
func (p *shower) report(id int64) error {
	info, err := p.store.Report(p.ctx, id)
	if err != nil {
		if errors.Is(err, store.ErrNoReport) {
			err = fmt.Errorf("%w; \"gatepost reports list\" lists them", err)
		}
		return err
	}
	r, err := reports.Stored(&info, p.store.ReportRows(p.ctx, id))
	if err != nil {
		return err
	}
	at := placeOf(&info)
	var raws []store.RawInfo
	for raw, err := range p.store.Raws(p.ctx, store.RawFilter{Report: id}) {
		if err != nil {
			return err
		}
		raws = append(raws, raw)
		at.Raws = append(at.Raws, listed(&raw))
	}
	if info.Conflicting {
		for other, err := range eachReport(p.ctx, p.store, store.ReportFilter{Same: id}, mostOthersShown) {
			if err != nil {
				return err
			}
			if other.ID != id {
				at.Others = append(at.Others, other.ID)
			}
		}
	}
	name := ""
	if len(raws) > 0 {
		name = raws[0].Name
	}
	if p.json {
		r.Place = at.json()
		return r.WriteJSON(harmlessWriter{p.out.w}, name)
	}
	p.gap()
	title := *r
	title.Path = ""
	if err := p.out.report(fmt.Sprintf("Report %d", id), &title); err != nil {
		return err
	}
	p.out.line("")
	p.standing(&info, at)
	for i := range raws {
		p.arrived(&raws[i])
	}
	return nil
}

const mostOthersShown = 100

// standing says how the report stands in the store.
func (p *shower) standing(info *store.ReportInfo, at place) {
	p.out.value("counts on", at.Day)
	if !info.Verified {
		p.out.value("verified", "no: it came by mail that did not pass DMARC, or to the address of another domain")
	}
	if !info.Kept && info.Records > 0 {
		p.out.value("records", fmt.Sprintf("%s of them are deleted by age; their sums are kept", thousands(info.Records)))
	}
	if len(at.Others) > 0 {
		var ids []string
		for _, id := range at.Others {
			ids = append(ids, fmt.Sprint(id))
		}
		p.out.value("conflict", "with "+strings.Join(ids, ", ")+", of the same reporter, id and period with other contents")
	}
}

// arrived says how bytes came.
func (p *shower) arrived(r *store.RawInfo) {
	p.out.value("came", r.At.UTC().Format("2006-01-02 15:04:05")+" UTC by "+r.Input+", "+counted(r.Size, "byte"))
	p.out.value("in", display(r.Name))
	if r.ClientIP != "" {
		from := r.ClientIP
		if r.MailFrom != "" {
			from += ", <" + r.MailFrom + ">"
		}
		p.out.value("sent by", from)
	}
	if r.DMARC != "" {
		p.out.value("DMARC", r.DMARC+" for "+r.AuthorDomain)
	}
	if r.Times > 1 {
		p.out.value("again", fmt.Sprintf("%s in all, the last %s UTC", counted(r.Times, "time"), r.Last.UTC().Format("2006-01-02 15:04:05")))
	}
	hash := hashText(r.Hash)
	if !r.Kept {
		hash += " (the bytes are deleted)"
	}
	p.out.value("hash", hash)
}

// raw writes the bytes that arrived.
func (p *shower) raw(cmd *cobra.Command, arg string) error {
	found, err := p.find(cmd, arg)
	if err != nil {
		return err
	}
	raw := found.raw
	if raw == nil {
		for r, err := range p.store.Raws(p.ctx, store.RawFilter{Report: found.report, Kept: true, Limit: 1}) {
			if err != nil {
				return err
			}
			raw = &r
		}
	}
	if raw == nil {
		if _, err := p.store.Report(p.ctx, found.report); err != nil {
			return err
		}
		return fmt.Errorf("%s: %w: what arrived is kept for reports.raw_age, and not once a failure report is redacted", arg, store.ErrNoRaw)
	}
	r, err := p.store.OpenRaw(p.ctx, raw.Hash)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(p.out.w, r)
	return err
}
