package web

import (
	"github.com/gatepost-mail/gatepost/internal/dashboard"
	"github.com/gatepost-mail/gatepost/internal/people"
)

// whatIfForm is the page with the forms for questions about a domain, where a question that makes no sense is shown again.
const whatIfForm = "/domains/{domain}/what-if"

func whatIfRoutes(d *dashboard.Desk) []route {
	return []route{
		view(route{id: "what-if", path: whatIfForm, title: "What if", summary: "What a domain publishes, and what is worth asking about it",
			area: "domains", need: people.Viewer, over: oneDomain}, d.WhatIf),
		view(route{id: "what-if-dmarc", path: whatIfForm + "/dmarc", title: "What if the policy were another",
			summary: "What would have been lost had a DMARC policy been published: gatepost simulate dmarc",
			area:    "domains", need: people.Viewer, over: oneDomain, form: whatIfForm}, d.WhatIfDMARC),
		view(route{id: "what-if-spf", path: whatIfForm + "/spf", title: "What if the SPF record were another",
			summary: "For which addresses an SPF record would answer otherwise: gatepost simulate spf",
			area:    "domains", need: people.Viewer, over: oneDomain, form: whatIfForm}, d.WhatIfSPF),
		view(route{id: "readiness", path: "/domains/{domain}/readiness", title: "The way to p=reject",
			summary: "How far a domain is on the way to p=reject: gatepost readiness",
			area:    "domains", need: people.Viewer, over: oneDomain}, d.Readiness),
		view(route{id: "what-if-gate", path: "/gate/what-if", title: "What if the gate were stricter",
			summary: "Whom the gate would have blocked by another policy: gatepost simulate policy",
			area:    "gate", need: people.Viewer, over: everywhere}, d.WhatIfGate),
	}
}
