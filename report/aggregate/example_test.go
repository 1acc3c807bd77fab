package aggregate_test

import (
	"fmt"
	"io"
	"log"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/gatepost-mail/gatepost/report/aggregate"
)

// A report is read record by record, however many there are.
func ExampleReader() {
	file, err := os.Open("testdata/wild/no-source.xml")
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	r := aggregate.NewReader(file, aggregate.Options{})
	var rec aggregate.Record
	for {
		err := r.Next(&rec)
		if err == io.EOF {
			break
		}
		if err != nil {
			log.Fatal(err) // what was read until then may be half of it
		}
		fmt.Println(rec.SourceIP, rec.Count, rec.HeaderFrom, rec.Passes())
	}
	fmt.Println(r.Feedback().OrgName)
	for _, w := range r.Warnings() {
		fmt.Println(w)
	}
	// Output:
	// 192.0.2.191 1 example.com true
	// 192.0.2.192 1 example.com true
	// Example Redactor
	// record 2: no source_ip: left out
	// record 3: source_ip "X.X.X.X" is no address: left out
}

// A small report can be read at once.
func ExampleRead() {
	report, err := aggregate.Read(strings.NewReader(`<feedback><report_metadata><org_name>AT&T`), aggregate.Options{})
	fmt.Println(len(report.Records), err)
	// Output:
	// 0 aggregate: line 1: the report is cut off
}

// A report is written record by record too.
func ExampleWriter() {
	day := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	w, err := aggregate.NewWriter(os.Stdout, aggregate.Feedback{
		OrgName: "Example Org", Email: "dmarc@example.org", ReportID: "2026-11-24_example.com@example.org",
		Begin: day, End: day.Add(24*time.Hour - time.Second),
		Policy: aggregate.Policy{Domain: "example.com", P: "reject", DiscoveryMethod: "treewalk"},
	}, aggregate.RFC9990)
	if err != nil {
		log.Fatal(err)
	}
	err = w.Write(&aggregate.Record{
		SourceIP: netip.MustParseAddr("192.0.2.1"), Count: 3, Disposition: "reject", DKIM: "fail", SPF: "fail", HeaderFrom: "example.com",
		Auth: aggregate.Auth{SPF: []aggregate.AuthSPF{{Domain: "example.net", Scope: "mfrom", Result: "softfail"}}},
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}
	// Output:
	// <?xml version="1.0" encoding="UTF-8"?>
	// <feedback xmlns="urn:ietf:params:xml:ns:dmarc-2.0">
	//   <version>1.0</version>
	//   <report_metadata>
	//     <org_name>Example Org</org_name>
	//     <email>dmarc@example.org</email>
	//     <report_id>2026-11-24_example.com@example.org</report_id>
	//     <date_range>
	//       <begin>1795478400</begin>
	//       <end>1795564799</end>
	//     </date_range>
	//   </report_metadata>
	//   <policy_published>
	//     <domain>example.com</domain>
	//     <discovery_method>treewalk</discovery_method>
	//     <p>reject</p>
	//   </policy_published>
	//   <record>
	//     <row>
	//       <source_ip>192.0.2.1</source_ip>
	//       <count>3</count>
	//       <policy_evaluated>
	//         <disposition>reject</disposition>
	//         <dkim>fail</dkim>
	//         <spf>fail</spf>
	//       </policy_evaluated>
	//     </row>
	//     <identifiers>
	//       <header_from>example.com</header_from>
	//       <envelope_from></envelope_from>
	//     </identifiers>
	//     <auth_results>
	//       <spf>
	//         <domain>example.net</domain>
	//         <scope>mfrom</scope>
	//         <result>softfail</result>
	//       </spf>
	//     </auth_results>
	//   </record>
	// </feedback>
}

func ExampleFileName() {
	day := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	name := aggregate.FileName{Receiver: "mx.example.org", Domain: "example.com", Begin: day, End: day.Add(24*time.Hour - time.Second), Gzip: true}
	fmt.Println(name)
	fmt.Println(aggregate.Subject{Domain: "example.com", Submitter: "mx.example.org", ReportID: "2026-11-24_example.com@example.org"})
	// Output:
	// mx.example.org!example.com!1795478400!1795564799.xml.gz
	// Report Domain: example.com Submitter: mx.example.org Report-ID: <2026-11-24_example.com@example.org>
}
