package imap

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatepost-mail/gatepost/internal/inbox/api"
	"github.com/gatepost-mail/gatepost/internal/inbox/inboxtest"
)

// A script is a server that answers as a test wants: it is given each command's tag, its words, and the connection.
type script func(w io.Writer, tag, command string, r *bufio.Reader) (more bool)

// scripted serves a script; greeting is what it says first, and the script may be nil to say no more.
func scripted(t *testing.T, greeting func(w io.Writer), s script) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() {
		close(ended)
		l.Close()
	})
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				greeting(conn)
				r := bufio.NewReader(conn)
				for s != nil {
					line, err := r.ReadString('\n')
					if err != nil {
						return
					}
					tag, command, _ := strings.Cut(strings.TrimSpace(line), " ")
					if !s(conn, tag, command, r) {
						return
					}
				}
				<-ended
			}()
		}
	}()
	return l.Addr().String()
}

func greet(w io.Writer) {
	fmt.Fprint(w, "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR MOVE UIDPLUS] ready\r\n")
}

// usual answers to what is not what a test is about: one message, UID 7.
func usual(w io.Writer, tag, command string, _ *bufio.Reader) bool {
	switch word, _, _ := strings.Cut(command, " "); word {
	case "CAPABILITY":
		fmt.Fprint(w, "* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR MOVE UIDPLUS\r\n")
	case "SELECT":
		fmt.Fprint(w, "* 1 EXISTS\r\n* OK [UIDVALIDITY 5] .\r\n* OK [UIDNEXT 8] .\r\n* OK [PERMANENTFLAGS (\\*)] .\r\n")
	case "UID":
		switch {
		case strings.HasPrefix(command, "UID SEARCH") && strings.Contains(command, "UID 1:"):
			fmt.Fprint(w, "* SEARCH 7\r\n")
		case strings.HasPrefix(command, "UID SEARCH"):
			fmt.Fprint(w, "* SEARCH\r\n")
		case strings.Contains(command, "RFC822.SIZE"):
			fmt.Fprint(w, "* 1 FETCH (UID 7 RFC822.SIZE 4 INTERNALDATE \"01-Nov-2026 00:00:00 +0000\")\r\n")
		case strings.Contains(command, "BODY.PEEK[]"):
			fmt.Fprint(w, "* 1 FETCH (UID 7 BODY[] {4}\r\nbody)\r\n")
		}
	}
	fmt.Fprintf(w, "%s OK done\r\n", tag)
	return true
}

// but answers like usual, except where a command begins with some words.
func but(words string, answer script) script {
	return func(w io.Writer, tag, command string, r *bufio.Reader) bool {
		if strings.HasPrefix(command, words) || strings.Contains(words, "*") && strings.Contains(command, strings.Trim(words, "*")) {
			return answer(w, tag, command, r)
		}
		return usual(w, tag, command, r)
	}
}

func says(format string) script {
	return func(w io.Writer, tag, _ string, _ *bufio.Reader) bool {
		fmt.Fprint(w, strings.ReplaceAll(format, "{tag}", tag))
		return true
	}
}

func flood(text string) script {
	return func(w io.Writer, _, _ string, _ *bufio.Reader) bool {
		for chunk := []byte(strings.Repeat(text, max(1, 32<<10/len(text)))); ; {
			if _, err := w.Write(chunk); err != nil {
				return false
			}
		}
	}
}

func secretFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func scriptedOptions(t *testing.T, address string) Options {
	return Options{Address: address, TLS: Plain, User: "user", PasswordFile: secretFile(t, secret), MaxSize: 1 << 20, stall: 20 * time.Second}
}

func TestTheUsualScriptIsWellUnderstood(t *testing.T) {
	im := new(inboxtest.Importer)
	if err := once(t, scriptedOptions(t, scripted(t, greet, usual)), im); err != nil || im.New() != 1 || im.Taken()[0].Body != "body" {
		t.Errorf("%d new, error %v", im.New(), err)
	}
}

func TestAServerThatMisbehavesCostsItsConnectionAndLittleElse(t *testing.T) {
	silent := func(io.Writer, string, string, *bufio.Reader) bool { return true }
	for name, c := range map[string]struct {
		greeting func(io.Writer)
		script   script
		want     string // of the error; that of a run that goes well is empty
		taken    int
	}{
		"no greeting":          {func(io.Writer) {}, nil, "did not answer within", 0},
		"greets without end":   {func(w io.Writer) { flood("* OK ")(w, "", "", nil) }, nil, "the server ", 0},
		"greets with lines":    {func(w io.Writer) { flood("* OK hello\r\n")(w, "", "", nil) }, nil, "", 0},
		"is another protocol":  {func(w io.Writer) { fmt.Fprint(w, "220 mx.example.com ESMTP\r\n") }, nil, "not IMAP", 0},
		"sends us away":        {func(w io.Writer) { fmt.Fprint(w, "* BYE too many connections\r\n") }, nil, "too many connections", 0},
		"no answer to login":   {greet, but("AUTHENTICATE", silent), "did not answer within", 0},
		"no answer to search":  {greet, but("UID SEARCH", silent), "did not answer within", 0},
		"search without end":   {greet, but("UID SEARCH", then("* SEARCH", " 7")), "the server ", 0},
		"search of everything": {greet, but("UID SEARCH", says("* ESEARCH (TAG \"{tag}\") UID ALL 1:4294967294\r\n{tag} OK .\r\n")), "cannot be there", 0},
		"search of the star":   {greet, but("UID SEARCH", says("* SEARCH 0\r\n{tag} OK .\r\n")), "cannot be there", 0},
		"stalls in a message":  {greet, but("*BODY.PEEK[]", says("* 1 FETCH (UID 7 BODY[] {400}\r\nbody")), "did not answer within", 0},
		"ends in a message": {greet, but("*BODY.PEEK[]", func(w io.Writer, _, _ string, _ *bufio.Reader) bool {
			fmt.Fprint(w, "* 1 FETCH (UID 7 BODY[] {400}\r\nbody")
			return false
		}), "closed the connection", 0},
		"a huge message":        {greet, but("*BODY.PEEK[]", says("* 1 FETCH (UID 7 BODY[] {99999999999}\r\nbody")), "larger than it had said", 0},
		"an endless string":     {greet, but("*BODY.PEEK[]", then("* 1 FETCH (UID 7 BODY[] \"", "x")), "the server ", 0},
		"another UID":           {greet, but("*BODY.PEEK[]", says("* 1 FETCH (UID 8 BODY[] {4}\r\nbody)\r\n{tag} OK .\r\n")), "does not hand it over", 0},
		"no body":               {greet, but("*BODY.PEEK[]", says("* 1 FETCH (UID 7 BODY[] NIL)\r\n{tag} OK .\r\n")), "does not hand it over", 0},
		"the body twice":        {greet, but("*BODY.PEEK[]", says("* 1 FETCH (UID 7 BODY[] {4}\r\nbody BODY[] {5}\r\nbody2)\r\n* 1 FETCH (UID 7 BODY[] {1}\r\nx)\r\n{tag} OK .\r\n")), "", 1},
		"refuses a message":     {greet, but("*BODY.PEEK[]", says("{tag} NO [SERVERBUG] internal error\r\n")), "internal error", 0},
		"garbage":               {greet, but("*BODY.PEEK[]", says("\x00\x01\x02)(*&\r\n")), "not IMAP", 0},
		"an unknown tag":        {greet, but("*BODY.PEEK[]", says("X99 OK .\r\n")), "not IMAP", 0},
		"a number that is none": {greet, but("*RFC822.SIZE", says("* 1 FETCH (UID 7 RFC822.SIZE 99999999999999999999999)\r\n{tag} OK .\r\n")), "not IMAP", 0},
		"deep lists":            {greet, but("*RFC822.SIZE", flood("* 1 FETCH ((((((((((((((((((((")), "not IMAP", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			im := new(inboxtest.Importer)
			o := scriptedOptions(t, scripted(t, c.greeting, c.script))
			if c.want == "did not answer within" {
				o.stall = 300 * time.Millisecond
			}
			err := once(t, o, im)
			runtime.ReadMemStats(&after)
			if err == nil != (c.want == "" && c.taken > 0) || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("the error is %v; it should have %q", err, c.want)
			}
			if im.Count() != c.taken {
				t.Errorf("%d items", im.Count())
			}
			if err != nil && (len(err.Error()) > 2000 || strings.Contains(err.Error(), secret)) {
				t.Errorf("the error is not fit for a log: %.300q", err)
			}
			if grown := int64(after.HeapSys) - int64(before.HeapSys); grown > 300<<20 {
				t.Errorf("the heap has grown by %d MiB", grown>>20)
			}
		})
	}
}

// then says something, and something else without end.
func then(first, more string) script {
	return func(w io.Writer, tag, command string, r *bufio.Reader) bool {
		fmt.Fprint(w, first)
		return flood(more)(w, tag, command, r)
	}
}

func TestOneMessageThatBreaksTheConnectionDoesNotKeepTheOthersBack(t *testing.T) {
	var mu sync.Mutex
	tries := 0
	address := scripted(t, greet, func(w io.Writer, tag, command string, r *bufio.Reader) bool {
		switch {
		case strings.HasPrefix(command, "SELECT"):
			fmt.Fprintf(w, "* 9 EXISTS\r\n* OK [UIDVALIDITY 5] .\r\n* OK [UIDNEXT 10] .\r\n%s OK .\r\n", tag)
		case strings.HasPrefix(command, "UID SEARCH"):
			fmt.Fprintf(w, "* SEARCH 1 2 3 4 5 6 7 8 9\r\n%s OK .\r\n", tag)
		case strings.HasPrefix(command, "UID FETCH"):
			for uid := 1; uid <= 9; uid++ {
				set := strings.Fields(command)[2]
				var from, to int
				if n, _ := fmt.Sscanf(set, "%d:%d", &from, &to); n < 2 {
					to = from
				}
				switch {
				case uid < from || uid > to:
				case strings.Contains(command, "RFC822.SIZE"):
					fmt.Fprintf(w, "* %d FETCH (UID %d RFC822.SIZE 5)\r\n", uid, uid)
				case uid == 5:
					mu.Lock()
					tries++
					mu.Unlock()
					return false
				default:
					fmt.Fprintf(w, "* %d FETCH (UID %d BODY[] {5}\r\nbody%d)\r\n", uid, uid, uid)
				}
			}
			fmt.Fprintf(w, "%s OK .\r\n", tag)
		default:
			return usual(w, tag, command, r)
		}
		return true
	})
	o := scriptedOptions(t, address)
	o.backoff.First, o.backoff.Most, o.Poll = time.Millisecond, 2*time.Millisecond, 10*time.Millisecond
	o.After = Flag
	im := new(inboxtest.Importer)
	in := run(t, o, im)
	until(t, "the others are taken in", func() bool { return im.New() == 8 && in.State().Waiting == 0 && !in.State().LastSuccess.IsZero() })
	time.Sleep(100 * time.Millisecond)
	mu.Lock()
	defer mu.Unlock()
	if tries > 3 {
		t.Errorf("it was tried %d times within the first moments", tries)
	}
}

func TestAPasswordIsNeverSentInTheClear(t *testing.T) {
	for _, o := range []Options{
		{Address: "mx.example.com", TLS: Plain, User: "u", PasswordFile: "p"},
		{Address: "192.0.2.1:143", TLS: Plain, User: "u", PasswordFile: "p"},
	} {
		if _, err := New(o); err == nil || !strings.HasPrefix(err.Error(), "TLS: ") {
			t.Errorf("%s: the error is %v", o.Address, err)
		}
	}
	for name, answer := range map[string]string{
		"refuses":  "a NO not here\r\n",
		"pretends": "a OK go on\r\na OK you are encrypted, are you not\r\n* OK really\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			var said strings.Builder
			var mu sync.Mutex
			address := scripted(t, greet, func(w io.Writer, tag, command string, r *bufio.Reader) bool {
				mu.Lock()
				defer mu.Unlock()
				said.WriteString(command)
				if command == "STARTTLS" {
					fmt.Fprint(w, answer)
				}
				return true
			})
			o := scriptedOptions(t, address)
			o.TLS = StartTLS
			if err := once(t, o, new(inboxtest.Importer)); err == nil {
				t.Error("no error")
			}
			mu.Lock()
			defer mu.Unlock()
			if all := said.String(); strings.Contains(all, "AUTHENTICATE") || strings.Contains(all, "LOGIN") {
				t.Errorf("the server was told %q", all)
			}
		})
	}
}

func TestLoginWithAToken(t *testing.T) {
	var mu sync.Mutex
	given := 0
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		given++
		if r.FormValue("client_id") != "id" || r.FormValue("refresh_token") != fmt.Sprint("refresh", given) || r.FormValue("grant_type") != "refresh_token" {
			http.Error(w, `{"error":"invalid_grant"}`, http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"access_token":"token%d","token_type":"Bearer","expires_in":3600,"refresh_token":"refresh%d"}`, given, given+1)
	}))
	defer tokens.Close()
	for _, mechanism := range []string{"XOAUTH2", "OAUTHBEARER"} {
		t.Run(mechanism, func(t *testing.T) {
			given = 0
			valid := "token1"
			address := scripted(t, func(w io.Writer) {
				fmt.Fprintf(w, "* OK [CAPABILITY IMAP4rev1 AUTH=%s SASL-IR MOVE UIDPLUS] .\r\n", mechanism)
			},
				but("AUTHENTICATE", func(w io.Writer, tag, command string, r *bufio.Reader) bool {
					words := strings.Fields(command)
					answer, _ := base64.StdEncoding.DecodeString(words[2])
					mu.Lock()
					want := map[string]string{"XOAUTH2": "user=user\x01auth=Bearer " + valid + "\x01\x01", "OAUTHBEARER": "n,a=user,\x01auth=Bearer " + valid + "\x01\x01"}[words[1]]
					mu.Unlock()
					if string(answer) == want {
						fmt.Fprintf(w, "%s OK .\r\n", tag)
						return true
					}
					fmt.Fprintf(w, "+ %s\r\n", base64.StdEncoding.EncodeToString([]byte(`{"status":"401","schemes":"bearer"}`)))
					r.ReadString('\n')
					fmt.Fprintf(w, "%s NO [AUTHENTICATIONFAILED] bad token\r\n", tag)
					return true
				}))
			o := scriptedOptions(t, address)
			o.PasswordFile = ""
			o.OAuth = &api.OAuth{TokenURL: tokens.URL, ClientID: "id", ClientSecretFile: secretFile(t, "s"), RefreshTokenFile: secretFile(t, "refresh1")}
			in, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			im := new(inboxtest.Importer)
			for range 2 {
				if err := in.Once(t.Context(), im); err != nil {
					t.Fatal(err)
				}
			}
			if given != 1 {
				t.Errorf("%d tokens were asked for; one is good for an hour", given)
			}
			mu.Lock()
			valid = "token2" // the first is withdrawn
			mu.Unlock()
			err = in.Once(context.Background(), im)
			if err == nil || !strings.Contains(err.Error(), "refused the login") || !strings.Contains(err.Error(), "401") || strings.Contains(err.Error(), "token1") {
				t.Errorf("the error is %v", err)
			}
			if err := in.Once(t.Context(), im); err != nil {
				t.Errorf("with a new token from the new refresh token: %v", err)
			}
		})
	}
}

func TestOptionsThatAreWrongAreNamed(t *testing.T) {
	base := Options{Address: "mx.example.com", User: "u", PasswordFile: "p"}
	for field, change := range map[string]func(o *Options){
		"Address":      func(o *Options) { o.Address = "" },
		"Address ":     func(o *Options) { o.Address = "u@host" },
		"TLS":          func(o *Options) { o.TLS = "ssl" },
		"User":         func(o *Options) { o.User = "" },
		"PasswordFile": func(o *Options) { o.PasswordFile = "" },
		"OAuth":        func(o *Options) { o.PasswordFile, o.OAuth = "", new(api.OAuth) },
		"Mailboxes":    func(o *Options) { o.Mailboxes = []string{"inbox", "INBOX"} },
		"Done":         func(o *Options) { o.Done = "inbox" },
		"Bad":          func(o *Options) { o.Bad = "INBOX" },
		"After":        func(o *Options) { o.After = "burn" },
		"Keyword":      func(o *Options) { o.Keyword = "two words" },
		"MaxSize":      func(o *Options) { o.MaxSize = -1 },
		"Poll":         func(o *Options) { o.Poll = -1 },
		"CAFile":       func(o *Options) { o.CAFile = "/does/not/exist" },
	} {
		o := base
		change(&o)
		if _, err := New(o); err == nil || !strings.HasPrefix(err.Error(), strings.TrimSpace(field)) {
			t.Errorf("%s: the error is %v", field, err)
		}
	}
	if _, err := New(base); err != nil {
		t.Error(err)
	}
}
