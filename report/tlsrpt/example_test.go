package tlsrpt_test

import (
	"fmt"
	"os"
	"time"

	"github.com/gatepost-mail/gatepost/report/tlsrpt"
)

func ExampleRead() {
	file, err := os.Open("testdata/totals-differ.json")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer file.Close()
	r, err := tlsrpt.Read(file, tlsrpt.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, p := range r.Policies {
		fmt.Println(p.Domain, p.Type, p.Successful, p.Failed, p.Failures[0].ResultType)
	}
	fmt.Println(r.Warnings)
	// Output:
	// example.com sts 5326 9 certificate-expired
	// [policy 1: 9 sessions failed, and the details add up to 303]
}

func ExampleReport_Write() {
	r := &tlsrpt.Report{
		OrganizationName: "Sender", ContactInfo: "tls@sender.example", ReportID: "17",
		Begin: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), End: time.Date(2026, 11, 1, 23, 59, 59, 0, time.UTC),
		Policies: []tlsrpt.Policy{{Type: "no-policy-found", Domain: "example.com", Successful: 12}},
	}
	fmt.Println(r.Subject("sender.example"))
	fmt.Println(r.Filename("sender.example", ""))
	if err := r.Write(os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// Report Domain: example.com Submitter: sender.example Report-ID: <17@sender.example>
	// sender.example!example.com!1793491200!1793577599.json.gz
	// {"organization-name":"Sender","date-range":{"start-datetime":"2026-11-01T00:00:00Z","end-datetime":"2026-11-01T23:59:59Z"},"contact-info":"tls@sender.example","report-id":"17","policies":[{"policy":{"policy-type":"no-policy-found","policy-domain":"example.com"},"summary":{"total-successful-session-count":12,"total-failure-session-count":0}}]}
}
