package signin

import (
	"bytes"
	"image"
	"image/color"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/boombuler/barcode/qr"
)

func TestOnlyPathsOfOursAreGoneToAfterSigningIn(t *testing.T) {
	for _, to := range []string{"/", "/domains", "/domains/", "/domains/example.com/sources/192.0.2.0%2F24?days=30&q=%2F%2Fevil.example", "/a?to=https://evil.example", "/caf%C3%A9"} {
		if got := local(to); got != to {
			t.Errorf("local(%q) = %q", to, got)
		}
	}
	for _, to := range []string{
		"", "domains", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example", "/\n/evil.example", "\t//evil.example", " //evil.example",
		"http:evil.example", "http://evil.example", "https:///evil.example", "javascript:alert(1)", "data:text/html,x", "//evil.example/%2f..", "/./../evil.example",
		"/..//evil.example", "/.//evil.example", "/a//evil.example", "/\u2028/evil.example", "/\x00", "/\xff", "//user@evil.example", "/%", "/" + strings.Repeat("a", maxLocal),
		"/\u202eevil", "/@evil.example\\..",
	} {
		if got := local(to); got != "/" {
			t.Errorf("local(%q) = %q, want /", to, got)
		}
	}
}

func FuzzLocalLeadsNowhereElse(f *testing.F) {
	for _, to := range []string{"/domains?x=1", "//evil", "/\\evil", "/%2f/evil", "/..//evil", "/\t/evil"} {
		f.Add(to)
	}
	f.Fuzz(func(t *testing.T, to string) {
		// What browsers do before they read an address: they leave out tabs and line ends, and take \ for /.
		seen := strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(strings.TrimFunc(local(to), func(c rune) bool { return c <= ' ' }))
		base := &url.URL{Scheme: "https", Host: "gatepost.example.org", Path: "/sign-in"}
		u, err := base.Parse(seen)
		if err != nil || u.Host != base.Host || u.Scheme != base.Scheme || strings.HasPrefix(seen, "//") {
			t.Errorf("local(%q) leads to %v: %v", to, u, err)
		}
	})
}

func TestWaitsAreSpoken(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "1 second", time.Millisecond: "1 second", 90 * time.Second: "90 seconds", 91 * time.Second: "2 minutes", 15 * time.Minute: "15 minutes",
	} {
		if got := spoken(d); got != want {
			t.Errorf("spoken(%v) = %q, want %q", d, got, want)
		}
	}
}

var (
	runs  = regexp.MustCompile(`M(\d+) (\d+)h(\d+)v1h-(\d+)z`)
	whole = regexp.MustCompile(`viewBox="0 0 (\d+) (\d+)"`)
)

// A QR code that is drawn is read back, and held against the one that the library made.
func TestQRCodeIsDrawnAsItIs(t *testing.T) {
	const uri = "otpauth://totp/Gatepost:ada?algorithm=SHA1&digits=6&issuer=Gatepost&period=30&secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	svg, err := qrCode(uri)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(svg), "style") || strings.Contains(string(svg), "script") {
		t.Errorf("what the policy forbids is in %s", svg)
	}
	code, err := qr.Encode(uri, qr.M, qr.Auto)
	if err != nil {
		t.Fatal(err)
	}
	size := code.Bounds().Dx()
	if m := whole.FindStringSubmatch(string(svg)); m == nil || m[1] != strconv.Itoa(size+8) || m[2] != m[1] {
		t.Fatalf("size %v, want %d", m, size+8)
	}
	drawn := image.NewGray(image.Rect(0, 0, size, size))
	for i := range drawn.Pix {
		drawn.Pix[i] = 255
	}
	number := func(s string) int { n, _ := strconv.Atoi(s); return n }
	for _, m := range runs.FindAllStringSubmatch(string(svg), -1) {
		if m[3] != m[4] {
			t.Fatalf("%s does not come back", m[0])
		}
		for x := range number(m[3]) {
			drawn.SetGray(number(m[1])-4+x, number(m[2])-4, color.Gray{})
		}
	}
	made := image.NewGray(drawn.Rect)
	for y := range size {
		for x := range size {
			made.Set(x, y, code.At(x, y))
		}
	}
	if !bytes.Equal(drawn.Pix, made.Pix) {
		t.Error("the picture is another")
	}
}

func TestStepsAreForOneKindAndAWhileAndOnce(t *testing.T) {
	now := time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	s := newSteps(func() time.Time { return now })
	text, err := s.seal("code", codeStep{Person: 7, To: "/domains"})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(text, "domains") {
		t.Error("what is sealed can be read")
	}
	var got codeStep
	id, ok := s.open("code", text, &got)
	if !ok || got.Person != 7 || got.To != "/domains" {
		t.Fatalf("%v %+v", ok, got)
	}
	if _, ok := s.open("totp", text, &got); ok {
		t.Error("it is good for another kind")
	}
	changed := []byte(text)
	changed[len(changed)/2] ^= 1
	if _, ok := s.open("code", string(changed), &got); ok {
		t.Error("it was changed, and is good")
	}
	if _, ok := newSteps(s.now).open("code", text, &got); ok {
		t.Error("another's key opens it")
	}
	for _, bad := range []string{"", "x", "!!", strings.Repeat("A", 5000)} {
		if _, ok := s.open("code", bad, &got); ok {
			t.Errorf("%q opens", bad)
		}
	}
	now = now.Add(stepFor - time.Second)
	if _, ok := s.open("code", text, &got); !ok {
		t.Error("it is not good any more")
	}
	if !s.use(id) || s.use(id) {
		t.Error("it is not used once")
	}
	if _, ok := s.open("code", text, &got); ok {
		t.Error("it was used, and opens")
	}
	text, _ = s.seal("code", codeStep{Person: 7})
	now = now.Add(stepFor)
	if _, ok := s.open("code", text, &got); ok {
		t.Error("it opens too late")
	}
}
