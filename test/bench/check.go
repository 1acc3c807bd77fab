package main

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/rand"
	"crypto/rsa"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/dkim"
	"github.com/gatepost-mail/gatepost/test/bench/lab"
)

const (
	checkDomains = 10_000
	checkPeers   = 100 // domains that the peer gets
	checkLatency = 5 * time.Millisecond
)

// benchCheck audits many domains by the command, with a name server that takes its time, and a hundred of them by checkdmarc too.
func benchCheck() error {
	dir, err := os.MkdirTemp("", "gatepost-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	program, err := buildGatepost(dir)
	if err != nil {
		return err
	}
	zone, err := checkZone()
	if err != nil {
		return err
	}
	server, err := lab.StartDNS("127.0.0.1:0", zone)
	if err != nil {
		return err
	}
	defer server.Stop()
	server.Delay(checkLatency)

	fmt.Printf("\nAudit of domains, %v from the name server (load %s)\n", checkLatency, loadAverage())
	fmt.Printf("  %-22s %9s %10s %12s %12s %12s\n", "", "domains", "seconds", "domains/s", "questions", "resident")
	all, err := checkByCommand(program, server, dir, checkDomains)
	if err != nil {
		return err
	}
	all.print("gatepost check")
	few, err := checkByCommand(program, server, dir, checkPeers)
	if err != nil {
		return err
	}
	few.print("gatepost check")
	peer, err := checkByPeer(server, dir, checkPeers)
	if err != nil {
		fmt.Printf("  checkdmarc was left out: %v\n", err)
		return nil
	}
	peer.print("checkdmarc")
	fmt.Printf("  gatepost is %.0f times as fast on %d domains\n", peer.took.Seconds()/few.took.Seconds(), checkPeers)
	return nil
}

// checked is what an audit of some domains took.
type checked struct {
	domains   int
	took      time.Duration
	questions int64
	resident  int64 // bytes, at most; 0: not known
}

func (c checked) print(name string) {
	fmt.Printf("  %-22s %9d %10.2f %12.0f %12d %8d MiB\n",
		name, c.domains, c.took.Seconds(), float64(c.domains)/c.took.Seconds(), c.questions, c.resident>>20)
}

// checkByCommand audits the first n domains, and holds that there is an answer for each.
func checkByCommand(program string, server *lab.DNS, dir string, n int) (checked, error) {
	input, output := filepath.Join(dir, "domains.txt"), filepath.Join(dir, "reports.jsonl")
	if err := os.WriteFile(input, []byte(strings.Join(checkNames(n), "\n")+"\n"), 0o600); err != nil {
		return checked{}, err
	}
	os.Remove(output)
	before := server.Asked()
	cmd := exec.Command(program, "check", "--input", input, "--jsonl", "--output", output, "--resolver", server.Addr, "--queries-per-second", "100000")
	var errText bytes.Buffer
	cmd.Stderr = &errText
	start := time.Now()
	resident, err := runWatched(cmd)
	took := time.Since(start)
	var status *exec.ExitError
	if err != nil && (!errors.As(err, &status) || status.ExitCode() != 1) { // 1: something was found
		return checked{}, fmt.Errorf("check: %w\n%s", err, errText.String())
	}
	if lines, unknown, err := countReports(output); err != nil || lines != n || unknown > 0 {
		return checked{}, fmt.Errorf("%d reports of %d domains, %d with what could not be had (%v)", lines, n, unknown, err)
	}
	return checked{domains: n, took: took, questions: server.Asked() - before, resident: resident}, nil
}

// runWatched runs a program, and tells how much memory it had resident at most. What the system tells of it when it has ended is no use: that
// counts what we had when we made the process.
func runWatched(cmd *exec.Cmd) (resident int64, err error) {
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case err := <-ended:
			return resident, err
		case <-time.After(20 * time.Millisecond):
			if now, err := lab.PeakMemory(cmd.Process.Pid); err == nil {
				resident = max(resident, now)
			}
		}
	}
}

func countReports(path string) (lines, unknown int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	in.Buffer(nil, 16<<20)
	for in.Scan() {
		lines++
		if bytes.Contains(in.Bytes(), []byte(`"severity":"unknown"`)) {
			unknown++
		}
	}
	return lines, unknown, in.Err()
}

//go:embed check_peer.py
var peerProgram []byte

// checkByPeer audits the first n domains by checkdmarc, in an environment of Python that is made where there is none.
func checkByPeer(server *lab.DNS, dir string, n int) (checked, error) {
	python, err := peerPython()
	if err != nil {
		return checked{}, err
	}
	script := filepath.Join(dir, "peer.py")
	if err := os.WriteFile(script, peerProgram, 0o600); err != nil {
		return checked{}, err
	}
	before := server.Asked()
	_, port, _ := strings.Cut(server.Addr, ":")
	cmd := exec.Command(python, append([]string{script, port}, checkNames(n)...)...)
	var out, errText bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errText
	resident, err := runWatched(cmd)
	if err != nil {
		return checked{}, fmt.Errorf("%w: %s", err, errText.String())
	}
	var results int
	var seconds float64
	if _, err := fmt.Sscan(out.String(), &results, &seconds); err != nil || results != n {
		return checked{}, fmt.Errorf("it answered %q (%v)", out.String(), err)
	}
	took := time.Duration(seconds * float64(time.Second)) // without the start of Python
	return checked{domains: n, took: took, questions: server.Asked() - before, resident: resident}, nil
}

// peerPython gives a Python that has checkdmarc.
func peerPython() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	env := filepath.Join(cache, "gatepost-bench", "checkdmarc")
	python := filepath.Join(env, "bin", "python")
	if exec.Command(python, "-c", "import checkdmarc").Run() == nil {
		return python, nil
	}
	for _, args := range [][]string{{"python3", "-m", "venv", env}, {python, "-m", "pip", "install", "--quiet", "checkdmarc"}} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s: %w: %s", args[0], err, bytes.TrimSpace(out))
		}
	}
	return python, nil
}

func loadAverage() string {
	text, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(text), " ")
	return cmp.Or(first, "not known")
}

func checkNames(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("d%d.example", i)
	}
	return all
}

// checkZone is what the domains publish: ten kinds of them, as they are found in the world.
func checkZone() (string, error) {
	var keys []string
	for range 3 {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return "", err
		}
		keys = append(keys, dkim.Record(key.Public()))
	}
	var b strings.Builder
	b.WriteString(checkServices)
	for i := range checkDomains {
		d := fmt.Sprintf("d%d.example", i)
		text := func(name, value string) { b.WriteString(lab.Record(name, value)) }
		key := func(selector string) { text(selector+"._domainkey."+d, keys[i%len(keys)]) }
		dmarc := func(record string) { text("_dmarc."+d, record) }
		mx := func(host string) { fmt.Fprintf(&b, "%s. MX 10 %s.\n", d, host) }
		fmt.Fprintf(&b, "%s. A 203.0.113.%d\n%s. NS ns.dns.example.\n", d, i%250+1, d)
		switch i % 10 {
		case 0: // as it should be
			mx("mx.mail.example")
			text(d, "v=spf1 include:_spf.mail.example include:_spf.news.example -all")
			dmarc("v=DMARC1; p=reject; rua=mailto:dmarc@" + d)
			key("google")
			key("s1")
			text("_smtp._tls."+d, "v=TLSRPTv1; rua=mailto:tls@"+d)
		case 1: // for ever on its way
			mx("mx.mail.example")
			text(d, "v=spf1 include:_spf.mail.example ~all")
			dmarc("v=DMARC1; p=none; rua=mailto:dmarc@" + d)
			key("google")
		case 2: // keys by CNAME
			mx("mx.mail.example")
			text(d, "v=spf1 include:_spf.news.example ip4:203.0.113.7 -all")
			dmarc("v=DMARC1; p=quarantine; rua=mailto:dmarc@" + d)
			for _, s := range []string{"selector1", "selector2"} {
				fmt.Fprintf(&b, "%s._domainkey.%s. CNAME key%d.news.example.\n", s, d, i%len(keys))
			}
		case 3: // SPF and nothing else
			mx("mail." + d)
			fmt.Fprintf(&b, "mail.%s. A 203.0.113.9\n", d)
			text(d, "v=spf1 a mx ~all")
		case 4: // too many look-ups
			mx("mx.mail.example")
			text(d, "v=spf1 include:_spf.mail.example include:_spf.news.example include:_spf.crm.example include:_spf.shop.example a mx ?all")
			dmarc("v=DMARC1; p=none")
		case 5: // sends none, and says so
			fmt.Fprintf(&b, "%s. MX 0 .\n", d)
			text(d, "v=spf1 -all")
			dmarc("v=DMARC1; p=reject")
		case 6: // two records
			mx("mx.mail.example")
			text(d, "v=spf1 include:_spf.mail.example -all")
			text(d, "v=spf1 include:_spf.news.example -all")
			dmarc("v=DMARC1;p=none;pct=100;rua=mailto:dmarc@" + d)
			key("k1")
		case 7: // tokens only
			text(d, "site-verification=abcdef")
		case 8: // a web site
		case 9: // its own servers
			mx("mail." + d)
			fmt.Fprintf(&b, "mail.%s. A 203.0.113.10\n", d)
			text(d, "v=spf1 mx a:mail."+d+" ip4:203.0.113.10 ptr -all")
			dmarc("v=DMARC1; p=quarantine; sp=none; rua=mailto:dmarc@reports.example")
			key("mail")
		}
	}
	for i, k := range keys {
		b.WriteString(lab.Record(fmt.Sprintf("key%d.news.example", i), k))
	}
	return b.String(), nil
}

// checkServices are those that the domains share.
const checkServices = `
mx.mail.example. A 198.51.100.1
_spf.mail.example. TXT "v=spf1 include:_net1.mail.example include:_net2.mail.example include:_net3.mail.example ~all"
_net1.mail.example. TXT "v=spf1 ip4:198.51.100.0/26 ip4:198.51.100.64/27 ~all"
_net2.mail.example. TXT "v=spf1 ip4:198.51.100.96/27 ~all"
_net3.mail.example. TXT "v=spf1 ip6:2001:db8:1::/48 ~all"
_spf.news.example. TXT "v=spf1 ip4:198.51.100.128/26 include:_net1.news.example -all"
_net1.news.example. TXT "v=spf1 ip4:198.51.100.192/27 -all"
_spf.crm.example. TXT "v=spf1 include:_a.crm.example include:_b.crm.example ~all"
_a.crm.example. TXT "v=spf1 ip4:192.0.2.0/26 ~all"
_b.crm.example. TXT "v=spf1 ip4:192.0.2.64/26 ~all"
_spf.shop.example. TXT "v=spf1 a:out.shop.example mx:shop.example ~all"
out.shop.example. A 192.0.2.200
shop.example. MX 10 out.shop.example.
*._report._dmarc.reports.example. TXT "v=DMARC1"
reports.example. MX 10 mx.mail.example.
ns.dns.example. A 192.0.2.53
`
