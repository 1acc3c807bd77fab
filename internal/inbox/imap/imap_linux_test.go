package imap

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"

	"github.com/gatepost-mail/gatepost/internal/inbox/inboxtest"
	"github.com/gatepost-mail/gatepost/internal/intake"
	"github.com/gatepost-mail/gatepost/test/dovecot"
)

func await(t *testing.T, im *inboxtest.Importer, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := im.Wait(ctx, n); err != nil {
		t.Fatalf("%d of %d messages came", im.Count(), n)
	}
}

func TestAMessageIsMovedOnlyAfterItIsCommitted(t *testing.T) {
	t.Parallel()
	a := accountOf(t, server(t, ""))
	for i := range 5 {
		a.deliver("INBOX", mail(fmt.Sprint("report ", i)))
	}
	im := &inboxtest.Importer{Before: func() error {
		if n := len(a.seen("INBOX")); n != 5 {
			return fmt.Errorf("%d messages in INBOX before the commit", n)
		}
		return nil
	}}
	if err := once(t, a.o, im); err != nil {
		t.Fatal(err)
	}
	if im.Count() != 5 || im.New() != 5 {
		t.Errorf("%d items, %d new", im.Count(), im.New())
	}
	taken := im.Taken()[0]
	if want := strings.ReplaceAll(mail("report 0"), "\n", "\r\n"); taken.Body != want {
		t.Errorf("the body is %q, not %q", taken.Body, want)
	}
	if taken.Item.Name != "INBOX, UID 1" || !strings.HasPrefix(taken.Item.Input, "imap:") || time.Since(taken.Item.Received) > time.Hour {
		t.Errorf("the item is %+v", taken.Item)
	}
	if n := len(a.seen("INBOX")); n != 0 {
		t.Errorf("%d messages are still in INBOX", n)
	}
	done := a.seen("Gatepost-Done")
	if len(done) != 5 {
		t.Errorf("Gatepost-Done has %v", done)
	}
	for subject, flags := range done {
		if len(flags) > 0 {
			t.Errorf("%s has the flags %v: to look at it is not to read it", subject, flags)
		}
	}
}

func TestWithoutMOVEMessagesAreCopiedAndDeletedAndOthersDeletedOnesStay(t *testing.T) {
	for name, config := range map[string]string{
		"UIDPLUS": "imap_capability = IMAP4rev1 LITERAL+ IDLE UIDPLUS",
		"nothing": "imap_capability = IMAP4rev1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := accountOf(t, server(t, config))
			a.deliver("INBOX", mail("another's"), imap.FlagDeleted)
			a.deliver("INBOX", mail("first"), imap.FlagFlagged)
			a.deliver("INBOX", mail("second"))
			im := new(inboxtest.Importer)
			for range 2 {
				if err := once(t, a.o, im); err != nil {
					t.Fatal(err)
				}
			}
			if im.Count() != 2 {
				t.Errorf("%d items", im.Count())
			}
			if done := a.seen("Gatepost-Done"); len(done) != 2 || !slices.Contains(done["first"], imap.FlagFlagged) {
				t.Errorf("Gatepost-Done has %v", done)
			}
			left := a.seen("INBOX")
			if _, there := left["another's"]; !there {
				t.Error("what another client had marked as deleted was expunged")
			}
			switch name {
			case "UIDPLUS":
				if len(left) != 1 {
					t.Errorf("INBOX has %v", left)
				}
			default:
				if len(left) != 3 || !slices.Contains(left["first"], imap.FlagDeleted) {
					t.Errorf("INBOX has %v", left)
				}
			}
		})
	}
}

func TestFlagSeenAndDelete(t *testing.T) {
	for _, after := range []string{Flag, Seen, Delete} {
		t.Run(after, func(t *testing.T) {
			t.Parallel()
			a := accountOf(t, server(t, ""))
			a.o.After = after
			a.deliver("INBOX", mail("first"))
			a.deliver("INBOX", mail("second"))
			im := new(inboxtest.Importer)
			for range 2 {
				if err := once(t, a.o, im); err != nil {
					t.Fatal(err)
				}
			}
			if im.Count() != 2 {
				t.Errorf("%d items; each is to be offered once", im.Count())
			}
			left := a.seen("INBOX")
			want := map[string]imap.Flag{Flag: "$GatepostDone", Seen: imap.FlagSeen}[after]
			for subject, flags := range left {
				if !slices.Equal(flags, []imap.Flag{want}) {
					t.Errorf("%s has the flags %v", subject, flags)
				}
			}
			if after == Delete != (len(left) == 0) {
				t.Errorf("INBOX has %v", left)
			}
		})
	}
}

func TestABadMessageIsMovedToItsOwnMailboxOnce(t *testing.T) {
	t.Parallel()
	a := accountOf(t, server(t, ""))
	a.o.MaxSize = 10_000
	a.deliver("INBOX", mail("good"))
	a.deliver("INBOX", mail("bad"))
	a.deliver("INBOX", mail("large")+strings.Repeat("x\n", 10_000))
	im := &inboxtest.Importer{Decide: func(_ intake.Item, body []byte) (intake.Outcome, bool) {
		return inboxtest.Refuse("it is no report"), strings.Contains(string(body), "Subject: bad")
	}}
	in, err := New(a.o)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := in.Once(t.Context(), im); err != nil {
			t.Fatal(err)
		}
	}
	if im.Count() != 2 {
		t.Errorf("%d items: one that is too large is not looked at, and each other once", im.Count())
	}
	bad := a.seen("Gatepost-Bad")
	if len(bad) != 2 || !slices.Contains(bad["bad"], badKeyword) || bad["large"] == nil {
		t.Errorf("Gatepost-Bad has %v", bad)
	}
	if done := a.seen("Gatepost-Done"); len(done) != 1 {
		t.Errorf("Gatepost-Done has %v", done)
	}
	if s := in.State(); s.Bad != 1 || s.TooLarge != 1 || s.New != 1 || s.LastSuccess.IsZero() || s.LastError != "" || s.Connected {
		t.Errorf("the state is %+v", s)
	}
}

func TestWhatCouldNotBeStoredStaysAndDoesNotKeepOthersBack(t *testing.T) {
	t.Parallel()
	a := accountOf(t, server(t, ""))
	a.deliver("INBOX", mail("first"))
	a.deliver("INBOX", mail("fails"))
	a.deliver("INBOX", mail("last"))
	im := &inboxtest.Importer{Decide: func(_ intake.Item, body []byte) (intake.Outcome, bool) {
		return intake.Outcome{Failed: errors.New("the disk is full")}, strings.Contains(string(body), "Subject: fails")
	}}
	if err := once(t, a.o, im); err == nil || !strings.Contains(err.Error(), "the disk is full") {
		t.Errorf("the error is %v", err)
	}
	if im.Count() != 3 {
		t.Errorf("%d items; what fails is not to be tried again at once", im.Count())
	}
	left := a.seen("INBOX")
	if _, there := left["fails"]; len(left) != 1 || !there {
		t.Errorf("INBOX has %v", left)
	}
	im.Decide = nil
	if err := once(t, a.o, im); err != nil {
		t.Fatal(err)
	}
	if done := a.seen("Gatepost-Done"); len(done) != 3 {
		t.Errorf("Gatepost-Done has %v", done)
	}
}

func TestAStoreThatIsAwayLosesNothing(t *testing.T) {
	t.Parallel()
	a := accountOf(t, server(t, ""))
	for i := range 25 {
		a.deliver("INBOX", mail(fmt.Sprint("report ", i)))
	}
	commits := 0
	im := &inboxtest.Importer{Before: func() error {
		if commits++; commits == 2 {
			return errors.New("the store is away")
		}
		return nil
	}}
	if err := once(t, a.o, im); err == nil || !strings.Contains(err.Error(), "the store is away") {
		t.Errorf("the error is %v", err)
	}
	if left := a.seen("INBOX"); len(left) != 15 {
		t.Errorf("INBOX has %d messages, and 10 of 25 were committed", len(left))
	}
	if err := once(t, a.o, im); err != nil {
		t.Fatal(err)
	}
	if im.Count() != 25 || im.New() != 25 {
		t.Errorf("%d items, %d new", im.Count(), im.New())
	}
}

func TestIDLETellsOfNewMailAtOnce(t *testing.T) {
	t.Parallel()
	a := accountOf(t, server(t, ""))
	a.o.Poll = time.Hour
	im := &inboxtest.Importer{Batch: 1}
	in := run(t, a.o, im)
	until(t, "the input is connected and through", func() bool { return !in.State().LastSuccess.IsZero() })
	for i := range 3 {
		started := time.Now()
		a.deliver("INBOX", mail(fmt.Sprint("report ", i)))
		await(t, im, i+1)
		t.Logf("taken in after %v", time.Since(started)) // nothing else would look before an hour has passed
		until(t, "it is moved", func() bool { return len(a.seen("INBOX")) == 0 })
	}
	if s := in.State(); !s.Connected || s.New != 3 {
		t.Errorf("the state is %+v", s)
	}
}

func TestAServerWithoutIDLEIsAsked(t *testing.T) {
	t.Parallel()
	a := accountOf(t, server(t, "imap_capability = IMAP4rev1"))
	a.o.Poll = 100 * time.Millisecond
	im := &inboxtest.Importer{Batch: 1}
	run(t, a.o, im)
	a.deliver("INBOX", mail("first"))
	await(t, im, 1)
	a.deliver("INBOX", mail("second"))
	await(t, im, 2)
}

func TestIDLEIsBegunAnew(t *testing.T) {
	t.Parallel()
	a := accountOf(t, server(t, ""))
	a.o.idle = 20 * time.Millisecond
	im := &inboxtest.Importer{Batch: 1}
	in := run(t, a.o, im)
	until(t, "through", func() bool { return !in.State().LastSuccess.IsZero() })
	first := in.State().LastSuccess
	until(t, "through again", func() bool { return in.State().LastSuccess.After(first.Add(100 * time.Millisecond)) })
	a.deliver("INBOX", mail("first"))
	await(t, im, 1)
	if s := in.State(); s.LastError != "" {
		t.Errorf("the state is %+v", s)
	}
}

func TestSeveralMailboxes(t *testing.T) {
	t.Parallel()
	a := accountOf(t, server(t, ""))
	for _, name := range []string{"Reports", "Berichte für DMARC"} {
		if err := a.client().Create(name, nil).Wait(); err != nil {
			t.Fatal(err)
		}
		a.deliver(name, mail("in "+name))
	}
	a.o.Mailboxes = []string{"INBOX", "Reports", "Berichte für DMARC"}
	im := new(inboxtest.Importer)
	in := run(t, a.o, im)
	await(t, im, 2)
	a.deliver("INBOX", mail("in INBOX"))
	await(t, im, 3)
	until(t, "all are moved", func() bool { return in.State().Waiting == 0 && len(a.seen("Gatepost-Done")) == 3 })
}

func TestAKeepaliveIsSentWhileTheImporterIsBusy(t *testing.T) {
	t.Parallel()
	a := accountOf(t, server(t, ""))
	a.deliver("INBOX", mail("first"))
	a.o.keepalive = 20 * time.Millisecond
	alive := make(chan struct{}, 1000)
	a.o.alive = func() { alive <- struct{}{} }
	im := &inboxtest.Importer{Before: func() error {
		for range 3 {
			select {
			case <-alive:
			case <-time.After(20 * time.Second):
				return errors.New("no keepalive came")
			}
		}
		return nil
	}}
	if err := once(t, a.o, im); err != nil {
		t.Fatal(err)
	}
}

func TestAMoveThatIsRefusedIsNotTriedInAHotLoopNorIsTheMessageOfferedAgain(t *testing.T) {
	t.Parallel()
	a := accountOf(t, server(t, "mail_plugins = acl\nplugin {\n acl = vfile\n}\n"))
	if err := a.client().Create("Gatepost-Done", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	writeOwned(t, a, "Maildir/.Gatepost-Done/dovecot-acl", "owner lrwstepk\n") // all but inserting
	a.o.idle, a.o.Poll = 20*time.Millisecond, 20*time.Millisecond
	a.deliver("INBOX", mail("first"))
	im := &inboxtest.Importer{Batch: 1}
	in := run(t, a.o, im)
	until(t, "it is refused", func() bool { return in.State().Waiting == 1 && in.State().LastError != "" })
	a.deliver("INBOX", mail("second"))
	await(t, im, 2)
	until(t, "both wait", func() bool { return in.State().Waiting == 2 })
	refused := in.State().LastErrorAt
	time.Sleep(300 * time.Millisecond) // a dozen rounds
	if s := in.State(); s.Items != 2 || s.LastErrorAt != refused || !strings.Contains(s.LastError, "cannot be put away") {
		t.Errorf("the state is %+v; the last trouble had been at %v", s, refused)
	}
	if len(a.seen("INBOX")) != 2 {
		t.Error("a message is gone")
	}
}

func TestOncesErrorSaysWhatCouldNotBePutAway(t *testing.T) {
	t.Parallel()
	a := accountOf(t, server(t, ""))
	a.deliver("INBOX", mail("first"))
	a.o.Done = "no/such/" + strings.Repeat("x", 300)
	im := new(inboxtest.Importer)
	err := once(t, a.o, im)
	if err == nil || !strings.Contains(err.Error(), "could not be put away") || im.New() != 1 || len(a.seen("INBOX")) != 1 {
		t.Errorf("%d new, error %v", im.New(), err)
	}
}

func TestARenewedMailboxIsReadAnew(t *testing.T) {
	t.Parallel()
	a := accountOf(t, server(t, ""))
	if err := a.client().Create("Reports", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	a.deliver("Reports", mail("first"))
	a.o.Mailboxes, a.o.After = []string{"Reports"}, Flag
	in, err := New(a.o)
	if err != nil {
		t.Fatal(err)
	}
	im := &inboxtest.Importer{Decide: func(_ intake.Item, body []byte) (intake.Outcome, bool) {
		return intake.Outcome{Failed: errors.New("not now")}, strings.Contains(string(body), "first")
	}}
	if err := in.Once(t.Context(), im); err == nil {
		t.Error("no error")
	}
	for _, do := range []func() error{a.client().Delete("Reports").Wait, a.client().Create("Reports", nil).Wait} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
	}
	a.deliver("Reports", mail("second")) // with the same UID as the first had
	if err := in.Once(t.Context(), im); err != nil {
		t.Fatal(err)
	}
	if im.New() != 1 {
		t.Errorf("%d new", im.New())
	}
}

func TestTheWaysToLogIn(t *testing.T) {
	for name, change := range map[string]func(a *account){
		"tls": func(*account) {},
		"starttls": func(a *account) {
			a.o.TLS, a.o.Address = StartTLS, strings.Replace(a.d.Plain, "127.0.0.1", "localhost", 1)
		},
		"loopback": func(a *account) { a.o.TLS, a.o.Address = Plain, a.d.Plain },
		"name":     func(a *account) { a.o.Address, a.o.ServerName = a.d.Encrypted, "localhost" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := accountOf(t, server(t, ""))
			change(a)
			a.deliver("INBOX", mail("first"))
			im := new(inboxtest.Importer)
			if err := once(t, a.o, im); err != nil || im.New() != 1 {
				t.Errorf("%d new, error %v", im.New(), err)
			}
		})
	}
}

func TestWhyThereIsNoConnectionIsSaid(t *testing.T) {
	d := server(t, "")
	if err := os.WriteFile(d.CA+".not", []byte("another secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(a *account)
		want   string
	}{
		"authority": {func(a *account) { a.o.CAFile = "" }, "authority that is not trusted"},
		"name":      {func(a *account) { a.o.Address = d.Encrypted }, "certificate is another's"},
		"port":      {func(a *account) { a.o.Address = strings.Replace(d.Plain, "127.0.0.1", "localhost", 1) }, "does not speak TLS"},
		"password":  {func(a *account) { a.o.PasswordFile = d.CA + ".not" }, "the server refused the login: the server says NO [AUTHENTICATIONFAILED]"},
		"mailbox":   {func(a *account) { a.o.Mailboxes = []string{"Nowhere"} }, "mailbox Nowhere: the server says NO"},
		"nobody":    {func(a *account) { a.o.Address = dovecot.FreeAddress() }, "cannot connect"},
		"file":      {func(a *account) { a.o.PasswordFile = filepath.Join(d.Dir, "nothing") }, "PasswordFile: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := accountOf(t, d)
			c.change(a)
			err := once(t, a.o, new(inboxtest.Importer))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %v; it should have %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Error("the error has the password in it")
			}
		})
	}
}
