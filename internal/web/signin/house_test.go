package signin

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/config"
	"github.com/gatepost-mail/gatepost/internal/people"
	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/internal/web/page"
)

// good is a password that nobody objects to.
const good = "correct horse battery staple"

var everything = []people.Grant{{Over: people.Everything, Role: people.Owner}}

// A house is a door with people behind it.
type house struct {
	t       *testing.T
	store   store.Store
	office  *people.Office
	config  *config.Config
	door    *Door
	handler http.Handler
	now     atomic.Int64
}

func newHouse(t *testing.T) *house {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "gatepost.db"), store.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	h := &house{t: t, store: s, config: &config.Config{}}
	h.now.Store(time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC).UnixNano())
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	h.office = newOffice(h, log)
	pages := page.New()
	pages.Now = h.clock
	h.door = New(Options{
		Office: h.office, Store: s, Pages: pages, Config: func() *config.Config { return h.config }, Now: h.clock, Log: log,
		Address: func(r *http.Request) netip.Addr {
			if a := r.Header.Get("Test-Address"); a != "" {
				return netip.MustParseAddr(a)
			}
			return netip.MustParseAddr("127.0.0.1")
		},
		Secure: func(r *http.Request) bool { return r.Header.Get("Test-Scheme") == "https" },
	})
	mux := http.NewServeMux()
	h.door.Mount(mux)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		who, err := h.door.Who(r)
		if err != nil {
			t.Error(err)
		}
		if who != nil {
			w.Header().Set("Test-Who", who.Name)
		}
	})
	h.handler = http.NewCrossOriginProtection().Handler(mux)
	return h
}

func (h *house) clock() time.Time { return time.Unix(0, h.now.Load()).UTC() }

func (h *house) advance(d time.Duration) { h.now.Add(int64(d)) }

// person makes one who owns everything, unless grants are given.
func (h *house) person(name, password string, grants ...people.Grant) people.Person {
	h.t.Helper()
	if grants == nil {
		grants = everything
	}
	id, err := h.store.AddPerson(h.t.Context(), people.Person{Name: name, Grants: grants, Created: h.clock()})
	if err == nil && password != "" {
		err = h.office.SetPassword(h.t.Context(), id, password)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	return h.again(id)
}

// again is a person as the store has it now.
func (h *house) again(id int64) people.Person {
	h.t.Helper()
	p, err := h.store.PersonByID(h.t.Context(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	return p
}

func (h *house) events() []people.Event {
	h.t.Helper()
	all, err := h.store.Events(h.t.Context(), 0, 1000)
	if err != nil {
		h.t.Fatal(err)
	}
	return all
}

func (h *house) lastEvent() people.Event {
	if all := h.events(); len(all) > 0 {
		return all[0]
	}
	return people.Event{}
}

// happened are what the events are, the first first.
func (h *house) happened() []string {
	var all []string
	for _, e := range slices.Backward(h.events()) {
		all = append(all, e.What)
	}
	return all
}

func (h *house) sessions(person int64) []people.Session {
	h.t.Helper()
	all, err := h.store.Sessions(h.t.Context(), person, h.clock())
	if err != nil {
		h.t.Fatal(err)
	}
	return all
}

// listening is where requests come in, as the server says it of them.
var listening net.Addr = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}

// raw sends a request as it is.
func (h *house) raw(method, path string, header http.Header, form url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
	r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, listening))
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	maps.Copy(r.Header, header)
	r.Host = "127.0.0.1:8080"
	if host := header.Get("Host"); host != "" {
		r.Host = host
	}
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, r)
	return w
}

// A browser keeps cookies.
type browser struct {
	h      *house
	host   string
	header http.Header
	kept   map[string]string
}

func (h *house) browser() *browser {
	return &browser{h: h, host: "127.0.0.1:8080", header: http.Header{"User-Agent": {"Test/1"}}, kept: map[string]string{}}
}

// An answer is what came.
type answer struct {
	code     int
	location string
	body     string
	header   http.Header
}

func (b *browser) get(path string) *answer { return b.do("GET", path, nil) }

func (b *browser) post(path string, form url.Values) *answer {
	if form == nil {
		form = url.Values{}
	}
	return b.do("POST", path, form)
}

func (b *browser) do(method, path string, form url.Values) *answer {
	header := b.header.Clone()
	header.Set("Host", b.host)
	if method == "POST" {
		header.Set("Sec-Fetch-Site", "same-origin")
	}
	var all []string
	for name, value := range b.kept {
		all = append(all, name+"="+value)
	}
	if len(all) > 0 {
		header.Set("Cookie", strings.Join(all, "; "))
	}
	w := b.h.raw(method, path, header, form)
	res := w.Result()
	for _, c := range res.Cookies() {
		if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Secure != strings.HasPrefix(c.Name, "__Host-") {
			b.h.t.Errorf("cookie %v", c)
		}
		if c.MaxAge < 0 {
			delete(b.kept, c.Name)
		} else {
			b.kept[c.Name] = c.Value
		}
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.h.t.Fatal(err)
	}
	return &answer{w.Code, w.Header().Get("Location"), string(body), w.Header()}
}

func (b *browser) cookies() map[string]string { return maps.Clone(b.kept) }

func (b *browser) setCookies(all map[string]string) { b.kept = maps.Clone(all) }

// path is that of an address of ours.
func (b *browser) path(address string) string {
	b.h.t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		b.h.t.Fatal(err)
	}
	return u.RequestURI()
}

// who is signed in.
func (b *browser) who() *people.Access {
	b.h.t.Helper()
	r := httptest.NewRequest("GET", "/domains", nil)
	for name, value := range b.kept {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	maps.Copy(r.Header, b.header)
	who, err := b.h.door.Who(r)
	if err != nil {
		b.h.t.Fatal(err)
	}
	return who
}

// signIn signs in by password.
func (b *browser) signIn(name, password string) *browser {
	b.h.t.Helper()
	if got := b.post("/sign-in", url.Values{"name": {name}, "password": {password}}); b.who() == nil {
		b.h.t.Fatalf("not signed in: %d %s", got.code, got.body)
	}
	return b
}

var _ Office = (*people.Office)(nil)

func newOffice(h *house, log *slog.Logger) *people.Office {
	return &people.Office{Store: h.store, Groups: func() []people.Group { return h.config.Web.PeopleGroups() }, Now: h.clock, Log: log}
}

// newLink makes a link, and gives its token.
func newLink(h *house, l people.Link) string {
	h.t.Helper()
	token, err := h.office.Invite(h.t.Context(), people.CommandLine, l)
	if err != nil {
		h.t.Fatal(err)
	}
	return token
}

// newToken makes a token of somebody, with which a program may do what the person may.
func newToken(h *house, name string) string {
	h.t.Helper()
	p, err := h.store.PersonByName(h.t.Context(), name)
	if err != nil {
		h.t.Fatal(err)
	}
	who := people.NewAccess(name, p.Grants, nil)
	who.Person = p.ID
	token, err := h.office.NewToken(h.t.Context(), who, "program", people.Owner, people.Everything, time.Time{})
	if err != nil {
		h.t.Fatal(err)
	}
	return token
}
