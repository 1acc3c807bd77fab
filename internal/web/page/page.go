// Package page writes the dashboard's pages: templates, style sheet and scripts, which are in the binary.
//
//	pages := page.New()
//	pages.Write(w, r, http.StatusOK, &page.Page{Name: "domains", Title: "Domains", Answer: answer, Who: access})
//
// Everything that a page shows may have been written by a stranger. html/template escapes it for the place where it stands; what could
// lead a reader astray on its own, such as characters that turn the direction of a line, [Set] takes out of every text.
package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"golang.org/x/text/language"

	"github.com/gatepost-mail/gatepost/internal/people"
)

//go:embed templates/*.gohtml
var templates embed.FS

// A Page is what one shows.
type Page struct {
	Name   string // of its template, which defines "content"
	Title  string
	Area   string // the entry of the menu that it is in: "domains", "gate", "check", "reports", "settings"; empty: none
	Crumbs []Crumb
	Who    *people.Access    // nil: nobody is signed in, and there is no menu
	Path   string            // its own, with the query
	API    string            // where the same is as JSON; empty: nowhere
	Note   string            // a sentence: what was done just now
	Error  string            // a sentence: what was wrong with what was asked
	Field  string            // of the form that is wrong
	Form   any               // what was asked, to be changed
	Sent   map[string]string // of a form that something is wrong with: what was typed, by field
	Answer any
	Again  int // seconds after which it is worth looking again; 0: never
}

// A Crumb leads to a page above.
type Crumb struct{ Title, Path string }

// Owns tells whether who looks owns everything.
func (p *Page) Owns() bool { return p.Who.Everywhere() >= people.Owner }

// Everywhere tells whether who looks may see what is not of one domain.
func (p *Page) Everywhere() bool { return p.Who.Everywhere() >= people.Viewer }

// A Set is all pages.
type Set struct {
	mu    sync.Mutex
	made  map[string]*template.Template // by language and name
	style asset
	code  map[string]asset
	Now   func() time.Time
}

// New reads the templates. Those that are wrong are found by the tests.
func New() *Set {
	return &Set{made: map[string]*template.Template{}, style: joined("css"), code: scripts(), Now: time.Now}
}

// Write answers with a page.
func (s *Set) Write(w http.ResponseWriter, r *http.Request, status int, p *Page) error {
	t, err := s.template(reader(r), p.Name)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "page", p); err != nil {
		return fmt.Errorf("page %s: %w", p.Name, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Vary", "Accept-Language, Cookie")
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return nil
	}
	_, err = w.Write(b.Bytes())
	return err
}

func (s *Set) template(tag language.Tag, name string) (*template.Template, error) {
	key := tag.String() + " " + name
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, ok := s.made[key]; ok {
		return t, nil
	}
	all, err := fs.Glob(templates, "templates/_*.gohtml")
	if err != nil {
		return nil, err
	}
	t, err := template.New(name).Funcs(s.funcs(tag)).ParseFS(templates, append(all, "templates/"+name+".gohtml")...)
	if err != nil {
		return nil, err
	}
	s.made[key] = t
	return t, nil
}

//go:embed assets
var assets embed.FS

// An asset is a file that browsers keep: another content has another name.
type asset struct {
	path string // in URLs
	kind string
	body []byte
}

func newAsset(name, kind string, body []byte) asset {
	sum := sha256.Sum256(body)
	stem, ext := strings.TrimSuffix(name, path.Ext(name)), path.Ext(name)
	return asset{"/assets/" + stem + "-" + hex.EncodeToString(sum[:6]) + ext, kind, body}
}

// joined is one style sheet of all the files, in the order of their names.
func joined(ext string) asset {
	var b bytes.Buffer
	for _, f := range files(ext) {
		b.Write(f.body)
	}
	return newAsset("gatepost."+ext, "text/css; charset=utf-8", b.Bytes())
}

// scripts are by the name of their file.
func scripts() map[string]asset {
	all := map[string]asset{}
	for _, f := range files("js") {
		all[f.name] = newAsset(f.name, "text/javascript; charset=utf-8", f.body)
	}
	return all
}

type file struct {
	name string
	body []byte
}

func files(ext string) (all []file) {
	names, _ := fs.Glob(assets, "assets/*."+ext)
	for _, name := range names {
		body, err := assets.ReadFile(name)
		if err != nil {
			panic(err) // it is in the binary
		}
		all = append(all, file{path.Base(name), body})
	}
	return all
}

// Assets answers under /assets/.
func (s *Set) Assets() http.Handler {
	all := map[string]asset{s.style.path: s.style}
	for _, a := range s.code {
		all[a.path] = a
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, ok := all[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", a.kind)
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.body))
	})
}
