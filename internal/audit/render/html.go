package render

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"io"
	"strings"
	"sync"
)

//go:embed page.gohtml
var pageHTML string

//go:embed page.css
var pageCSS string

var page = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("page").Funcs(template.FuncMap{
		"join": func(lines []string) string { return strings.Join(lines, "\n") },
		"page": PageOf,
	}).Parse(pageHTML))
})

// writeHTML writes one page that loads nothing and runs nothing: its policy lets it have its own style, by the hash of that, and no more.
func writeHTML(w io.Writer, all []Result) error {
	sum := sha256.Sum256([]byte(pageCSS))
	data := struct {
		Title  string
		Policy string
		Style  template.CSS
		Many   bool
		Views  []*View
	}{
		Policy: "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'",
		Style:  template.CSS(pageCSS), Many: len(all) > 1,
	}
	var names []string
	for _, r := range all {
		v := ViewOf(r)
		data.Views = append(data.Views, v)
		names = append(names, v.Domain+" "+v.Grade)
	}
	const mostNames = 3
	data.Title = "Mail audit: " + strings.Join(names[:min(len(names), mostNames)], ", ")
	if len(names) > mostNames {
		data.Title += ", …"
	}
	var b bytes.Buffer
	if err := page().Execute(&b, data); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}
