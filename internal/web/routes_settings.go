package web

import (
	"github.com/gatepost-mail/gatepost/internal/dashboard"
	"github.com/gatepost-mail/gatepost/internal/people"
)

func settingsRoutes(d *dashboard.Desk) []route {
	r := func(id, path, title, summary string) route {
		return route{id: id, path: path, title: title, summary: summary, area: "settings", need: people.Owner, over: everywhere}
	}
	overview := r("settings", "/settings", "Settings", "What runs here and how it does; to who does not own everything, only that")
	overview.need, overview.over = people.Viewer, somewhere
	return []route{
		view(overview, d.Settings),
		view(r("settings-domains", "/settings/domains", "Domains and groups", "The domains that are ours, and the lines that add one"), d.SettingsDomains),
		view(r("settings-inputs", "/settings/inputs", "Inputs", "The ways by which reports come, and the lines that add one"), d.SettingsInputs),
		view(r("settings-letters", "/settings/letters", "Letters and alerts", "Who is written to, and the lines that add somebody"), d.SettingsLetters),
		view(r("settings-gate", "/settings/gate", "The gate", "How mail is judged, and the lines that change it"), d.SettingsGate),
	}
}
