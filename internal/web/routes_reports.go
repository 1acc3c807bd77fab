package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"mime/multipart"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/gatepost-mail/gatepost/internal/dashboard"
	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/spool"
	"github.com/gatepost-mail/gatepost/internal/web/page"
)

func reportRoutes(d *dashboard.Desk) []route {
	r := func(id, path, title, summary string, need people.Role, over reach) route {
		return route{id: id, path: path, title: title, summary: summary, area: "reports", need: need, over: over}
	}
	return []route{
		view(r("reports", "/reports", "Reports", "The reports that came, and how they come in", people.Viewer, somewhere), d.Reports),
		view(r("refused", "/reports/refused", "What could not be read", "What arrived and could not be read, and why", people.Viewer, everywhere), d.Refused),
		download(r("refused-raw", "/reports/refused/{id}/raw", "The bytes", "The bytes of what could not be read", people.Analyst, everywhere), d.RefusedRaw),
		view(r("upload", "/reports/upload", "Upload reports", "What may be uploaded", people.Analyst, somewhere), d.Upload),
		upload(r("do-upload", "/reports/upload", "Upload reports", "Bring reports in: a form with one file or several, packed in whatever way", people.Analyst,
			somewhere), d),
		view(r("report", "/reports/{id}", "Report", "A report as it came, and as it was read", people.Viewer, somewhere), d.Report),
		download(r("report-raw", "/reports/{id}/raw", "The bytes", "The bytes that a report came in", people.Viewer, somewhere), d.ReportRaw),
		view(r("tls", "/tls", "TLS", "How mail servers reached those of our domains, as TLS reports tell", people.Viewer, somewhere), d.TLS),
	}
}

// fileTimeout is for a file to go its way, which takes longer than a page.
const fileTimeout = 10 * time.Minute

// download is a route that gives a file.
func download[In any](r route, f func(context.Context, *people.Access, *In) (*dashboard.Download, error)) route {
	r.method = http.MethodGet
	r.handle = func(s *site, w http.ResponseWriter, req *http.Request, who *people.Access) {
		var in In
		err := decode(req, &in)
		var file *dashboard.Download
		if err == nil {
			file, err = f(req.Context(), who, &in)
		}
		if err != nil {
			s.fail(w, req, who, &r, err)
			return
		}
		save(w, file)
	}
	r.describe = func(s *site, api huma.API) {
		o := r.operation()
		o.Responses = map[string]*huma.Response{"200": {Description: "The bytes", Content: map[string]*huma.MediaType{
			"application/octet-stream": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
		}}}
		huma.Register(api, o, func(ctx context.Context, in *In) (*huma.StreamResponse, error) {
			file, err := f(ctx, accessOf(ctx), in)
			if err != nil {
				return nil, s.problem(err)
			}
			return &huma.StreamResponse{Body: func(ctx huma.Context) {
				_, w := humago.Unwrap(ctx)
				save(w, file)
			}}, nil
		})
	}
	return r
}

// save has a browser save a file, whatever is in it.
func save(w http.ResponseWriter, f *dashboard.Download) {
	defer f.Body.Close()
	http.NewResponseController(w).SetWriteDeadline(time.Now().Add(fileTimeout)) // not every server can
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Content-Disposition", `attachment; filename="`+f.Name+`"`)
	h.Set("Content-Length", strconv.FormatInt(f.Size, 10))
	io.Copy(w, f.Body) // a file that is cut off is shorter than was said
}

// upload is the route by which files come in.
func upload(r route, d *dashboard.Desk) route {
	r.method, r.form, r.room = http.MethodPost, "/reports/upload", math.MaxInt64 // bounded by the configuration in force
	room := &spool.Room{Each: 256 << 10}
	take := func(w http.ResponseWriter, req *http.Request, who *people.Access) (*dashboard.Upload, error) {
		files, err := receive(w, req, room, int64(d.Config().Reports.HTTP.MaxBytes))
		defer func() {
			for _, f := range files {
				f.kept.Close()
			}
		}()
		if err != nil {
			return nil, err
		}
		var all []dashboard.UploadFile
		for _, f := range files {
			all = append(all, dashboard.UploadFile{Name: f.name, Open: f.kept.Open})
		}
		return d.DoUpload(req.Context(), who, all)
	}
	r.handle = func(s *site, w http.ResponseWriter, req *http.Request, who *people.Access) {
		out, err := take(w, req, who)
		if err != nil {
			s.fail(w, req, who, &r, err)
			return
		}
		code := http.StatusOK
		if out.New+out.Known == 0 {
			code = http.StatusUnprocessableEntity
		}
		s.show(w, req, who, code, s.formOf(&r), &page.Page{Answer: out})
	}
	r.describe = func(s *site, api huma.API) {
		type output struct{ Body *dashboard.Upload }
		huma.Register(api, r.operation(), func(ctx context.Context, in *bare) (*output, error) {
			req, w := humago.Unwrap(in.ctx)
			out, err := take(w, req.WithContext(ctx), accessOf(ctx))
			if err != nil {
				return nil, s.problem(err)
			}
			return &output{out}, nil
		})
		// Said before, it would be read into memory.
		api.OpenAPI().Paths[r.path].Post.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"multipart/form-data": {Schema: &huma.Schema{
			Type: huma.TypeObject, Properties: map[string]*huma.Schema{
				"file": {Type: huma.TypeArray, Items: &huma.Schema{Type: huma.TypeString, Format: "binary"}, Description: "One file or several"},
			},
		}}}}
	}
	return r
}

// A bare input of the API is the request itself, for bodies that are not held in memory.
type bare struct{ ctx huma.Context }

// Resolve implements [huma.Resolver].
func (b *bare) Resolve(ctx huma.Context) []error {
	b.ctx = ctx
	return nil
}

// The bounds of what is uploaded at once, beside that of its bytes.
const (
	mostFiles = 100
	mostParts = 200
	maxName   = 200
)

// A received file is kept for as long as it is read.
type received struct {
	name string
	kept *spool.Spool
}

// receive takes in the files of a form, in bounded memory. Those that were taken in till an error are given too, and are to be closed.
func receive(w http.ResponseWriter, req *http.Request, room *spool.Room, most int64) (files []received, err error) {
	deadlines := http.NewResponseController(w) // not every server has them
	deadlines.SetReadDeadline(time.Now().Add(fileTimeout))
	deadlines.SetWriteDeadline(time.Now().Add(fileTimeout + time.Minute))
	req.Body = http.MaxBytesReader(w, req.Body, most)
	form, err := req.MultipartReader()
	if err != nil {
		return nil, &dashboard.Invalid{Field: "file", Text: "Send the files as a form, multipart/form-data."}
	}
	for parts := 0; ; parts++ {
		part, err := form.NextRawPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return files, broken(err, most)
		}
		if len(files) == mostFiles || parts == mostParts {
			return files, &dashboard.Invalid{Field: "file", Text: fmt.Sprintf("Upload no more than %d files at once.", mostFiles)}
		}
		if part.FileName() == "" { // a field, or a form in which no file was chosen
			continue
		}
		f := received{calledOf(part), room.New()}
		files = append(files, f)
		if _, err := io.Copy(f.kept, part); err != nil {
			return files, broken(err, most)
		}
	}
	if len(files) == 0 {
		return nil, &dashboard.Invalid{Field: "file", Text: "Choose a file, or several."}
	}
	return files, nil
}

// calledOf is a file's name without folders.
func calledOf(part *multipart.Part) string {
	name := path.Base(strings.ReplaceAll(strings.ToValidUTF8(part.FileName(), "?"), `\`, "/"))
	if len(name) > maxName {
		name = strings.ToValidUTF8(name[:maxName], "") + "…"
	}
	return name
}

// broken says what is wrong with a form that could not be read to its end.
func broken(err error, most int64) error {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return &dashboard.Invalid{Field: "file", Text: fmt.Sprintf("That is more than %d bytes, which is what may be uploaded at once (reports.http.max_bytes).", most)}
	case errors.Is(err, spool.ErrWrite):
		return err
	}
	return &dashboard.Invalid{Field: "file", Text: "The upload did not come to its end. Try it again."}
}
