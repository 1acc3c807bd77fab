package dashboard

import (
	"cmp"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/gatepost-mail/gatepost/internal/config"
)

// inputNames are the names by which the intake calls the inputs of a configuration, each another.
func inputNames(c *config.Config) []string {
	var all []string
	add := func(name string) {
		unique := name
		for n := 2; slices.Contains(all, unique); n++ {
			unique = fmt.Sprintf("%s#%d", name, n)
		}
		all = append(all, unique)
	}
	r := &c.Reports
	for i := range r.Folders {
		add("folder:" + r.Folders[i].Path)
	}
	for i := range r.IMAP {
		add(imapName(&r.IMAP[i]))
	}
	for i := range r.Graph {
		add("graph:" + cmp.Or(r.Graph[i].User, "me"))
	}
	for i := range r.Gmail {
		add("gmail:" + cmp.Or(r.Gmail[i].User, "me"))
	}
	for _, door := range []struct {
		name string
		open bool
	}{{"smtp", len(r.SMTP.Listen) > 0}, {"lmtp", len(r.SMTP.LMTP) > 0}, {"http", r.HTTP.Tokens != ""}} {
		if door.open {
			add(door.name)
		}
	}
	return all
}

func imapName(m *config.IMAP) string {
	host := m.Server
	if h, _, err := net.SplitHostPort(m.Server); err == nil {
		host = h
	}
	if strings.Contains(m.User, "@") {
		return "imap:" + m.User
	}
	return "imap:" + m.User + "@" + host
}
