package dashboard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/intake"
	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/show"
	"github.com/gatepost-mail/gatepost/internal/store"
)

// UploadIn asks for the page on which reports are uploaded.
type UploadIn struct{}

// An Upload tells what may be uploaded, and what became of it.
type Upload struct {
	MaxBytes int64          `json:"max_bytes"` // of all the files together
	Most     string         `json:"most"`      // likewise, as the configuration has it: "64MiB"
	Domains  []string       `json:"domains"`   // whose reports who asks may upload
	Done     bool           `json:"done"`
	Files    []UploadedFile `json:"files"`
	New      int            `json:"new"` // reports
	Known    int            `json:"known"`
	Refused  int            `json:"refused"` // files or parts of them
}

// An UploadFile is one that is uploaded.
type UploadFile struct {
	Name string
	Open func() (io.ReadCloser, error) // from its beginning, as often as it is called
}

// An UploadedFile tells what became of one.
type UploadedFile struct {
	Name        string       `json:"name"`
	New         int          `json:"new"` // reports that were not there before
	Known       int          `json:"known"`
	Conflicting int          `json:"conflicting"` // of the new, those of which there is another with the same id
	Refused     []string     `json:"refused"`     // parts that hold no report that can be read, and why
	Denied      string       `json:"denied"`      // a sentence: why nothing of it was taken
	Reports     []ReportLine `json:"reports"`     // that are in it; the first of them
}

// mostUploadedShown is how many reports of a file are listed.
const mostUploadedShown = 20

// Title is what the page is called.
func (u *Upload) Title() string { return "Upload reports" }

// Crumbs lead back.
func (u *Upload) Crumbs() []Crumb { return []Crumb{{"Reports", "/reports"}} }

// Upload tells what may be uploaded.
func (d *Desk) Upload(ctx context.Context, who *people.Access, _ *UploadIn) (*Upload, error) {
	domains, err := d.ours(ctx, who)
	if err != nil {
		return nil, err
	}
	domains = slices.DeleteFunc(domains, func(domain string) bool { return who.Over(domain) < people.Analyst })
	most := d.Config().Reports.HTTP.MaxBytes
	text, _ := most.MarshalText()
	return &Upload{MaxBytes: int64(most), Most: string(text), Domains: append([]string{}, domains...), Files: []UploadedFile{}}, nil
}

// A denial is why a file is not taken.
type denial struct{ text string }

func (e *denial) Error() string { return e.text }

// DoUpload brings files into the store, as gatepost reports import does. A file is taken as a whole or not at all.
func (d *Desk) DoUpload(ctx context.Context, who *people.Access, files []UploadFile) (*Upload, error) {
	if d.Store == nil {
		return nil, ErrNoStore
	}
	out, err := d.Upload(ctx, who, nil)
	if err != nil {
		return nil, err
	}
	ours, err := d.ours(ctx, who)
	if err != nil {
		return nil, err
	}
	out.Done = true
	touched := map[string]bool{}
	importer := &intake.Importer{Store: d.Store, Read: func(ctx context.Context, r io.Reader) (intake.Contents, error) {
		c, err := intake.Read(ctx, r)
		if err != nil {
			return c, err
		}
		if err := d.permit(who, ours, &c); err != nil {
			c.Release()
			return intake.Contents{}, err
		}
		return c, nil
	}}
	items := func(yield func(intake.Item) bool) {
		for _, f := range files {
			item := intake.Item{Name: "upload by " + who.Name + ": " + f.Name, Input: "dashboard", Received: d.now(), Sender: intake.Sender{IP: who.Address}, Open: f.Open}
			if !yield(item) {
				return
			}
		}
	}
	err = importer.Import(ctx, items, func(_ intake.Item, o intake.Outcome) error {
		f := UploadedFile{Name: files[len(out.Files)].Name, New: o.New, Known: o.Known, Conflicting: o.Conflicting, Refused: append([]string{}, o.Refused...),
			Reports: []ReportLine{}}
		var denied *denial
		switch {
		case errors.As(o.Failed, &denied):
			f.Denied = denied.text
		case o.Failed != nil:
			d.log().Error("an upload could not be stored", "error", o.Failed.Error())
			f.Denied = "It could not be stored now. Upload it again later."
		}
		if err := d.listUploaded(ctx, who, o.Hash, &f); err != nil {
			return err
		}
		for _, r := range f.Reports {
			touched[r.Domain] = true
		}
		out.add(f)
		return nil
	})
	for domain := range touched {
		d.Answers.Change("domain " + domain)
	}
	for _, prefix := range []string{"domains", "reports", "tls"} {
		d.Answers.Change(prefix)
	}
	if len(out.Files) > 0 {
		d.event(ctx, who, "upload", strings.Join(sortedKeys(touched), " "), fmt.Sprintf("%d files: %d reports new, %d known, %d refused", len(out.Files), out.New,
			out.Known, out.Refused))
	}
	return out, err
}

func (u *Upload) add(f UploadedFile) {
	u.Files = append(u.Files, f)
	u.New += f.New
	u.Known += f.Known
	u.Refused += len(f.Refused)
	if f.Denied != "" {
		u.Refused++
	}
}

func sortedKeys(set map[string]bool) []string {
	all := make([]string, 0, len(set))
	for k := range set {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}

// listUploaded lists the reports in what was uploaded.
func (d *Desk) listUploaded(ctx context.Context, who *people.Access, hash store.Hash, f *UploadedFile) error {
	if f.New+f.Known == 0 {
		return nil
	}
	for raw, err := range d.Store.Raws(ctx, store.RawFilter{Hash: fmt.Sprintf("%x", hash[:]), Limit: 1}) {
		if err != nil {
			return err
		}
		found, err := d.Store.Reports(ctx, store.ReportFilter{Raw: raw.ID, Limit: mostUploadedShown})
		if err != nil {
			return err
		}
		for i := range found {
			f.Reports = append(f.Reports, reportLine(who, &found[i]))
		}
	}
	return nil
}

// permit tells why somebody may not bring in what was read from a file: reports about domains that are not theirs, or that are nobody's
// here. What could not be read may be about any domain, and so is for those alone who are analysts of everything.
func (d *Desk) permit(who *people.Access, ours []string, c *intake.Contents) error {
	everything := who.Everywhere() >= people.Analyst
	for i := range c.Reports {
		r := &c.Reports[i]
		about := []string{r.Domain}
		for _, p := range r.TLS {
			if p.Domain != "" {
				about = append(about, p.Domain)
			}
		}
		for _, domain := range about {
			domain = strings.ToLower(strings.TrimSuffix(domain, "."))
			switch {
			case domain == "":
				return &denial{"It holds a report that names no domain. Nothing of it was taken."}
			case who.Over(domain) < people.Analyst:
				return &denial{fmt.Sprintf("It holds a report about %s, for which you are no analyst. Nothing of it was taken.", show.Clip(show.Printable(domain), 100))}
			case !d.reportsOn(domain, ours):
				return &denial{fmt.Sprintf("It holds a report about %s, which is no domain of ours. Nothing of it was taken. If it is, name it in reports.domains first.",
					show.Clip(show.Printable(domain), 100))}
			}
		}
	}
	switch {
	case everything:
		return nil
	case len(c.Reports) == 0:
		return &denial{"There is no report in it that can be read (" + refusalText(c.Refusals) + "), so nobody can tell whose it is. Nothing of it was taken."}
	case len(c.Refusals) > 0:
		return &denial{"A part of it cannot be read (" + refusalText(c.Refusals) + "), so nobody can tell whose it is. Nothing of it was taken; upload the rest by itself."}
	}
	return nil
}

func refusalText(all []string) string {
	if len(all) == 0 {
		return "there is none"
	}
	return show.Clip(show.Printable(strings.Join(all, "; ")), 300)
}

// reportsOn tells whether a domain is one that the configuration names, one beneath such a one, or one that reports are about already. Where
// the configuration names none, each is.
func (d *Desk) reportsOn(domain string, ours []string) bool {
	named := d.Config().Reports.Domains
	return len(named) == 0 || slices.Contains(ours, domain) ||
		slices.ContainsFunc(named, func(n string) bool { return domain == n || strings.HasSuffix(domain, "."+n) })
}
