package signin

import (
	"fmt"
	"math"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode"
)

const maxLocal = 1024

// local is where a browser is sent after a sign-in: a path of ours with its query, and nowhere else. Browsers take "\" for "/", and leave
// out tabs and line ends, so that what has any of these is none.
func local(to string) string {
	if len(to) > maxLocal || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsFunc(to, odd) {
		return "/"
	}
	u, err := url.Parse(to)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !clean(u.EscapedPath()) {
		return "/"
	}
	return to
}

// clean tells whether a path has no empty parts, and none that lead up.
func clean(p string) bool { return p == "/" || path.Clean(p) == strings.TrimSuffix(p, "/") }

func odd(c rune) bool { return c == '\\' || c == unicode.ReplacementChar || !unicode.IsPrint(c) }

// signInAt is the page to sign in at, to come back to another.
func signInAt(to string) string {
	if to = local(to); to == "/" {
		return "/sign-in"
	}
	return "/sign-in?to=" + url.QueryEscape(to)
}

func seconds(d time.Duration) string { return strconv.Itoa(max(1, int(math.Ceil(d.Seconds())))) }

// spoken is how long somebody is to wait.
func spoken(d time.Duration) string {
	n, unit := int(math.Ceil(d.Seconds())), "second"
	if n > 90 {
		n, unit = int(math.Ceil(d.Minutes())), "minute"
	}
	if n = max(1, n); n > 1 {
		unit += "s"
	}
	return fmt.Sprintf("%d %s", n, unit)
}
