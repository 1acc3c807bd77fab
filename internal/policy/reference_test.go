package policy

import (
	"strings"
	"testing"
)

func TestReferenceEndsTheReplyWithinItsBounds(t *testing.T) {
	short := Verdict{Action: Reject, Rule: "r", Reply: "550 5.7.1 No", Reason: "No"}
	long := Verdict{Action: Reject, Reply: "550 5.7.1 " + strings.Repeat("x", maxReply-len("550 5.7.1 ")-len("\r\n"))}
	for _, c := range []struct {
		v              Verdict
		ref, url, want string // want is how it ends
	}{
		{short, "4F1", "https://mail.example.org/why?{ref}", "550 5.7.1 No; ref 4F1, see https://mail.example.org/why?4F1"},
		{short, "4F1", "", "550 5.7.1 No; ref 4F1"},
		{short, "", "https://mail.example.org/", "550 5.7.1 No; see https://mail.example.org/"},
		{short, "", "", "550 5.7.1 No"},
		{short, "4F1\r\n250 OK", "", "550 5.7.1 No; ref 4F1250OK"},
		{short, "4F1", "https://x/\r\n", `550 5.7.1 No; ref 4F1, see https://x/\x0d\x0a`},
		{short, "4F1", "https://x/a b", "550 5.7.1 No; ref 4F1"},
		{short, "4F1", "https://x/" + strings.Repeat("y", 300), "550 5.7.1 No; ref 4F1"},
		{short, strings.Repeat("a", 100), "", "550 5.7.1 No; ref " + strings.Repeat("a", maxRef)},
		{long, "4F1", "https://mail.example.org/{ref}", "xxx...; ref 4F1, see https://mail.example.org/4F1"},
	} {
		got := c.v.WithReference(c.ref, c.url)
		if !strings.HasSuffix(got.Reply, c.want) || len(got.Reply)+len("\r\n") > maxReply || got.Reason != c.v.Reason {
			t.Errorf("%q, %q:\ngot  %s\nwant %s", c.ref, c.url, got.Reply, c.want)
		}
		for _, b := range []byte(got.Reply) {
			if !printable(b) {
				t.Errorf("%q: the reply holds %#x", c.ref, b)
			}
		}
	}
	if v := (Verdict{Action: Accept}).WithReference("4F1", "https://x/"); v.Reply != "" {
		t.Errorf("an accepted message gets the reply %q", v.Reply)
	}
}
