package storetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/store"
)

var noticeLimits = store.NoticeLimits{PerHour: 3, PerDay: 5, Quiet: 90 * 24 * time.Hour, Recipient: 24 * time.Hour}

func proposed(domain string) store.Notice {
	return store.Notice{
		Domain: domain, Organization: domain, Opened: noon, Author: "ann", Faults: []string{"spf-softfail"}, Token: "token-of-" + domain,
		Draft: store.NoticeDraft{Language: "en", Subject: "s", Text: "t", HTML: "<p>h", Recipients: []store.NoticeRecipient{{Address: "postmaster@" + domain, Source: "postmaster"}}},
	}
}

func propose(t *testing.T, s store.Store, n store.Notice) store.Notice {
	t.Helper()
	got, opened, err := s.ProposeNotice(t.Context(), n)
	if err != nil || !opened {
		t.Fatalf("opened %t: %v", opened, err)
	}
	return got
}

func move(t *testing.T, s store.Store, id int64, state string) {
	t.Helper()
	if _, err := s.MoveNotice(t.Context(), id, store.OpenNotice, store.NoticeMove{State: state, Author: "ann", At: noon}); err != nil {
		t.Fatal(err)
	}
}

// approved has mail of domains pass, and opens a case of each that somebody approved.
func approved(t *testing.T, s store.Store, domains ...string) []store.Notice {
	t.Helper()
	var all []store.Notice
	for i, domain := range domains {
		pass(t, s, domain, i)
		n := propose(t, s, proposed(domain))
		move(t, s, n.ID, store.NoticeApproved)
		all = append(all, n)
	}
	return all
}

func pass(t *testing.T, s store.Store, domain string, i int) {
	t.Helper()
	d := decision(i)
	d.AuthorDomain, d.EnvelopeDomain, d.DMARC, d.Done = domain, domain, "pass", "accept"
	add(t, s, batch("of "+domain, 1, d))
}

func claimNotice(s store.Store, t *testing.T, n store.Notice, at time.Time) (store.NoticeLetter, error) {
	return s.ClaimNotice(t.Context(), store.NoticeLetter{Notice: n.ID, Recipient: n.Draft.Recipients[0].Address, At: at, MessageID: "m@example.org"}, noticeLimits)
}

func settleNotice(t *testing.T, s store.Store, l store.NoticeLetter, state string) {
	t.Helper()
	l.State = state
	if err := s.SettleNotice(t.Context(), l); err != nil {
		t.Fatal(err)
	}
}

func noticeOpenOnce(t *testing.T, open Place) {
	s, other := open(t), open(t)
	n := propose(t, s, proposed("example.com"))
	got, opened, err := other.ProposeNotice(t.Context(), proposed("Example.COM"))
	if err != nil || opened || got.ID != n.ID {
		t.Errorf("a second case of one domain: %t, %+v, %v", opened, got, err)
	}
	if n.State != store.NoticeProposed || n.Draft.HTML != "<p>h" || n.Draft.Recipients[0].Source != "postmaster" || !slices.Equal(n.Faults, []string{"spf-softfail"}) {
		t.Errorf("it came back as %+v", n)
	}
	move(t, s, n.ID, store.NoticeDeclined)
	if _, err := s.MoveNotice(t.Context(), n.ID, store.OpenNotice, store.NoticeMove{State: store.NoticeApproved}); !errors.Is(err, store.ErrNoticeState) {
		t.Errorf("what was declined was approved: %v", err)
	}
	if _, err := s.Notice(t.Context(), 99); !errors.Is(err, store.ErrNoNotice) {
		t.Errorf("a case that is not there: %v", err)
	}
	again := proposed("example.com")
	again.Token = "another"
	next := propose(t, s, again)
	if all, err := s.Notices(t.Context(), store.NoticeFilter{Domain: "example.com"}); err != nil || len(all) != 2 || all[0].ID != next.ID {
		t.Errorf("%+v, %v", all, err)
	}
	if all, err := s.Notices(t.Context(), store.NoticeFilter{States: store.OpenNotice}); err != nil || len(all) != 1 {
		t.Errorf("%+v, %v", all, err)
	}
}

func noticeApproved(t *testing.T, open Place) {
	s := open(t)
	pass(t, s, "example.com", 0)
	n := propose(t, s, proposed("example.com"))
	if _, err := claimNotice(s, t, n, noon); !errors.Is(err, store.ErrNoticeHeld) {
		t.Errorf("what nobody approved is sent: %v", err)
	}
	stranger := propose(t, s, proposed("abuse.example"))
	move(t, s, stranger.ID, store.NoticeApproved)
	if _, err := claimNotice(s, t, stranger, noon); !errors.Is(err, store.ErrNoticeHeld) {
		t.Errorf("a domain from which nothing passed is written to: %v", err)
	}
	move(t, s, n.ID, store.NoticeApproved)
	l, err := claimNotice(s, t, n, noon)
	if err != nil || l.Attempts != 1 {
		t.Fatalf("%+v, %v", l, err)
	}
	if _, err := claimNotice(s, t, n, noon); !errors.Is(err, store.ErrNoticeHeld) {
		t.Errorf("claimed twice: %v", err)
	}
	settleNotice(t, s, l, store.LetterWaiting)
	if l, err = claimNotice(s, t, n, noon.Add(time.Minute)); err != nil || l.Attempts != 2 {
		t.Fatalf("put off, and then: %+v, %v", l, err)
	}
	settleNotice(t, s, l, store.LetterSent)
	if err := s.SettleNotice(t.Context(), l); !errors.Is(err, store.ErrNotClaimed) {
		t.Errorf("settled twice: %v", err)
	}
	if got, err := s.Notice(t.Context(), n.ID); err != nil || got.State != store.NoticeSent || got.Letters[0].State != store.LetterSent {
		t.Errorf("%+v, %v", got, err)
	}
}

func noticeQuiet(t *testing.T, open Place) {
	s := open(t)
	n := approved(t, s, "example.com")[0]
	l, err := claimNotice(s, t, n, noon)
	if err != nil {
		t.Fatal(err)
	}
	settleNotice(t, s, l, store.LetterSent)
	below := proposed("news.example.com")
	below.Organization = "example.com"
	below.Draft.Recipients[0].Address = "other@example.com"
	next := propose(t, s, below)
	pass(t, s, "news.example.com", 1)
	move(t, s, next.ID, store.NoticeApproved)
	if _, err := claimNotice(s, t, next, noon.AddDate(0, 0, 89)); !errors.Is(err, store.ErrNoticeHeld) {
		t.Errorf("a second letter within 90 days: %v", err)
	}
	if _, err := claimNotice(s, t, next, noon.AddDate(0, 0, 91)); err != nil {
		t.Errorf("after them: %v", err)
	}
}

func noticeLimited(t *testing.T, open Place) {
	places := []store.Store{open(t), open(t), open(t)}
	var domains []string
	for i := range 9 {
		domains = append(domains, fmt.Sprintf("d%d.example", i))
	}
	all := approved(t, places[0], domains...)
	at := func(at time.Time) int {
		var wg sync.WaitGroup
		var mu sync.Mutex
		won := 0
		for i, n := range all {
			wg.Go(func() {
				_, err := claimNotice(places[i%len(places)], t, n, at)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					won++
				case !errors.Is(err, store.ErrNoticeHeld):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		return won
	}
	if n := at(noon); n != noticeLimits.PerHour {
		t.Errorf("%d letters in an hour", n)
	}
	if n := at(noon.Add(2 * time.Hour)); n != noticeLimits.PerDay-noticeLimits.PerHour {
		t.Errorf("%d more letters in a day", n)
	}
}

func noticeRecipient(t *testing.T, open Place) {
	s := open(t)
	all := approved(t, s, "example.com", "example.net")
	for i := range all {
		all[i].Draft.Recipients[0].Address = "Hostmaster@provider.example"
	}
	if _, err := claimNotice(s, t, all[0], noon); err != nil {
		t.Fatal(err)
	}
	if _, err := claimNotice(s, t, all[1], noon.Add(time.Hour)); !errors.Is(err, store.ErrNoticeHeld) {
		t.Errorf("two letters to one address in a day: %v", err)
	}
}

func noticeSuppressed(t *testing.T, open Place) {
	s := open(t)
	all := approved(t, s, "a.example.com", "example.net", "example.org")
	for _, subject := range []string{"Example.COM", "Postmaster@example.net"} {
		if err := s.Suppress(t.Context(), store.Suppression{Subject: subject, Reason: "they asked", Author: "ann", At: noon}); err != nil {
			t.Fatal(err)
		}
	}
	for i, n := range all {
		if _, err := claimNotice(s, t, n, noon); (err == nil) != (i == 2) {
			t.Errorf("%s: %v", n.Domain, err)
		}
	}
	if list, err := s.Suppressions(t.Context()); err != nil || len(list) != 2 || list[0].Subject != "example.com" {
		t.Errorf("%+v, %v", list, err)
	}
	if was, err := s.Unsuppress(t.Context(), "example.com"); err != nil || !was {
		t.Errorf("%t, %v", was, err)
	}
	if _, err := claimNotice(s, t, all[0], noon); err != nil {
		t.Errorf("though that was taken back: %v", err)
	}
}

func noticeAnswered(t *testing.T, open Place) {
	s := open(t)
	all := approved(t, s, "example.com", "example.net")
	for _, n := range all {
		l, err := claimNotice(s, t, n, noon)
		if err != nil {
			t.Fatal(err)
		}
		settleNotice(t, s, l, store.LetterSent)
	}
	if _, err := s.AnswerNotice(t.Context(), "", store.NoticeAnswer{Bounced: true}); !errors.Is(err, store.ErrNoNotice) {
		t.Errorf("no token: %v", err)
	}
	got, err := s.AnswerNotice(t.Context(), all[0].Token, store.NoticeAnswer{Bounced: true, Detail: "5.1.1", At: noon})
	if err != nil || got.State != store.NoticeBounced || got.Letters[0].State != store.LetterBounced {
		t.Errorf("%+v, %v", got, err)
	}
	got, err = s.AnswerNotice(t.Context(), all[1].Token, store.NoticeAnswer{Unsubscribed: true, Detail: "they asked", At: noon})
	if err != nil || got.State != store.NoticeClosed {
		t.Errorf("%+v, %v", got, err)
	}
	list, err := s.Suppressions(t.Context())
	var subjects []string
	for _, x := range list {
		subjects = append(subjects, x.Subject)
	}
	if want := []string{"example.net", "postmaster@example.com", "postmaster@example.net"}; err != nil || !slices.Equal(subjects, want) {
		t.Errorf("%v, %v; want %v", subjects, err, want)
	}
}

func noticeLegitimate(t *testing.T, open Place) {
	s := open(t)
	refused := decision(1)
	refused.AuthorDomain, refused.EnvelopeDomain, refused.DMARC, refused.Done = "refused.example", "refused.example", "pass", "reject"
	failed := decision(2)
	failed.AuthorDomain, failed.EnvelopeDomain, failed.DMARC, failed.AlignedDKIM, failed.Done = "failed.example", "failed.example", "fail", false, "accept"
	add(t, s, batch("a", 1, refused, failed))
	pass(t, s, "news.example.com", 3)
	x := store.Exception{Domain: "allowed.example", Until: noon, Created: noon}
	if err := s.AddException(t.Context(), &x); err != nil {
		t.Fatal(err)
	}
	look := func(domain string, want bool) {
		t.Helper()
		if how, err := s.Legitimate(t.Context(), domain); err != nil || (how != "") != want {
			t.Errorf("%s: %q, %v; want %t", domain, how, err, want)
		}
	}
	look("refused.example", false)
	look("failed.example", false)
	look("news.example.com", true)
	look("example.com", true) // one beneath it did
	look("ample.com", false)
	look("newsXexample.com", false)
	look("%", false)
	look("", false)
	look("allowed.example", false)
	add(t, s, store.Batch{Source: "b", Number: 1, Uses: []store.Use{{Exception: x.ID, Count: 1, Last: noon}}})
	look("allowed.example", true)
}

func noticeChecked(t *testing.T, open Place) {
	s := open(t)
	a, b := propose(t, s, proposed("example.com")), propose(t, s, proposed("example.net"))
	if err := s.CheckedNotice(t.Context(), a.ID, noon.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	due, err := s.Notices(t.Context(), store.NoticeFilter{States: store.OpenNotice, Before: noon.Add(time.Minute)})
	if err != nil || len(due) != 1 || due[0].ID != b.ID {
		t.Errorf("%+v, %v", due, err)
	}
	got, err := s.MoveNotice(t.Context(), a.ID, store.OpenNotice, store.NoticeMove{State: store.NoticeMended, Author: "audit", At: noon.Add(2 * time.Hour)})
	if err != nil || !got.Mended.Equal(noon.Add(2*time.Hour)) || !got.Checked.Equal(noon.Add(time.Hour)) {
		t.Errorf("%+v, %v", got, err)
	}
}

func noticePruned(t *testing.T, open Place) {
	s := open(t)
	all := approved(t, s, "sent.example", "mended.example", "declined.example")
	for _, n := range all[:2] {
		l, err := claimNotice(s, t, n, noon)
		if err != nil {
			t.Fatal(err)
		}
		settleNotice(t, s, l, store.LetterSent)
	}
	move(t, s, all[1].ID, store.NoticeMended)
	move(t, s, all[2].ID, store.NoticeDeclined)
	asked := store.Suppression{Subject: "postmaster@mended.example", Reason: "they asked", Author: "its owner", At: noon}
	if err := s.Suppress(t.Context(), asked); err != nil {
		t.Fatal(err)
	}
	domains := func() string {
		t.Helper()
		left, err := s.Notices(t.Context(), store.NoticeFilter{})
		if err != nil {
			t.Fatal(err)
		}
		text := ""
		for _, n := range left {
			text += fmt.Sprint(n.Domain, len(n.Letters), " ")
		}
		return text
	}
	for _, c := range []struct {
		name string
		r    store.Retention
		now  time.Time
		want string
	}{
		{"without end", store.Retention{}, noon.AddDate(9, 0, 0), "declined.example0 mended.example1 sent.example1 "},
		{"before it", store.Retention{Notices: store.DefaultNotices}, noon.AddDate(1, 0, 0), "declined.example0 mended.example1 sent.example1 "},
		{"after it", store.Retention{Notices: store.DefaultNotices}, noon.AddDate(9, 0, 0), "sent.example1 "}, // which is open
	} {
		prune(t, s, c.r, c.now)
		if got := domains(); got != c.want {
			t.Errorf("%s: there are %q, want %q", c.name, got, c.want)
		}
	}
	if list, err := s.Suppressions(t.Context()); err != nil || len(list) != 1 || list[0] != asked {
		t.Errorf("who asked for no letters is forgotten: %+v, %v", list, err)
	}
	var many []store.Notice
	for i := range 250 {
		many = append(many, propose(t, s, proposed(fmt.Sprintf("d%d.example", i))))
		move(t, s, many[i].ID, store.NoticeDeclined)
	}
	if rounds := prune(t, s, store.Retention{Notices: time.Hour}, noon.AddDate(0, 0, 1)); rounds < 3 || domains() != "sent.example1 " {
		t.Errorf("%d rounds, and left is %q", rounds, domains())
	}
}
