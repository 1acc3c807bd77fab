package web

import (
	"slices"

	"github.com/gatepost-mail/gatepost/internal/dashboard"
)

// routes is everything that can be asked and done, with who may.
func routes(d *dashboard.Desk) []route {
	return slices.Concat(
		domainRoutes(d), whatIfRoutes(d), gateRoutes(d), checkRoutes(d), reportRoutes(d), settingsRoutes(d), peopleRoutes(d),
	)
}
