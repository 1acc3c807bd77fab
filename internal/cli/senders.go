package cli

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatepost-mail/gatepost/dns"
	"github.com/gatepost-mail/gatepost/internal/nearest"
	"github.com/gatepost-mail/gatepost/internal/senders"
)

const sendersHelp = `List the services that Gatepost knows, or say what it knows of one.

NAME is a service's id or name: it prints how its customers make their mail
authenticate, with --domain for that domain. What stands in braces is shown by
the service in its settings. An IP address is looked up: its names, which count
only where they lead back to it, and the service that they belong to. A DOMAIN
is one found in a report, in a signature or in an SPF record.

--file adds to the table, or changes it; docs/senders.md says how.

Exit status: 0 known; 1 nothing is known of it; 2 it could not be done;
3 DNS did not answer.`

func sendersCommand() *cobra.Command {
	var o sendersFlags
	cmd := &cobra.Command{
		Use:     "senders [NAME|IP|DOMAIN]",
		Short:   "List sending services, and how their mail authenticates",
		Long:    sendersHelp,
		Example: "  gatepost senders sendgrid --domain example.com\n  gatepost senders 192.0.2.1",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageError(cmd, "%q: it takes one name at a time; put one of several words in quotes", args[1])
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.file, "file", "", "a `FILE` of your own that adds to the table")
	f.StringVar(&o.domain, "domain", "", "print the records for this `DOMAIN`")
	f.StringArrayVar(&o.networks, "mmdb", nil, "a `FILE` that tells networks and countries, in MaxMind's format; may be repeated")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		table, err := senders.Load(o.file)
		if err != nil {
			return err
		}
		if o.domain != "" {
			if o.domain, err = dns.ToASCII(o.domain); err != nil {
				return usageError(cmd, "--domain: %v", err)
			}
		}
		if len(args) == 0 {
			return listSenders(cmd, table)
		}
		return o.one(cmd, table, args[0])
	}
	return cmd
}

type sendersFlags struct {
	file, domain string
	networks     []string
}

// listSenders prints the table, a service a line.
func listSenders(cmd *cobra.Command, table *senders.Table) error {
	c := commonFlags(cmd)
	if c.JSON {
		return printJSON(cmd.OutOrStdout(), table.Services())
	}
	s := newScreen(cmd.OutOrStdout(), c.NoColor)
	var categories []string
	by := map[string][]*senders.Service{}
	for _, service := range table.Services() {
		if by[service.Category] == nil {
			categories = append(categories, service.Category)
		}
		by[service.Category] = append(by[service.Category], service)
	}
	slices.Sort(categories)
	for i, category := range categories {
		if i > 0 {
			s.line("")
		}
		s.line(s.paint(bold, category))
		for _, service := range by[category] {
			const idWidth, alignWidth = 30, 10
			s.line(clip("  "+pad(service.ID, idWidth)+pad(alignment(service, "-"), alignWidth)+printable(service.Name), s.width))
		}
	}
	return nil
}

// alignment is by what mail from a service can align.
func alignment(s *senders.Service, none string) string {
	if len(s.Aligns) == 0 {
		return none
	}
	return strings.Join(s.Aligns, ", ")
}

// one answers for a name, an address or a domain.
func (o *sendersFlags) one(cmd *cobra.Command, table *senders.Table, name string) error {
	if ip, err := netip.ParseAddr(name); err == nil {
		return o.address(cmd, table, ip.Unmap().WithZone(""))
	}
	if service := serviceNamed(table, name); service != nil {
		return o.service(cmd, service, "")
	}
	if domain, err := dns.ToASCII(name); err == nil && strings.Contains(domain, ".") {
		if m := table.Named(domain); m.Service != nil {
			return o.service(cmd, m.Service, fmt.Sprintf("%s, by its %s", domain, wayName(m.By)))
		}
		return &statusError{status: StatusFails, err: fmt.Errorf("%s: no service is known by it; add it to a file, and name that with --file", printable(name))}
	}
	var ids []string
	for _, s := range table.Services() {
		ids = append(ids, s.ID)
	}
	return &statusError{status: StatusFails, err: fmt.Errorf("%s: no such service%s", printable(name), didYouMean("", nearest.Word(strings.ToLower(name), ids)))}
}

func serviceNamed(table *senders.Table, name string) *senders.Service {
	if s := table.Service(strings.ToLower(name)); s != nil {
		return s
	}
	for _, s := range table.Services() {
		if strings.EqualFold(s.Name, name) {
			return s
		}
	}
	return nil
}

func wayName(by string) string {
	switch by {
	case "ptr":
		return "hosts' names"
	case "dkim":
		return "signatures"
	case "include":
		return "SPF include"
	case "envelope":
		return "return path"
	}
	return "HELO names"
}

// A howTo is a service as --json prints it.
type howTo struct {
	*senders.Service
	HowTo []senders.Record `json:"how_to"`
}

// service prints what there is to know of one.
func (o *sendersFlags) service(cmd *cobra.Command, service *senders.Service, found string) error {
	c := commonFlags(cmd)
	domain := o.domain
	if domain == "" {
		domain = "{domain}"
	}
	records := service.HowTo(domain)
	if c.JSON {
		if records == nil {
			records = []senders.Record{}
		}
		return printJSON(cmd.OutOrStdout(), howTo{service, records})
	}
	s := newScreen(cmd.OutOrStdout(), c.NoColor)
	s.line(s.paint(bold, printable(service.Name)) + " (" + service.ID + "), " + service.Category + ", " + string(service.Role))
	if found != "" {
		s.known("found", printable(found))
	}
	s.known("aligns", alignment(service, "mail of your domain can't"))
	if service.Note != "" {
		s.known("note", printable(service.Note))
	}
	if service.Docs != "" {
		s.known("see", printable(service.Docs))
	}
	for _, list := range []struct {
		label   string
		domains []string
	}{{"hosts", service.PTR}, {"signs", service.DKIM}, {"envelope", service.Envelope}, {"helo", service.HELO}, {"includes", service.SPF}} {
		if len(list.domains) > 0 {
			s.known(list.label, printable(strings.Join(list.domains, ", ")))
		}
	}
	if len(records) == 0 {
		return nil
	}
	s.line("")
	s.line("Publish:")
	for _, r := range records {
		s.line("  " + printable(r.String())) // whole, to be copied
	}
	return nil
}

// A located address is what --json prints of one.
type located struct {
	IP        netip.Addr `json:"ip"`
	PTR       []string   `json:"ptr"`
	Confirmed bool       `json:"confirmed"`
	ASN       uint32     `json:"asn"`
	ASName    string     `json:"as_name"`
	Country   string     `json:"country"`
	Service   string     `json:"service"`
}

// address looks one up.
func (o *sendersFlags) address(cmd *cobra.Command, table *senders.Table, ip netip.Addr) error {
	c := commonFlags(cmd)
	resolver, err := c.resolver()
	if err != nil {
		return err
	}
	networks, err := senders.OpenNetworks(nil, o.networks...)
	if err != nil {
		return err
	}
	e := senders.NewEnricher(senders.EnricherOptions{Resolver: resolver, Table: table, Networks: networks, Timeout: c.Timeout})
	ctx, cancel := context.WithTimeout(cmd.Context(), c.Timeout)
	defer cancel()
	a := e.Look(ctx, []netip.Addr{ip})[0]
	if a.Again {
		return &statusError{status: StatusTemporary, err: fmt.Errorf("%v: DNS does not answer for its names; try again later", ip)}
	}
	if c.JSON {
		l := located{a.IP, a.PTR, a.Confirmed, a.ASN, a.ASName, a.Country, a.Service}
		if l.PTR == nil {
			l.PTR = []string{}
		}
		if err := printJSON(cmd.OutOrStdout(), l); err != nil {
			return err
		}
	} else {
		printAddress(newScreen(cmd.OutOrStdout(), c.NoColor), table, a)
	}
	if a.Service == "" {
		return exit(StatusFails)
	}
	return nil
}

func printAddress(s screen, table *senders.Table, a senders.Address) {
	s.line(s.paint(bold, a.IP.String()))
	switch {
	case len(a.PTR) == 0:
		s.known("names", "none")
	case a.Confirmed:
		s.known("names", printable(strings.Join(a.PTR, ", ")))
	default:
		s.known("names", printable(strings.Join(a.PTR, ", "))+": none leads back to the address, so they tell nothing")
	}
	if a.ASN != 0 {
		s.known("network", strings.TrimSpace(fmt.Sprintf("AS%d %s", a.ASN, printable(a.ASName))))
	}
	if a.Country != "" {
		s.known("country", printable(a.Country))
	}
	service := table.Service(a.Service)
	if service == nil {
		s.known("service", "none that is known")
		return
	}
	s.known("service", printable(service.Name)+" ("+service.ID+"), "+string(service.Role))
}

// known writes one thing that is known, wrapped beneath itself.
func (s screen) known(label, text string) {
	const indent = 12
	head := "  " + pad(label, indent-2)
	for _, line := range wrap(text, s.width-indent) {
		s.line(head + line)
		head = strings.Repeat(" ", indent)
	}
}
