package web

import (
	"github.com/gatepost-mail/gatepost/internal/dashboard"
	"github.com/gatepost-mail/gatepost/internal/people"
)

func domainRoutes(d *dashboard.Desk) []route {
	const source = "/domains/{domain}/sources/{source}"
	return []route{
		view(route{id: "domains", path: "/domains", title: "Domains", summary: "The domains and how they fare", area: "domains", need: people.Viewer, over: somewhere}, d.Domains),
		view(route{id: "domain", path: "/domains/{domain}", title: "A domain", summary: "How a domain's mail fares, who sends in its name, what is new and what to do next",
			area: "domains", need: people.Viewer, over: oneDomain}, d.Domain),
		view(route{id: "source", path: source, title: "A source", summary: "All that is known of who sends in a domain's name",
			area: "domains", need: people.Viewer, over: oneDomain}, d.Source),
		action(route{id: "mark-source", path: source + "/mark", title: "Say whose a source is", summary: "Say what a source is to a domain, whatever the evidence says",
			area: "domains", need: people.Analyst, over: oneDomain, form: source}, d.DoMark),
		action(route{id: "unmark-source", path: source + "/unmark", title: "Take a word back", summary: "Let the evidence say again what a source is",
			area: "domains", need: people.Analyst, over: oneDomain, form: source}, d.DoUnmark),
	}
}
