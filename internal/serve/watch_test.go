package serve

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/store"
)

func TestTheDomainsOfTheReportsAreWatched(t *testing.T) {
	r := prepare(t, "[reports]\ndomains = [\"example.com\"]\n")
	r.start(t)
	eventuallyPublished(t, r, store.Published{Kind: "spf", Name: "example.com", Text: "v=spf1 ip4:192.0.2.1 ~all"})
}

func TestAKeyThatOnlyMailTellsOfIsWatched(t *testing.T) {
	const key = "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
	r := prepare(t, "[reports]\ndomains = [\"example.com\"]\n")
	path := filepath.Join(r.dir, "zone")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, "\nunheard-of._domainkey.example.com. 60 IN TXT \""+key+"\"\n"...)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(r.dir, "state"), 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), filepath.Join(r.dir, "state", "gatepost.db"), store.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	d := store.Decision{Time: time.Now(), AuthorDomain: "example.com", DKIM: []store.Signature{{Result: "pass", SDID: "example.com", Selector: "unheard-of"}}}
	if err := s.AddBatch(t.Context(), store.Batch{Source: "test", Number: 1, Decisions: []store.Decision{d}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	r.start(t)
	eventuallyPublished(t, r, store.Published{Kind: "dkim", Name: "unheard-of._domainkey.example.com", Text: key})
}

// eventuallyPublished waits until the history of example.com has a text.
func eventuallyPublished(t *testing.T, r *running, want store.Published) {
	t.Helper()
	var s store.Store
	eventually(t, r, "a look at the domain", func() bool {
		var err error
		if s == nil {
			if s, err = store.Open(t.Context(), filepath.Join(r.dir, "state", "gatepost.db"), store.Options{}); err != nil {
				return false
			}
			t.Cleanup(func() { s.Close() })
		}
		all, err := s.Published(t.Context(), "example.com")
		for _, p := range all {
			if p.Kind == want.Kind && p.Name == want.Name && p.Text == want.Text {
				return err == nil
			}
		}
		return false
	})
}
