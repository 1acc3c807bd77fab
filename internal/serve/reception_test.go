package serve

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/gatepost-mail/gatepost/internal/control"
)

// A desk is where a test's reports come in.
type desk struct {
	*running
	web, smtp, other string
}

const deskToken = "q8Zk3mW0v1Yb7Rr4Tn2x"

const deskReport = `<feedback><report_metadata><org_name>Example</org_name><email>a@example.net</email><report_id>%s</report_id>` +
	`<date_range><begin>1793491200</begin><end>1793577599</end></date_range></report_metadata><policy_published><domain>example.com</domain>` +
	`<p>none</p></policy_published><record><row><source_ip>192.0.2.1</source_ip><count>1</count><policy_evaluated><disposition>none</disposition>` +
	`<dkim>pass</dkim><spf>pass</spf></policy_evaluated></row><identifiers><header_from>example.com</header_from></identifiers></record></feedback>`

// openDesk starts a server that takes reports in by SMTP at d.smtp.
func openDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{running: prepare(t, ""), web: freePort(t), smtp: freePort(t), other: freePort(t)}
	for path, text := range map[string]string{"tokens": "test " + deskToken + "\n"} {
		if err := os.WriteFile(filepath.Join(d.dir, path), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d.at(t, d.smtp, "")
	d.start(t)
	eventually(t, d.running, "the web is there", func() bool { return listens(d.web) })
	return d
}

// at writes a configuration with the receiver at an address.
func (d *desk) at(t *testing.T, smtp, more string) {
	t.Helper()
	d.write(t, fmt.Sprintf("[web]\nlisten = [%q]\n[reports]\ndomains = [\"example.com\"]\n[reports.address]\nplain = [\"dmarc\"]\n"+
		"[reports.smtp]\nlisten = [%q]\n[reports.http]\ntokens = \"tokens\"\n%s", d.web, smtp, more))
}

func (d *desk) reload(t *testing.T) {
	t.Helper()
	if err := d.control().Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func listens(address string) bool {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return false
	}
	c.Close()
	return true
}

// upload sends what r gives, and gives the status.
func (d *desk) upload(t *testing.T, r io.Reader) int {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, "http://"+d.web+"/reports", r)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+deskToken)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

func (d *desk) page(t *testing.T, path string) string {
	t.Helper()
	resp, err := http.Get("http://" + d.web + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A talk is one by SMTP.
type talk struct {
	t *testing.T
	net.Conn
	r *bufio.Reader
}

func dial(t *testing.T, address string) *talk {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	k := &talk{t, c, bufio.NewReader(c)}
	k.hear("220")
	return k
}

func (k *talk) hear(code string) {
	k.t.Helper()
	for {
		line, err := k.r.ReadString('\n')
		if err != nil || !strings.HasPrefix(line, code) {
			k.t.Fatalf("got %q, %v; want %s", line, err, code)
		}
		if line[3] == ' ' {
			return
		}
	}
}

func (k *talk) say(line, code string) {
	k.t.Helper()
	fmt.Fprintf(k, "%s\r\n", line)
	k.hear(code)
}

func TestAReloadMovesTheWaysOfReports(t *testing.T) {
	d := openDesk(t)
	eventually(t, d.running, "listening at the first port", func() bool { return listens(d.smtp) && listens(d.web) })
	mail := dial(t, d.smtp)
	mail.say("EHLO mx.example.net", "250")
	mail.say("MAIL FROM:<a@example.net>", "250")
	mail.say("RCPT TO:<dmarc@mx.example.org>", "250")
	mail.say("DATA", "354")
	fmt.Fprintf(mail, "From: a@example.net\r\nContent-Type: text/xml\r\n\r\n")
	body, write := io.Pipe()
	status := make(chan int, 1)
	go func() { status <- d.upload(t, body) }()
	io.WriteString(write, deskReport[:100])

	d.at(t, d.other, "")
	d.reload(t)
	if status := d.upload(t, strings.NewReader(fmt.Sprintf(deskReport, "between"))); status != http.StatusOK {
		t.Errorf("an upload during the move: status %d", status)
	}
	fmt.Fprintf(mail, deskReport+"\r\n", "by mail")
	mail.say(".", "250")
	fmt.Fprintf(write, deskReport[100:], "by upload")
	write.Close()
	if got := <-status; got != http.StatusOK && got != http.StatusServiceUnavailable {
		t.Errorf("the upload that was under way: status %d, want that it is done or is to come again", got)
	}
	eventually(t, d.running, "listening at the other port", func() bool { return listens(d.other) })
	if listens(d.smtp) {
		t.Error("the first port is still open")
	}
	mail = dial(t, d.other)
	mail.say("EHLO mx.example.net", "250")

	d.at(t, d.smtp, "")
	d.reload(t)
	eventually(t, d.running, "listening at the first port again", func() bool { return listens(d.smtp) && !listens(d.other) })
}

func TestReloadsLeaveNothingBehind(t *testing.T) {
	d := openDesk(t)
	inputs := fmt.Sprintf("[[reports.folder]]\npath = %q\n[[reports.imap]]\nserver = \"127.0.0.1:1\"\ntls = \"none\"\nuser = \"a\"\npassword_file = \"tokens\"\n",
		t.TempDir())
	count := 0
	for i := range 12 {
		d.at(t, []string{d.smtp, d.other}[i%2], inputs)
		d.reload(t)
		eventually(t, d.running, "listening", func() bool { return listens([]string{d.smtp, d.other}[i%2]) })
		if i == 1 {
			http.DefaultClient.CloseIdleConnections()
			count = runtime.NumGoroutine()
		}
	}
	if err := os.Rename(filepath.Join(d.dir, "tokens"), filepath.Join(d.dir, "tokens.away")); err != nil {
		t.Fatal(err)
	}
	for range 5 { // what cannot be leaves nothing behind either
		d.at(t, d.other, inputs+"done = \"x\"\n")
		if err := d.control().Reload(t.Context()); err == nil {
			t.Fatal("it was read again without its tokens")
		}
	}
	const slack = 60 // what runs the jobs, which may not have begun when they were counted, and connections that come and go
	eventually(t, d.running, "no goroutine is left over", func() bool {
		http.DefaultClient.CloseIdleConnections()
		return runtime.NumGoroutine() <= count+slack
	})
}

func TestAnInputInTroubleIsToldOf(t *testing.T) {
	d := openDesk(t)
	taken, err := net.Listen("tcp", d.other)
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	imap := "[[reports.imap]]\nserver = \"127.0.0.1:1\"\ntls = \"none\"\nuser = \"reports\"\npassword_file = \"tokens\"\n"
	d.at(t, d.other, imap+imap)
	d.reload(t)
	var status control.Status
	eventually(t, d.running, "the troubles are told", func() bool {
		if status, err = d.control().Status(t.Context()); err != nil {
			t.Fatal(err)
		}
		all := strings.Join(status.Problems, "\n")
		return strings.Contains(all, "reports: ") && strings.Contains(all, "imap:reports@127.0.0.1#2: ") && strings.Contains(all, "smtp at "+d.other)
	})
	ready := d.page(t, "/readyz")
	if !strings.Contains(ready, `"ready":true`) && !strings.Contains(ready, `"ready": true`) || !strings.Contains(ready, `"degraded"`) {
		t.Errorf("/readyz says %s", ready)
	}
	for i, want := range []int{http.StatusOK, http.StatusOK, http.StatusUnprocessableEntity} {
		text := []string{fmt.Sprintf(deskReport, "a"), fmt.Sprintf(deskReport, "a") + "\n", "nothing"}[i]
		if got := d.upload(t, strings.NewReader(text)); got != want {
			t.Errorf("upload %d: status %d, want %d", i, got, want)
		}
	}
	metrics := d.page(t, "/metrics")
	for _, want := range []string{
		`gatepost_report_input_up{input="imap:reports@127.0.0.1"} 0`, `gatepost_report_input_up{input="imap:reports@127.0.0.1#2"} 0`,
		`gatepost_reports_total{kind="aggregate",result="new"} 1`, `gatepost_reports_total{kind="tls",result="new"} 0`,
		`gatepost_reports_set_aside_total 1`, `gatepost_report_receiver_messages_total{result="stored"} 0`,
	} {
		if !strings.Contains(metrics, want+"\n") {
			t.Errorf("the metrics lack %s", want)
		}
	}
	taken.Close()
	d.at(t, d.other, "")
	d.reload(t)
	eventually(t, d.running, "all is well", func() bool {
		status, err = d.control().Status(t.Context())
		return err == nil && !strings.Contains(strings.Join(status.Problems, "\n"), "reports: ")
	})
}
