package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/inbox/api"
	"github.com/gatepost-mail/gatepost/internal/inbox/inboxtest"
	"github.com/gatepost-mail/gatepost/internal/intake"
)

// A service behaves as Microsoft Graph does, as far as the input needs it.
type service struct {
	t    *testing.T
	url  string
	page int

	mu       sync.Mutex
	folders  map[string]string // id to name
	messages map[string]*item
	order    []string
	fetches  map[string]int
	next     func(string) string                                      // changes a nextLink
	before   func(w http.ResponseWriter, r *http.Request) (done bool) // answers instead
	tokens   *atomic.Int64
	token    string
}

type item struct {
	folder, body string
	size         int // said; the body's if zero
}

func newService(t *testing.T) (*service, Options) {
	s := &service{t: t, page: 3, folders: map[string]string{"inbox": "Inbox"}, messages: map[string]*item{}, fetches: map[string]int{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	s.url = server.URL + "/v1.0"
	address, given := inboxtest.Tokens(t)
	s.tokens = given
	return s, Options{User: "reports@example.com", BaseURL: s.url, Poll: 10 * time.Millisecond,
		OAuth: api.OAuth{ClientID: "id", ClientSecretFile: inboxtest.Secret(t, "secret"), TokenURL: address}}
}

func (s *service) add(body string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := fmt.Sprintf("AAkALg/%d=", len(s.order)) // with what must be escaped
	s.messages[id] = &item{folder: "inbox", body: body}
	s.order = append(s.order, id)
	return id
}

func (s *service) in(name string) (bodies []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range s.order {
		if m := s.messages[id]; m != nil && s.folders[m.folder] == name {
			bodies = append(bodies, m.body)
		}
	}
	return bodies
}

func fail(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"code": code, "message": message, "innerError": map[string]string{"request-id": "1"}}})
}

var filter = regexp.MustCompile(`^displayName eq '(.*)'$`)

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.before != nil && s.before(w, r) {
		return
	}
	if got := r.Header.Get("Authorization"); !strings.HasPrefix(got, "Bearer token-") || s.token != "" && got != "Bearer "+s.token {
		fail(w, http.StatusUnauthorized, "InvalidAuthenticationToken", "Access token has expired or is not yet valid.")
		return
	}
	if r.Header.Get("Prefer") != `IdType="ImmutableId"` {
		s.t.Error("ids would not outlive a move")
	}
	path, ok := strings.CutPrefix(r.URL.EscapedPath(), "/v1.0/users/reports@example.com/")
	if !ok {
		fail(w, http.StatusNotFound, "ErrorInvalidUser", "The requested user is invalid.")
		return
	}
	words := strings.Split(path, "/")
	for i := range words {
		words[i] = strings.NewReplacer("%2F", "/", "%3D", "=").Replace(words[i])
	}
	switch {
	case words[0] == "mailFolders" && r.Method == http.MethodGet && words[len(words)-1] != "messages":
		name := filter.FindStringSubmatch(r.FormValue("$filter"))[1]
		found := []any{}
		for id, n := range s.folders {
			if n == strings.ReplaceAll(name, "''", "'") {
				found = append(found, map[string]string{"id": id, "displayName": n})
			}
		}
		json.NewEncoder(w).Encode(map[string]any{"@odata.context": "…", "value": found})
	case words[0] == "mailFolders" && r.Method == http.MethodPost:
		var folder struct{ DisplayName string }
		json.NewDecoder(r.Body).Decode(&folder)
		id := fmt.Sprint("folder", len(s.folders))
		s.folders[id] = folder.DisplayName
		w.WriteHeader(http.StatusCreated)
		json.NewEncoder(w).Encode(map[string]string{"id": id, "displayName": folder.DisplayName})
	case words[0] == "mailFolders":
		s.list(w, r, words[1])
	case words[0] == "messages":
		s.message(w, r, words[1], strings.Join(words[2:], "/"))
	default:
		fail(w, http.StatusBadRequest, "BadRequest", "Resource not found for the segment.")
	}
}

func (s *service) list(w http.ResponseWriter, r *http.Request, folder string) {
	skip, _ := strconv.Atoi(r.FormValue("$skip"))
	value, n := []any{}, 0
	answer := map[string]any{"@odata.context": s.url + "/$metadata#messages"}
	for _, id := range s.order {
		m := s.messages[id]
		if m == nil || m.folder != folder {
			continue
		}
		if n++; n <= skip {
			continue
		}
		if len(value) == s.page {
			next := fmt.Sprintf("%s/users/reports@example.com/mailFolders/%s/messages?$select=id&$skip=%d", s.url, folder, skip+s.page)
			if s.next != nil {
				next = s.next(next)
			}
			answer["@odata.nextLink"] = next
			break
		}
		size := m.size
		if size == 0 {
			size = len(m.body)
		}
		value = append(value, map[string]any{"@odata.etag": "W/\"1\"", "id": id, "receivedDateTime": "2026-11-01T00:00:00Z",
			"singleValueExtendedProperties": []any{map[string]string{"id": "Integer 0xe08", "value": strconv.Itoa(size)}}})
	}
	answer["value"] = value
	json.NewEncoder(w).Encode(answer)
}

func (s *service) message(w http.ResponseWriter, r *http.Request, id, verb string) {
	m := s.messages[id]
	switch {
	case m == nil:
		fail(w, http.StatusNotFound, "ErrorItemNotFound", "The specified object was not found in the store.")
	case r.Method == http.MethodGet && verb == "$value":
		s.fetches[id]++
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprint(w, m.body)
	case r.Method == http.MethodPost && verb == "move":
		var to struct{ DestinationID string }
		json.NewDecoder(r.Body).Decode(&to)
		m.folder = to.DestinationID
		w.WriteHeader(http.StatusCreated)
		json.NewEncoder(w).Encode(map[string]string{"id": id})
	case r.Method == http.MethodDelete && verb == "":
		delete(s.messages, id)
		w.WriteHeader(http.StatusNoContent)
	default:
		fail(w, http.StatusMethodNotAllowed, "ErrorInvalidRequest", "no such verb")
	}
}

func input(t *testing.T, o Options) *api.Poller {
	t.Helper()
	in, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	in.Mailbox.(*mailbox).client.Pause(time.Millisecond)
	return in
}

func refuse(_ intake.Item, body []byte) (intake.Outcome, bool) {
	return inboxtest.Refuse("it is no report"), strings.Contains(string(body), "bad")
}

func TestMessagesOfAllPagesAreTakenInAndMoved(t *testing.T) {
	s, o := newService(t)
	for i := range 20 {
		s.add(fmt.Sprint("report ", i))
	}
	s.add("bad")
	large := s.add("small to see")
	s.messages[large].size = 51 << 20
	im := &inboxtest.Importer{Batch: 4, Decide: refuse}
	in := input(t, o)
	for range 2 {
		if err := in.Once(t.Context(), im); err != nil {
			t.Fatal(err)
		}
	}
	if im.Count() != 21 || im.New() != 20 {
		t.Errorf("%d items, %d new", im.Count(), im.New())
	}
	if left, done, bad := len(s.in("Inbox")), len(s.in("Gatepost done")), len(s.in("Gatepost bad")); left != 0 || done != 20 || bad != 2 {
		t.Errorf("%d left, %d done, %d bad", left, done, bad)
	}
	if s.fetches[large] != 0 {
		t.Error("one that is too large was fetched")
	}
	if taken := im.Taken()[0]; taken.Body != "report 0" || taken.Item.Input != "graph:reports@example.com" || taken.Item.Received.IsZero() {
		t.Errorf("the first is %+v", taken)
	}
	if n := s.tokens.Load(); n != 1 {
		t.Errorf("%d tokens were asked for", n)
	}
}

func TestOneThatIsLargerThanItsSizeSaidIsGivenUp(t *testing.T) {
	s, o := newService(t)
	id := s.add(strings.Repeat("x", 3000))
	s.messages[id].size = 10
	o.MaxSize = 2000
	im := new(inboxtest.Importer)
	if err := input(t, o).Once(t.Context(), im); err != nil || im.Count() != 0 || len(s.in("Gatepost bad")) != 1 {
		t.Errorf("%d items, error %v", im.Count(), err)
	}
}

func TestDeleteAndFoldersBelowOthers(t *testing.T) {
	s, o := newService(t)
	s.folders["f1"], s.folders["f2"] = "Post's", "Reports"
	s.messages[s.add("first")].folder = "f2"
	o.Folder, o.After = "Post's/Reports", Delete
	im := new(inboxtest.Importer)
	if err := input(t, o).Once(t.Context(), im); err != nil || im.New() != 1 || len(s.in("Reports")) != 0 {
		t.Errorf("%d new, error %v", im.New(), err)
	}
	o.Folder = "Nowhere"
	if err := input(t, o).Once(t.Context(), im); err == nil || !strings.Contains(err.Error(), "folder Nowhere: there is none") {
		t.Errorf("the error is %v", err)
	}
}

func TestANextLinkToAnotherHostIsNotFollowed(t *testing.T) {
	for name, next := range map[string]func(string) string{
		"host":   func(string) string { return "https://attacker.example/steal" },
		"scheme": func(u string) string { return strings.Replace(u, "http://", "ftp://", 1) },
		"user":   func(u string) string { return strings.Replace(u, "http://", "http://a@", 1) },
		"circle": func(u string) string { return regexp.MustCompile(`skip=\d+`).ReplaceAllString(u, "skip=0") },
	} {
		t.Run(name, func(t *testing.T) {
			s, o := newService(t)
			for i := range 10 {
				s.add(fmt.Sprint(i))
			}
			s.next = next
			err := input(t, o).Once(t.Context(), new(inboxtest.Importer))
			if err == nil || !strings.Contains(err.Error(), "another place") && !strings.Contains(err.Error(), "circle") {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

func TestABusyServiceIsAskedAgain(t *testing.T) {
	s, o := newService(t)
	s.add("first")
	n := 0
	s.before = func(w http.ResponseWriter, r *http.Request) bool {
		if n++; n%3 == 0 {
			return false
		}
		w.Header().Set("Retry-After", "0")
		fail(w, []int{http.StatusTooManyRequests, http.StatusServiceUnavailable}[n%2], "ApplicationThrottled", "Application is over its MailboxConcurrency limit.")
		return true
	}
	im := new(inboxtest.Importer)
	if err := input(t, o).Once(t.Context(), im); err != nil || im.New() != 1 {
		t.Errorf("%d new, error %v", im.New(), err)
	}
	s.before = func(w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Retry-After", "600")
		fail(w, http.StatusTooManyRequests, "ApplicationThrottled", "not now")
		return true
	}
	started := time.Now()
	if err := input(t, o).Once(t.Context(), im); err == nil || !strings.Contains(err.Error(), "429: ApplicationThrottled: not now") || time.Since(started) > 30*time.Second {
		t.Errorf("the error is %v", err)
	}
}

func TestATokenThatIsNotTakenAnyMoreIsReplaced(t *testing.T) {
	s, o := newService(t)
	s.add("first")
	in := input(t, o)
	im := new(inboxtest.Importer)
	if err := in.Once(t.Context(), im); err != nil {
		t.Fatal(err)
	}
	s.add("second")
	s.token = "token-2"
	if err := in.Once(t.Context(), im); err != nil || im.New() != 2 {
		t.Errorf("%d new, error %v", im.New(), err)
	}
	s.token = "another"
	if err := in.Once(t.Context(), im); err == nil || !strings.Contains(err.Error(), "401: InvalidAuthenticationToken") || s.tokens.Load() != 3 {
		t.Errorf("the error is %v after %d tokens", err, s.tokens.Load())
	}
}

func TestAMoveThatIsRefusedIsNotTriedInAHotLoopNorIsTheMessageFetchedAgain(t *testing.T) {
	s, o := newService(t)
	id := s.add("first")
	moves := 0
	s.before = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/move") {
			return false
		}
		moves++
		fail(w, http.StatusForbidden, "ErrorAccessDenied", "Access is denied.")
		return true
	}
	im := &inboxtest.Importer{Batch: 1}
	in := input(t, o)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- in.Run(ctx, im) }()
	im.Wait(ctx, 1)
	time.Sleep(200 * time.Millisecond)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if st := in.State(); moves != 1 || s.fetches[id] != 1 || st.Waiting != 1 || !strings.Contains(st.LastError, "Access is denied") {
		t.Errorf("%d moves, %d fetches, state %+v", moves, s.fetches[id], st)
	}
}

func TestAMessageThatCannotBeFetchedDoesNotKeepTheOthersBack(t *testing.T) {
	s, o := newService(t)
	s.add("first")
	broken := s.add("broken")
	s.add("last")
	s.before = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, broken+"/$value") {
			return false
		}
		fail(w, http.StatusInternalServerError, "ErrorInternalServerError", "An internal server error occurred.")
		return true
	}
	im := new(inboxtest.Importer)
	err := input(t, o).Once(t.Context(), im)
	if err == nil || !strings.Contains(err.Error(), "1 messages could not be fetched") || im.New() != 2 || len(s.in("Inbox")) != 1 {
		t.Errorf("%d new, error %v", im.New(), err)
	}
}

func TestAStoreThatIsAwayLosesNothing(t *testing.T) {
	s, o := newService(t)
	for i := range 9 {
		s.add(fmt.Sprint("report ", i))
	}
	commits := 0
	im := &inboxtest.Importer{Batch: 3, Before: func() error {
		if commits++; commits == 2 {
			return errors.New("the store is away")
		}
		return nil
	}}
	if err := input(t, o).Once(t.Context(), im); err == nil || len(s.in("Gatepost done")) != 3 {
		t.Errorf("%d done, error %v", len(s.in("Gatepost done")), err)
	}
	if err := input(t, o).Once(t.Context(), im); err != nil || im.New() != 9 || im.Count() != 9 {
		t.Errorf("%d new, error %v", im.New(), err)
	}
}

func TestOptionsThatAreWrongAreNamed(t *testing.T) {
	good := api.OAuth{ClientID: "id", ClientSecretFile: "f", Tenant: "t"}
	for field, o := range map[string]Options{
		"User":           {OAuth: good},
		"OAuth.ClientID": {User: "u", OAuth: api.OAuth{Tenant: "t", ClientSecretFile: "f"}},
		"OAuth.Tenant":   {User: "u", OAuth: api.OAuth{ClientID: "id", ClientSecretFile: "f"}},
		"OAuth.TokenURL": {User: "u", OAuth: api.OAuth{ClientID: "id", ClientSecretFile: "f", TokenURL: "http://example.com/"}},
		"After":          {User: "u", OAuth: good, After: "burn"},
		"Bad":            {User: "u", OAuth: good, Bad: "inbox"},
		"Done":           {User: "u", OAuth: good, Done: "Inbox"},
		"MaxSize":        {User: "u", OAuth: good, MaxSize: -1},
		"Poll":           {User: "u", OAuth: good, Poll: -1},
		"BaseURL":        {User: "u", OAuth: good, BaseURL: "http://graph.example.com"},
	} {
		if _, err := New(o); err == nil || !strings.HasPrefix(err.Error(), field+": ") {
			t.Errorf("%s: the error is %v", field, err)
		}
	}
}
