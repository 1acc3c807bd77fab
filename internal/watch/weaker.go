package watch

import (
	"fmt"
	"strings"

	"github.com/gatepost-mail/gatepost/dmarc"
	"github.com/gatepost-mail/gatepost/mtasts"
	"github.com/gatepost-mail/gatepost/spf"
)

// weakened says in which way a policy asks for less than it did; nothing where it does not, or that cannot be told.
func weakened(kind, before, now string) string {
	if strings.Contains(before, "\n") && kind != kindPolicy { // several records are none, so there is nothing to lose
		return ""
	}
	switch kind {
	case kindSPF:
		return weakerSPF(before, now)
	case kindDMARC:
		return weakerDMARC(before, now)
	case kindSTS:
		if before != "" && now == "" {
			return "the record is gone"
		}
	case kindPolicy:
		return weakerSTS(before, now)
	}
	return ""
}

func weakerSPF(before, now string) string {
	was, ok := all(before)
	if !ok {
		return ""
	}
	if now == "" {
		return "the record is gone"
	}
	is, ok := all(now)
	if !ok || strings.IndexByte("+?~-", is) >= strings.IndexByte("+?~-", was) {
		return ""
	}
	return fmt.Sprintf("%call became %call", was, is)
}

// all is what a record says of who is not in it. One that redirects leaves that to another.
func all(text string) (qualifier byte, ok bool) {
	record, err := spf.Parse(text)
	if err != nil {
		return 0, false
	}
	qualifier = '?' // without all it is neutral (RFC 7208 4.7)
	for _, t := range record.Terms {
		switch t.Kind {
		case spf.KindAll:
			return t.Qualifier, true
		case spf.KindRedirect:
			ok = true
		}
	}
	return qualifier, !ok
}

func weakerDMARC(before, now string) string {
	was, err := dmarc.Parse(before)
	if err != nil {
		return ""
	}
	is, err := dmarc.Parse(now)
	if err != nil {
		if now == "" {
			return "the record is gone"
		}
		return "the record cannot be used any longer"
	}
	for _, d := range []struct {
		tag     string
		was, is dmarc.Disposition
	}{{"p", was.Policy, is.Policy}, {"sp", was.SubdomainPolicy, is.SubdomainPolicy}, {"np", was.NonExistentPolicy, is.NonExistentPolicy}} {
		if strength(d.is) < strength(d.was) {
			return fmt.Sprintf("%s=%s became %s", d.tag, d.was, d.is)
		}
	}
	if is.Testing && !was.Testing {
		return "it is only tested now (t=y)"
	}
	return ""
}

func strength(d dmarc.Disposition) int {
	switch d {
	case dmarc.DispositionReject:
		return 2
	case dmarc.DispositionQuarantine:
		return 1
	}
	return 0
}

func weakerSTS(before, now string) string {
	was, err := mtasts.ParsePolicy([]byte(before))
	if err != nil {
		return ""
	}
	if now == "" {
		return "the file is gone"
	}
	is, err := mtasts.ParsePolicy([]byte(now))
	rank := map[mtasts.Mode]int{mtasts.Enforce: 2, mtasts.Testing: 1}
	if err != nil || rank[is.Mode] >= rank[was.Mode] {
		return ""
	}
	return fmt.Sprintf("mode %s became %s", was.Mode, is.Mode)
}
