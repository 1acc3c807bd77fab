package publish

import (
	"context"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/dns"
)

func TestAnAliasLeadsToWhatChangesAtItsTarget(t *testing.T) {
	zone, err := dns.ParseZone(strings.NewReader("a.example.com. IN CNAME b.example.com.\nb.example.com. IN TXT \"old\"\n"), "test.zone")
	if err != nil {
		t.Fatal(err)
	}
	r := Overlay(zone, []Change{{Name: "b.example.com", Type: "TXT", Old: "old", New: "new"}})
	answer, err := r.Lookup(context.Background(), "a.example.com", dns.TypeTXT)
	if err != nil || len(answer.TXT) != 1 || answer.TXT[0] != "new" || answer.Name != "b.example.com" {
		t.Errorf("got %+v, %v", answer, err)
	}
}
