package setup

import (
	"time"

	"github.com/gatepost-mail/gatepost/mtasts"
)

const (
	idFormat   = "20060102150405"
	testingAge = 7 * 24 * time.Hour
	enforceAge = 90 * 24 * time.Hour
)

// policy is the text of a policy file.
func policy(mode mtasts.Mode, age time.Duration, hosts []string) string {
	return (&mtasts.Policy{Mode: mode, MaxAge: age, MX: hosts}).String()
}
