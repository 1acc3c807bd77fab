package web

import (
	"github.com/gatepost-mail/gatepost/internal/dashboard"
	"github.com/gatepost-mail/gatepost/internal/people"
)

// analyzeRoom is for a message of 10 MiB, in base64 too.
const analyzeRoom = 16 << 20

// checkRoutes are about any domain and any message. The records of a domain of ours are among them.
func checkRoutes(d *dashboard.Desk) []route {
	return []route{
		view(route{id: "check", path: "/check", title: "Check a domain", summary: "The page on which a domain is named", area: "check", need: people.Viewer, over: somewhere}, d.Checking),
		action(route{id: "check-domain", path: "/check", title: "Check a domain", summary: "Finds the page of a domain that was typed", area: "check", form: "/check", need: people.Viewer, over: somewhere}, d.DoCheck),
		view(route{id: "checked", path: "/check/{subject}", title: "A domain, checked", summary: "What any domain publishes wrongly about its mail, and what to publish instead. What mail and reports say is in it only for whoever may see the domain", area: "check", form: "/check", need: people.Viewer, over: somewhere}, d.Check),
		view(route{id: "analyze", path: "/analyze", title: "Analyze a message", summary: "The page on which a message is pasted", area: "check", need: people.Viewer, over: somewhere}, d.Analyzing),
		answer(route{id: "analyzed", path: "/analyze", title: "A message, analyzed", summary: "Verifies a message or its header as gatepost verify does. Nothing is kept of it", area: "check", form: "/analyze", room: analyzeRoom, need: people.Viewer, over: somewhere}, d.Analyze),
		view(route{id: "records", path: "/domains/{domain}/records", title: "Records", summary: "What a domain publishes and published, and since when", area: "domains", need: people.Viewer, over: oneDomain}, d.Records),
	}
}
