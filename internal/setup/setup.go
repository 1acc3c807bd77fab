// Package setup says what a domain is to publish so that its mail is authenticated, from what its owner says of it.
//
//	answers := setup.Answers{Domain: "example.com", Sends: true, Receives: true, Services: []setup.Service{{ID: "sendgrid"}}}
//	present := setup.Look(ctx, resolver, answers.Places(table)) // what is published already
//	plan, err := setup.Make(answers, present, table)
//	fmt.Print(plan.Zone())
//
// A [Plan] is a value: the records to publish now, what the owner has to look up elsewhere first, and the dated way from p=none to
// p=reject. Records that are there are edited rather than doubled, and what the owner did not speak of stays. The plan is written down in
// several forms (zone.go, dnscontrol.go, terraform.go), made so by dynamic update ([Apply]), and waited for ([Verify]).
package setup

import (
	"cmp"

	"github.com/gatepost-mail/gatepost/internal/audit/publish"
)

// What a record is for. A service's records have the words of package senders: dkim, return-path, verify.
const (
	ForSPF    = "spf"
	ForDKIM   = "dkim"
	ForDMARC  = "dmarc"
	ForReport = "report authorisation"
	ForMX     = "mx"
	ForTLSRPT = "tls-rpt"
	ForSTS    = "mta-sts"
)

// File is the Type of a record that is a file on a web server.
const File = publish.File

// A Change is one that somebody is to make.
type Change = publish.Change

// A Plan is what a domain is to publish.
type Plan struct {
	Domain  string
	In      string   // the zone that the records are in; that of the domain's own name if empty
	Looked  bool     // what is published was looked at
	Records []Record // to publish now, files too, in the order in which it is best done
	Way     []Step   // of the DMARC policy, from here to p=reject; the first is now
	After   []Later  // what else is to be done once there was time to see how it goes
	LookUp  []Blank  // what only the settings of a service show
	Notes   []string // what to know, a sentence or two each
	present *Present
}

// A Record is one record or file of a plan.
type Record struct {
	publish.Change
	For       string
	Why       string   // in a sentence
	Service   string   // whose it is, by name; empty for the domain's own
	Blanks    []string // what stands in braces in it: it cannot be published before that is filled in
	Held      string   // why it is not to be published as it is; empty if it is
	Elsewhere string   // the domain whose owner publishes it, where that is another
}

// There tells whether it is published already, as it should be.
func (r *Record) There() bool { return r.Old == r.New }

// Ready tells whether the record is one to publish now, by the domain's owner, in DNS.
func (r *Record) Ready() bool {
	return !r.There() && len(r.Blanks) == 0 && r.Held == "" && r.Elsewhere == "" && r.Type != publish.File
}

// A Blank is what a service shows in its settings, and only there.
type Blank struct {
	Service string // its id
	Name    string // its name
	Blanks  []string
	Docs    string
}

// Changes are what the owner publishes in DNS now.
func (p *Plan) Changes() []publish.Change {
	var all []publish.Change
	for i := range p.Records {
		if p.Records[i].Ready() {
			all = append(all, p.Records[i].Change)
		}
	}
	return all
}

// everything are the changes as they would be once all that has no blanks is published, files and what others publish included.
func (p *Plan) everything() []publish.Change {
	var all []publish.Change
	for i := range p.Records {
		if r := &p.Records[i]; len(r.Blanks) == 0 && r.Held == "" {
			all = append(all, r.Change)
		}
	}
	return all
}

func (p *Plan) zone() string { return cmp.Or(p.In, p.Domain) }

func (p *Plan) add(r Record) { p.Records = append(p.Records, r) }

func (p *Plan) note(text string) {
	for _, known := range p.Notes {
		if known == text {
			return
		}
	}
	p.Notes = append(p.Notes, text)
}
