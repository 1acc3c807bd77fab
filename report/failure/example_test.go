package failure_test

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/report/failure"
)

func ExampleRead() {
	mail, err := os.Open("testdata/no-alignment.eml")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer mail.Close()
	r, err := failure.Read(mail, failure.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s sent mail as %s: %s\n", r.SourceIP, r.AuthorDomain, r.DeliveryResult)
	for _, warning := range r.Warnings {
		fmt.Println(warning)
	}
	// Output:
	// 192.0.2.7 sent mail as example.com: smtp-reject
	// Delivery-Result "smtp-reject" is not known: kept as it came
	// no Identity-Alignment (RFC 9991 4): it is not known what failed
}

func ExampleReport_Write() {
	r := &failure.Report{
		Reporter: "Receiver", ReporterEmail: "dmarc@receiver.example", ReportID: "17@receiver.example",
		Date: time.Date(2026, 11, 2, 8, 15, 2, 0, time.UTC), UserAgent: "Gatepost/1", FeedbackType: "auth-failure", AuthFailure: "dmarc",
		SourceIP: netip.MustParseAddr("192.0.2.7"), ReportedDomains: []string{"example.com"}, IdentityAlignment: []string{"dkim", "spf"},
		AuthenticationResults: []string{"mx.receiver.example; dmarc=fail header.from=example.com"},
		OriginalHeader:        "From: Alice <alice@example.com>\r\nSubject: Lunch\r\n",
	}
	var mail strings.Builder
	fmt.Println(r.Write(&mail, failure.Mail{To: "ruf@example.com"}))

	err := r.Redact([]byte("a long secret")).Write(&mail, failure.Mail{To: "ruf@example.com", NoAlignedSignature: true, NoAlignedSPF: true})
	fmt.Println(err, strings.Contains(mail.String(), "alice"), strings.Contains(mail.String(), "Lunch"))
	// Output:
	// failure report: DKIM failed, and DKIM-Domain, -Identity and -Selector do not all say which signature (RFC 9991 4); SPF failed, and no SPF-DNS says by which record (RFC 9991 4)
	// <nil> false false
}
