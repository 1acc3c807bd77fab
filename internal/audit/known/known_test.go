package known_test

import (
	"crypto/ed25519"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/internal/audit/facts"
	"github.com/gatepost-mail/gatepost/internal/audit/known"
	"github.com/gatepost-mail/gatepost/internal/insight"
	"github.com/gatepost-mail/gatepost/internal/signing"
	"github.com/gatepost-mail/gatepost/internal/store"
)

var noon = time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)

// key is the record of a key, another one for each number.
func key(n byte) string {
	seed := [ed25519.SeedSize]byte{n}
	return dkim.Record(ed25519.NewKeyFromSeed(seed[:]).Public())
}

func hash(t *testing.T, record string) string {
	t.Helper()
	k, err := dkim.ParseKey(record)
	if err != nil {
		t.Fatal(err)
	}
	return facts.KeyHash(k)
}

// hold makes a key directory with a key in each state.
func hold(t *testing.T, domain string, states ...signing.State) *signing.Directory {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "keys")
	if err := os.MkdirAll(filepath.Join(dir, domain), 0o700); err != nil {
		t.Fatal(err)
	}
	var keys []string
	for i, state := range states {
		keys = append(keys, fmt.Sprintf(`{"selector":"s%d","algorithm":"ed25519","state":%q,"since":%q,"created":%[3]q,"file":"s%[1]d.pem","record":%[4]q}`,
			i, state, noon.Format(time.RFC3339), key(byte(i))))
	}
	text := fmt.Sprintf(`{"domain":%q,"keys":[%s]}`, domain, strings.Join(keys, ","))
	if err := os.WriteFile(filepath.Join(dir, domain, "state.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := signing.OpenDirectory(dir)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func remembering(t *testing.T) store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "gatepost.db"), store.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func publish(t *testing.T, s store.Store, domain, text string, at time.Time) {
	t.Helper()
	if err := s.SeePublished(t.Context(), domain, []store.Published{{Kind: "dkim", Name: "s1._domainkey." + domain, Text: text}}, at); err != nil {
		t.Fatal(err)
	}
}

func add(t *testing.T, k *known.Source, domain string, now time.Time) facts.Options {
	t.Helper()
	o := facts.Options{Now: now}
	if err := k.Add(t.Context(), domain, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

func TestOurKeysAreThoseThatAreToBePublished(t *testing.T) {
	dir := hold(t, "example.com", signing.Publish, signing.Waiting, signing.Signing, signing.Retiring, signing.Revoke, signing.Revoked, signing.Remove)
	o := add(t, &known.Source{Keys: dir}, "example.com", noon)
	if got := slices.Sorted(maps.Keys(o.Keys)); !slices.Equal(got, []string{"s0", "s1", "s2", "s3"}) || o.Keys["s2"] != key(2) {
		t.Errorf("got %v", o.Keys)
	}
	if len(o.OtherKeys) != 0 {
		t.Errorf("its own keys are another's: %v", o.OtherKeys)
	}
	o = add(t, &known.Source{Keys: dir}, "example.org", noon)
	if len(o.Keys) != 0 || o.OtherKeys[hash(t, key(2))] != "example.com" || o.OtherKeys[hash(t, key(5))] != "" {
		t.Errorf("of another domain: %v, %v", o.Keys, o.OtherKeys)
	}
}

func TestTheKeysOfOtherDomainsAreThoseThatWereSeenLast(t *testing.T) {
	s := remembering(t)
	publish(t, s, "example.com", key(1), noon.AddDate(-1, 0, 0))
	publish(t, s, "example.com", key(2)+"\nsomething else", noon)
	publish(t, s, "example.net", key(3), noon)
	publish(t, s, "example.org", "v=DKIM1; p=", noon)
	publish(t, s, "elsewhere.example", key(4), noon)
	k := &known.Source{Asker: &insight.Asker{Store: s}, Store: s, Domains: []string{"example.com", "example.net", "example.org"}}
	o := add(t, k, "example.net", noon)
	if want := map[string]string{hash(t, key(2)): "example.com"}; !maps.Equal(o.OtherKeys, want) {
		t.Errorf("got %v, want %v", o.OtherKeys, want)
	}
	if !slices.Equal(o.Seen.Selectors, []string{"s1"}) || !o.Seen.KeySince["s1"].Equal(noon) {
		t.Errorf("of its own history: %+v", o.Seen)
	}
	// They are looked at once in a while.
	publish(t, s, "example.com", key(5), noon.Add(time.Minute))
	if o = add(t, k, "example.net", noon.Add(time.Minute)); o.OtherKeys[hash(t, key(5))] != "" {
		t.Error("they were looked at again within a minute")
	}
	if o = add(t, k, "example.net", noon.Add(2*time.Hour)); o.OtherKeys[hash(t, key(5))] != "example.com" {
		t.Error("they were not looked at again")
	}
}

func TestAStoreThatCannotBeAskedIsAnError(t *testing.T) {
	s := remembering(t)
	s.Close()
	for name, k := range map[string]*known.Source{"mail": {Asker: &insight.Asker{Store: s}}, "history": {Store: s}} {
		if err := k.Add(t.Context(), "example.com", &facts.Options{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
