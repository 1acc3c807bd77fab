package render

import (
	"encoding/xml"
	"fmt"
	"io"

	"github.com/gatepost-mail/gatepost/internal/audit"
	"github.com/gatepost-mail/gatepost/internal/audit/check"
	"github.com/gatepost-mail/gatepost/internal/show"
)

type testSuites struct {
	XMLName  xml.Name    `xml:"testsuites"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Suites   []testSuite `xml:"testsuite"`
}

// A testSuite is a domain.
type testSuite struct {
	Name      string     `xml:"name,attr"`
	Tests     int        `xml:"tests,attr"`
	Failures  int        `xml:"failures,attr"`
	Errors    int        `xml:"errors,attr"`
	Skipped   int        `xml:"skipped,attr"`
	Timestamp string     `xml:"timestamp,attr"`
	Cases     []testCase `xml:"testcase"`
}

// A testCase is a check that found nothing, or one finding.
type testCase struct {
	Class   string   `xml:"classname,attr"`
	Name    string   `xml:"name,attr"`
	Failure *outcome `xml:"failure,omitempty"`
	Error   *outcome `xml:"error,omitempty"`
	Out     string   `xml:"system-out,omitempty"`
}

type outcome struct {
	Type    string `xml:"type,attr"`
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// writeJUnit makes a suite of each domain. A finding fails from a severity on; below it passes and says what it found. What is unknown is
// an error: the test could not be made.
func writeJUnit(w io.Writer, all []Result, o Options) error {
	doc := testSuites{Name: "gatepost check"}
	for _, r := range all {
		s := suite(r, o)
		doc.Tests, doc.Failures, doc.Errors = doc.Tests+s.Tests, doc.Failures+s.Failures, doc.Errors+s.Errors
		doc.Suites = append(doc.Suites, s)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(doc); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func suite(r Result, o Options) testSuite {
	s := testSuite{Name: show.Printable(r.Domain), Timestamp: r.CheckedAt.UTC().Format("2006-01-02T15:04:05")}
	found := map[string][]*audit.Finding{}
	for i := range r.Findings {
		f := &r.Findings[i]
		found[f.ID] = append(found[f.ID], f)
	}
	for _, c := range o.checks {
		if len(found[c.ID]) == 0 && c.Severity != check.Unknown {
			s.Cases = append(s.Cases, testCase{Class: s.Name, Name: c.ID})
		}
		for _, f := range found[c.ID] {
			s.Cases = append(s.Cases, caseOf(s.Name, f, o.FailOn))
		}
	}
	for _, c := range s.Cases {
		switch {
		case c.Failure != nil:
			s.Failures++
		case c.Error != nil:
			s.Errors++
		}
	}
	s.Tests = len(s.Cases)
	return s
}

func caseOf(domain string, f *audit.Finding, failOn check.Severity) testCase {
	c := testCase{Class: domain, Name: show.Printable(fmt.Sprintf("%s (%s)", f.ID, f.Subject))}
	said := &outcome{Type: string(f.Severity), Message: show.Printable(f.Title) + ": " + text(f.Detail), Text: prose(f)}
	switch {
	case f.Severity == check.Unknown:
		c.Error = said
	case Reaches(f.Severity, failOn):
		c.Failure = said
	default:
		c.Out = said.Message + "\n" + said.Text
	}
	return c
}

// prose is what is to be said of a finding beside its title and detail, in lines.
func prose(f *audit.Finding) string {
	i := itemOf(f, false)
	s := i.Why + "\n"
	for _, b := range i.Advice {
		if b.Text != "" {
			s += b.Text + "\n"
		}
		for _, line := range b.Lines {
			s += "  " + line + "\n"
		}
	}
	for _, r := range i.Records {
		s += r.Do + ":\n"
		for _, line := range r.Lines {
			s += line + "\n"
		}
	}
	return s + "See " + i.Reference + ".\n"
}
