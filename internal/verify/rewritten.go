package verify

import (
	"strings"
)

// rewritten says who MAIL FROM was before a forwarder rewrote it, for the trace. Nothing rests on it: whoever sends the message writes
// it, and only the forwarder can tell by the hash in it whether that is true.
func rewritten(mailFrom string) []string {
	local, forwarder, ok := cutLast(mailFrom, '@')
	if !ok || len(local) < len("SRS0=") {
		return nil
	}
	var original, by string
	switch tag, rest := local[:4], local[5:]; {
	case !strings.ContainsRune("=+-", rune(local[4])):
		return nil
	case strings.EqualFold(tag, "SRS0"):
		original, ok = srs0(rest)
		by = forwarder
	case strings.EqualFold(tag, "SRS1"): // SRS1=HASH=first.example==HASH=TT=domain=local@second.example
		_, rest, ok = strings.Cut(rest, "=")
		var first string
		if ok {
			first, rest, ok = strings.Cut(rest, "=")
		}
		if ok && first != "" && len(rest) > 1 && strings.ContainsRune("=+-", rune(rest[0])) {
			original, ok = srs0(rest[1:])
			by = first + " and " + forwarder
		} else {
			ok = false
		}
	default:
		return nil
	}
	if !ok {
		return nil
	}
	return []string{"MAIL FROM was rewritten by SRS: " + original + ", forwarded by " + by}
}

// srs0 reads HASH=TT=domain=local.
func srs0(s string) (address string, ok bool) {
	parts := strings.SplitN(s, "=", 4)
	if len(parts) != 4 || parts[0] == "" || len(parts[1]) != 2 || !strings.Contains(parts[2], ".") || parts[3] == "" {
		return "", false
	}
	return parts[3] + "@" + parts[2], true
}

func cutLast(s string, sep byte) (before, after string, found bool) {
	i := strings.LastIndexByte(s, sep)
	if i < 0 {
		return "", "", false
	}
	return s[:i], s[i+1:], true
}
