package storetest

import (
	"net/netip"
	"reflect"
	"slices"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/store"
)

// alike asks a store which messages are alike, and compares with a recount.
func (m *model) alike(t *testing.T, s store.Store, q store.Question) {
	t.Helper()
	type key struct{ ip, from, envelope, dkim, spf, disposition, selector, reason string }
	ips := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("192.0.2.200")}
	want := map[key]int64{}
	m.rows(q, func(_ *modelled, r *store.Row) {
		if slices.Contains(ips, r.SourceIP) {
			k := key{r.SourceIP.String(), r.HeaderFrom, r.EnvelopeFrom, r.DKIM, r.SPF, r.Disposition, r.AuthDKIM[0].Selector, ""}
			if len(r.Reasons) > 0 {
				k.reason = r.Reasons[0].Type
			}
			want[k] += r.Count
		}
	})
	all, err := s.Alike(t.Context(), q, ips, 0)
	if err != nil {
		t.Fatal(err)
	}
	got := map[key]int64{}
	for _, a := range all {
		k := key{a.IP.String(), a.HeaderFrom, a.EnvelopeFrom, a.DKIM, a.SPF, a.Disposition, a.AuthDKIM[0].Selector, ""}
		if len(a.Reasons) > 0 {
			k.reason = a.Reasons[0]
		}
		got[k] += a.Messages
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("alike of %+v\ngot  %v\nwant %v", q, got, want)
	}
	if !slices.IsSortedFunc(all, func(a, b store.Alike) int { return int(b.Messages - a.Messages) }) {
		t.Errorf("alike of %+v: not the most messages first: %+v", q, all)
	}
	if first, err := s.Alike(t.Context(), q, ips, 2); err != nil || !reflect.DeepEqual(first, all[:min(2, len(all))]) {
		t.Errorf("the first two of %+v: %v\ngot  %+v\nwant %+v", q, err, first, all[:min(2, len(all))])
	}
}
