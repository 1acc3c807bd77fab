package browser

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/gatepost-mail/gatepost/internal/store"
)

// A visit is somebody at the dashboard who does one task after another, as people do: by what stands on the page.
type visit struct {
	t    *testing.T
	site *Site
	tab  context.Context
}

func newVisit(t *testing.T) *visit {
	t.Helper()
	site, err := Open(t.Context(), t.TempDir(), Owner)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(site.Close)
	tab, stop := context.WithTimeout(newTab(t), 2*time.Minute)
	t.Cleanup(stop)
	return &visit{t, site, tab}
}

func (v *visit) open(path string) {
	v.t.Helper()
	if err := Show(v.tab, v.site.URL, Page{Path: path}); err != nil {
		v.t.Fatal(err)
	}
}

func (v *visit) do(steps ...chromedp.Action[chromedp.Void]) {
	v.t.Helper()
	if err := chromedp.Do(v.tab, steps...); err != nil {
		v.t.Fatalf("%v\n%s", err, v.text())
	}
}

// click follows the link or presses the button with a text.
func (v *visit) click(text string) {
	v.t.Helper()
	v.sees(text)
	v.do(chromedp.Click(chromedp.Search(`(//main//a|//main//button)[normalize-space()="` + text + `"]`)))
}

func (v *visit) text() string {
	text, err := chromedp.Run(v.tab, chromedp.Evaluate[string](`document.body.innerText`))
	if err != nil {
		return err.Error() // between two pages
	}
	return text
}

// sees waits until texts are on the page.
func (v *visit) sees(texts ...string) {
	v.t.Helper()
	for _, text := range texts {
		for deadline := time.Now().Add(30 * time.Second); !strings.Contains(v.text(), text); time.Sleep(50 * time.Millisecond) {
			if time.Now().After(deadline) {
				v.t.Fatalf("no %q on the page:\n%s", text, v.text())
			}
		}
	}
}

func TestTheMainTasksOfADashboard(t *testing.T) {
	v := newVisit(t)

	// Why does a source fail? From the list of domains to what Salesforce needs.
	v.open("/domains")
	v.click("example.com")
	v.sees("Yours, to be mended")
	v.click("Salesforce")
	v.sees("Why it fails, and how to mend it", "does not align with example.com", "_domainkey.example.com")

	// What if p=reject were published?
	v.open("/domains/example.com/what-if")
	v.do(chromedp.SetValue(chromedp.CSS(`select[name="policy"]`), "reject"), chromedp.Submit(chromedp.CSS(`select[name="policy"]`)))
	v.sees("5,064 messages", "3,200 are yours")

	// A message that was stopped: an exception lets the next one in.
	v.open("/gate/decisions/" + v.site.Demo.Reference)
	v.sees("SPF was asked whether the server may send", "The policy decided")
	v.click("Make an exception")
	v.sees("supplier.example")
	v.do(chromedp.SetValue(chromedp.CSS(`main form[method="post"] [name="reason"]`), "its new server, until the record has it"),
		chromedp.Submit(chromedp.CSS(`main form[method="post"] [name="reason"]`)))
	v.sees("its new server, until the record has it")
	all, err := v.site.Desk.Store.Exceptions(t.Context())
	if err != nil || all[len(all)-1].Domain != "supplier.example" || all[len(all)-1].Author != "ada" || !all[len(all)-1].Network.IsValid() {
		t.Errorf("the exceptions are %+v, %v", all, err)
	}

	// The letter to the supplier waits; it is approved.
	v.open("/gate/letters")
	v.click("supplier.example")
	v.click("Approve the letter")
	v.sees("approved")
	n, err := v.site.Desk.Store.Notice(t.Context(), 2)
	if err != nil || n.State != store.NoticeApproved || n.Author != "ada" {
		t.Errorf("the case is %s by %s, %v", n.State, n.Author, err)
	}

	// A report that came by another way is uploaded; the second time it is known.
	report, err := os.ReadFile("../../docs/tour/reports/example.net.xml")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "example.net.xml")
	if err := os.WriteFile(file, report, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"new", "known"} {
		v.open("/reports/upload")
		v.do(chromedp.SetUploadFiles(chromedp.CSS(`input[type="file"]`), []string{file}), chromedp.Submit(chromedp.CSS(`input[type="file"]`)))
		v.sees("example.net.xml", want)
	}
	found, err := v.site.Desk.Store.Reports(t.Context(), store.ReportFilter{Reporter: "Example Network"})
	if err != nil || len(found) != 1 {
		t.Errorf("%d reports of Example Network, %v", len(found), err)
	}
}
