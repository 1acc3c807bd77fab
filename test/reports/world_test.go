//go:build linux

package reports

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/internal/store"
	"github.com/gatepost-mail/gatepost/test/wrap"
)

// The ways by which reports come.
const (
	bySMTP    = "smtp"
	byLMTP    = "lmtp"
	byHTTP    = "http"
	byIMAP    = "imap"
	byFolder  = "folder"
	byMaildir = "maildir"
)

var ways = []string{bySMTP, byLMTP, byHTTP, byIMAP, byFolder, byMaildir}

// A parcel is one thing that is handed over, by one way.
type parcel struct {
	way, name string
	raw       []byte
	bad       bool
	report    string // its key; empty if bad
}

func (p *parcel) hash() store.Hash { return sha256.Sum256(p.raw) }

// A known is what is known of a report that was sent.
type known struct {
	messages, rows int64 // of an aggregate report
	sessions       int64 // of a TLS report
	raws           map[store.Hash]bool
}

// A world is all that is sent.
type world struct {
	parcels []*parcel
	reports map[string]*known // "aggregate Org 1 id17"
	bad     map[store.Hash]bool
	raws    map[store.Hash]bool
}

var (
	domains = []string{"example.com", "example.org", "example.net"}
	dayOne  = time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)
)

// newWorld makes so many reports, and some that are bad beside them. Every fifth report comes twice, and some of these by the same way.
func newWorld(r *rand.Rand, reports int) *world {
	w := &world{reports: map[string]*known{}, bad: map[store.Hash]bool{}, raws: map[store.Hash]bool{}}
	for i := range reports {
		org, domain, day := fmt.Sprintf("Reporter %d", r.IntN(5)), domains[r.IntN(len(domains))], dayOne.AddDate(0, 0, r.IntN(20))
		k, id := &known{raws: map[store.Hash]bool{}}, fmt.Sprintf("id%d", i)
		var content []byte
		kind := store.Aggregate
		switch n := r.IntN(10); {
		case n == 0:
			kind = store.Failure
		case n < 3:
			kind = store.TLS
			content, k.sessions = tlsReport(r, org, id, domain, day)
		default:
			content = w.aggregate(r, k, org, id, domain, day)
		}
		key := kind + " " + id
		w.reports[key] = k
		times := 1
		if r.IntN(5) == 0 {
			times = 2
		}
		for range times {
			w.send(r, k, key, kind, id, domain, content)
		}
		if r.IntN(8) == 0 {
			w.sendBad(r, i, content)
		}
	}
	r.Shuffle(len(w.parcels), func(i, j int) { w.parcels[i], w.parcels[j] = w.parcels[j], w.parcels[i] })
	return w
}

// send wraps a report as it may come by one of the ways.
func (w *world) send(r *rand.Rand, k *known, key, kind, id, domain string, content []byte) {
	way := ways[r.IntN(len(ways))]
	p := &parcel{way: way, report: key, name: fmt.Sprintf("%s-%d.eml", id, len(w.parcels))}
	switch {
	case kind == store.Failure:
		p.raw = failureReport(id, domain)
	case way == byHTTP || way == byFolder:
		switch r.IntN(3) {
		case 0:
			p.raw = content
		case 1:
			p.raw = wrap.Gzip(id, content)
		default:
			p.raw = wrap.Zip(id, content)
		}
	case kind == store.TLS:
		p.raw = mail(id, wrap.Multipart("report; report-type=tlsrpt", "Content-Type: text/plain\r\n\r\nSee below.\r\n",
			wrap.Part("Content-Type: application/tlsrpt+gzip\r\n", wrap.Gzip(id+".json", content))))
	default:
		p.raw = mail(id, wrap.Multipart("mixed", "Content-Type: text/plain\r\n\r\nSee below.\r\n",
			wrap.Part("Content-Type: application/zip; name=report.zip\r\n", wrap.Zip(id+".xml", content))))
	}
	k.raws[p.hash()] = true
	w.raws[p.hash()] = true
	w.parcels = append(w.parcels, p)
}

// sendBad adds what nothing can be read from.
func (w *world) sendBad(r *rand.Rand, i int, content []byte) {
	p := &parcel{way: ways[r.IntN(len(ways))], bad: true, name: fmt.Sprintf("bad%d.eml", i)}
	switch n := r.IntN(3); {
	case n == 0 && len(content) > 0 && (p.way == byHTTP || p.way == byFolder):
		p.raw = append(bytes.Clone(content[:len(content)/2]), fmt.Sprintf("<!-- cut %d", i)...)
	case n == 1:
		p.raw = mail(fmt.Sprintf("bad%d", i), wrap.Multipart("mixed", wrap.Part("Content-Type: application/gzip; name=r.xml.gz\r\n",
			wrap.Gzip("r.xml", fmt.Appendf(nil, "<html>%d</html>", i))[:20])))
	default:
		p.raw = mail(fmt.Sprintf("bad%d", i), fmt.Appendf(nil, "%s\r\nHave you got my letter %d?\r\n", wrap.TopFields, i))
	}
	w.bad[p.hash()] = true
	w.raws[p.hash()] = true
	w.parcels = append(w.parcels, p)
}

// mail gives a message a name of its own.
func mail(id string, text []byte) []byte {
	return bytes.Replace(text, []byte("<1@mx.example.net>"), []byte("<"+id+"@mx.example.net>"), 1)
}

// aggregate is an aggregate report; some have so many records that to write them takes longer than it takes to be killed.
func (w *world) aggregate(r *rand.Rand, k *known, org, id, domain string, day time.Time) []byte {
	rows := 1 + r.IntN(30)
	if r.IntN(25) == 0 {
		rows = 2000 + r.IntN(2000)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `<?xml version="1.0"?><feedback><version>1.0</version><report_metadata><org_name>%s</org_name><email>dmarc@example.net</email>`+
		`<report_id>%s</report_id><date_range><begin>%d</begin><end>%d</end></date_range></report_metadata>`+
		`<policy_published><domain>%s</domain><adkim>r</adkim><aspf>r</aspf><p>reject</p><sp>none</sp><pct>100</pct></policy_published>`+"\n",
		org, id, day.Unix(), day.Unix()+86399, domain)
	for i := range rows {
		count := int64(1 + r.IntN(50))
		k.messages += count
		k.rows++
		result := []string{"pass", "fail"}
		fmt.Fprintf(&b, `<record><row><source_ip>192.0.2.%d</source_ip><count>%d</count><policy_evaluated><disposition>%s</disposition>`+
			`<dkim>%s</dkim><spf>%s</spf></policy_evaluated></row><identifiers><header_from>%s</header_from></identifiers><auth_results>`+
			`<dkim><domain>%[6]s</domain><selector>s%d</selector><result>pass</result></dkim>`+
			`<spf><domain>%[6]s</domain><result>pass</result></spf></auth_results></record>`+"\n",
			r.IntN(256), count, []string{"none", "quarantine", "reject"}[r.IntN(3)], result[r.IntN(2)], result[r.IntN(2)], domain, i%50)
	}
	b.WriteString("</feedback>\n")
	return b.Bytes()
}

func tlsReport(r *rand.Rand, org, id, domain string, day time.Time) (text []byte, sessions int64) {
	good, failed := int64(1+r.IntN(500)), int64(r.IntN(20))
	return fmt.Appendf(nil, `{"organization-name":%q,"date-range":{"start-datetime":%q,"end-datetime":%q},"contact-info":"tls@example.net",`+
		`"report-id":%q,"policies":[{"policy":{"policy-type":"sts","policy-string":["version: STSv1"],"policy-domain":%q},`+
		`"summary":{"total-successful-session-count":%d,"total-failure-session-count":%d},"failure-details":[{"result-type":"certificate-expired",`+
		`"sending-mta-ip":"192.0.2.9","receiving-mx-hostname":"mx.example.com","failed-session-count":%[7]d}]}]}`,
		org, day.Format(time.RFC3339), day.Add(86399*time.Second).Format(time.RFC3339), id, domain, good, failed), good + failed
}

func failureReport(id, domain string) []byte {
	feedback := "Feedback-Type: auth-failure\r\nUser-Agent: Test/1\r\nVersion: 1\r\nOriginal-Mail-From: a@" + domain + "\r\nArrival-Date: " +
		"Mon, 23 Nov 2026 01:02:03 +0000\r\nReported-Domain: " + domain + "\r\nSource-IP: 192.0.2.7\r\nAuth-Failure: dmarc\r\n" +
		"Identity-Alignment: none\r\n"
	return mail(id, wrap.Multipart("report; report-type=feedback-report", "Content-Type: text/plain\r\n\r\nA failure: "+id+".\r\n",
		"Content-Type: message/feedback-report\r\n\r\n"+feedback, "Content-Type: text/rfc822-headers\r\n\r\nFrom: a@"+domain+
			"\r\nSubject: "+strings.ToUpper(id)+"\r\nMessage-ID: <"+id+"@"+domain+">\r\n"))
}

// sums are those of all aggregate and TLS reports.
func (w *world) sums() (messages, rows, sessions int64) {
	for _, k := range w.reports {
		messages, rows, sessions = messages+k.messages, rows+k.rows, sessions+k.sessions
	}
	return messages, rows, sessions
}
