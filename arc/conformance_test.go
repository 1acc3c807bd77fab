package arc_test

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/gatepost-mail/gatepost/arc"
	"github.com/gatepost-mail/gatepost/dns"
)

// A suite is one document of the public ARC suites.
type suite struct {
	Description string            `yaml:"description"`
	Tests       yaml.MapSlice     `yaml:"tests"` // names stand in it twice
	TXT         map[string]string `yaml:"txt-records"`
	Domain      string            `yaml:"domain"`
	Selector    string            `yaml:"sel"`
	PrivateKey  string            `yaml:"privatekey"`
}

type testCase struct {
	Message string `yaml:"message"`
	CV      string `yaml:"cv"`

	Time       int64  `yaml:"t"`
	Headers    string `yaml:"sig-headers"`
	AuthservID string `yaml:"srv-id"`
	AS         string `yaml:"AS"`
	AMS        string `yaml:"AMS"`
	AAR        string `yaml:"AAR"`
}

func loadSuite(t *testing.T, name string) []suite {
	dir := os.Getenv("GATEPOST_CONFORMANCE")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "conformance")
	}
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		t.Skipf("the public conformance suite is not here: %v", err)
	}
	defer f.Close()
	decoder := yaml.NewDecoder(f, yaml.AllowDuplicateMapKey())
	var suites []suite
	for {
		var s suite
		if err := decoder.Decode(&s); err == io.EOF {
			return suites
		} else if err != nil {
			t.Fatal(err)
		}
		suites = append(suites, s)
	}
}

func readCase(t *testing.T, value any) testCase {
	text, err := yaml.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var c testCase
	if err := yaml.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// records answers from the suite's TXT records, which are folded there.
type records map[string]string

func (r records) Lookup(_ context.Context, name string, typ dns.Type) (dns.Answer, error) {
	txt, ok := r[name]
	if !ok || typ != dns.TypeTXT {
		return dns.Answer{}, &dns.Error{Name: name, Type: typ, Kind: dns.ErrNXDomain}
	}
	return dns.Answer{Name: name, TXT: []string{strings.ReplaceAll(txt, "\n", "")}}, nil
}

// laterRFC names the cases of 2016 that RFC 8617 of 2019 contradicts or decides: what it says, and why. The suite's own cases of
// rsa-sha1 and of a 512-bit key agree with RFC 8301, so they are not here.
var laterRFC = map[string]struct{ result, reason string }{
	"cv_fail_i1_as_cv_fail": {"fail", "the suite leaves it open; RFC 8617 5.2 step 1: a chain that ended in cv=fail is fail"},
	"cv_fail_i2_as2_fail":   {"fail", "the suite leaves it open; RFC 8617 5.2 step 1"},
	"cv_fail_i2_as1_fail":   {"fail", "the suite leaves it open; RFC 8617 5.2 step 3: cv below the newest must be none or pass"},
	"ams_fields_c_na":       {"fail", "RFC 8617 4.1.2: the semantics of DKIM-Signature, in which c= absent is simple/simple (RFC 6376 3.5)"},
	"ams_fields_h_empty":    {"fail", "RFC 8617 4.1.2: the syntax of DKIM-Signature, in which h= must sign From (RFC 6376 5.4)"},
	"ams_fields_h_mis_hdr":  {"fail", "RFC 8617 4.1.2: the syntax of DKIM-Signature, in which h= has no empty name (RFC 6376 3.5), and what departs from it MUST fail (6.1.1)"},
}

func TestValidationSuite(t *testing.T) {
	ran, excepted := 0, 0
	for _, s := range loadSuite(t, "arc-draft-validation-tests.yml") {
		for _, item := range s.Tests {
			name, c := item.Key.(string), readCase(t, item.Value)
			ran++
			if _, ok := laterRFC[name]; ok {
				excepted++
			}
			t.Run(name, func(t *testing.T) {
				r, err := arc.Verify(context.Background(), records(s.TXT), strings.NewReader(c.Message), arc.Options{})
				want := strings.ToLower(strings.TrimSpace(c.CV))
				if e, ok := laterRFC[name]; ok {
					if want == e.result {
						t.Errorf("the suite says %s too, so this is no exception", want)
					}
					want = e.result
				}
				if err != nil || string(r.Code) != want {
					t.Errorf("got %s (%v, %v), want %s", r.Code, r.Err, err, want)
				}
			})
		}
	}
	if ran != 175 { // 171 names, four of which stand there twice
		t.Errorf("%d cases, want 175", ran)
	}
	if excepted != len(laterRFC) {
		t.Errorf("%d exceptions were met, of %d", excepted, len(laterRFC))
	}
}

func TestSealingSuite(t *testing.T) {
	ran := 0
	for _, s := range loadSuite(t, "arc-draft-sign-tests.yml") {
		key := parseKey(t, s.PrivateKey)
		for _, item := range s.Tests {
			name, c := item.Key.(string), readCase(t, item.Value)
			ran++
			t.Run(name, func(t *testing.T) {
				sealer := arc.Sealer{
					Domain: s.Domain, Selector: s.Selector, Key: key, AuthservID: c.AuthservID,
					Headers: strings.Split(c.Headers, ":"), Now: time.Unix(c.Time, 0),
				}
				fields, err := arc.Seal(context.Background(), records(s.TXT), strings.NewReader(c.Message), sealer, "")
				if err != nil {
					t.Fatal(err)
				}
				want := []string{c.AS, c.AMS, c.AAR}
				if strings.TrimSpace(c.AS) == "" {
					if len(fields) != 0 {
						t.Errorf("got %v, want no fields", fields)
					}
					return
				}
				if len(fields) != 3 {
					t.Fatalf("got %d fields", len(fields))
				}
				for i, f := range fields {
					if got, want := tagSet(f.Value()), tagSet(want[i]); got != want {
						chain, _ := arc.Verify(context.Background(), records(s.TXT), strings.NewReader(c.Message), arc.Options{})
						t.Errorf("%s over a chain that is %s (%v)\ngot  %s\nwant %s", f.Name, chain.Code, chain.Err, got, want)
					}
				}
			})
		}
	}
	if ran != 17 {
		t.Errorf("%d cases, want 17", ran)
	}
}

// tagSet is a list of tags with the white space taken out, which the suite does not fix.
func tagSet(value string) string {
	return strings.TrimSuffix(strings.Join(strings.Fields(value), ""), ";")
}

func parseKey(t *testing.T, text string) *rsa.PrivateKey {
	t.Helper()
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		t.Fatal("no key in the suite")
	}
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
