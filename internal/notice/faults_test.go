package notice

import (
	"testing"

	"github.com/gatepost-mail/gatepost/internal/audit"
)

func TestEveryFindingWithALetterIsOneOfTheAudits(t *testing.T) {
	for id := range faultOf {
		if _, ok := audit.Explain(id); !ok {
			t.Errorf("%s: there is no such check", id)
		}
	}
}
