package web

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/raced"
)

// An asker is somebody with what the rules are to let them be, written down without the code that decides it.
type asker struct {
	name string
	who  *people.Access

	everywhere people.Role // over everything
	domain     people.Role // over example.com, of which the samples are
	anywhere   people.Role // over any domain
	late       bool        // has not signed in a short time ago, or is a program
}

func askers() []asker {
	groups := []people.Group{{Name: "company", Domains: []string{"example.com"}}, {Name: "shop", Domains: []string{"example.org", "*.example.org"}}}
	having := func(grants ...people.Grant) *people.Access { return signedIn("ada", grants, groups) }
	all := []asker{{"nobody", nil, people.Nobody, people.Nobody, people.Nobody, false}}
	for _, role := range people.Roles {
		all = append(all,
			asker{role.String() + " over everything", having(people.Grant{Over: people.Everything, Role: role}), role, role, role, false},
			asker{role.String() + " over the company", having(people.Grant{Over: "company", Role: role}), people.Nobody, role, role, false},
			asker{role.String() + " over the shop", having(people.Grant{Over: "shop", Role: role}), people.Nobody, people.Nobody, role, false},
			asker{role.String() + " over a group that is gone", having(people.Grant{Over: "gone", Role: role}), people.Nobody, people.Nobody, people.Nobody, false},
		)
	}
	everything := having(people.Grant{Over: people.Everything, Role: people.Owner})
	mixed := having(people.Grant{Over: "company", Role: people.Viewer}, people.Grant{Over: "shop", Role: people.Owner})
	hoursAgo, token := *everything, *everything
	hoursAgo.Fresh, token.Token = false, 7
	return append(all,
		asker{"viewer of the company who owns the shop", mixed, people.Nobody, people.Viewer, people.Owner, false},
		asker{"an owner who signed in hours ago", &hoursAgo, people.Owner, people.Owner, people.Owner, true},
		asker{"an owner's token to do everything", everything.Within(people.Owner, people.Everything), people.Owner, people.Owner, people.Owner, true},
		asker{"an owner's token that says it is fresh", &token, people.Owner, people.Owner, people.Owner, true},
		asker{"an owner's token to see", everything.Within(people.Viewer, people.Everything), people.Viewer, people.Viewer, people.Viewer, true},
		asker{"an owner's token for the company", everything.Within(people.Owner, "company"), people.Nobody, people.Owner, people.Owner, true},
		asker{"an owner's token to see the shop", everything.Within(people.Viewer, "shop"), people.Nobody, people.Nobody, people.Viewer, true},
		asker{"the token for the company of who owns the shop", mixed.Within(people.Owner, "company"), people.Nobody, people.Viewer, people.Viewer, true},
		asker{"a token of nobody", having().Within(people.Owner, people.Everything), people.Nobody, people.Nobody, people.Nobody, true},
	)
}

// decidesWhoComesIn are the routes that are for people only, and for those who have just signed in.
var decidesWhoComesIn = []string{"invite-user", "link-user", "set-role", "disable-user", "enable-user", "remove-user", "add-token"}

// may is what the table says, read anew.
func (a *asker) may(r *route) bool {
	if a.late && slices.Contains(decidesWhoComesIn, r.id) {
		return false
	}
	switch r.over {
	case everywhere:
		return a.everywhere >= r.need
	case oneDomain:
		return a.domain >= r.need
	case somewhere:
		return a.anywhere >= r.need
	}
	return false
}

func TestEachRouteIsForThoseWhomTheTableNames(t *testing.T) {
	raced.Skip(t)
	s := newPeopled(t)
	table := routes(s.desk)
	if len(table) == 0 {
		t.Fatal("there are no routes")
	}
	type called struct {
		of   sample
		path string
	}
	calls := make([]called, len(table)) // while all is there that they speak of
	for i := range table {
		calls[i].of, calls[i].path = s.sampleOf(t, &table[i])
	}
	for _, a := range askers() {
		s.who = a.who
		handlers := map[string]http.Handler{} // of their own, so that nobody asks too much
		for _, by := range []string{"page", "API"} {
			handlers[by] = Handler(Options{Dashboard: s.desk, Door: s, Pages: s.pages})
		}
		for i := range table {
			r := &table[i]
			if r.need < people.Viewer || r.need > people.Owner {
				t.Fatalf("%s is for everybody", r.id)
			}
			of, path := &calls[i].of, calls[i].path
			for by, h := range handlers {
				w := of.call(h, r.method, path, by)
				got := verdict(r, w, by)
				want := "refused"
				if a.who == nil {
					want = "sent to the door"
				} else if a.may(r) {
					want = "let in"
				}
				if got != want {
					t.Errorf("%s, %s %s by the %s: %s (%d), want: %s", a.name, r.method, path, by, got, w.Code, want)
				}
			}
		}
	}
}

// call asks without anything in the body: who is let in is told what is missing, unless nothing is.
func (of *sample) call(h http.Handler, method, path, by string) *httptest.ResponseRecorder {
	switch {
	case by == "API":
		return of.ask(h, method, apiPrefix+path, of.sends, "")
	case of.sends == "application/json":
		return of.ask(h, method, path, "application/x-www-form-urlencoded", "")
	}
	return of.ask(h, method, path, of.sends, "")
}

func verdict(r *route, w *httptest.ResponseRecorder, by string) string {
	toDoor := by == "page" && r.method == http.MethodGet && w.Code == http.StatusSeeOther && strings.HasPrefix(w.Header().Get("Location"), "/sign-in?to=")
	switch {
	case toDoor || w.Code == http.StatusUnauthorized && !(by == "page" && r.method == http.MethodGet):
		return "sent to the door"
	case w.Code == http.StatusForbidden:
		return "refused"
	case w.Code == http.StatusMethodNotAllowed || w.Code == http.StatusTooManyRequests || w.Code == http.StatusUnauthorized:
		return "answered otherwise"
	case w.Code >= http.StatusInternalServerError && w.Code != http.StatusServiceUnavailable:
		return "broken"
	}
	return "let in"
}

func TestARouteIsAskedInItsOwnWayOnly(t *testing.T) {
	s := newPeopled(t)
	table := routes(s.desk)
	used := map[string]bool{}
	for i := range table {
		_, path := s.sampleOf(t, &table[i])
		used[table[i].method+" "+path] = true
	}
	for i := range table {
		of, path := s.sampleOf(t, &table[i])
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE"} {
			if used[method+" "+path] {
				continue
			}
			for _, by := range []string{"page", "API"} {
				if w := of.call(s.handler, method, path, by); w.Code != http.StatusMethodNotAllowed && w.Code != http.StatusNotFound {
					t.Errorf("%s %s by the %s: %d", method, path, by, w.Code)
				}
			}
		}
	}
}

// others are words that stand in the mail of example.com and example.net, and in that of example.org nowhere.
var others = []string{"salesforce", "supplier.example", "printshop", "accountant.example", "logistics.example", `"example.com"`, `"example.net"`}

func TestWhoMaySeeOneDomainSeesNothingOfOthers(t *testing.T) {
	shop := people.NewAccess("ada", []people.Grant{{Over: "shop", Role: people.Owner}}, []people.Group{{Name: "shop", Domains: []string{"example.org"}}})
	s := newPeopled(t)
	s.who = shop
	table := routes(s.desk)
	for i := range table {
		r := &table[i]
		of, path := s.sampleOf(t, r)
		if r.over != somewhere || r.method != http.MethodGet || of.world != "" {
			continue
		}
		for _, prefix := range []string{"", apiPrefix} {
			w := of.ask(s.handler, r.method, prefix+path, "", "")
			text := strings.ToLower(w.Body.String())
			for _, word := range others {
				if strings.Contains(text, word) {
					t.Errorf("%s tells whoever owns the shop of %s:\n%s", prefix+path, word, w.Body)
				}
			}
		}
	}
}

func TestWhatAStrangersPageSendsIsRefused(t *testing.T) {
	s := newPeopled(t)
	table := routes(s.desk)
	for i := range table {
		r := &table[i]
		if r.method == http.MethodGet {
			continue
		}
		_, path := s.sampleOf(t, r)
		for _, prefix := range []string{"", apiPrefix} {
			for name, header := range map[string][2]string{
				"another site": {"Sec-Fetch-Site", "cross-site"}, "a neighbour": {"Sec-Fetch-Site", "same-site"}, "an old browser": {"Origin", "https://evil.example"},
			} {
				req := httptest.NewRequest(r.method, prefix+path, strings.NewReader(""))
				req.Header.Set(header[0], header[1])
				w := httptest.NewRecorder()
				s.handler.ServeHTTP(w, req)
				if w.Code != http.StatusForbidden {
					t.Errorf("%s %s from %s: %d", r.method, prefix+path, name, w.Code)
				}
			}
		}
	}
}

// mounted are the handlers that are there beside the routes of the table, as the source has them: whoever adds one says here why nobody
// needs a role for it, or that it looks for itself.
var mounted = map[string]string{
	`site.go: "GET /assets/"`:          "style sheet and scripts, the same for all",
	`site.go: r.method + " " + r.path`: "the table",
	`site.go: "GET /{$}"`:              "leads to a page of the table",
	`site.go: "/"`:                     "says that there is no such page",
	`web.go: "/"`:                      "the dashboard",
	`web.go: "GET /{$}"`:               "says that there is no dashboard",
	`web.go: "GET /healthz"`:           "says ok",
	`web.go: "GET /readyz"`:            "for watchers",
	`web.go: "GET /metrics"`:           "for watchers",
	`web.go: "POST /reports"`:          "has tokens of its own",
	`signin/signin.go: pattern`:        "the door: its own tests say who is let in",
}

func TestNothingAnswersThatIsNeitherInTheTableNorKnown(t *testing.T) {
	seen := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		for _, pattern := range patterns(t, path) {
			seen[path+": "+pattern] = true
			if mounted[path+": "+pattern] == "" {
				t.Errorf("%s answers at %s, which is not in the table of routes", path, pattern)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range mounted {
		if !seen[name] {
			t.Errorf("%s is not there any more", name)
		}
	}
}

// patterns are the first arguments of what puts handlers into a mux, as a file has them.
func patterns(t *testing.T, path string) (all []string) {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) != 2 {
			return true
		}
		if f, ok := call.Fun.(*ast.SelectorExpr); ok && slices.Contains([]string{"Handle", "HandleFunc"}, f.Sel.Name) {
			var b bytes.Buffer
			printer.Fprint(&b, set, call.Args[0])
			all = append(all, b.String())
		}
		return true
	})
	return all
}
