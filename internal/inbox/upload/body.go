package upload

import (
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"path"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/spool"
)

// read takes in the files of a request. The error is a *failure; the files that were read till then are given too, and are to be closed.
func (h *Handler) read(w http.ResponseWriter, r *http.Request) ([]file, error) {
	body := http.MaxBytesReader(w, r.Body, h.o.MaxBytes)
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" || params["boundary"] == "" {
		f := file{kept: h.room.New()}
		_, err := io.Copy(f.kept, body)
		return []file{f}, h.bodyError(err)
	}
	return h.readForm(multipart.NewReader(body, params["boundary"]))
}

// maxName bounds the name of a file as it is shown.
const maxName = 200

func (h *Handler) readForm(form *multipart.Reader) ([]file, error) {
	var files []file
	for parts := 0; ; parts++ {
		part, err := form.NextRawPart() // a transfer encoding is no more than bytes, which say what they are
		if err == io.EOF {
			break
		}
		if err != nil {
			return files, h.bodyError(err)
		}
		if parts == h.o.MaxFiles {
			return files, &failure{http.StatusRequestEntityTooLarge, "too many files at once", 0}
		}
		name := part.FileName()
		if name == "" {
			continue // a field of the form that is no file
		}
		f := file{name: shown(name), kept: h.room.New()}
		files = append(files, f)
		if _, err := io.Copy(f.kept, part); err != nil {
			return files, h.bodyError(err)
		}
	}
	if len(files) == 0 {
		return nil, &failure{http.StatusBadRequest, "there is no file in the form", 0}
	}
	return files, nil
}

// shown is a file's name without folders and control characters, as it may be shown to people.
func shown(name string) string {
	name = path.Base(strings.ReplaceAll(strings.ToValidUTF8(name, "?"), `\`, "/"))
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || 0x80 <= r && r < 0xa0 {
			return '?'
		}
		return r
	}, name)
	if len(name) > maxName {
		name = strings.ToValidUTF8(name[:maxName], "") + "…"
	}
	return name
}

// bodyError says what is wrong with a body that could not be read to its end.
func (h *Handler) bodyError(err error) error {
	var large *http.MaxBytesError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &large):
		return tooLarge(h.o.MaxBytes)
	case errors.Is(err, spool.ErrWrite):
		h.o.Log.Error("an upload could not be kept; its sender is told to come again", "error", err.Error())
		return &failure{http.StatusServiceUnavailable, "there is no room now; send it again later", retryStore}
	}
	return &failure{http.StatusBadRequest, "the request did not come to its end, or is no form", 0}
}
