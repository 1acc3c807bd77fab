package gate

import (
	"strings"
	"testing"

	"github.com/d--j/go-milter"

	"github.com/gatepost-mail/gatepost/internal/policy"
	"github.com/gatepost-mail/gatepost/spf"
)

func TestGoodMessagePassesWithResultsOnTop(t *testing.T) {
	d := open(t, Options{}, nil)
	modifications, action := d.deliver(t, mail{macros: map[milter.MacroName]string{milter.MacroQueueId: "4XyZ"}})
	wantAction(t, action, milter.ActionAccept)
	if len(modifications) != 1 || modifications[0].Type != milter.ActionInsertHeader || modifications[0].HeaderIndex != 0 {
		t.Fatalf("got\n%swant one field inserted at 0", list(modifications))
	}
	got := modifications[0]
	if got.HeaderName != "Authentication-Results" || !strings.HasPrefix(got.HeaderValue, " mx.example.org;") {
		t.Errorf("got %s:%s, want our field with a leading space of its own", got.HeaderName, got.HeaderValue)
	}
	for _, want := range []string{"spf=pass smtp.mailfrom=a@example.com", "dkim=none", "dmarc=pass", "header.from=example.com"} {
		if !strings.Contains(got.HeaderValue, want) {
			t.Errorf("%q is not in %s", want, got.HeaderValue)
		}
	}
	if strings.Contains(got.HeaderValue, "\r") {
		t.Errorf("a field goes to the mail server with LF folds; got %q", got.HeaderValue)
	}
	line := d.log.String()
	for _, want := range []string{"queue_id=4XyZ", "verdict=accept", "client_ip=192.0.2.1", "helo=mx.example.com", "mail_from=a@example.com",
		"author_domain=example.com", "spf=pass", "dkim=none", "dmarc=pass", "arc=none", "duration="} {
		if !strings.Contains(line, want) {
			t.Errorf("%q is not in the log: %s", want, line)
		}
	}
}

func TestReceivedSPFIsAddedWhereItIsAskedFor(t *testing.T) {
	d := open(t, Options{}, func(s *Settings) { s.ReceivedSPF = true })
	modifications, _ := d.deliver(t, mail{})
	if len(modifications) != 2 || modifications[0].HeaderName != "Received-SPF" || modifications[1].HeaderName != "Authentication-Results" {
		t.Fatalf("got\n%swant Received-SPF below Authentication-Results", list(modifications))
	}
	got, err := spf.ParseReceivedSPF(modifications[0].HeaderValue)
	if err != nil || got.Result != spf.Pass || got.Get("receiver") != authservID || got.Get("envelope-from") != "a@example.com" {
		t.Errorf("got %+v, %v of %q", got, err, modifications[0].HeaderValue)
	}
}

func TestRefusalSaysWhyAndChangesNothing(t *testing.T) {
	d := open(t, Options{}, nil)
	for _, c := range []struct {
		m    mail
		want string
	}{
		{mail{ip: "192.0.2.9"}, "550 5.7.23 SPF softfail: 192.0.2.9 is not authorised by example.com to send for a@example.com"},
		{mail{from: "a@fail.example"}, "550 5.7.23 SPF fail: 192.0.2.1 is not authorised by fail.example"},
		{mail{helo: "fail.example", null: true}, "550 5.7.23 SPF fail: 192.0.2.1 is not authorised by fail.example"},
		{mail{from: "a@held.example"}, "550 5.7.26 DMARC fail"},
		{mail{header: [][2]string{{"From", " a@example.com"}, {"From", " b@held.example"}}}, "550 5.7.1 From names no single author"},
		{mail{from: "50%off%s@fail.example"}, "550 5.7.23 SPF fail: 192.0.2.1 is not authorised by fail.example to send for 50%%off%%s@fail.example"},
	} {
		modifications, action := d.deliver(t, c.m)
		wantRefused(t, action, c.want)
		if len(modifications) > 0 {
			t.Errorf("a message that is refused was changed:\n%s", list(modifications))
		}
	}
}

func TestQuarantineHoldsWithTheReason(t *testing.T) {
	d := open(t, Options{}, nil)
	m := mail{from: "a@held.example", ip: "192.0.2.1", header: [][2]string{{"From", " a@sub.held.example"}}}
	m.from = "a@example.com"
	modifications, action := d.deliver(t, m)
	wantAction(t, action, milter.ActionAccept)
	got := list(modifications)
	for _, want := range []string{`Quarantine "dmarc-quarantine: DMARC fail`, "insert 0 X-Gatepost-Verdict: quarantine; rule=dmarc-quarantine;",
		"insert 0 Authentication-Results: mx.example.org;"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if strings.Index(got, "X-Gatepost-Verdict") > strings.Index(got, "Authentication-Results") {
		t.Errorf("Authentication-Results is to be inserted last, so that it stands on top:\n%s", got)
	}
}

func TestMarkPassesWithAFieldThatSaysWhy(t *testing.T) {
	d := open(t, Options{}, func(s *Settings) { s.Policy, _ = policy.Preset("standard") })
	modifications, action := d.deliver(t, mail{from: "a@example.com", ip: "192.0.2.9", header: [][2]string{{"From", " a@none.example"}}})
	wantAction(t, action, milter.ActionAccept)
	if got := list(modifications); !strings.Contains(got, "insert 0 X-Gatepost-Verdict: mark; rule=spf-softfail;") {
		t.Errorf("no mark in\n%s", got)
	}
	for _, m := range modifications {
		for line := range strings.SplitSeq(m.HeaderName+":"+m.HeaderValue, "\n") {
			if len(line) > 120 {
				t.Errorf("a line of %d octets: %s", len(line), line)
			}
		}
	}
}

func TestMonitorLetsEverythingPassAndSaysWhatItWouldHaveDone(t *testing.T) {
	d := open(t, Options{}, func(s *Settings) { s.Monitor = true })
	modifications, action := d.deliver(t, mail{ip: "192.0.2.9"})
	wantAction(t, action, milter.ActionAccept)
	if got := list(modifications); !strings.Contains(got, "X-Gatepost-Verdict: reject; rule=spf-softfail; mode=monitor;") {
		t.Errorf("not what would have been done in\n%s", got)
	}
	if line := d.log.String(); !strings.Contains(line, "verdict=reject") || !strings.Contains(line, "refused=false") {
		t.Errorf("log: %s", line)
	}
}

func TestForgedResultsAreRemovedHighestIndexFirst(t *testing.T) {
	d := open(t, Options{}, nil)
	modifications, action := d.deliver(t, mail{header: [][2]string{
		{"Authentication-Results", " mx.example.org; spf=pass"},
		{"Authentication-Results", " other.example; spf=pass"},
		{"X-Gatepost-Verdict", " accept"},
		{"authentication-results", " (a;b) \"mx.example.org\"\n\t1; dkim=pass"},
		{"From", " a@example.com"},
		{"Authentication-Results", " (((mx.example.org; dkim=pass"},
	}})
	wantAction(t, action, milter.ActionAccept)
	got := list(modifications)
	const want = "change 4 Authentication-Results:\nchange 3 Authentication-Results:\nchange 1 X-Gatepost-Verdict:\nchange 1 Authentication-Results:\n" +
		"insert 0 Authentication-Results: mx.example.org;"
	if !strings.HasPrefix(got, want) {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// RFC 5322 4.5.8 has white space before the colon.
func TestWhiteSpaceBehindAFieldNameHidesNothing(t *testing.T) {
	d := open(t, Options{}, nil)
	_, action := d.deliver(t, mail{header: [][2]string{{"From", " a@example.com"}, {"From ", " ceo@held.example"}}})
	wantRefused(t, action, "550 5.7.1 From names no single author")
	modifications, _ := d.deliver(t, mail{header: [][2]string{{"From", " a@example.com"}, {"Authentication-Results\t", " mx.example.org; spf=pass"}}})
	if got := list(modifications); !strings.HasPrefix(got, "change 1 Authentication-Results:\n") {
		t.Errorf("got\n%swant the forgery removed", got)
	}
}

func TestMailServerThatSendsNoMacrosIsServed(t *testing.T) {
	d := open(t, Options{}, nil)
	_, action := d.deliver(t, mail{}, milter.WithMacroRequest(milter.StageEOM, nil))
	wantAction(t, action, milter.ActionAccept)
	if log := d.log.String(); !strings.Contains(log, `queue_id=""`) {
		t.Errorf("log: %s", log)
	}
}

func TestForgedResultsBeyondTheLimitsOfTheHeaderAreRemoved(t *testing.T) {
	d := open(t, Options{}, func(s *Settings) { s.Limits.Fields, s.Monitor = 10, true })
	header := [][2]string{{"From", " a@example.com"}}
	for range 20 {
		header = append(header, [2]string{"X-Filler", " x"})
	}
	header = append(header, [2]string{"Authentication-Results", " mx.example.org; dmarc=pass"})
	modifications, _ := d.deliver(t, mail{header: header})
	if got := list(modifications); !strings.HasPrefix(got, "change 1 Authentication-Results:\n") {
		t.Errorf("the forgery stays:\n%s", got)
	}
}

func TestHeaderOverTheLimitIsRefused(t *testing.T) {
	d := open(t, Options{}, nil)
	long := mail{header: [][2]string{{"From", " a@example.com"}, {"X", " " + strings.Repeat("y", 1<<20)}}}
	_, action := d.deliver(t, long)
	wantRefused(t, action, "552 5.3.4 ")

	many := mail{header: [][2]string{{"From", " a@example.com"}}}
	for range 10_000 {
		many.header = append(many.header, [2]string{"X", " y"})
	}
	_, action = d.deliver(t, many)
	wantRefused(t, action, "552 5.3.4 ")
}

func TestMailServerThatOffersNothingIsSurvived(t *testing.T) {
	d := open(t, Options{}, nil)
	old := []milter.Option{milter.WithMaximumVersion(2), milter.WithProtocols(0), milter.WithActions(0)}
	modifications, action := d.deliver(t, mail{}, old...)
	wantAction(t, action, milter.ActionAccept)
	if len(modifications) > 0 {
		t.Errorf("changed without leave:\n%s", list(modifications))
	}
	_, action = d.deliver(t, mail{ip: "192.0.2.9"}, old...)
	wantRefused(t, action, "550 5.7.23 ")

	// What cannot be held is not let in, and neither is a forgery that cannot be removed.
	_, action = d.deliver(t, mail{header: [][2]string{{"From", " a@held.example"}}}, old...)
	wantRefused(t, action, "550 5.7.1 DMARC fail")
	forged := [][2]string{{"From", " a@example.com"}, {"Authentication-Results", " mx.example.org; spf=pass"}}
	_, action = d.deliver(t, mail{header: forged}, old...)
	wantRefused(t, action, "550 5.7.1 The header has a field Authentication-Results")
}

func TestNoReplyIsGivenBeforeTheEndOfMessage(t *testing.T) {
	d := open(t, Options{}, nil)
	s := d.connect(t, nil)
	for name, option := range map[string]milter.OptProtocol{
		"connect": milter.OptNoConnReply, "helo": milter.OptNoHeloReply, "mail": milter.OptNoMailReply, "header": milter.OptNoHeaderReply,
		"end of header": milter.OptNoEOHReply, "body": milter.OptNoBodyReply, "leading space": milter.OptHeaderLeadingSpace,
	} {
		if !s.ProtocolOption(option) {
			t.Errorf("%s was not negotiated", name)
		}
	}
}

func TestSeveralMessagesOnOneConnectionAreJudgedEachByItself(t *testing.T) {
	d := open(t, Options{}, nil)
	s := d.connect(t, nil)
	greet(t, s, mail{})
	for range 3 {
		_, action := transmit(t, s, mail{})
		wantAction(t, action, milter.ActionAccept)
		must(t, "abort")(nil, s.Abort(nil))

		_, action = transmit(t, s, mail{from: "a@fail.example"})
		wantRefused(t, action, "550 5.7.23 SPF fail")
		must(t, "abort")(nil, s.Abort(nil))

		// One that is given up in the middle of its header leaves nothing behind.
		must(t, "mail")(s.Mail("a@fail.example", ""))
		must(t, "rcpt")(s.Rcpt("b@example.org", ""))
		must(t, "data")(s.DataStart())
		must(t, "header")(s.HeaderField("From", " evil@fail.example", nil))
		must(t, "abort")(nil, s.Abort(nil))
	}
}

func TestConnectionIsTakenForAnotherSMTPSession(t *testing.T) {
	d := open(t, Options{}, nil)
	s := d.connect(t, nil)
	greet(t, s, mail{ip: "192.0.2.9"})
	_, action := transmit(t, s, mail{})
	wantRefused(t, action, "550 5.7.23 ")
	must(t, "reset")(nil, s.Reset(milter.NewMacroBag()))
	greet(t, s, mail{})
	_, action = transmit(t, s, mail{})
	wantAction(t, action, milter.ActionAccept)
}

func TestClientAddressesOfEveryFamily(t *testing.T) {
	d := open(t, Options{}, nil)
	for _, c := range []struct {
		name   string
		family milter.ProtoFamily
		ip     string
		want   string // in the log
	}{
		{"inet", milter.FamilyInet, "192.0.2.1", "client_ip=192.0.2.1"},
		{"inet6", milter.FamilyInet6, "2001:db8::1", "client_ip=2001:db8::1"},
		{"inet6 with its prefix", milter.FamilyInet6, "IPv6:2001:db8::1", "client_ip=2001:db8::1"},
		{"IPv4 in IPv6", milter.FamilyInet6, "::ffff:192.0.2.1", "client_ip=192.0.2.1"},
	} {
		_, action := d.deliver(t, mail{family: c.family, ip: c.ip})
		if action.Type != milter.ActionAccept || !strings.Contains(d.log.String(), c.want) {
			t.Errorf("%s: answered %v; %q in the log?\n%s", c.name, action, c.want, d.log)
		}
	}
	// Without an address SPF is not evaluated, and DMARC is.
	_, action := d.deliver(t, mail{family: milter.FamilyUnknown})
	wantRefused(t, action, "550 5.7.26 DMARC fail")
	// A Unix socket is this host.
	modifications, action := d.deliver(t, mail{family: milter.FamilyUnix, ip: "/run/socket", from: "a@fail.example"})
	wantAction(t, action, milter.ActionAccept)
	if len(modifications) > 0 {
		t.Errorf("own mail was changed:\n%s", list(modifications))
	}
}

func TestOurOwnMailIsNotVerifiedAndNoPassIsInvented(t *testing.T) {
	d := open(t, Options{}, nil)
	forged := [][2]string{{"From", " a@held.example"}, {"Authentication-Results", " mx.example.org; spf=pass"}}

	modifications, action := d.deliver(t, mail{ip: "127.0.0.1", from: "a@fail.example", header: forged})
	wantAction(t, action, milter.ActionAccept)
	if got := list(modifications); got != "change 1 Authentication-Results:\n" {
		t.Errorf("own network: got\n%swant the forgery removed and nothing else", got)
	}
	login := map[milter.MacroName]string{milter.MacroAuthAuthen: "alice", milter.MacroAuthType: "PLAIN"}
	modifications, action = d.deliver(t, mail{ip: "192.0.2.9", from: "a@fail.example", header: forged, macros: login})
	wantAction(t, action, milter.ActionAccept)
	got := list(modifications)
	if !strings.HasPrefix(got, "change 1 Authentication-Results:\ninsert 0 Authentication-Results: mx.example.org;") || !strings.Contains(got, "auth=pass") {
		t.Errorf("login: got\n%s", got)
	}
	if strings.Contains(got, "alice") || strings.Contains(got, "spf=") {
		t.Errorf("login: got\n%swant neither the login name nor a result of what was not verified", got)
	}
	if log := d.log.String(); !strings.Contains(log, "rule=own-network") || !strings.Contains(log, "rule=authenticated") {
		t.Errorf("log: %s", log)
	}

	strict := open(t, Options{}, func(s *Settings) { s.TrustAuthenticated = false })
	_, action = strict.deliver(t, mail{from: "a@fail.example", macros: login})
	wantRefused(t, action, "550 5.7.23 ")
}

func TestWhatTheSenderWritesDoesNotGetOutOfItsPlaceInTheLog(t *testing.T) {
	d := open(t, Options{}, nil)
	d.deliver(t, mail{helo: "x\nlevel=ERROR msg=forged", from: "a\r\nb\x1b[31m@example.com", header: [][2]string{{"From", " a@example.com\n\tx"}}})
	for line := range strings.Lines(d.log.String()) {
		if !strings.HasPrefix(line, "time=") || strings.ContainsAny(line, "\r\x1b") {
			t.Errorf("a line of the log that is not ours: %q", line)
		}
	}
}

func TestFoldsComeAsLFAndAreHashedAsCRLF(t *testing.T) {
	d := open(t, Options{}, nil)
	s := d.gate.newSession(6, wantedActions, wantedProtocol, milter.DataSize64K).(*session)
	s.transit = &transit{Settings: d.gate.settings.Load(), verify: d.gate.settings.Load().Verifier.Begin(t.Context(), verifyClient)}
	defer s.drop()
	s.Header("Subject", "  two\n\tlines\n three", nil)
	const want = "Subject:  two\r\n\tlines\r\n three\r\n"
	if got := s.transit.header[0].Raw; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	s.leadingSpace = false
	s.Header("Subject", "x", nil)
	if got := s.transit.header[1].Raw; got != "Subject: x\r\n" {
		t.Errorf("a mail server that eats the space: got %q", got)
	}
}
