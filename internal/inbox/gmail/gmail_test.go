package gmail

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/inbox/api"
	"github.com/gatepost-mail/gatepost/internal/inbox/inboxtest"
	"github.com/gatepost-mail/gatepost/internal/intake"
)

// A service behaves as the Gmail API does, as far as the input needs it.
type service struct {
	page int

	mu       sync.Mutex
	labels   map[string]string // id to name
	messages map[string]*item
	order    []string
	fetches  map[string]int
	before   func(w http.ResponseWriter, r *http.Request) (done bool)
}

type item struct {
	labels []string
	body   string
}

func newService(t *testing.T) (*service, Options) {
	s := &service{page: 3, labels: map[string]string{"INBOX": "INBOX", "UNREAD": "UNREAD", "TRASH": "TRASH"}, messages: map[string]*item{}, fetches: map[string]int{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	address, _ := inboxtest.Tokens(t)
	return s, Options{BaseURL: server.URL + "/gmail/v1", Poll: 10 * time.Millisecond, OAuth: api.OAuth{ClientID: "id",
		ClientSecretFile: inboxtest.Secret(t, "secret"), RefreshTokenFile: inboxtest.Secret(t, "refresh"), TokenURL: address}}
}

func (s *service) add(body string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := fmt.Sprintf("18c2f%04x", len(s.order))
	s.messages[id] = &item{labels: []string{"INBOX", "UNREAD"}, body: body}
	s.order = append(s.order, id)
	return id
}

func (s *service) in(name string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.messages {
		for _, l := range m.labels {
			if s.labels[l] == name {
				n++
			}
		}
	}
	return n
}

func fail(w http.ResponseWriter, status int, reason, message string) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{"code": status, "message": message, "status": "PERMISSION_DENIED",
		"errors": []any{map[string]string{"message": message, "domain": "usageLimits", "reason": reason}}}})
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.before != nil && s.before(w, r) {
		return
	}
	if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer token-") {
		fail(w, http.StatusUnauthorized, "authError", "Invalid Credentials")
		return
	}
	path, ok := strings.CutPrefix(r.URL.Path, "/gmail/v1/users/me/")
	words := strings.Split(path, "/")
	switch {
	case !ok:
		fail(w, http.StatusNotFound, "notFound", "Not Found")
	case path == "labels" && r.Method == http.MethodGet:
		all := []any{}
		for id, name := range s.labels {
			all = append(all, map[string]string{"id": id, "name": name, "type": "user"})
		}
		json.NewEncoder(w).Encode(map[string]any{"labels": all})
	case path == "labels":
		var l struct{ Name string }
		json.NewDecoder(r.Body).Decode(&l)
		id := fmt.Sprint("Label_", len(s.labels))
		s.labels[id] = l.Name
		json.NewEncoder(w).Encode(map[string]string{"id": id, "name": l.Name})
	case path == "messages":
		s.list(w, r)
	case path == "messages/batchModify":
		var c struct{ IDs, AddLabelIDs, RemoveLabelIDs []string }
		json.NewDecoder(r.Body).Decode(&c)
		for _, id := range c.IDs {
			m := s.messages[id]
			m.labels = append(slices.DeleteFunc(m.labels, func(l string) bool { return slices.Contains(c.RemoveLabelIDs, l) }), c.AddLabelIDs...)
		}
		w.WriteHeader(http.StatusNoContent)
	case len(words) == 3 && words[2] == "trash":
		s.messages[words[1]].labels = []string{"TRASH"}
		json.NewEncoder(w).Encode(map[string]any{"id": words[1]})
	case len(words) == 2 && r.FormValue("format") == "raw":
		s.fetches[words[1]]++
		m := s.messages[words[1]]
		if m == nil {
			fail(w, http.StatusNotFound, "notFound", "Requested entity was not found.")
			return
		}
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		enc.Encode(map[string]any{"id": words[1], "labelIds": m.labels, "snippet": "\"raw\": \"no\" \\ ü",
			"payload":      map[string]any{"raw": "bm8", "headers": []any{map[string]any{"name": "raw", "n": 1.5e3, "t": true, "z": nil}}},
			"sizeEstimate": len(m.body), "raw": base64.URLEncoding.EncodeToString([]byte(m.body)), "internalDate": "1793491200000"})
	default:
		fail(w, http.StatusBadRequest, "badRequest", "Bad Request")
	}
}

func (s *service) list(w http.ResponseWriter, r *http.Request) {
	skip, _ := strconv.Atoi(r.FormValue("pageToken"))
	larger, isLarger := strings.CutPrefix(r.FormValue("q"), "larger:")
	least, _ := strconv.Atoi(larger)
	answer, some, n := map[string]any{"resultSizeEstimate": 1}, []any{}, 0
	for _, id := range s.order {
		m := s.messages[id]
		if !slices.Contains(m.labels, r.FormValue("labelIds")) || isLarger && len(m.body) <= least {
			continue
		}
		if n++; n <= skip {
			continue
		}
		if len(some) == s.page {
			answer["nextPageToken"] = strconv.Itoa(skip + s.page)
			break
		}
		some = append(some, map[string]string{"id": id, "threadId": id})
	}
	if len(some) > 0 {
		answer["messages"] = some
	}
	json.NewEncoder(w).Encode(answer)
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

func TestMessagesOfAllPagesAreTakenInAndGetTheirLabel(t *testing.T) {
	s, o := newService(t)
	o.MaxSize = 1000
	for i := range 20 {
		s.add(strings.Repeat("report ", i) + "\xff\x00")
	}
	s.add("bad")
	large := s.add(strings.Repeat("x", 1001))
	im := &inboxtest.Importer{Batch: 4, Decide: func(_ intake.Item, body []byte) (intake.Outcome, bool) {
		return inboxtest.Refuse("it is no report"), string(body) == "bad"
	}}
	in := input(t, o)
	for range 2 {
		if err := in.Once(t.Context(), im); err != nil {
			t.Fatal(err)
		}
	}
	if im.Count() != 21 || im.New() != 20 {
		t.Errorf("%d items, %d new", im.Count(), im.New())
	}
	if left, done, bad, unread := s.in("INBOX"), s.in("Gatepost/Done"), s.in("Gatepost/Bad"), s.in("UNREAD"); left != 0 || done != 20 || bad != 2 || unread != 22 {
		t.Errorf("%d left, %d done, %d bad, %d unread", left, done, bad, unread)
	}
	if s.fetches[large] != 0 {
		t.Error("one that is too large was fetched")
	}
	for i, taken := range im.Taken()[:20] {
		if taken.Body != strings.Repeat("report ", i)+"\xff\x00" {
			t.Errorf("message %d is %q", i, taken.Body)
		}
	}
}

func TestTrash(t *testing.T) {
	s, o := newService(t)
	s.add("first")
	o.After = Trash
	im := new(inboxtest.Importer)
	if err := input(t, o).Once(t.Context(), im); err != nil || im.New() != 1 || s.in("TRASH") != 1 || s.in("INBOX") != 0 {
		t.Errorf("%d new, error %v", im.New(), err)
	}
}

func TestTooManyRequestsAreMadeAgainAndOtherRefusalsAreNot(t *testing.T) {
	s, o := newService(t)
	s.add("first")
	n := 0
	s.before = func(w http.ResponseWriter, r *http.Request) bool {
		if n++; n%3 == 0 {
			return false
		}
		fail(w, []int{http.StatusForbidden, http.StatusTooManyRequests}[n%2], "userRateLimitExceeded", "User-rate limit exceeded. Retry after 2026-11-01T00:00:00.000Z")
		return true
	}
	im := new(inboxtest.Importer)
	if err := input(t, o).Once(t.Context(), im); err != nil || im.New() != 1 {
		t.Errorf("%d new, error %v", im.New(), err)
	}
	n = 0
	s.before = func(w http.ResponseWriter, r *http.Request) bool {
		n++
		fail(w, http.StatusForbidden, "insufficientPermissions", "Request had insufficient authentication scopes.")
		return true
	}
	if err := input(t, o).Once(t.Context(), im); err == nil || !strings.Contains(err.Error(), "insufficientPermissions") || n != 1 {
		t.Errorf("the error is %v after %d requests", err, n)
	}
}

func TestAnAnswerThatIsCutOffOrIsNotWhatWasAskedForIsNoMessage(t *testing.T) {
	for name, answer := range map[string]string{
		"cut off":       `{"id":"1","raw":"cmVwb3J0cmVwb3J0`,
		"cut off after": `{"id":"1","raw":"cmVwb3J0"`,
		"not JSON":      `<html>`,
		"not base64":    `{"raw":"c!!!"}`,
		"no message":    `{"id":"1"}`,
		"a number":      `{"raw":17}`,
		"twice":         `{"raw":"YQ","raw":"Yg"}`,
		"deep":          `{"x":` + strings.Repeat("[", 100_000),
	} {
		t.Run(name, func(t *testing.T) {
			s, o := newService(t)
			s.add("first")
			s.before = func(w http.ResponseWriter, r *http.Request) bool {
				if r.FormValue("format") != "raw" {
					return false
				}
				fmt.Fprint(w, answer)
				return true
			}
			im := new(inboxtest.Importer)
			if err := input(t, o).Once(t.Context(), im); err == nil || im.Count() != 0 || s.in("INBOX") != 1 {
				t.Errorf("%d items, error %v", im.Count(), err)
			}
		})
	}
}

func TestALargeMessageStreams(t *testing.T) {
	s, o := newService(t)
	s.add(strings.Repeat("0123456789abcdef", 512<<10)) // 8 MiB
	large := []byte(`{"raw":"` + base64.URLEncoding.EncodeToString([]byte(s.messages[s.order[0]].body)) + `"}`)
	s.before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.FormValue("format") != "raw" {
			return false
		}
		w.Write(large)
		return true
	}
	in := input(t, o)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	body, err := in.Mailbox.Fetch(t.Context(), "1", o.MaxSize+64<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	runtime.ReadMemStats(&after)
	if body.Size() != 8<<20 {
		t.Errorf("%d bytes", body.Size())
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 5<<20 {
		t.Errorf("%d MiB were allocated", n>>20)
	}
}

func TestOptionsThatAreWrongAreNamed(t *testing.T) {
	good := api.OAuth{ClientID: "id", ClientSecretFile: "f", RefreshTokenFile: "r"}
	for field, o := range map[string]Options{
		"OAuth.RefreshTokenFile": {OAuth: api.OAuth{ClientID: "id", ClientSecretFile: "f"}},
		"OAuth.Provider":         {OAuth: api.OAuth{ClientID: "id", RefreshTokenFile: "f", Provider: "yahoo"}},
		"After":                  {OAuth: good, After: "burn"},
		"Bad":                    {OAuth: good, Bad: "inbox"},
		"Done":                   {OAuth: good, Done: "inbox"},
		"MaxSize":                {OAuth: good, MaxSize: -1},
		"Poll":                   {OAuth: good, Poll: -1},
		"BaseURL":                {OAuth: good, BaseURL: "ftp://x"},
		"CAFile":                 {OAuth: good, CAFile: "/does/not/exist"},
	} {
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), field+": ") {
			t.Errorf("%s: the error is %v", field, err)
		}
	}
}
