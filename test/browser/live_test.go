package browser

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/gatepost-mail/gatepost/internal/store"
)

// Whoever looks at the gate sees what comes, and nothing of it runs.
func TestDecisionsAppearByThemselves(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	site, err := Open(ctx, t.TempDir(), Owner)
	if err != nil {
		t.Fatal(err)
	}
	defer site.Close()
	chromium, err := Start(ctx)
	if err != nil {
		t.Skip(err)
	}
	defer chromium.Close()
	tab, done := chromium.Tab()
	defer done()
	n := int64(0)
	decide := func(reference, domain string) {
		t.Helper()
		n++
		d := store.Decision{
			Time: site.Demo.Now, Reference: reference, AuthorDomain: domain, Rule: domain, Verdict: "reject", Done: "reject", ClientIP: netip.MustParseAddr("2001:db8::1"),
		}
		if err := site.Desk.Store.AddBatch(ctx, store.Batch{Source: "live", Number: n, Decisions: []store.Decision{d}}); err != nil {
			t.Fatal(err)
		}
	}
	// until waits for something to be so.
	until := func(what, expression string) {
		t.Helper()
		for range 100 {
			if so, err := chromedp.Run(tab, chromedp.Evaluate[bool](expression)); err == nil && so {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
		page, _ := chromedp.Run(tab, chromedp.Evaluate[string](`document.querySelector("#live").innerText + document.querySelector("#decisions tbody").innerText.slice(0, 1000)`))
		t.Fatalf("%s: it never is so:\n%s", what, page)
	}
	const first = `document.querySelector("#decisions tbody tr")`

	if err := chromedp.Do(tab, chromedp.Navigate(site.URL+"/gate")); err != nil {
		t.Fatal(err)
	}
	until("it says that it is live", `document.querySelector("#live-says").textContent.startsWith("Live.")`)
	decide("hostile", "<img src=x onerror=window.ran=1>\u202egpj.exe")
	until("the row is there", first+`.textContent.includes("hostile")`)
	until("what a stranger wrote is text", first+`.children[3].textContent === "<img src=x onerror=window.ran=1>\\u{202e}gpj.exe" && !window.ran && !document.querySelector("#decisions img")`)
	until("it leads to the message", first+`.querySelector("a").getAttribute("href") === "/gate/decisions/hostile"`)
	until("it is told in a sentence", `document.querySelector("#live-says").textContent === "Live. 1 message since you came."`)

	if err := chromedp.Do(tab, chromedp.Click(chromedp.ID("live-pause"))); err != nil {
		t.Fatal(err)
	}
	decide("kept", "new.example")
	until("what comes is kept", `document.querySelector("#live-pause").textContent === "Go on (1)"`)
	until("it is not shown", first+`.textContent.includes("hostile")`)
	if err := chromedp.Do(tab, chromedp.Click(chromedp.ID("live-pause"))); err != nil {
		t.Fatal(err)
	}
	until("it is shown then", first+`.textContent.includes("kept")`)

	for i := range 210 {
		decide(fmt.Sprint("many", i), "new.example")
	}
	until("the last one is there", first+`.textContent.includes("many209")`)
	until("no more than 200 stay", `document.querySelectorAll("#decisions tbody tr").length === 200`)
}
