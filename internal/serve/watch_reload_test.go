package serve

import (
	"strings"
	"testing"
)

func TestAReloadHasDomainsWatched(t *testing.T) {
	const table = "log.level = \"debug\"\n[watch]\ndomains = [\"example.com\"]\n"
	r := prepare(t, table+"every = \"0s\"\n")
	r.start(t)
	r.write(t, table+"every = \"1h\"\n")
	if err := r.control().Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, r, "a look at the domain", func() bool { return strings.Contains(r.log.String(), `msg="domain watched" domain=example.com`) })
}
